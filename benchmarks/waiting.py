"""Where the time of ``make run`` goes: into each chapter's kernel, its imports, its training, and all else that its cells do."""

import json
import tempfile
import time
from pathlib import Path

from convae_nb import runs

KINDS = ("kernel", "imports", "training", "rest")


def measure(chapters=None):
    """Execute chapters, all of the package's unless others are given, with their default parameters.

    Returns
    -------
    dict
        Seconds by chapter and kind, ``run_CHAPTER_KIND``, and "run_total".
    """
    measured, total = {}, 0.0
    with tempfile.TemporaryDirectory(prefix="convae-bench-") as folder:
        for chapter in chapters or runs.notebooks("[0-9][0-9]_*.ipynb"):
            print(f"waiting: {chapter.stem}", flush=True)
            output, started = Path(folder, chapter.name), time.perf_counter()
            runs.execute(chapter, {}, output)
            seconds = time.perf_counter() - started
            spent = dict.fromkeys(KINDS, 0.0)
            for cell in json.loads(output.read_text("utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    spent[kind_of("".join(cell["source"]))] += cell["metadata"]["papermill"]["duration"] or 0.0
            spent["kernel"] = seconds - sum(spent.values())
            measured |= {f"run_{chapter.stem}_{kind}": ([spent[kind]], "seconds") for kind in KINDS}
            total += seconds
    return measured | {"run_total": ([total], "seconds")}


def kind_of(source):
    """Say what a cell is: imports come first in its text, a training is called by the package's name.

    Examples
    --------
    >>> [kind_of(source) for source in ("from convae_nb import data", "result = training.train(model, dataset, recipe)", "plots.bars(x)")]
    ['imports', 'training', 'rest']
    """
    if source.startswith(("import ", "from ")):
        return "imports"
    return "training" if "training.train(" in source or "runs.sweep(" in source else "rest"
