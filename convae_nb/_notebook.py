"""Executed notebooks as files: read, written in one step, and what became of the run that one holds."""

import json
from pathlib import Path

from convae_nb._whole import replacing

UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)  # what reading another file can raise


def read(path):
    """Give a notebook as plain JSON values."""
    return json.loads(Path(path).read_text("utf-8"))


def text(notebook):
    """Give a notebook as the text of its file."""
    import nbformat

    return nbformat.writes(nbformat.from_dict(notebook)) + "\n"


def write(path, notebook):
    """Write a notebook in one step: whoever reads `path` finds the old file or the whole new one."""
    with replacing(path) as file:
        file.write(text(notebook).encode())


def code_cells(notebook):
    """Give the cells that have code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def is_run(path):
    """Say whether a file is an executed notebook of papermill's."""
    try:
        return "papermill" in read(path)["metadata"]
    except UNREADABLE:
        return False


def state(notebook):
    """Give what became of a run: done, failed or unfinished; and in one line why it failed.

    papermill's metadata call a run well whose kernel died or whose cell took too long: what counts is that every cell ran, and that no
    output is an error, widgets' included.
    """
    cells = code_cells(notebook)
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return "failed", _reason(output, cell)
    shown = {view: cell for cell in cells for output in cell["outputs"] for view in _views(output)}
    for model, widget in _widgets(notebook).items():
        for output in widget["state"].get("outputs", ()):
            if output["output_type"] == "error":
                return "failed", _reason(output, shown.get(model), "in a widget ")
    statuses = {cell.get("metadata", {}).get("papermill", {}).get("status", "completed") for cell in cells}
    ran = all(cell["execution_count"] is not None for cell in cells) and statuses <= {"completed", "failed"}
    return "done" if ran else "unfinished", ""


def line(message):
    """Give the first line of an error's message that says something."""
    return next((line.strip() for line in str(message).splitlines() if line.strip()), "")


def _reason(output, cell, where=""):
    count = cell["execution_count"] if cell else None
    return f"{output['ename']}: {line(output['evalue'])} {where}{f'in cell [{count}]' if count else ''}".rstrip()


def _views(output):
    view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json", {})
    return [view["model_id"]] if "model_id" in view else []


def _widgets(notebook):
    return notebook["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
