"""Many runs at once, on `dask.distributed`: each in a kernel of its own, on this machine's cores or on a cluster that is there.

No more runs are handed to Dask than can start at once. The rest wait here, so that neither the scheduler nor the workers hold more than
what is running, and what is not wanted any more needs no calling back. A run whose kernel or worker dies is retried.
"""

import collections
import contextlib
import dataclasses
import json
import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from convae_nb._base.validate import first_line
from convae_nb.runs import cluster, execution, notebook, records, source
from convae_nb.runs.chapters import Chapter
from convae_nb.runs.cluster import ClusterLostError

#: How often a run is tried whose kernel or worker dies.
ATTEMPTS = 3
#: Seconds without any worker, after which a sweep gives up.
WORKER_TIMEOUT = 60


class VersionsError(RuntimeError):
    """A worker would compute something else."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run of a sweep: where its executed notebook goes, all of its parameters, and its stamp."""

    path: Path
    values: dict[str, Any]
    stamp: records.Stamp

    @property
    def is_done(self) -> bool:
        """Whether its file is there, by the same text, parameters and versions, and came through."""
        return records.is_done(self.path, self.values, self.stamp)


class _Attempt(NamedTuple):
    run: Run
    number: int
    started: float


class Outcome(NamedTuple):
    """What has come of a run: its file's text, its state and the reason, whether its kernel died, so that another try may do better, and
    the file of the network that it keeps."""

    text: str
    state: str
    reason: str
    crashed: bool
    network: bytes | None = None


def execute_on_worker(task: str, content: bytes | None = None) -> Outcome:
    """Execute one run on a worker.

    Parameters
    ----------
    task : str
        What it takes, as JSON: to Dask a text is one thing, where it would look through a notebook's every value.
    content : bytes, optional
        Of what the parameter source names, as `source.pack` gives it.

    Returns
    -------
    Outcome
        Its text is ready to be written: workers are many, and the process that sweeps is one.
    """
    from dask.system import CPU_COUNT
    from distributed import get_worker

    given = json.loads(task)
    for name in ("papermill", "traitlets"):  # they log what stands in the record, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    worker = get_worker()
    if difference := cluster.version_difference(
        records.versions(), given["stamp"]["versions"]
    ):  # it may have joined while the sweep was at work
        raise VersionsError(f"the worker at {worker.address} has {difference}")
    key = worker.get_current_task()

    def cancelled():
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled"  # by the client, or because there is no client any more

    values = dict(given["values"])
    with tempfile.TemporaryDirectory(prefix="convae-") as folder:
        if content is not None:
            values["source"] = source.unpack(content, folder)
        threads = max(1, CPU_COUNT // given["slots"].get(worker.address, 1))
        executed, crashed = execution.execute_in_kernel(
            given["notebook"], values, folder=given["folder"], threads=threads, cancelled=cancelled
        )
    outcome = _outcome(executed, given, crashed=crashed)
    if content is not None:
        text = _with_given_path(outcome.text, Path(values["source"]), Path(given["values"]["source"]))
        outcome = Outcome(text, *notebook.state(json.loads(text)), crashed, outcome.network)
    return outcome


def _outcome(executed, task, *, crashed):
    stamp, network = records.Stamp(**task["stamp"]), records.take_network(executed)
    text = records.run_text(executed, output=task["output"], chapter=task["chapter"], values=task["values"], stamp=stamp)
    return Outcome(text, *notebook.state(executed), crashed, network)


def _with_given_path(text, unpacked, given):
    """Put the path that was given where a notebook's text has that of a worker: whole, in Python's notation, or its end alone."""
    whole = [(str(unpacked), str(given)), (repr(str(unpacked))[1:-1], str(given))]
    # As data.load names what it reads.
    ends = [("/".join(unpacked.parts[-count:]), "/".join(given.parts[-count:])) for count in (3, 2)]
    for theirs, ours in whole + ends:
        text = text.replace(json.dumps(theirs)[1:-1], json.dumps(ours)[1:-1])
    return text


def execute_all(
    runs: list[Run],
    chapter: Chapter,
    report: Callable[..., None],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> None:
    """Execute all runs, each into its file as soon as it has come back.

    Parameters
    ----------
    runs : list of Run
    chapter : Chapter
        On this machine the kernels run in its file's folder, on a cluster in an empty one.
    report : callable
        Called with a run, its state and the reason when one has ended, and without arguments about every second.
    scheduler, workers
        As `runs.sweep` takes them.

    Raises
    ------
    RefusedError
        If the cluster is not there, or has other versions.
    ClusterLostError
        If scheduler or workers are gone, or a file cannot be written.
    """
    with cluster.connect(scheduler, workers, len(runs), ATTEMPTS) as client:
        engine = _Engine(client, runs, chapter, report, local=scheduler is None, workers=workers)
        try:
            with client.as_current():
                engine.run()
        except OSError as error:
            raise ClusterLostError(f"the scheduler does not answer ({first_line(error)})") from None
        finally:
            engine.stop()


class _Engine:
    def __init__(self, client, runs, chapter, report, *, local, workers):
        self._client, self._report, self._chapter = client, report, chapter
        self._notebook = execution.blank(chapter.notebook)
        self._folder = str(chapter.path.parent.resolve()) if local else None
        self._most = workers or len(runs)
        self._waiting = collections.deque((run, 1) for run in runs)
        self._running: dict[Any, _Attempt] = {}  # by Dask's future
        self._locks: dict[Run, Any] = {}
        self._scattered: dict[str, Any] = {}  # by source, the future of its content: Dask forgets what nobody holds
        self._left = collections.Counter(run.values.get("source", "mnist") for run in runs)  # runs that are not ended, by source
        self._last_worker = time.monotonic()  # when there was one

    def run(self):
        ended: list = []
        while self._waiting or self._running or ended:
            slots, total = self._slots()
            for _ in range(len(self._waiting)):
                if len(self._running) >= min(total, self._most):
                    break
                self._start(*self._waiting.popleft(), slots)
            for future, attempt in ended:  # now that the workers have others
                self._finish(future, attempt)
            self._report()
            ended = self._wait()

    def _wait(self):
        """Wait for at most a second, and give the attempts that have ended."""
        import distributed

        if self._running:
            with contextlib.suppress(TimeoutError, distributed.CancelledError):
                distributed.wait(list(self._running), timeout=1, return_when="FIRST_COMPLETED")
        elif self._waiting:
            time.sleep(1)
        return [(future, self._running.pop(future)) for future in [future for future in self._running if future.done()]]

    def stop(self):
        """Leave nothing running or locked."""
        with contextlib.suppress(Exception):  # the scheduler may be what is gone
            self._client.cancel(list(self._running), force=True)
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _slots(self):
        """How many runs can be at work on each worker's machine, by the worker's address, and in all."""
        if self._client.status == "closed":
            raise ClusterLostError("the scheduler is gone")
        try:
            workers = self._client.sync(self._client.scheduler.identity, n_workers=-1)["workers"]
        except (OSError, TimeoutError):
            workers = {}
        now = time.monotonic()
        if workers:
            self._last_worker = now
        elif now - self._last_worker > WORKER_TIMEOUT:
            raise ClusterLostError(f"there has been no worker for {WORKER_TIMEOUT} seconds")
        hosts: collections.Counter = collections.Counter()
        for worker in workers.values():
            hosts[worker["host"]] += worker["nthreads"]
        return {address: hosts[worker["host"]] for address, worker in workers.items()}, sum(hosts.values())

    def _start(self, run, number, slots):
        if run not in self._locks:
            with _translated(f"{run.path} cannot be written"):
                lock = _acquire_lock(run.path)
            if lock is None:  # another sweep has it at work: look again later
                self._waiting.append((run, number))
                return
            self._locks[run] = lock
            if run.is_done:
                self._end(run, "done", "")
                return
        task = self._task(run) | {"notebook": self._notebook, "folder": self._folder, "slots": slots}
        content = self._content(run.values.get("source", "mnist"))
        key = f"{run.path.stem}-{secrets.token_hex(8)}"
        future = self._client.submit(execute_on_worker, json.dumps(task), content, key=key, pure=False)
        self._running[future] = _Attempt(run, number, time.monotonic())

    def _task(self, run):
        about = {"output": run.path.as_posix(), "chapter": self._chapter.path.as_posix()}
        return about | {"values": run.values, "stamp": dataclasses.asdict(run.stamp)}

    def _content(self, name):
        """Give the content of a source as Dask's future, sent once to every worker however many runs read it; None on this machine."""
        if self._folder is not None or name == "mnist":
            return None
        if name not in self._scattered or self._scattered[name].status != "finished":  # its workers may be gone
            with _translated(f"{name} cannot be read"):
                content = source.pack(name)
            self._scattered[name] = self._client.scatter(content, hash=False, broadcast=True)
        return self._scattered[name]

    def _finish(self, future, attempt):
        import distributed

        try:
            outcome = Outcome(*future.result(timeout=cluster.CONNECT_TIMEOUT))
            retry = outcome.crashed
        except VersionsError as error:  # it would soon have failed all runs, and fast
            raise ClusterLostError(str(error)) from None
        except distributed.KilledWorker:  # Dask has retried already
            outcome, retry = self._failed(attempt, "KilledWorker", "every worker that had it died"), False
        except Exception as error:
            if isinstance(error, TimeoutError) and future.status != "error":
                self._running[future] = attempt  # its worker died before it handed the result over: Dask does it again
                return
            outcome, retry = self._failed(attempt, type(error).__name__, first_line(error)), True
        run = attempt.run
        if retry and attempt.number < ATTEMPTS:
            self._waiting.appendleft((run, attempt.number + 1))
            return
        with _translated(f"{run.path} cannot be written"):
            if outcome.network:
                execution.write_network(run.path, outcome.network)
            notebook.write(run.path, outcome.text)
        self._end(run, outcome.state, outcome.reason)

    def _failed(self, attempt, name, message):
        executed = execution.failed(self._notebook, name, message, time.monotonic() - attempt.started)
        return _outcome(executed, self._task(attempt.run), crashed=False)

    def _end(self, run, state, reason):
        self._locks.pop(run).release()
        name = run.values.get("source", "mnist")
        self._left[name] -= 1
        if not self._left[name]:
            self._scattered.pop(name, None)
        self._report(run, state, reason)


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Translate an error of the file system into one of a sweep that cannot go on."""
    try:
        yield
    except OSError as error:
        raise ClusterLostError(f"{what}: {error.strerror or error}") from None


def _acquire_lock(path: Path):
    """Lock a run for this process, until it is released or the process ends; None if another process has it locked.

    The empty lock files stay, in a hidden folder: where one were deleted, a process that had opened it already would hold another lock
    than one that comes later.
    """
    import filelock

    folder = path.parent / ".locks"
    folder.mkdir(exist_ok=True)
    lock = filelock.FileLock(folder / f"{path.name}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return None
    return lock
