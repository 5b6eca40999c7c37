"""Executed notebooks for tests: what papermill leaves of a run, in short, and what one shows."""

import json

import nbformat

from convae_nb import runs

# The notebooks beside the chapters that train for minutes: `make test-long` compares them.
LONG = {
    "solutions/03_training",
    "solutions/04_denoising",
    "solutions/05_checkerboard",
    "solutions/06_code",
    "solutions/07_around_the_code",
    "notebooks/checkerboard_claims",
    "notebooks/code_size",
    "notebooks/from_denoiser_to_generator",
    "notebooks/the_original",
    "notebooks/your_own_images",
}


def executed_run(folder, name, parameters, results, chapter="notebooks/01_a.ipynb", error=None, versions=None, text=None):
    """Write the record of a run."""
    outputs = [{"output_type": "display_data", "data": {runs.RESULTS: {"version": 1, "results": results}}, "metadata": {}}]
    outputs += [{"output_type": "error", "ename": "ValueError", "evalue": error, "traceback": []}] if error else []
    cells = [{"cell_type": "code", "source": "1", "metadata": {}, "execution_count": 1, "outputs": outputs}]
    papermill = {"input_path": chapter, "duration": 2.0, "parameters": parameters}
    stamp = {"version": 2, "text": text or "", "source": None, "versions": versions or {}}
    metadata = {"papermill": papermill} | ({"convae": stamp} if versions or text else {})
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "metadata": metadata}))


def two_settings(folder):
    """Write the records of two settings of three seeds each, the last of which failed."""
    for filters, losses in {(16, 8): (0.1, 0.2, 0.3), (4, 2): (0.5, 0.7, None)}.items():
        for seed, loss in enumerate(losses):
            results = {"loss": loss, "learned": True, "text": f"{loss}", "digits": 10} if loss else {}
            parameters = {"seed": seed, "epochs": 2, "filters": list(filters)}
            executed_run(folder, f"{filters[0]}-{seed}", parameters, results, error=None if loss else "no loss")


def outputs(path):
    return [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
