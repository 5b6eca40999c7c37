"""Parameterized runs of the chapters: the executed notebook is the record, and there is no other.

papermill keeps a run's parameters and seconds in the notebook, `record` its results, and `collect` reads a folder of them into one
table. The notebook libraries take seconds to import: the functions that need one bring it in, after all that can be refused.
"""

import ast
import contextlib
import glob
import json
import math
import os
import sys
import tempfile
from pathlib import Path

from convae_nb.parameters import Parameters, RefusedError, closest

RESULTS = "application/vnd.convae.results+json"
CELL_TIMEOUT = 4 * 3600  # seconds; the longest cell, 100 epochs of the denoiser, takes one hour on two cores
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)  # what reading a file that is no notebook can raise
COLUMNS = ("chapter", "seconds", "state", "reason")  # of `collect`, before parameters and results


class RunError(RuntimeError):
    """A notebook was started and did not come through; one line says where and why."""


def find(chapter):
    """Find a chapter's file.

    Parameters
    ----------
    chapter : int, str or Path
        A number (4) or a stem (04_denoising), looked up in ./notebooks and then in the checkout that holds the package; or a path.

    Returns
    -------
    Path

    Raises
    ------
    RefusedError
        If that is no notebook, or more than one.
    """
    name = str(chapter)
    if name.endswith(".ipynb") or Path(name).name != name:
        if not Path(name).is_file():
            raise RefusedError(f"chapter must be a number, a stem or a file, got {name!r}: there is no such file")
        return Path(name)
    first, *others = notebooks(f"{name.zfill(2)}_*.ipynb" if name.isdecimal() else f"{glob.escape(name)}.ipynb")
    if others:
        raise RefusedError(f"chapter must be one notebook, got {name!r}: give the stem, as {first.stem} or {others[0].stem}")
    return first


def notebooks(*patterns):
    """List the notebooks that match, in ./notebooks or else in the checkout that holds the package.

    Parameters
    ----------
    *patterns : str
        Such as ``0[1-9]_*.ipynb``, the chapters; each one's matches are sorted.

    Returns
    -------
    list of Path

    Raises
    ------
    RefusedError
        If there are none.
    """
    folders = Path("notebooks"), Path(__file__).parents[1] / "notebooks"
    for folder in folders:
        if found := [path for pattern in patterns for path in sorted(folder.glob(pattern))]:
            return found
    raise RefusedError(f"there is no notebook {' or '.join(patterns)} in {folders[0]} or {folders[1]}")


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
        If a cell fails or takes too long, or the kernel dies; the notebook is written, with the error in it.
    """
    path, output = find(chapter), Path(output)
    values = _checked(path, parameters)
    source = values.get("source", "mnist")
    if source != "mnist":
        values["source"] = str(Path(source).absolute())  # the chapter runs in its own folder
        if not Path(source).is_file():
            raise RefusedError(f"source must be mnist or the path of a .npz file, got {source!r}: no such file")
    if output.exists() and (output.samefile(path) or not _is_run(output)):
        raise RefusedError(f"output must be a new file or that of an earlier run, got {str(output)!r}: choose another name")

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise RefusedError(f"output must be a file that can be written, got {str(output)!r}: {error.strerror}") from None
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError

    source, crash = nbformat.read(path, as_version=4), None  # of a path papermill would take what is in braces for a parameter
    with _kernel(path, cell_timeout, bar) as (scratch, options):
        draft = scratch / "draft.ipynb"
        try:
            papermill.execute_notebook(source, draft, values, kernel_name="python3", language="python", progress_bar=False, **options)
        except papermill.PapermillExecutionError:
            pass  # it is in the notebook
        except (RuntimeError, CellTimeoutError) as error:  # the kernel died, or the time is up
            crash = error
        notebook = _read(draft)
    notebook["metadata"]["papermill"] |= {"input_path": str(path), "output_path": str(output)}
    if crash:
        # papermill's own metadata say that all is well: the error goes where a reader looks for it, first under the cell that ran.
        cell = max(_code_cells(notebook), key=lambda cell: cell["metadata"]["papermill"]["start_time"] or "")
        cell["outputs"].insert(0, {"output_type": "error", "ename": type(crash).__name__, "evalue": _line(crash), "traceback": []})
    _write(output, notebook)
    state, reason = _state(notebook)
    if state != "done":
        raise RunError(f"{path.stem}: {reason or 'it stopped before its last cell'} (kept in {output})")


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
            with _kernel(path, CELL_TIMEOUT, bar) as (_, options):
                try:
                    NotebookClient(notebook, kernel_name="python3", record_timing=False, store_widget_state=False, **options).execute()
                except (CellControlSignal, RuntimeError) as error:
                    raise RunError(f"{path.stem}: {_state(notebook)[1] or _line(error)}") from None
            _clean(notebook)
            for local in {str(path.parent.resolve()), sys.prefix}:
                if json.dumps(local, ensure_ascii=False)[1:-1] in json.dumps(notebook, ensure_ascii=False):
                    raise RunError(f"{path.stem}: an output or a cell holds this machine's path {local}")
            _write(path, notebook)


def record(**results):
    """Store results in the notebook that calls this, and show them as a table: what was measured.

    Parameters
    ----------
    **results : float, int, bool or str
        By name; NumPy scalars serve too. Of results of the same name the last one holds.

    Raises
    ------
    ValueError
        If a value is of another type or not finite, or a name means a parameter or a column of `collect` already.
    """
    import numpy as np
    import pandas as pd
    from IPython.display import display

    results = _valid({name: value.item() if isinstance(value, np.generic) else value for name, value in results.items()})
    table = pd.DataFrame({"measured": map(shown, results.values())}, index=list(results))
    display({RESULTS: {"version": 1, "results": results}, "text/html": table.to_html(), "text/plain": table.to_string()}, raw=True)


def collect(folder):
    """Read a folder of executed notebooks into one table.

    Parameters
    ----------
    folder : str or Path
        Its ``*.ipynb`` are read, those in its subfolders are not.

    Returns
    -------
    DataFrame
        A row a notebook, by file name: ``chapter``, ``seconds``, ``state`` (done, failed or unfinished) and ``reason`` (of a failure),
        then parameters and results. What is no executed notebook is left out: ``attrs["skipped"]`` says why, by file name.
    """
    import pandas as pd

    rows, skipped = {}, {}
    for path in sorted(Path(folder).glob("*.ipynb")):
        try:
            rows[path.name] = _row(_read(path))
        except _UNREADABLE as error:
            skipped[path.name] = f"no executed notebook: {error!r}"
    columns = dict.fromkeys([*COLUMNS, *(column for row in rows.values() for column in row)])
    table = pd.DataFrame(rows.values(), index=list(rows), columns=list(columns))
    table.attrs["skipped"] = skipped
    return table


def shown(value):
    """Give a result as text, a float to four digits.

    Examples
    --------
    >>> shown(0.094812), shown(187.26), shown(12345.6), shown(60000)
    ('0.09481', '187.3', '12346', '60000')
    """
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return str(value)


def progress(paths):
    """Give a progress bar, on standard error, that counts the notebooks' code cells; what is refused at once never shows it."""
    from tqdm import tqdm

    return tqdm(total=sum(len(_code_cells(_read(path))) for path in paths), unit="cell", delay=1)


def _checked(path, given):
    """All parameters of a chapter: its own defaults, read from the cell tagged ``parameters``, and those given instead."""
    defaults = {}
    try:
        for cell in _code_cells(_read(path)):
            if "parameters" in cell["metadata"].get("tags", []):
                for node in ast.parse("".join(cell["source"])).body:
                    if isinstance(node, ast.AnnAssign):
                        defaults[node.target.id] = ast.literal_eval(node.value)
    except (*_UNREADABLE, SyntaxError) as error:
        raise RefusedError(f"{path} must be a notebook with a readable parameters cell, got {error!r}") from None
    for name in given:
        if name not in defaults:
            raise RefusedError(f"{path.stem} has no parameter {name!r}: {closest(name, defaults)}")
    values = Parameters(**(defaults | given))
    return {name: getattr(values, name) for name in defaults}


@contextlib.contextmanager
def _kernel(path, cell_timeout, bar):
    """Give a scratch folder, and the options for nbclient that hold for it: a kernel of this Python, in the notebook's folder."""
    import traitlets
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from traitlets.config import Config

    class ThisPython(AsyncKernelManager):
        @traitlets.default("kernel_spec_manager")
        def _native_only(self):
            return KernelSpecManager(kernel_dirs=[])  # no kernel installed anywhere hides ipykernel's own, of sys.executable

    def advance(cell, **_):
        if bar is not None and "injected-parameters" not in cell.metadata.get("tags", []):
            bar.update()

    if bar is not None:
        bar.set_description(path.stem)
    with tempfile.TemporaryDirectory(prefix="convae-") as scratch:
        # Kernels that start at once race for ports, but not for sockets; a socket's path must be short, as Jupyter's folder may not be.
        transport = {"transport": "tcp" if sys.platform == "win32" else "ipc", "connection_file": f"{scratch}/kernel.json"}
        options = {
            "kernel_manager_class": ThisPython,
            "config": Config(ThisPython=transport),
            "extra_arguments": ["--log-level=CRITICAL"],  # ipykernel calls its every shutdown an error
            "resources": {"metadata": {"path": str(path.parent)}},
            "timeout": cell_timeout,
            "iopub_timeout": 60,  # seconds; the default of 4 is little on a busy machine
            "coalesce_streams": True,
            "on_cell_executed": advance,
        }
        yield Path(scratch), options


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


def _row(notebook):
    run = notebook["metadata"]["papermill"]
    results = {}
    for cell in _code_cells(notebook):
        for output in cell["outputs"]:
            if payload := output.get("data", {}).get(RESULTS):
                if payload["version"] != 1:
                    raise ValueError(f"results of version {payload['version']}, not 1")
                results |= _valid(payload["results"])
    head = dict(zip(COLUMNS, (Path(run["input_path"]).stem, run["duration"], *_state(notebook)), strict=True))
    return head | run["parameters"] | results


def _valid(results):
    for name, value in results.items():
        if name in COLUMNS or name in Parameters.model_fields:
            raise ValueError(f"a result must not be called {name!r}, which is a parameter or a column of every run: choose another name")
        if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"result {name} must be a finite number, a bool or a str, got {value!r}: convert it first")
    return results


def _state(notebook):
    """The state, and the reason if it is "failed"."""
    cells = _code_cells(notebook)
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return "failed", f"{output['ename']}: {_line(output['evalue'])} in cell [{cell['execution_count']}]"
    return "unfinished" if any(cell["execution_count"] is None for cell in cells) else "done", ""


def _line(text):
    return next(iter(str(text).strip().splitlines()), "")


def _code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def _is_run(path):
    try:
        return "papermill" in _read(path)["metadata"]
    except _UNREADABLE:
        return False


def _read(path):
    return json.loads(Path(path).read_text("utf-8"))


def _write(path, notebook):
    """Write a notebook in one step: whoever reads `path` finds the old file or the whole new one."""
    import nbformat

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(nbformat.writes(nbformat.from_dict(notebook)) + "\n", "utf-8")
    os.replace(part, path)
