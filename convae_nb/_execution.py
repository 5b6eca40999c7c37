"""One run: a notebook, executed by papermill in a kernel of this very Python, whatever kernel the notebook names."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import threading
from pathlib import Path

from convae_nb import __version__, _notebook, _source

CELL_TIMEOUT = 4 * 3600  # seconds; the longest cell, 100 epochs of the denoiser, takes one hour on two cores
ABOUT = "convae"  # the notebook's metadata that say by what it was executed
# Each of these would take all cores for itself.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def versions():
    """Give the versions that a run's results depend on, without importing TensorFlow; None where there is none."""
    try:
        tensorflow = importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        tensorflow = None
    return {"convae_nb": __version__, "python": platform.python_version(), "tensorflow": tensorflow}


def about(notebook, values):
    """Give what a run follows from besides its parameters: the chapter's text, what it reads and the versions."""
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in notebook["cells"]]
    content = _source.digest(values.get("source", "mnist"))
    return {"version": 1, "text": hashlib.sha256(repr(cells).encode()).hexdigest(), "source": content, "versions": versions()}


def executed(notebook, values, *, folder, cell_timeout=CELL_TIMEOUT, bar=None, threads=None, cancelled=None):
    """Execute a notebook.

    Parameters
    ----------
    notebook : dict
        As its file holds it; what an earlier execution left is dropped.
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

    error, kernels, over = None, [], threading.Event()
    with kernel(folder, cell_timeout, bar, threads, kernels) as (scratch, options):
        draft = scratch / "draft.ipynb"
        # papermill would take what is in braces for a parameter in a path: it gets the notebook itself.
        arguments = nbformat.from_dict(blank(notebook)), draft, values
        with _watch(cancelled, kernels, over):
            try:
                papermill.execute_notebook(*arguments, kernel_name="python3", language="python", progress_bar=False, **options)
            except papermill.PapermillExecutionError:
                pass  # it is in the notebook
            except (RuntimeError, CellTimeoutError) as raised:  # the kernel died, or the time is up
                error = raised
        result = _notebook.read(draft)
    if error:
        # papermill's own metadata say that all is well: the error goes where a reader looks for it, first under the cell that ran.
        cells = _notebook.code_cells(result)
        cell = max(cells, key=lambda cell: cell["metadata"]["papermill"]["start_time"] or "")
        if cell["execution_count"] is None:  # the kernel died before it could say the number
            cell["execution_count"] = 1 + max(other["execution_count"] or 0 for other in cells)
        cell["outputs"].insert(0, _error(type(error).__name__, _notebook.line(error)))
    return result, isinstance(error, RuntimeError) and not isinstance(error, CellTimeoutError)


def failed(notebook, name, message, seconds):
    """Give a notebook for a run of which nothing came back: the error stands in its first code cell."""
    notebook = blank(notebook)
    notebook["metadata"]["papermill"] = {"duration": seconds}
    _notebook.code_cells(notebook)[0]["outputs"] = [_error(name, message)]
    return notebook


@contextlib.contextmanager
def kernel(folder, cell_timeout, bar=None, threads=None, kernels=None):
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
            await super().start_kernel(**options, env=_environment(threads))

    def advance(cell, **_):
        if bar is not None and "injected-parameters" not in cell.metadata.get("tags", []):
            bar.update()

    with tempfile.TemporaryDirectory(prefix="convae-", ignore_cleanup_errors=True) as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        # Kernels that start at once race for ports, but not for sockets; a socket's path must be short, as Jupyter's folder may not be.
        transport = {"transport": "tcp" if sys.platform == "win32" else "ipc", "connection_file": f"{scratch}/kernel.json"}
        options = {
            "kernel_manager_class": ThisPython,
            "config": Config(ThisPython=transport),
            "extra_arguments": ["--log-level=CRITICAL"],  # ipykernel calls its every shutdown an error
            "resources": {"metadata": {"path": str(folder or home)}},
            "timeout": cell_timeout,
            "iopub_timeout": 60,  # seconds; the default of 4 is little on a busy machine
            "coalesce_streams": True,
            "on_cell_executed": advance,
        }
        yield Path(scratch), options


def _environment(threads):
    if threads is None:
        return dict(os.environ)
    # Dask sets the last one for its workers: memory that is given back at once costs time when TensorFlow takes it again.
    kept = {name: value for name, value in os.environ.items() if name != "MALLOC_TRIM_THRESHOLD_"}
    return kept | dict.fromkeys(_THREADS, str(threads))


def blank(notebook):
    """Copy a notebook without what an execution leaves."""
    kept = {name: value for name, value in notebook["metadata"].items() if name not in ("papermill", "widgets", ABOUT)}
    cells = [dict(cell) for cell in notebook["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return notebook | {"cells": cells, "metadata": kept}


def _error(name, message):
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": []}


@contextlib.contextmanager
def _watch(cancelled, kernels, over):
    """Kill the kernels once `cancelled` says so: papermill itself cannot be told to stop."""
    if cancelled is None:
        yield
        return

    def wait():
        while not over.wait(1):  # again and again: the kernel may be about to start
            if cancelled():
                for manager in kernels:
                    with contextlib.suppress(Exception):  # it may end at the same moment
                        os.kill(manager.provisioner.pid, 9)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
