"""Execute a notebook by papermill, in a kernel of this very Python, whatever kernel the notebook names."""

import contextlib
import functools
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from convae_nb._base.files import validate_writable, write_atomically
from convae_nb._base.validate import first_line
from convae_nb.errors import RefusedError, RunError
from convae_nb.runs import chapters, notebook, records

#: Seconds that a cell may take unless told otherwise; the longest cell, 100 epochs of the denoiser, takes one hour on two cores.
CELL_TIMEOUT = 4 * 3600
_IOPUB_TIMEOUT = 60  # seconds for a kernel's messages; the default of 4 is little on a busy machine
_SOCKET_PATH = 103  # bytes that a socket's path may have, on macOS; on Linux 107
# What of the user's surroundings would change a record: figures, start-up files, Keras's floats, the width of tables, warnings.
_SURROUNDINGS = ("COLUMNS", "LINES", "PYTHONSTARTUP", "PYTHONWARNINGS")
# Each of these would take all cores for itself.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def execute(
    chapter: int | str | os.PathLike,
    parameters: dict[str, Any],
    output: str | os.PathLike,
    *,
    cell_timeout: int = CELL_TIMEOUT,
    bar: tqdm | None = None,
) -> None:
    """Execute a chapter with the given parameters, and write the executed notebook whole or not at all, and the network that it keeps.

    It runs in the chapter's folder, in a kernel of this very Python, whatever kernel the notebook names. All of the chapter's
    parameters, given or not, are kept in the executed notebook.

    Parameters
    ----------
    chapter : int, str or Path
        As `runs.find` takes it.
    parameters : dict
        Values by name; for the others the chapter's own defaults serve.
    output : str or Path
        The file to write. An earlier run's file is replaced, any other is not. A kept network goes into one of the same name that ends in
        ``.network.npz``.
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
    found, target = chapters.read(chapters.find(chapter)), Path(output)
    values = found.validated(parameters)
    validate_writable(target.parent, target)
    if target.exists() and (target.samefile(found.path) or not notebook.is_run(target)):
        raise RefusedError(f"output must be a new file or that of an earlier run, got {str(output)!r}: choose another name")

    if bar is not None:
        bar.set_description(found.path.stem)
    stamp = records.stamp(found.notebook, values)
    result, _ = execute_in_kernel(found.notebook, values, folder=found.path.parent, cell_timeout=cell_timeout, bar=bar)
    network = records.take_network(result)
    try:
        if network:
            write_network(target, network)
        text = records.run_text(result, output=target.as_posix(), chapter=found.path.as_posix(), values=values, stamp=stamp)
        notebook.write(target, text)
    except OSError as error:  # the disk is full, say: hours of work may be in it
        kept = _keep_elsewhere(target, result)
        raise RunError(f"{target} cannot be written ({error.strerror or error}): the executed notebook is {kept}") from None
    state, reason = notebook.state(result)
    if state != "done":
        raise RunError(f"{found.path.stem}: {reason or 'it stopped before its last cell'} (kept in {target})")


def write_network(output: Path, content: bytes) -> None:
    """Write a kept network beside its executed notebook."""
    with write_atomically(records.network_path(output)) as file:
        file.write(content)


def _keep_elsewhere(target, result):
    """Write a notebook that has lost its place into the temporary folder or the home; say where it is."""
    for folder in (tempfile.gettempdir(), Path.home()):
        other = Path(folder, f"{target.stem}-{secrets.token_hex(4)}.ipynb")
        with contextlib.suppress(OSError):
            notebook.write(other, result)
            return f"in {other}"
    return "lost"


def execute_in_kernel(
    chapter: dict,
    values: dict[str, Any],
    *,
    folder: str | os.PathLike | None,
    cell_timeout: int = CELL_TIMEOUT,
    bar: tqdm | None = None,
    threads: int | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[dict, bool]:
    """Execute a notebook in a kernel of its own.

    Parameters
    ----------
    chapter : dict
        A notebook as its file holds it; what an earlier execution left is dropped.
    values : dict
        All of its parameters.
    folder : str or Path
        Where its kernel runs; None: an empty folder that is gone afterwards.
    cell_timeout : int
        Seconds that a cell may take.
    bar : tqdm, optional
        Moves on by one with each code cell.
    threads : int, optional
        How many the kernel's libraries use; None: as many as they see fit.
    cancelled : callable, optional
        Asked every second; once it says True, the kernel is killed.

    Returns
    -------
    notebook : dict
        Executed, as far as it came, with any error in its outputs.
    crashed : bool
        Whether the kernel died or did not start: another try may do better.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError

    error: Exception | None = None
    kernels: list = []
    executions: list = []
    with kernel(folder, cell_timeout, bar, threads, kernels) as (scratch, options):
        # papermill would take what is in braces for a parameter in a path: it gets the notebook itself.
        arguments = nbformat.from_dict(blank(chapter)), None, values
        options |= {"engine_name": _engine(), "executions": executions}
        with _watch(cancelled, kernels):
            try:
                papermill.execute_notebook(*arguments, kernel_name="python3", language="python", progress_bar=False, **options)
            except papermill.PapermillExecutionError:
                pass  # it is in the notebook
            except (RuntimeError, CellTimeoutError) as raised:  # the kernel died, or the time is up
                error = raised
            except OSError as raised:
                reason = raised.strerror or raised
                raise RunError(f"the temporary folder {scratch.parent} cannot be written ({reason}): set TMPDIR to one with room") from None
    result = notebook.with_alternative_texts(json.loads(notebook.text(executions[0].nb)))
    if error:
        # papermill's own metadata say that all is well: the error goes where a reader looks for it, first under the cell that ran.
        cells = notebook.code_cells(result)
        cell = max(cells, key=lambda cell: cell["metadata"]["papermill"]["start_time"] or "")
        if cell["execution_count"] is None:  # the kernel died before it could say the number
            cell["execution_count"] = 1 + max(other["execution_count"] or 0 for other in cells)
        cell["outputs"].insert(0, _error(type(error).__name__, first_line(error)))
    return result, isinstance(error, RuntimeError) and not isinstance(error, CellTimeoutError)


def failed(chapter: dict, name: str, message: str, seconds: float) -> dict:
    """Give a notebook for a run of which nothing came back: the error stands in its first code cell."""
    result = blank(chapter)
    result["metadata"]["papermill"] = {"duration": seconds}
    notebook.code_cells(result)[0]["outputs"] = [_error(name, message)]
    return result


@functools.cache
def _engine():
    """Register an engine with papermill that hands out what it executes, even if it fails, and give its name.

    papermill's own would write a file, whole, twice for each cell: seconds for a chapter with figures.
    """
    from papermill.engines import NBClientEngine, papermill_engines

    class InMemory(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, execution, *arguments, executions, **options):
            executions.append(execution)
            super().execute_managed_notebook(execution, *arguments, **options)

    papermill_engines.register("convae", InMemory)
    return "convae"


@contextlib.contextmanager
def kernel(
    folder: str | os.PathLike | None, cell_timeout: int, bar: tqdm | None = None, threads: int | None = None, kernels: list | None = None
) -> Iterator[tuple[Path, dict]]:
    """Give a scratch folder, and the options for nbclient that hold for it: a kernel of this Python, in the given folder.

    The managers of the kernels that are started are put into the list `kernels`.
    """
    import traitlets
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from traitlets.config import Config

    class ThisPython(AsyncKernelManager):
        @traitlets.default("kernel_spec_manager")
        def _native_only(self):
            return KernelSpecManager(kernel_dirs=[])  # no kernel installed anywhere hides ipykernel's own, of sys.executable

        async def start_kernel(self, **options):
            if kernels is not None:
                kernels.append(self)
            if sys.stderr is None:  # a kernel dies of a standard error that is closed
                options["stderr"] = subprocess.DEVNULL
            await super().start_kernel(**options, env=_environment(threads, Path(scratch)))

    def advance(cell, **_):
        if bar is not None and "injected-parameters" not in cell.metadata.get("tags", []):
            bar.update()

    with tempfile.TemporaryDirectory(prefix="convae-", ignore_cleanup_errors=True) as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        # Kernels that start at once race for ports, but not for sockets. A socket's path must be short, as TMPDIR may not be.
        sockets = sys.platform != "win32" and len(os.fsencode(f"{scratch}/kernel-ipc-5")) <= _SOCKET_PATH
        transport = {"transport": "ipc" if sockets else "tcp", "connection_file": f"{scratch}/kernel.json"}
        options = {
            "kernel_manager_class": ThisPython,
            "config": Config(ThisPython=transport),
            "extra_arguments": ["--log-level=CRITICAL"],  # ipykernel calls its every shutdown an error
            "resources": {"metadata": {"path": str(folder or home)}},
            "timeout": cell_timeout,
            "iopub_timeout": _IOPUB_TIMEOUT,
            "coalesce_streams": True,
            "on_cell_executed": advance,
        }
        yield Path(scratch), options


def _environment(threads, scratch):
    """Give a kernel's environment: the user's, without what would change a record."""
    kept = {name: value for name, value in os.environ.items() if name not in _SURROUNDINGS}
    (scratch / "matplotlibrc").touch()
    kept |= {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(scratch / "matplotlibrc"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "KERAS_HOME": str(scratch / "keras"),
    }
    if threads is None:
        return kept
    # Dask sets it for its workers: memory that is given back at once costs time when TensorFlow takes it again.
    kept.pop("MALLOC_TRIM_THRESHOLD_", None)
    return kept | dict.fromkeys(_THREADS, str(threads))


def blank(chapter: dict) -> dict:
    """Copy a notebook without what an execution leaves."""
    kept = {name: value for name, value in chapter["metadata"].items() if name not in ("papermill", "widgets", records.STAMP)}
    cells = [dict(cell) for cell in chapter["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return chapter | {"cells": cells, "metadata": kept}


def _error(name, message):
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": []}


@contextlib.contextmanager
def _watch(cancelled, kernels):
    """Kill the kernels once `cancelled` says so: papermill itself cannot be told to stop."""
    if cancelled is None:
        yield
        return
    finished = threading.Event()

    def watch():
        while not finished.wait(1):  # again and again: the kernel may be about to start
            if cancelled():
                for manager in kernels:
                    with contextlib.suppress(Exception):  # it may end at the same moment
                        os.kill(manager.provisioner.pid, 9)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
