"""Sweeps on a real engine: real kernels, real `dask worker` processes, real signals, a real small disk."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from convae_nb import data, models, runs
from convae_nb.parameters import RefusedError
from convae_nb.runs import chapters, engine, execution, records, source
from convae_nb.runs.cluster import ClusterLostError

PARAMETERS = "seed: int = 0  # seed\nepochs: int = 0  # epochs\nfilters: list[int] = [8]  # maps\nsource: str = 'mnist'  # source"
RECORD = "from convae_nb import runs\nruns.record(loss=seed + epochs / 10)"
COMMAND = [sys.executable, "-m", "convae_nb", "sweep", "1", "--output", "out"]
ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """Writes a tiny chapter, notebooks/01_tiny.ipynb, with the given cells before the one that records."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    Path("notebooks").mkdir()

    def write(*sources, record=RECORD):
        cells = [nbformat.v4.new_markdown_cell("# Tiny"), nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(source) for source in (*sources, record)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), "notebooks/01_tiny.ipynb")

    return write


@pytest.fixture
def start():
    """Starts processes, and ends them and all of theirs."""
    started = []

    def start(command, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True} | options
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    for process in started:
        for each in [process.pid, *children(process)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def cluster(start, tmp_path):
    """Starts a scheduler and workers, each in a folder of its own; gives the scheduler's address."""

    def dask(role, *options, cwd, **environment):
        cwd.mkdir(exist_ok=True)
        words = [sys.executable, "-m", "dask", role, *options, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return start(words, cwd=cwd, env=os.environ | environment, **quiet)

    def cluster(*workers):
        file = tmp_path / "scheduler.json"
        scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), cwd=tmp_path / "s")
        wait_for(file.exists)
        address = json.loads(file.read_text())["address"]
        options = ["--host", "127.0.0.1", "--memory-limit", "0", "--no-nanny", "--nthreads"]

        def add(threads="1", **environment):
            folder = tmp_path / f"w{len(cluster.workers)}"
            cluster.workers.append(dask("worker", address, *options, threads, cwd=folder, **environment))

        for worker in workers:
            add(**worker)
        cluster.add = add
        cluster.scheduler = scheduler
        return address

    cluster.workers = []
    return cluster


def children(process):
    try:
        return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_for(condition, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def contents(folder="out"):
    """Names in a folder, without that of the locks, which stays."""
    return sorted(path.name for path in Path(folder).iterdir() if path.name != ".locks")


def paint(folder):
    """Write a red and five blue pictures, as two classes, and a file that is none."""
    for name, place in enumerate(["red", *["blue"] * 5]):
        Path(folder, place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 8), (250 if place == "red" else 0, 0, 40 * name)).save(Path(folder, place, f"{name}.png"))
    Path(folder, "notes.txt").write_text("no picture")


# --- refused before anything starts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-g", "sede=1,2"], "no parameter 'sede': did you mean 'seed'"),
        (["-g", "recipe=fast_basic"], "01_tiny has no parameter 'recipe'"),
        (["-g", "seed=1,x"], "seed must be a whole number .*got 'x'"),
        (["-g", "seed=1,,2"], "seed must be a whole number .*got ''"),
        (["-g", "seed=1,-2"], "seed must be a whole number .*got -2"),
        (["-g", "seed=1,1"], "must not hold a value twice, got two runs with {'seed': 1}"),
        (["-g", "seed=1,2", "-g", "seed=3"], "seed is given twice"),
        (["-g", "seed=1,2", "-p", "seed=3"], "seed is given twice, for the grid and for all runs"),
        (["-g", "filters=16,8"], "filters must be lists in brackets, as .* got '16,8'"),
        (["-g", "seed"], "name=value, got 'seed'"),
        (["-g", "source=mnist,digits.npz"], "source must be mnist, the path .*'digits.npz': no such file"),
        (["-g", "seed=1,2", "--workers", "0"], "workers must be a whole number of at least 1, got 0"),
        (["-g", "seed=1,2", "--workers", "two"], "workers must be a whole number of at least 1, got 'two'"),
        (["-g", "seed=1,2", "--output", ""], "output must be a folder, got ''"),
        (["-g", "seed=1,2", "--output", "file"], "output must be a place that can be written, got 'file'"),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_in_one_line_before_the_heavy_imports(chapter, capfd, monkeypatch, arguments, message):
    from convae_nb import cli

    chapter()
    Path("file").touch()
    for name in ("papermill", "nbformat", "distributed", "dask"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it would raise
    assert cli.main(["sweep", "1", *([] if "--output" in arguments else ["--output", "out"]), *arguments]) == 2
    written, refused = capfd.readouterr()
    assert (written, len(refused.splitlines())) == ("", 1)
    with pytest.raises(RefusedError, match=message):
        raise RefusedError(refused)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"seed": "12"}, "grid must hold a list of values for each name, got '12' for seed"),
        ({"seed": 3}, "grid must hold a list of values for each name, got 3 for seed"),
        ({"seed": []}, "grid must hold at least one value for each name, got none for seed"),
        ({"seed": [1.0]}, "seed must be a whole number"),
    ],
)
def test_a_grid_is_lists_of_values(chapter, grid, message):
    chapter()
    with pytest.raises(RefusedError, match=message):
        runs.sweep(1, grid, "out")


@posix
def test_a_scheduler_that_is_not_there_is_refused(chapter, monkeypatch):
    chapter()
    monkeypatch.setattr("convae_nb.runs.cluster.CONNECT_TIMEOUT", 1)
    with pytest.raises(RefusedError, match=r"scheduler must be the address of a Dask .* got 'tcp://127.0.0.1:9'"):
        runs.sweep(1, {"seed": [1]}, "out", "tcp://127.0.0.1:9")


# --- on this machine


def test_a_run_is_done_only_by_the_same_text_source_versions_and_parameters(tmp_path, monkeypatch):
    photos = tmp_path / "digits.npz"
    photos.write_bytes(b"one")
    values = {"seed": 1, "source": str(photos)}
    cell = {"cell_type": "code", "source": "seed", "metadata": {}, "outputs": [], "execution_count": 1}
    notebook = {"cells": [cell], "metadata": {"papermill": {}}, "nbformat": 4, "nbformat_minor": 4}
    path = tmp_path / "run.ipynb"
    stamp = records.stamp(notebook, values)
    path.write_text(records.run_text(notebook, output=path.as_posix(), chapter="1.ipynb", values=values, stamp=stamp))

    def is_done(notebook=notebook, values=values):
        return engine.Run(path, values, records.stamp(notebook, values)).is_done

    assert is_done()
    assert not is_done(notebook={"cells": [cell | {"source": "seed + 1"}]}), "other text"
    assert not is_done(values=values | {"seed": 2}), "other parameters"
    for name in ("convae_nb", "code", "python", "tensorflow", "keras", "numpy", "scikit-learn"):
        with monkeypatch.context() as patch:
            patch.setattr(records, "versions", lambda name=name, real=records.versions: real() | {name: "9.9"})
            assert not is_done(), f"another {name}"
    photos.write_bytes(b"two")
    assert not is_done(), "other content of the source"
    photos.write_bytes(b"one")
    assert is_done()


def test_a_record_of_the_first_version_of_the_stamp_is_done_again(tmp_path):
    cell = {"cell_type": "code", "source": "seed", "metadata": {}, "outputs": [], "execution_count": 1}
    notebook = {"cells": [cell], "metadata": {"papermill": {}}, "nbformat": 4, "nbformat_minor": 4}
    run = engine.Run(tmp_path / "run.ipynb", {}, records.stamp(notebook, {}))
    run.path.write_text(records.run_text(notebook, output=run.path.as_posix(), chapter="1.ipynb", values={}, stamp=run.stamp))
    assert run.is_done
    stored = json.loads(run.path.read_text())
    versions = {name: run.stamp.versions[name] for name in ("convae_nb", "python", "tensorflow")}
    stored["metadata"]["convae"] = {"version": 1, "text": run.stamp.text, "source": None, "versions": versions}
    run.path.write_text(json.dumps(stored))
    assert not run.is_done


@pytest.fixture
def left(monkeypatch):
    """How many runs each sweep has left to do."""
    found = []
    real = engine.execute_all
    monkeypatch.setattr(engine, "execute_all", lambda todo, *rest, **options: (found.append(len(todo)), real(todo, *rest, **options)))
    return found


def test_a_sweep_does_its_runs_again_once_the_package_or_a_library_is_another(chapter, left, monkeypatch):
    chapter()
    runs.sweep(1, {"seed": [0, 1]}, "out", progress=False)
    runs.sweep(1, {"seed": [0, 1]}, "out", progress=False)
    assert left == [2], "the second time there was nothing to do"
    monkeypatch.setattr(engine, "execute_all", lambda todo, *_, **__: left.append(len(todo)))
    with monkeypatch.context() as patch:
        patch.setattr(records, "_digest_of_package", lambda: "0123456789ab")
        runs.sweep(1, {"seed": [0, 1]}, "out", progress=False)
    version = records.importlib.metadata.version
    for library in ("keras", "numpy", "scikit-learn"):
        with monkeypatch.context() as patch:
            patch.setattr("importlib.metadata.version", lambda name, other=library: "9.9" if name == other else version(name))
            runs.sweep(1, {"seed": [0, 1]}, "out", progress=False)
    assert left == [2, 2, 2, 2, 2]


def test_the_command_line_names_the_runs_that_failed_and_ends_with_1(chapter, monkeypatch, capsys):
    from convae_nb import cli

    chapter()
    table = pd.DataFrame({"state": ["done", "failed", "unfinished"], "reason": ["", "ValueError: two", ""]}, index=["a", "b", "c"])
    monkeypatch.setattr(runs, "sweep", lambda *_, **__: table)
    assert cli.main(["sweep", "1", "--output", "out"]) == 1
    lines = ["b: ValueError: two", "c: it stopped before its last cell", "2 of 3 runs failed; the same command tries them again"]
    assert capsys.readouterr().err.splitlines() == lines
    for count, done in {1: "1 run is done.", 2: "2 runs are done."}.items():
        monkeypatch.setattr(runs, "sweep", lambda *_, count=count, **__: table[table["state"] == "done"].iloc[[0] * count])
        assert cli.main(["sweep", "1", "--output", "my out"]) == 0
        assert capsys.readouterr().out == f"{done} Look at them: convae compare 'my out'\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise TimeoutError('too slow')", "TimeoutError: too slow"),
        ("import os; os._exit(1)", "KilledWorker: every worker that had it died"),
    ],
)
def test_a_run_of_which_nothing_comes_back_is_a_failed_row_that_says_why(chapter, monkeypatch, source, reason):
    chapter()
    monkeypatch.setattr(engine, "execute_on_worker", lambda *_: exec(source))
    table = runs.sweep(1, {"seed": [0]}, "out", progress=False)
    assert (list(table["state"]), list(table["reason"])) == (["failed"], [reason])


def test_a_worker_that_has_other_versions_by_then_does_no_run(chapter, monkeypatch):
    chapter()
    monkeypatch.setattr(records, "versions", lambda real=records.versions: real() | {"tensorflow": "9.9"})
    with pytest.raises(runs.RunError, match=r"^the worker at tcp://.* has tensorflow 2.* instead of 9\.9: 1 of 1 runs are not done; the"):
        runs.sweep(1, {"seed": [0]}, "out", progress=False)
    assert not list(Path("out").glob("*.ipynb"))


def test_a_script_that_sweeps_while_it_is_imported_is_told_in_a_line(chapter, start):
    chapter()
    Path("script.py").write_text('from convae_nb import runs\nruns.sweep(1, {"seed": [0]}, "out", progress=False)\n')
    _, errors = start([sys.executable, "script.py"]).communicate(timeout=400)
    assert errors.splitlines()[-1].startswith(
        "convae_nb.errors.RunError: no worker starts (Nanny failed to start.); a script must sweep under if"
    )


def test_a_kernel_that_starts_as_its_run_is_cancelled_is_killed(start):
    kernels = []
    with execution._watch(lambda: True, kernels):
        time.sleep(1.5)  # the first look finds none
        kernel = start([sys.executable, "-c", "import time; time.sleep(600)"])
        kernels.append(SimpleNamespace(provisioner=SimpleNamespace(pid=kernel.pid)))
        assert kernel.wait(timeout=100) == -signal.SIGKILL


EMPTY = {"cells": [], "metadata": {}}
STAMP = records.Stamp("", None, {})


class Client:
    """Takes what an engine sends, as a client of a cluster whose workers may be gone."""

    def __init__(self):
        self.sent, self.given = [], []

    def scatter(self, content, **options):
        self.sent.append((content, options))
        return SimpleNamespace(status="finished")

    def submit(self, _, __, content, **___):
        self.given.append(content)
        return object()

    def cancel(self, *_, **__):
        pass


def engine_for(client, all_runs):
    chapter = chapters.Chapter(Path("1.ipynb"), EMPTY, {}, {})
    return engine._Engine(client, all_runs, chapter, lambda *_: None, local=False, workers=None)


def test_a_source_that_is_gone_before_it_is_sent_ends_a_sweep_by_its_name(tmp_path):
    run = engine.Run(tmp_path / "run.ipynb", {"source": str(tmp_path / "digits.npz")}, STAMP)
    sender = engine_for(Client(), [run])
    with pytest.raises(ClusterLostError, match=r"digits\.npz cannot be read: No such file"):
        sender._start(run, 1, {})
    sender.stop()
    assert contents(tmp_path) == []


def test_what_many_runs_read_is_packed_and_sent_once_for_all_workers(tmp_path, monkeypatch):
    packed = []
    monkeypatch.setattr(source, "pack", lambda name: packed.append(name) or name.encode())
    names = {seed: "a.npz" if seed < 3 else "b.npz" for seed in range(4)}
    all_runs = [engine.Run(tmp_path / f"{seed}.ipynb", {"source": name, "seed": seed}, STAMP) for seed, name in names.items()]
    client = Client()
    sender = engine_for(client, all_runs)
    for run in all_runs:
        sender._start(run, 1, {})
    assert packed == ["a.npz", "b.npz"]
    assert client.sent == [(b"a.npz", {"hash": False, "broadcast": True}), (b"b.npz", {"hash": False, "broadcast": True})]
    first, second, third, other = client.given
    assert first is second is third is not other
    sender.stop()


def test_a_source_is_sent_again_once_the_workers_that_had_it_are_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "pack", lambda name: name.encode())
    all_runs = [engine.Run(tmp_path / f"{seed}.ipynb", {"source": "a.npz", "seed": seed}, STAMP) for seed in range(3)]
    client = Client()
    sender = engine_for(client, all_runs)
    sender._start(all_runs[0], 1, {})
    client.given[0].status = "cancelled"  # as Dask says of what is lost
    sender._start(all_runs[1], 1, {})
    sender._start(all_runs[2], 1, {})
    assert len(client.sent) == 2
    lost, second, third = client.given
    assert lost is not second is third
    sender.stop()


def test_a_source_is_kept_no_longer_than_its_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "pack", lambda name: name.encode())
    all_runs = [engine.Run(tmp_path / f"{seed}.ipynb", {"source": "a.npz", "seed": seed}, STAMP) for seed in range(2)]
    sender = engine_for(Client(), all_runs)
    for run, kept in zip(all_runs, (1, 0), strict=True):
        sender._start(run, 1, {})
        sender._end(run, "done", "")
        assert len(sender._scattered) == kept
    sender.stop()


@pytest.mark.parametrize("name", ["photos", "digits.npz"])
def test_a_source_that_is_too_large_to_be_sent_is_refused_before_it_is_read_into_memory(chapter, monkeypatch, name):
    chapter()
    paint("photos")
    Path("photos/notes.txt").unlink()
    np.savez("digits.npz", x=np.zeros(100))
    size = sum(path.stat().st_size for path in [*Path("photos").rglob("*.png"), Path("digits.npz")] if name in path.parts)
    monkeypatch.setattr(source, "LIMIT", size - 1)
    monkeypatch.setattr(source, "pack", lambda _: pytest.fail("it was packed"))
    with pytest.raises(
        RefusedError, match=rf"^source must have at most {size - 1:,} bytes .* got {size:,} in '.*{name}': make it smaller$"
    ):
        runs.sweep(1, {"seed": [0]}, "out", "tcp://127.0.0.1:9", parameters={"source": name}, progress=False)
    assert not Path("out").exists()
    monkeypatch.setattr(source, "LIMIT", size)
    monkeypatch.setattr("convae_nb.runs.cluster.CONNECT_TIMEOUT", 1)
    with pytest.raises(RefusedError, match="scheduler must be"):
        runs.sweep(1, {"seed": [0]}, "out", "tcp://127.0.0.1:9", parameters={"source": name}, progress=False)


@posix
def test_while_one_waits_for_a_lock_that_another_releases_nobody_else_gets_the_run(tmp_path, start):
    run = tmp_path / "run.ipynb"
    lock = engine._acquire_lock(run)
    file = tmp_path / ".locks" / "run.ipynb.lock"
    before = file.stat().st_ino
    code = (
        "import fcntl, sys\nwith open(sys.argv[1], 'r+') as file:\n    print('opened', flush=True)\n"
        "    fcntl.flock(file, fcntl.LOCK_EX)\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    waiting = start([sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE)
    assert waiting.stdout.readline() == "opened\n"
    assert engine._acquire_lock(run) is None
    lock.release()
    assert waiting.stdout.readline() == "held\n"
    assert file.stat().st_ino == before, "the file stays: who opened it and who comes later lock the same"
    assert engine._acquire_lock(run) is None
    waiting.kill()
    waiting.wait(timeout=100)
    again = engine._acquire_lock(run)
    assert again is not None
    again.release()
    assert file.stat().st_ino == before


def test_a_sweep_does_all_runs_keeps_failures_and_does_again_only_what_is_not_done(chapter, left):
    chapter("import os\nprint(os.environ['TF_NUM_INTRAOP_THREADS'], os.getcwd())\nif seed == 2: raise ValueError('two')")
    grid = {"seed": np.arange(3), "epochs": [5]}
    table = runs.sweep(1, grid, "out", workers=2, parameters={"source": "mnist"}, progress=False)
    assert list(table["state"]) == ["done", "done", "failed"]
    assert list(table["reason"]) == ["", "", "ValueError: two in cell [3]"]
    assert list(table["loss"].dropna()) == [0.5, 1.5]
    assert contents() == sorted(table.index)
    assert all(name.startswith("01_tiny-") for name in contents())
    threads, folder = json.loads(Path("out", table.index[0]).read_text())["cells"][3]["outputs"][0]["text"][0].split(
        maxsplit=1
    )  # after the injected one
    assert int(threads) == max(1, os.cpu_count() // 2)
    assert folder.strip() == str(Path("notebooks").resolve())

    runs.sweep(1, {"seed": [0, 1], "epochs": [5]}, "out", progress=False)
    assert left == [3], "nothing was left to do"
    notebook = nbformat.read("notebooks/01_tiny.ipynb", as_version=4)
    notebook.cells[2].source = "seed"
    nbformat.write(notebook, "notebooks/01_tiny.ipynb")
    table = runs.sweep(1, {"seed": [2], "epochs": [5]}, "out", progress=False)
    assert list(table["state"]) == ["done"]
    assert left == [3, 1], "the text is another"
    stamp = records.stamp(chapters.read(Path("notebooks/01_tiny.ipynb")).notebook, {})
    assert not any(engine.Run(Path("out", name), {"seed": 0}, stamp).is_done for name in contents()), "other parameters, other text"


def test_a_run_on_a_folder_is_done_again_once_a_picture_has_changed(chapter, left):
    chapter()
    paint("photos")
    for change in (lambda: None, lambda: None, lambda: Image.new("L", (9, 8)).save("photos/red/0.png")):
        change()
        table = runs.sweep(1, {"seed": [0]}, "out", parameters={"source": "photos"}, progress=False)
        assert list(table["state"]) == ["done"]
    assert left == [1, 1], "the second time there was nothing to do"


def test_a_notebook_of_ones_own_is_swept_and_compared_over_its_own_parameters(write):
    own = "learning_rate: float = 0.1\nnames: list[str] = ['a']\nseed: int = 0"
    write("01_own.ipynb", own, "from convae_nb import runs\nruns.record(loss=learning_rate * len(names))")
    table = runs.sweep(1, {"learning_rate": [1, 0.5], "names": [["a"], ["b", "c"]]}, "out", progress=False)
    assert table["loss"].tolist() == [1.0, 2.0, 0.5, 1.0]
    assert table["names"].tolist() == [["a"], ["b", "c"]] * 2
    with pytest.raises(RefusedError, match="grid must not hold a value twice"):
        runs.sweep(1, {"learning_rate": [1, 1.0]}, "out", progress=False)
    compared = runs.compare("out", over="learning_rate").table
    assert compared.set_index("names")["loss"].to_dict() == {("a",): 0.75, ("b", "c"): 1.5}


@pytest.mark.slow
@posix
def test_a_killed_kernel_is_tried_again_and_then_a_failed_row(chapter):
    kill = "import os, signal\nfrom pathlib import Path\ntry_ = len(list(Path('.').glob(f'try-{seed}-*')))\n"
    kill += "Path(f'try-{seed}-{try_}').touch()\nif seed or not try_: os.kill(os.getpid(), signal.SIGKILL)"
    chapter(kill)
    table = runs.sweep(1, {"seed": [0, 1]}, "out", progress=False)
    assert list(table["state"]) == ["done", "failed"]
    assert table["reason"].iloc[1].startswith("DeadKernelError: Kernel died")
    assert len(list(Path("notebooks").glob("try-0-*"))) == 2
    assert len(list(Path("notebooks").glob("try-1-*"))) == engine.ATTEMPTS


@posix
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(how, marks=pytest.mark.long if how == signal.SIGTERM else pytest.mark.slow)
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    ],
)
def test_an_interrupted_sweep_leaves_nothing_running_and_goes_on(chapter, start, how):
    chapter(
        "import time\nfrom pathlib import Path\nPath(f'started-{seed}').touch()\nif seed and not Path('quick').exists(): time.sleep(600)"
    )
    command = [*COMMAND, "-g", "seed=0,1,2", "--workers", "2"]
    sweep = start(command)
    wait_for(lambda: len(list(Path("notebooks").glob("started-*"))) == 3)
    below = [psutil.Process(pid) for pid in children(sweep)]
    if how == signal.SIGINT:
        os.killpg(sweep.pid, how)  # as a terminal does
    else:
        sweep.send_signal(how)
    _, errors = sweep.communicate(timeout=400)
    psutil.wait_procs(below, timeout=100)
    assert not [each for each in below if each.is_running() and each.status() != "zombie"]
    if how != signal.SIGKILL:
        code, said = {signal.SIGINT: (130, "Interrupted."), signal.SIGTERM: (143, "Ended from outside.")}[how]
        assert sweep.returncode == code
        assert errors.splitlines()[-1] == f"{said} What is finished is kept."
        assert "Traceback" not in errors
        assert len(contents()) == 1
    Path("notebooks/quick").touch()
    again = start(command)
    written, errors = again.communicate(timeout=500)
    assert again.returncode == 0, errors
    assert written.startswith("3 runs are done.")
    assert re.search(r"\d/3", errors)[0] == "1/3", "the finished one was skipped"
    assert sorted(runs.collect("out")["seed"]) == [0, 1, 2]
    assert len(contents()) == 3


@posix
def test_a_run_that_is_ended_leaves_nothing_running_or_written(chapter, start):
    chapter("import time\nfrom pathlib import Path\nPath('started').touch()\ntime.sleep(600)")
    run = start([sys.executable, "-m", "convae_nb", "run", "1", "--output", "run.ipynb"])
    wait_for(Path("notebooks/started").exists)
    below = [psutil.Process(pid) for pid in children(run)]
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=400)
    psutil.wait_procs(below, timeout=100)
    assert (run.returncode, errors.splitlines()[-1]) == (143, "Ended from outside. What is finished is kept.")
    assert "Traceback" not in errors
    assert not [each for each in below if each.is_running() and each.status() != "zombie"]
    assert not Path("run.ipynb").exists()


@pytest.mark.slow
@posix
def test_two_sweeps_on_one_folder_share_the_work(chapter, start):
    chapter("import os, time\nfrom pathlib import Path\nPath(f'{seed}-{os.getpid()}').touch()\ntime.sleep(1)")
    sweeps = [start([*COMMAND, "-g", "seed=0,1,2,3", "--workers", "1"]) for _ in range(2)]
    for sweep in sweeps:
        _, errors = sweep.communicate(timeout=400)
        assert sweep.returncode == 0, errors
    assert sorted(path.name[0] for path in Path("notebooks").glob("[0-9]-*")) == ["0", "1", "2", "3"], "each run was done once"
    assert list(runs.collect("out")["state"]) == ["done"] * 4
    assert len(contents()) == 4


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can make a small disk")
def test_a_full_disk_ends_a_sweep_in_one_line_and_with_room_it_goes_on(chapter, start):
    chapter("import random\nprint(random.randbytes(60_000).hex())")
    Path("out").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", "out"], check=True)
    try:
        command = [*COMMAND, "-g", "seed=0,1,2", "--workers", "1"]
        _, errors = (sweep := start(command)).communicate(timeout=400)
        assert sweep.returncode == 1
        assert "No space left on device: 1 of 3 runs are not done; the same command goes on with them" in errors.splitlines()[-1]
        assert len(contents()) == 2
        assert list(runs.collect("out")["state"]) == ["done"] * 2
        subprocess.run(["mount", "-o", "remount,size=2m", "out"], check=True)
        _, errors = (sweep := start(command)).communicate(timeout=400)
        assert sweep.returncode == 0, errors
        assert len(contents()) == 3
    finally:
        subprocess.run(["umount", "out"], check=True)


# --- on a cluster


@pytest.mark.slow
@posix
def test_a_killed_worker_costs_no_run_and_workers_need_no_common_folder(chapter, start, cluster, tmp_path):
    np.savez("digits.npz", x=np.arange(3))
    where = "import os\nimport numpy as np\nfrom pathlib import Path\nassert np.load(source)['x'][2] == 2\nassert not os.listdir()\n"
    chapter(where + f"beat = Path({str(tmp_path)!r}, f'{{seed}}-{{os.getppid()}}')\nbeat.touch()\nimport time\ntime.sleep(3)")
    address = cluster({"threads": "2"}, {})
    sweep = start([*COMMAND, "-g", "seed=0,1,2,3", "-p", "source=digits.npz", "--scheduler", address])
    victim = cluster.workers[1]
    wait_for(lambda: list(tmp_path.glob(f"*-{victim.pid}")))
    victim.kill()
    _, errors = sweep.communicate(timeout=400)
    assert sweep.returncode == 0, errors
    table = runs.collect("out")
    assert list(table["state"]) == ["done"] * 4
    assert set(table["source"]) == {str(Path("digits.npz").absolute())}
    assert "convae-" not in Path("out", table.index[0]).read_text(), "no path of the worker's"
    assert not [path for number in (0, 1) for path in Path(tmp_path, f"w{number}").rglob("*.ipynb")]


@pytest.mark.slow
@posix
def test_a_source_is_sent_again_to_the_worker_that_comes_for_one_that_was_killed(chapter, start, cluster, tmp_path):
    np.savez("digits.npz", x=np.arange(3))
    beat = f"from pathlib import Path\nPath({str(tmp_path)!r}, f'beat-{{seed}}').touch()\nimport time\ntime.sleep(5)"
    chapter("import numpy as np\nassert np.load(source)['x'][2] == 2", beat)
    sweep = start([*COMMAND, "-g", "seed=0,1,2", "-p", "source=digits.npz", "--scheduler", cluster({})])
    wait_for((tmp_path / "beat-0").exists)
    cluster.workers[0].kill()
    cluster.add()
    _, errors = sweep.communicate(timeout=400)
    assert sweep.returncode == 0, errors
    assert list(runs.collect("out")["state"]) == ["done"] * 3


@pytest.mark.slow
@posix
def test_a_folder_of_pictures_travels_to_a_worker_and_the_record_tells_the_path_that_was_given(chapter, cluster, tmp_path):
    paint("photos")
    expected = dataclasses.replace(data.load("photos"), skipped={})  # what is no picture stays at home
    record = "runs.record(found=repr(dataset), pixels=int(dataset.x_train.astype(int).sum()))"
    chapter("from convae_nb import data, runs\nprint(source)\ndataset = data.load(source)", record, "if seed: data.load(source + '/red')")
    table = runs.sweep(1, {"seed": [0, 1]}, "out", cluster({}), parameters={"source": "photos"}, progress=False)
    given = str(tmp_path / "photos")
    assert set(table["source"]) == {given}
    assert table["found"].tolist() == [repr(expected)] * 2
    assert table["pixels"].tolist() == [expected.x_train.astype(int).sum()] * 2
    assert table["state"].tolist() == ["done", "failed"]
    assert "photos/red must hold a picture to train on and one to test with" in table["reason"].iloc[1]
    for name in contents():
        text = Path("out", name).read_text()
        assert "convae-" not in text, "no path of the worker's"
        assert f"{given}\\n" in text


@pytest.mark.slow
@posix
def test_without_workers_a_sweep_gives_up_and_a_lost_scheduler_ends_it(chapter, start, cluster, tmp_path, monkeypatch):
    chapter(f"from pathlib import Path\nPath({str(tmp_path)!r}, 'started').touch()\nimport time\ntime.sleep(600)")
    address = cluster({})
    patience = "from convae_nb import cli\nfrom convae_nb.runs import engine\nengine.WORKER_TIMEOUT = 2"
    code = f"import sys\n{patience}\nsys.exit(cli.main(sys.argv[1:]))"
    sweep = start([sys.executable, "-c", code, *COMMAND[3:], "-g", "seed=0,1", "--scheduler", address])
    wait_for((tmp_path / "started").exists)
    kernel = [psutil.Process(pid) for pid in children(cluster.workers[0])]
    cluster.scheduler.kill()
    _, errors = sweep.communicate(timeout=400)
    assert sweep.returncode == 1
    assert errors.splitlines()[-1].endswith("2 of 2 runs are not done; the same command goes on with them")
    psutil.wait_procs(kernel, timeout=100)
    assert not [each for each in kernel if each.is_running() and each.status() != "zombie"], "its worker gave the run up"


@pytest.mark.slow
@posix
def test_an_interrupted_sweep_on_a_cluster_frees_its_workers(chapter, start, cluster, tmp_path):
    chapter(f"from pathlib import Path\nPath({str(tmp_path)!r}, 'started').touch()\nimport time\ntime.sleep(600)")
    sweep = start([*COMMAND, "-g", "seed=0,1", "--scheduler", cluster({})])
    wait_for((tmp_path / "started").exists)
    kernel = [psutil.Process(pid) for pid in children(cluster.workers[0])]
    assert kernel
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=300)
    assert (sweep.returncode, errors.splitlines()[-1]) == (130, "Interrupted. What is finished is kept.")
    assert contents() == []
    psutil.wait_procs(kernel, timeout=100)
    assert not [each for each in kernel if each.is_running() and each.status() != "zombie"]
    assert cluster.workers[0].poll() is None, "the worker lives on"


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "tensorflow-9.9.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tensorflow\nVersion: 9.9\n",
            "has tensorflow 9.9 instead of 2.",
        ),
        ("convae_nb/__init__.py", "raise ModuleNotFoundError('No module named convae_nb')", "No module named"),
    ],
    ids=["versions", "package"],
)
def test_a_worker_with_other_versions_or_without_the_package_is_refused_by_name(chapter, cluster, start, tmp_path, file, text, message):
    chapter()
    path = tmp_path / "other" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    address = cluster({"PYTHONPATH": os.pathsep.join([str(tmp_path / "other"), os.environ["PYTHONPATH"]])})
    sweep = start([*COMMAND, "-g", "seed=0,1", "--scheduler", address])
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 2
    assert message in errors.splitlines()[-1]
    assert "the worker at tcp://127.0.0.1:" in errors


def test_a_sweep_brings_kept_networks_home_and_misses_one_that_is_gone(chapter):
    keeping = "from convae_nb import models\nif keep:\n    runs.keep(models.build_autoencoder((2,), seed=seed))"
    chapter(record=f"{RECORD}\n{keeping}")
    text = Path("notebooks/01_tiny.ipynb").read_text().replace("# seed", "# seed\\nkeep: bool = False  # whether")
    Path("notebooks/01_tiny.ipynb").write_text(text)
    runs.sweep(1, {"seed": [1, 2]}, "out", parameters={"keep": True}, progress=False)
    kept = {path: models.load(path).get_weights() for path in sorted(Path("out").glob("*.network.npz"))}
    assert len(kept) == 2
    expected = [models.build_autoencoder((2,), seed=seed).get_weights()[0] for seed in (1, 2)]
    assert sorted(float(weights[0].sum()) for weights in kept.values()) == sorted(float(kernel.sum()) for kernel in expected)
    gone, stays = kept
    gone.unlink()
    before = stays.stat().st_mtime_ns
    runs.sweep(1, {"seed": [1, 2]}, "out", parameters={"keep": True}, progress=False)
    assert gone.exists()
    assert stays.stat().st_mtime_ns == before
