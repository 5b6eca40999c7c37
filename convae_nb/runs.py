"""Parameterized runs of the chapters: the executed notebook is the record, and there is no other.

papermill keeps a run's parameters and seconds in the notebook, `record` its results, and `collect` reads a folder of them into one
table. The notebook libraries and Dask take seconds to import: the functions that need one bring it in, after all that can be refused.
"""

import contextlib
import functools
import json
import math
import sys
import tempfile
from pathlib import Path

from convae_nb import _chapters, _comparing, _engine, _execution, _notebook, _records
from convae_nb._chapters import find as find
from convae_nb._chapters import notebooks as notebooks
from convae_nb._cluster import LostError
from convae_nb.parameters import RefusedError

#: The type under which `record` stores results in a notebook.
RESULTS = _records.RESULTS
#: The columns of `collect`, before parameters and results.
COLUMNS = _records.COLUMNS
#: Seconds that a cell may take unless told otherwise.
CELL_TIMEOUT = _execution.CELL_TIMEOUT


class RunError(RuntimeError):
    """A notebook was started and did not come through; one line says where and why."""


def execute(chapter, parameters, output, *, cell_timeout=CELL_TIMEOUT, bar=None):
    """Execute a chapter with the given parameters, and write the executed notebook whole or not at all.

    It runs in the chapter's folder, in a kernel of this very Python, whatever kernel the notebook names. All of the chapter's
    parameters, given or not, are kept in the executed notebook.

    Parameters
    ----------
    chapter : int, str or Path
        As `find` takes it.
    parameters : dict
        Values by name; for the others the chapter's own defaults serve.
    output : str or Path
        The file to write. An earlier run's file is replaced, any other is not.
    cell_timeout : int
        Seconds that a cell may take.
    bar : tqdm, optional
        Moves on by one with each of the chapter's code cells.

    Raises
    ------
    RefusedError
        Before any kernel starts: no such chapter, a parameter that it does not have, a value that the vocabulary does not allow, or an
        output that is no earlier run's.
    RunError
        If a cell or a widget fails, a cell takes too long, or the kernel dies; the notebook is written, with the error in it.
    """
    path, output = find(chapter), Path(output)
    notebook, defaults = _chapters.read(path)
    values = _chapters.checked(path, defaults, parameters)
    _writable(output.parent, output)
    if output.exists() and (output.samefile(path) or not _notebook.is_run(output)):
        raise RefusedError(f"output must be a new file or that of an earlier run, got {str(output)!r}: choose another name")

    if bar is not None:
        bar.set_description(path.stem)
    about = _execution.about(notebook, values)
    result, _ = _execution.executed(notebook, values, folder=path.parent, cell_timeout=cell_timeout, bar=bar)
    result["metadata"]["papermill"] |= {"input_path": str(path), "output_path": str(output)}
    result["metadata"][_execution.ABOUT] = about
    _notebook.write(output, result)
    state, reason = _notebook.state(result)
    if state != "done":
        raise RunError(f"{path.stem}: {reason or 'it stopped before its last cell'} (kept in {output})")


def sweep(chapter, grid, output, scheduler=None, workers=None, *, parameters=None, progress=True):
    """Execute a chapter with every combination of the given values, many at once, each in a kernel of its own.

    What is there already is not done again: a run of the same chapter text with the same parameters and versions that came through.
    So the same call goes on after an interruption, and does what failed once more. Two sweeps may work on one folder at the same time.

    The libraries of a run use as many threads as there are cores for each of the runs at work; its numbers can differ in the last
    digits from those of a run that has all cores. A script that calls this on its own cores does so under
    ``if __name__ == "__main__":``, since every worker imports the script.

    Parameters
    ----------
    chapter : int, str or Path
        As `find` takes it.
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
        Before anything starts: as `execute`, or the cluster is not there or has other versions of the package, Python or TensorFlow.
    RunError
        If the cluster goes away, a worker with other versions joins it, or the disk is full. What has come back is kept. A run that
        fails raises nothing: its row says why.
    """
    path, output = find(chapter), Path(output)
    notebook, defaults = _chapters.read(path)
    points = _chapters.combinations(path, defaults, grid, parameters or {})
    runs = [_engine.Run(output / f"{path.stem}-{digest}.ipynb", values) for digest, values in points.items()]
    if not (workers is None or (isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1)):
        raise RefusedError(f"workers must be a whole number of at least 1, got {workers!r}")
    _writable(output, output)

    @functools.cache
    def about_source(source):
        return _execution.about(notebook, {"source": source})

    def about(run):
        return about_source(run.values.get("source", "mnist"))

    todo = [run for run in runs if not _engine.is_done(run, about)]
    with _progress(len(runs), len(runs) - len(todo), progress) as report:
        try:
            if todo:
                _engine.do(todo, notebook, about, report, chapter=path, scheduler=scheduler, workers=workers)
        except LostError as error:
            left = sum(not _engine.is_done(run, about) for run in todo)
            raise RunError(f"{error}: {left} of {len(runs)} runs are not done; the same command goes on with them") from None
    return _records.table([run.path for run in runs])


def store(chapters=()):
    """Execute notebooks where they lie, as they are to be stored: without times, paths of this machine, versions or widgets' state.

    Parameters
    ----------
    chapters : iterable of int, str or Path
        As `find` takes them; none: all notebooks and their solutions.

    Raises
    ------
    RefusedError
        If there is no such chapter.
    RunError
        If a cell fails or a path of this machine is in an output; that notebook and those after it stay as they were.
    """
    paths = [find(chapter) for chapter in chapters] or notebooks("*.ipynb", "solutions/*.ipynb")

    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal

    with progress(paths) as bar:
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            bar.set_description(path.stem)
            with _execution.kernel(path.parent, CELL_TIMEOUT, bar) as (_, options):
                try:
                    NotebookClient(notebook, kernel_name="python3", record_timing=False, store_widget_state=False, **options).execute()
                except (CellControlSignal, RuntimeError) as error:
                    raise RunError(f"{path.stem}: {_notebook.state(notebook)[1] or _notebook.line(error)}") from None
            _clean(notebook)
            for local in {str(path.parent.resolve()), sys.prefix}:
                if json.dumps(local, ensure_ascii=False)[1:-1] in json.dumps(notebook, ensure_ascii=False):
                    raise RunError(f"{path.stem}: an output or a cell holds this machine's path {local}")
            _notebook.write(path, notebook)


def record(**results):
    """Store results in the notebook that calls this, and show them as a table: what was measured.

    Parameters
    ----------
    **results : float, int, bool or str
        By name; NumPy scalars serve too. Of results of the same name the last one holds. What is NaN could not be measured, as SSIM of
        small images: it is shown as such, and not stored.

    Raises
    ------
    ValueError
        If a value is of another type or infinite, or a name means a parameter or a column of `collect` already.
    """
    import numpy as np
    import pandas as pd
    from IPython.display import display

    results = {name: value.item() if isinstance(value, np.generic) else value for name, value in results.items()}
    missing = [name for name, value in results.items() if isinstance(value, float) and math.isnan(value)]
    results = _records.valid(results | dict.fromkeys(missing, "not measured"))
    table = pd.DataFrame({"measured": map(_records.shown, results.values())}, index=list(results))
    stored = {"version": 1, "results": {name: value for name, value in results.items() if name not in missing}}
    display({RESULTS: stored, "text/html": table.to_html(), "text/plain": table.to_string()}, raw=True)


def collect(folder):
    """Read a folder of executed notebooks into one table.

    Parameters
    ----------
    folder : str or Path
        Its ``*.ipynb`` are read, those in its subfolders are not.

    Returns
    -------
    DataFrame
        A row a notebook, by file name: ``chapter``, ``chapter_text`` (the first digits of its text's hash, which tell an edited chapter
        from what it was), ``seconds``, ``state`` (done, failed or unfinished), ``reason`` (of a failure), the versions ``convae_nb``,
        ``python`` and ``tensorflow``, then parameters and results. What is no executed notebook is left out: ``attrs["skipped"]`` says
        why, by file name.

    Raises
    ------
    RefusedError
        If there is no such folder.
    """
    return _records.folder(folder)


def compare(folder, over=None):
    """Put side by side in what a folder's runs differ.

    Parameters
    ----------
    folder : str or Path
        As `collect` takes it.
    over : str, optional
        A parameter, such as seed: runs that differ in nothing else become one row.

    Returns
    -------
    DataFrame
        Those columns of `collect` that are not the same in all runs, ``seconds`` left out. With `over`: a row for each combination of
        the other parameters, ``runs``, how many of them are done, and for each result that is a number its mean and, as ``<name>_spread``,
        its standard deviation (of a sample; missing for a single run). ``attrs["same"]`` holds what is the same in all of them,
        ``attrs["skipped"]`` what `collect` left out, ``attrs["left_out"]`` how many runs are not done.

    Raises
    ------
    RefusedError
        If there is no such folder, or no run in it, or `over` is no parameter of its runs, or none of them is done.
    """
    return _comparing.compare(_records.folder(folder), over)


def progress(paths):
    """Give a progress bar, on standard error, that counts the notebooks' code cells; what is refused at once never shows it."""
    from tqdm import tqdm

    return tqdm(total=sum(len(_notebook.code_cells(_notebook.read(path))) for path in paths), unit="cell", delay=1)


@contextlib.contextmanager
def _progress(total, done, wanted):
    """Give what a sweep reports to: it moves a bar."""
    from tqdm import tqdm

    failed = 0
    with tqdm(total=total, initial=done, unit="run", disable=not wanted) as bar:

        def report(run=None, state=None, reason=None):
            nonlocal failed
            if run is not None:
                failed += state != "done"
                bar.set_postfix_str(f"{failed} failed", refresh=False)
                bar.update()
            if sys.stderr.isatty():  # in a file every refresh is a line
                bar.refresh()

        yield report


def _writable(folder, output):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        output.exists()  # raises where its name is too long
    except OSError as error:
        raise RefusedError(f"output must be a place that can be written, got {str(output)!r}: {error.strerror}") from None


def _clean(notebook):
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("papermill", None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata["language_info"].pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
