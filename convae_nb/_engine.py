"""Many runs at once, on `dask.distributed`: each in a kernel of its own, on this machine's cores or on a cluster that is there.

No more runs are handed to Dask than can start at once. The rest wait here, so that neither the scheduler nor the workers hold more than
what is running, and what is not wanted any more needs no calling back.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import logging
import secrets
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from convae_nb import _cluster, _execution, _notebook, _source
from convae_nb._cluster import LostError

TRIES = 3  # of a run whose kernel or worker dies
PATIENCE = 60  # seconds without any worker, after which a sweep gives up


class VersionsError(RuntimeError):
    """A worker would compute something else."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """Where an executed notebook goes, and all of its parameters."""

    path: Path
    values: dict


class _Flight(NamedTuple):
    run: Run
    tries: int
    started: float
    content: object  # of what `source` names: Dask forgets what nobody holds


def is_done(run, about):
    """Say whether a run's file is there, by the same text, parameters and versions, and came through."""
    try:
        notebook = _notebook.read(run.path)
        same = notebook["metadata"]["papermill"]["parameters"] == run.values and notebook["metadata"][_execution.ABOUT] == about(run)
        return same and _notebook.state(notebook)[0] == "done"
    except _notebook.UNREADABLE:
        return False


def work(task, content=None):
    """Do one run on a worker.

    Parameters
    ----------
    task : str
        What it takes, as JSON: to Dask a text is one thing, where it would look through a notebook's every value.
    content : bytes, optional
        Of what the parameter source names, as `_source.packed` gives it.

    Returns
    -------
    notebook : str
        Its text.
    crashed : bool
        Whether its kernel died.
    """
    from dask.system import CPU_COUNT
    from distributed import get_worker

    task = json.loads(task)
    for name in ("papermill", "traitlets"):  # they log what stands in the record, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    worker = get_worker()
    if difference := _cluster.difference(_execution.versions(), task["versions"]):  # it may have joined while the sweep was at work
        raise VersionsError(f"the worker at {worker.address} has {difference}")
    key = worker.get_current_task()

    def cancelled():
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled"  # by the client, or because there is no client any more

    values = dict(task["values"])
    with tempfile.TemporaryDirectory(prefix="convae-") as folder:
        if content is not None:
            values["source"] = _source.unpacked(content, folder)
        threads = max(1, CPU_COUNT // task["beside"].get(worker.address, 1))
        notebook, crashed = _execution.executed(task["notebook"], values, folder=task["folder"], threads=threads, cancelled=cancelled)
    text = _notebook.text(notebook)
    if content is not None:
        text = _as_given(text, Path(values["source"]), Path(task["values"]["source"]))
    return text, crashed


def _as_given(text, here, given):
    """Put the path that was given where a notebook's text tells that of a worker: whole, in Python's notation, or its end alone."""
    whole = [(str(here), str(given)), (repr(str(here))[1:-1], str(given))]
    ends = [("/".join(here.parts[-count:]), "/".join(given.parts[-count:])) for count in (3, 2)]  # as data.load names what it reads
    for ours, theirs in whole + ends:
        text = text.replace(json.dumps(ours)[1:-1], json.dumps(theirs)[1:-1])
    return text


def do(runs, notebook, about, report, *, chapter, scheduler=None, workers=None):
    """Do all runs, each into its file as soon as it has come back.

    Parameters
    ----------
    runs : list of Run
    notebook : dict
        The chapter.
    about : callable
        From a Run to what its file is to hold under `_execution.ABOUT`.
    report : callable
        Called with a run, its state and the reason when one has ended, and without arguments about every second.
    chapter : Path
        The chapter's file. On this machine the kernels run in its folder, on a cluster in an empty one.
    scheduler, workers
        As `runs.sweep` takes them.

    Raises
    ------
    RefusedError
        If the cluster is not there, or has other versions.
    LostError
        If scheduler or workers are gone, or a file cannot be written.
    """
    with _cluster.opened(scheduler, workers, len(runs), TRIES) as client:
        engine = _Engine(client, runs, notebook, about, report, chapter, scheduler is None, workers)
        try:
            with client.as_current():
                engine.run()
        except OSError as error:
            raise LostError(f"the scheduler does not answer ({_notebook.line(error) or type(error).__name__})") from None
        finally:
            engine.stop()


class _Engine:
    def __init__(self, client, runs, notebook, about, report, chapter, here, workers):
        self._client, self._about, self._report, self._chapter = client, about, report, chapter
        self._notebook = _execution.blank(notebook)
        self._packed = functools.cache(_source.packed)  # many runs read the same images
        self._folder = str(chapter.parent.resolve()) if here else None
        self._most = workers or len(runs)
        self._waiting = collections.deque((run, 1) for run in runs)
        self._flights, self._claims = {}, {}
        self._answered = time.monotonic()  # when there was a worker

    def run(self):
        import distributed

        while self._waiting or self._flights:
            beside, slots = self._slots()
            for _ in range(len(self._waiting)):
                if len(self._flights) >= min(slots, self._most):
                    break
                self._start(*self._waiting.popleft(), beside)
            self._report()
            if self._flights:
                with contextlib.suppress(TimeoutError, distributed.CancelledError):
                    distributed.wait(list(self._flights), timeout=1, return_when="FIRST_COMPLETED")
            elif self._waiting:
                time.sleep(1)
            for future in [future for future in self._flights if future.done()]:
                self._land(future, self._flights.pop(future))

    def stop(self):
        """Leave nothing running or claimed."""
        with contextlib.suppress(Exception):  # the scheduler may be what is gone
            self._client.cancel(list(self._flights), force=True)
        for run in list(self._claims):
            self._let_go(run)

    def _slots(self):
        """How many runs can be at work on each worker's machine, by the worker's address, and in all."""
        if self._client.status == "closed":
            raise LostError("the scheduler is gone")
        try:
            workers = self._client.sync(self._client.scheduler.identity, n_workers=-1)["workers"]
        except (OSError, TimeoutError):
            workers = {}
        now = time.monotonic()
        if workers:
            self._answered = now
        elif now - self._answered > PATIENCE:
            raise LostError(f"there has been no worker for {PATIENCE} seconds")
        hosts = collections.Counter()
        for worker in workers.values():
            hosts[worker["host"]] += worker["nthreads"]
        return {address: hosts[worker["host"]] for address, worker in workers.items()}, sum(hosts.values())

    def _start(self, run, tries, beside):
        if run not in self._claims:
            with _told(f"{run.path} cannot be written"):
                claim = _claim(run.path)
            if claim is None:  # another sweep has it at work: look again later
                self._waiting.append((run, tries))
                return
            self._claims[run] = claim
            if is_done(run, self._about):
                self._end(run, "done", "")
                return
        content = None
        if self._folder is None and run.values.get("source", "mnist") != "mnist":
            with _told(f"{run.values['source']} cannot be read"):
                content = self._packed(run.values["source"])
            content = self._client.scatter(content, hash=False)
        task = {
            "notebook": self._notebook,
            "values": run.values,
            "folder": self._folder,
            "beside": beside,
            "versions": self._about(run)["versions"],
        }
        future = self._client.submit(work, json.dumps(task), content, key=f"{run.path.stem}-{secrets.token_hex(8)}", pure=False)
        self._flights[future] = _Flight(run, tries, time.monotonic(), content)

    def _land(self, future, flight):
        import distributed

        run, tries = flight.run, flight.tries
        try:
            text, again = future.result(timeout=_cluster.GRACE)
            result = json.loads(text)
        except VersionsError as error:  # it would soon have failed all runs, and fast
            raise LostError(str(error)) from None
        except distributed.KilledWorker:  # Dask has tried again already
            result, again = self._failed(flight, "KilledWorker", "every worker that had it died"), False
        except Exception as error:
            if isinstance(error, TimeoutError) and future.status != "error":
                self._flights[future] = flight  # its worker died before it handed the result over: Dask does it again
                return
            result, again = self._failed(flight, type(error).__name__, _notebook.line(error)), True
        if again and tries < TRIES:
            self._waiting.appendleft((run, tries + 1))
            return
        result["metadata"]["papermill"] |= {
            "input_path": str(self._chapter),
            "output_path": str(run.path),
            "parameters": run.values,
        }
        result["metadata"][_execution.ABOUT] = self._about(run)
        with _told(f"{run.path} cannot be written"):
            _notebook.write(run.path, result)
        self._end(run, *_notebook.state(result))

    def _failed(self, flight, name, message):
        return _execution.failed(self._notebook, name, message, time.monotonic() - flight.started)

    def _end(self, run, state, reason):
        self._let_go(run)
        self._report(run, state, reason)

    def _let_go(self, run):
        self._claims.pop(run).release()
        with contextlib.suppress(OSError):
            _lock_of(run.path).unlink()


@contextlib.contextmanager
def _told(what):
    try:
        yield
    except OSError as error:
        raise LostError(f"{what}: {error.strerror or error}") from None


def _lock_of(path):
    return path.with_name(f".{path.name}.lock")


def _claim(path):
    """Take a run for this process, until it is released or the process ends; None if another has it."""
    import locket

    lock = locket.lock_file(str(_lock_of(path)), timeout=0)
    try:
        lock.acquire()
    except locket.LockError:
        return None
    return lock
