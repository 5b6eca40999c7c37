"""Mark a folder of notebooks: who has which exercise right."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convae_nb._base.validate import is_whole_number
from convae_nb.errors import RefusedError, RunError
from convae_nb.exercises.checking import EXERCISES
from convae_nb.exercises.verdict import VERDICT
from convae_nb.runs import notebook
from convae_nb.runs.execution import execute_in_kernel

if TYPE_CHECKING:
    import pandas as pd

_CELL_TIMEOUT = 600  # seconds: of the chapters' cells the longest takes two minutes


def mark(
    folder: str | os.PathLike, *, workers: int | None = None, cell_timeout: int = _CELL_TIMEOUT, progress: bool = True
) -> "pd.DataFrame":
    """Execute notebooks, and collect what `check` says in them.

    The notebooks are read and stay as they are; verdicts that are stored in them do not count. Each is executed in its folder, in a
    kernel of its own, and what its code does there is done: look at what strangers hand in before you execute it. A cell that fails
    does not keep those after it from being executed.

    Parameters
    ----------
    folder : str or Path
        All ``*.ipynb`` in it and in its subfolders.
    workers : int, optional
        How many are executed at once; None: as many as there are cores.
    cell_timeout : int
        Seconds that a cell may take; a notebook with a cell that takes longer ends there.
    progress : bool
        Whether a bar on standard error shows how many are done.

    Returns
    -------
    DataFrame
        A row for each notebook, by its path in the folder: for each exercise that was checked in any of them whether the last answer
        is right, missing where there is none; and ``reason``, the first error, if a cell failed or the notebook cannot be read.

    Raises
    ------
    RefusedError
        If there is no such folder, no notebook in it, or `workers` is no whole number of at least 1.
    """
    import joblib
    import pandas as pd
    from tqdm import tqdm

    if not (workers is None or is_whole_number(workers)):
        raise RefusedError(f"workers must be a whole number of at least 1, got {workers!r}")
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*.ipynb") if not any(part.startswith(".") for part in path.relative_to(root).parts))
    if not paths:
        reason = "there is no notebook in it" if root.is_dir() else "there is none of that name"
        raise RefusedError(f"folder must be a folder of notebooks, got {str(folder)!r}: {reason}")
    cores = joblib.cpu_count()
    count = min(workers or cores, len(paths))
    pool = joblib.Parallel(n_jobs=count, return_as="generator")
    marked = pool(joblib.delayed(_mark_one)(path, max(1, cores // count), cell_timeout) for path in paths)
    marked = tqdm(marked, total=len(paths), unit="notebook", disable=not progress)
    rows = {path.relative_to(root).as_posix(): row for path, row in zip(paths, marked, strict=True)}
    found = [name for name in EXERCISES if any(name in row for row in rows.values())]
    table = pd.DataFrame(list(rows.values()), index=list(rows), columns=[*found, "reason"])
    return table.astype(dict.fromkeys(found, "boolean") | {"reason": "str"})


def _mark_one(path, threads, cell_timeout) -> dict[str, Any]:
    try:
        read = notebook.read_valid(path)
    except RefusedError as error:
        return {"reason": str(error)}
    # A cell with this tag may fail, and the next one is executed all the same.
    cells = [cell | {"metadata": cell["metadata"] | {"tags": ["raises-exception"]}} for cell in read["cells"]]
    try:
        executed, _ = execute_in_kernel(read | {"cells": cells}, {}, folder=path.parent, cell_timeout=cell_timeout, threads=threads)
    except RunError as error:
        return {"reason": str(error)}
    state, reason = notebook.state(executed)
    return dict(_verdicts(executed)) | {"reason": reason if state != "done" else ""}


def _verdicts(executed) -> Iterator[tuple[str, bool]]:
    for cell in notebook.code_cells(executed):
        for output in cell["outputs"]:
            verdict = output.get("data", {}).get(VERDICT, {})
            if verdict.get("exercise") in EXERCISES and isinstance(verdict.get("right"), bool):
                yield verdict["exercise"], verdict["right"]
