"""What the benchmark and its worker processes share: the task that all peers compute, and how a worker is asked.

Each peer runs in a process of its own. It reads requests from standard input, one JSON object a line, and answers each with one line of
JSON; while others are measured it waits there, compiled and idle. Nothing but NumPy is imported, so that the environment of PyTorch can
import this, too.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
BATCH = 200  # the original's, as are learning rate and Adam's epsilon
LEARNING_RATE = 0.001
EPSILON = 1e-8
SIZES = (7, 14, 28)  # to which the decoder resizes, in pixels
MATRIX_SIDE = 2048  # of the products that training is compared with


class Task(NamedTuple):
    """A model's filters, the standard deviation of the noise that it learns to remove, and how maps pass around its code."""

    filters: tuple[int, ...]
    noise: float
    skips: str = "none"


TASKS = {"basic": Task((16, 8, 8), 0.0), "denoiser": Task((32, 32, 16), 0.5)}
SKIPS = {"add": Task((32, 32, 16), 0.5, "add"), "concatenate": Task((32, 32, 16), 0.5, "concatenate")}


def images():
    """Give the training digits, float32 (60000, 28, 28, 1) in [0, 1]."""
    with np.load(ROOT / "convae_nb" / "data" / "mnist.npz") as stored:
        return stored["x_train"][..., None].astype("float32") / 255


def order(epoch):
    """Give the order in which an epoch takes the digits; that of a `training.Recipe` with seed 0."""
    return np.random.default_rng((0, epoch)).permutation(60_000)


class Stopwatch:
    """Times what is repeated, from its first repetition's end: that one compiles, or wakes threads and caches.

    Parameters
    ----------
    seconds : float
        How long at least.
    count : int
        How many images at least.
    """

    def __init__(self, seconds=0.0, count=0):
        self._seconds, self._count = seconds, count
        self._start = None
        self.reading = {}

    def goes_on(self, count):
        """Count the images of a repetition that has ended, and say whether another is to follow."""
        now = time.perf_counter(), time.process_time()
        if self._start is None:
            self._start, count = now, 0
        wall, cpu = (time_ - start for time_, start in zip(now, self._start, strict=True))
        self.reading = {"count": self.reading.get("count", 0) + count, "seconds": wall, "cpu": cpu}
        return wall < self._seconds or self.reading["count"] < self._count


def peak_memory():
    """Give the most memory that this process has held, in MB; None where the system has no /proc.

    ``ru_maxrss`` of ``getrusage`` does not serve: Linux lets a new process begin with the peak of the one that started it.
    """
    return _of_status("VmHWM")


def own_memory():
    """Give the memory that this process holds, in MB, without the pages of files, which the system takes back when it needs them."""
    return _of_status("RssAnon")


def _of_status(name):
    about = Path("/proc/self/status")
    return int(re.search(rf"{name}:\s+(\d+) kB", about.read_text())[1]) * 1024 / 1e6 if about.exists() else None


class Trainer:
    """A peer whose training loop stands in Python: `step` takes the next batch and returns its loss."""

    def train(self, watch):
        """Train until the stopwatch says that it is enough."""
        going_on = True
        while going_on:
            self.step()
            going_on = watch.goes_on(BATCH)

    def losses(self, count):
        """Give the losses of that many steps."""
        return [self.step() for _ in range(count)]


def serve_trainer(make):
    """Be the worker of a training loop: answer what losses its first steps have, at a level of noise, and how fast it is.

    Parameters
    ----------
    make : callable
        From filters, starting weights (in the order of `models.build_autoencoder`'s), noise and the command line's further words to
        an object with the methods of `Trainer`. It gets ``skips`` only where maps pass around the code.
    """
    name, path, *variant = sys.argv[1:]
    with np.load(path) as stored:
        weights = [stored[key] for key in sorted(stored)]
    task = (TASKS | SKIPS)[name]
    skips = {} if task.skips == "none" else {"skips": task.skips}
    trainer = None

    def run(limits):
        nonlocal trainer
        trainer = trainer or make(task.filters, weights, task.noise, *variant, **skips)
        watch = Stopwatch(**limits)
        trainer.train(watch)
        return watch.reading

    def losses(argument):
        return make(task.filters, weights, argument["noise"], *variant, **skips).losses(argument["steps"])

    serve(run=run, losses=losses)


def serve(**answers):
    """Answer requests, ``{name: argument}``, by the functions given under these names, until there are no more."""
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)  # what a framework prints is no answer
        for line in sys.stdin:
            ((name, argument),) = json.loads(line).items()
            print(json.dumps(answers[name](argument)), file=replies, flush=True)


class Worker:
    """A worker process: a script of ``peers/``, run by the Python that has its framework.

    Parameters
    ----------
    script : str
        Name of the script.
    *arguments : str
        Its command line.
    python : str or Path
        The interpreter; ours, if not given.
    """

    def __init__(self, script, *arguments, python=sys.executable):
        self._script = script
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by stop)
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [python, ROOT / "benchmarks" / "peers" / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,  # frameworks talk much: shown only if they fail
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")]), "KERAS_BACKEND": "tensorflow"},
        )

    @property
    def age(self):
        """Seconds since the process was started."""
        return time.perf_counter() - self._started

    def ask(self, name, argument=None):
        """Put a request, and give the answer.

        Raises
        ------
        RuntimeError
            If the process has ended instead. The message holds what it wrote to standard error.
        """
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({name: argument}), file=self._process.stdin, flush=True)
        if not (reply := self._process.stdout.readline()):
            code = self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self._script} ended with code {code} when asked for {name}:\n{self._errors.read()}")
        return json.loads(reply)

    def stop(self):
        """End the process, if it has not ended."""
        self._process.communicate()  # closes its standard input, at which it ends
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
