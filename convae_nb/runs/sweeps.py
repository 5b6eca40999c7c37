"""Sweeps: a chapter, executed with every combination of some values."""

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convae_nb._base.files import validate_writable
from convae_nb._base.validate import is_whole_number
from convae_nb.errors import RefusedError, RunError
from convae_nb.runs import chapters, engine, records, source
from convae_nb.runs.cluster import ClusterLostError

if TYPE_CHECKING:
    import pandas as pd


def sweep(
    chapter: int | str | os.PathLike,
    grid: Mapping[str, Iterable],
    output: str | os.PathLike,
    scheduler: str | None = None,
    workers: int | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> "pd.DataFrame":
    """Execute a chapter with every combination of the given values, many at once, each in a kernel of its own.

    What is there already is not done again: a run of the same chapter text with the same parameters, images and versions, and the same
    files of this package, that came through.
    So the same call goes on after an interruption, and does what failed once more. Two sweeps may work on one folder at the same time.

    The libraries of a run use as many threads as there are cores for each of the runs at work; its numbers can differ in the last
    digits from those of a run that has all cores. A script that calls this on its own cores does so under
    ``if __name__ == "__main__":``, since every worker imports the script.

    Parameters
    ----------
    chapter : int, str or Path
        As `runs.find` takes it.
    grid : dict of str to iterable
        Values by name of the parameters that vary.
    output : str or Path
        The folder for the executed notebooks, ``CHAPTER-<hash of parameters>.ipynb``.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``; its workers need this package in the same version, and no disk in
        common. None: workers of this machine's own, a run a core.
    workers : int, optional
        How many runs are at work at once, at most; None: as many as there are cores, or as the cluster's workers have threads.
    parameters : dict, optional
        Values by name of parameters that are other than the chapter's defaults, but the same in all runs.
    progress : bool
        Whether a bar on standard error shows how many are done, how many failed, and the time left.

    Returns
    -------
    DataFrame
        The rows of this sweep's runs, as `collect` gives them, in the order of the grid.

    Raises
    ------
    RefusedError
        Before anything starts: as `execute`, or the cluster is not there or has other versions.
    RunError
        If the cluster goes away, a worker with other versions joins it, or the disk is full. What has come back is kept. A run that
        fails raises nothing: its row says why.
    """
    found, folder = chapters.read(chapters.find(chapter)), Path(output)
    points = chapters.combinations(found, grid, parameters or {})
    if not (workers is None or is_whole_number(workers)):
        raise RefusedError(f"workers must be a whole number of at least 1, got {workers!r}")
    sources = {values["source"] for values in points.values() if values.get("source", "mnist") != "mnist"}
    for name in sources if scheduler is not None else ():
        source.validate_size(name)
    validate_writable(folder, folder)

    # One stamp for all that read the same images, which may be many.
    stamps = {name: records.stamp(found.notebook, {"source": name}) for name in {"mnist"} | sources}
    runs = [
        engine.Run(folder / f"{found.path.stem}-{digest}.ipynb", values, stamps[values.get("source", "mnist")])
        for digest, values in points.items()
    ]
    todo = [run for run in runs if not run.is_done]
    with _progress(len(runs), len(runs) - len(todo), progress) as report:
        try:
            if todo:
                engine.execute_all(todo, found, report, scheduler=scheduler, workers=workers)
        except ClusterLostError as error:
            left = sum(not run.is_done for run in todo)
            raise RunError(f"{error}: {left} of {len(runs)} runs are not done; the same command goes on with them") from None
    return records.read_runs(run.path for run in runs).table


@contextlib.contextmanager
def _progress(total, done, wanted):
    """Give what a sweep reports to: it moves a bar."""
    from tqdm import tqdm

    failed = 0
    with tqdm(total=total, initial=done, unit="run", disable=not wanted or sys.stderr is None) as bar:

        def report(run=None, state=None, reason=None):
            nonlocal failed
            if run is not None:
                failed += state != "done"
                bar.set_postfix_str(f"{failed} failed", refresh=False)
                bar.update()
            if sys.stderr is not None and sys.stderr.isatty():  # in a file every refresh is a line
                bar.refresh()

        yield report
