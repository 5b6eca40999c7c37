"""What a parameterized run costs besides its chapter's work, and what a sweep gains: kernels, imports, papermill, Dask.

The whole takes some 20 minutes on two quiet cores.
"""

import contextlib
import functools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import psutil

from convae_nb import runs
from convae_nb.runs import engine

REPEATS = 5
RUNS = 8  # of the chapter that works
MANY = 400  # runs of the chapter that does nothing
MACHINES = 100  # of two cores each, that are only played
READY = 1000  # runs that they give back at once
SOAK = 10_000  # the same, of the chapter that does nothing
CHAPTER = "03_training"
SMALL = {"train_digits": 5000, "epochs": 1}


def _code(source, *tags):
    return {"id": source[:4], "cell_type": "code", "source": source, "metadata": {"tags": tags}, "outputs": [], "execution_count": None}


NOTHING = {
    "cells": [_code("seed: int = 0  # seed", "parameters"), _code("pass")],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def measure(chapter=CHAPTER, values=SMALL, count=RUNS, many=MANY, ready=READY, soak=SOAK, repeats=REPEATS):
    """Measure the parts of a run's overhead, and sweeps against one run after the other.

    Parameters
    ----------
    chapter : str or Path
        A chapter that has the parameter seed, for the sweeps that are compared.
    values : dict
        Its other parameters.
    count, many, ready, soak, repeats : int
        Runs of that chapter; runs of one that does nothing; runs of the first that are ready at once, and of the second; repeats of what
        is short.

    Returns
    -------
    dict
        Repeats and unit by name.
    """
    with tempfile.TemporaryDirectory(prefix="convae-bench-") as folder:
        folder = Path(folder)
        nothing = folder / "00_nothing.ipynb"
        nothing.write_text(json.dumps(NOTHING), "utf-8")
        measured = _overheads(nothing, folder, repeats) | _sweeps(chapter, values, count, folder) | _landing(chapter, values, ready, folder)
        return measured | _many(nothing, many, folder) | _soak(nothing, soak, folder)


def _overheads(nothing, folder, repeats):
    bare = [_python("-c", "pass") for _ in range(repeats)]
    measured = {}
    for library in ("papermill", "distributed", "tensorflow"):
        seconds = [_python("-c", f"import {library}") - empty for empty in bare]
        measured[f"sweep_import_{library}_seconds"] = (seconds, "seconds")
    runs.execute(nothing, {}, folder / "run.ipynb")  # imports papermill
    measured["sweep_kernel_seconds"] = ([_kernel() for _ in range(repeats)], "seconds")
    seconds = [_timed(lambda: runs.execute(nothing, {}, folder / "run.ipynb")) for _ in range(repeats)]
    measured["sweep_execute_seconds"] = (seconds, "seconds")
    measured["sweep_command_seconds"] = ([_papermill(nothing, {}, folder / "run.ipynb") for _ in range(repeats)], "seconds")
    return measured


def _sweeps(chapter, values, count, folder):
    path = runs.find(chapter)
    print(f"sweeps: {count} runs one after the other", flush=True)
    plain = sum(_papermill(path, values | {"seed": seed}, folder / f"{seed}.ipynb") for seed in range(count))
    seconds = {}
    for workers in (1, 2):
        print(f"sweeps: {count} runs on {workers} workers", flush=True)
        grid, output = {"seed": range(count)}, folder / f"workers{workers}"
        seconds[workers] = _timed(lambda g=grid, o=output, w=workers: _swept(path, g, o, w, values))
    return {
        "sweep_papermill_seconds": ([plain], "seconds"),
        "sweep_1_worker_seconds": ([seconds[1]], "seconds"),
        "sweep_2_workers_seconds": ([seconds[2]], "seconds"),
        "sweep_speedup_2_workers": ([seconds[1] / seconds[2]], "ratio"),
        "sweep_share_of_papermill": ([100 * seconds[2] / plain], "percent"),
        "sweep_run_seconds": (runs.collect(folder / "workers2")["seconds"].tolist(), "seconds of a core"),
    }


def _landing(chapter, values, count, folder):
    """Measure what a sweep does itself: hand out, take back, write. The machines give a notebook back that an earlier sweep has left."""
    print(f"sweeps: {count} runs that are ready at once", flush=True)
    path, output = next((folder / "workers2").glob("*.ipynb")), folder / "ready"
    with _machines(path.read_text("utf-8")) as address:
        seconds = _timed(lambda: _swept(runs.find(chapter), {"seed": range(count)}, output, None, values, address))
    return {
        "sweep_landing_ms": ([1000 * seconds / count], "ms a run"),
        "sweep_collect_ms": ([1000 * _timed(lambda: runs.collect(output)) / count], "ms a run"),
        "sweep_notebook_kb": ([path.stat().st_size / 1e3], "kB"),
    }


@contextlib.contextmanager
def _machines(text):
    """Give the address of a cluster whose workers give a notebook back at once, whatever run they are asked for."""
    import dask
    from distributed import LocalCluster

    size = {"n_workers": MACHINES, "threads_per_worker": 2, "memory_limit": 0}
    # The monitors and logs of a hundred workers in one process are not what is measured.
    without = {"distributed.admin.system-monitor.interval": "1h", "distributed.admin.low-level-log-length": 10}
    with (
        dask.config.set(without),
        mock.patch.object(engine, "execute_on_worker", functools.partial(_ready, engine.Outcome(text, "done", "", crashed=False))),
        LocalCluster(**size, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
    ):
        yield cluster.scheduler_address


def _ready(outcome, task, content):
    return outcome


def _many(nothing, count, folder):
    print(f"sweeps: {count} runs of nothing", flush=True)
    seconds = _timed(lambda: _swept(nothing, {"seed": range(count)}, folder / "many", 2, {}))
    spent = runs.collect(folder / "many")["seconds"].sum()
    measured = {
        "sweep_nothing_runs": ([count], "runs"),
        "sweep_nothing_seconds": ([seconds], "seconds"),
        "sweep_nothing_engine_ms": ([1000 * (2 * seconds - spent) / count], "ms of a worker a run"),
    }
    if sys.platform == "linux":
        measured["sweep_nothing_memory_mb"] = ([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024], "MB")
    return measured


def _soak(nothing, count, folder):
    """Measure how the memory of the process that sweeps grows, with scheduler and workers in it: by a line through what it holds."""
    print(f"sweeps: {count} runs of nothing that are ready at once", flush=True)
    output, held, over = folder / "soak", [], threading.Event()

    def watch():
        while not over.wait(0.5):
            written = sum(path.suffix == ".ipynb" for path in output.iterdir()) if output.exists() else 0
            held.append((written, psutil.Process().memory_info().rss / 1e6))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with _machines((folder / "run.ipynb").read_text("utf-8")) as address:
        _swept(nothing, {"seed": range(count)}, output, None, {}, address)
    over.set()
    watcher.join()
    warm = [(written, megabytes) for written, megabytes in held if count / 10 <= written < count]
    growth = np.polyfit(*np.transpose(warm), 1)[0] if len({written for written, _ in warm}) > 1 else float("nan")
    return {
        "sweep_soak_runs": ([count], "runs"),
        "sweep_soak_growth_mb": ([1000 * growth], "MB per 1,000 runs"),
        "sweep_soak_memory_mb": ([max(megabytes for _, megabytes in held)], "MB"),
    }


def _swept(chapter, grid, output, workers, values, scheduler=None):
    table = runs.sweep(chapter, grid, output, scheduler, workers, parameters=values, progress=False)
    if not (table["state"] == "done").all():
        raise RuntimeError(f"runs failed: {table['reason'].unique()}")


def _papermill(chapter, values, output):
    """Seconds that a run takes on papermill's own command line."""
    options = [word for name, value in values.items() for word in ("-p", name, str(value))]
    return _python(
        "-m", "papermill", str(chapter), str(output), "--no-progress-bar", "-k", "python3", "--cwd", str(chapter.parent), *options
    )


def _kernel():
    """Seconds that a kernel takes to start, compute something, and end."""
    from jupyter_client.manager import start_new_kernel

    def start():
        manager, client = start_new_kernel(kernel_name="python3", extra_arguments=["--log-level=CRITICAL"])
        client.execute_interactive("pass")
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    return _timed(start)


def _python(*arguments):
    return _timed(lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True))


def _timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
