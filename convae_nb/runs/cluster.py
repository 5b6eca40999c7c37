"""Where runs are done: worker processes of this machine, a core each, or a Dask cluster that is there."""

import contextlib
import logging
from collections.abc import Iterator

from convae_nb._base.validate import first_line
from convae_nb.errors import ConvaeError, RefusedError
from convae_nb.runs import records

#: Seconds in which a scheduler must answer, and have a worker.
CONNECT_TIMEOUT = 15

# A terminal sends Ctrl-C to the workers, too, but it is the sweep that ends them.
_IGNORE_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


class ClusterLostError(ConvaeError, RuntimeError):
    """The cluster is gone, or nothing can be written any more: runs are left that nobody can do."""


@contextlib.contextmanager
def connect(scheduler: str | None, workers: int | None, runs: int, attempts: int) -> Iterator:
    """Connect to a cluster that is there, or to one that lasts as long as the block; give the client.

    Parameters
    ----------
    scheduler, workers
        As `runs.sweep` takes them.
    runs, attempts : int
        How many runs there are, and how often each is tried.

    Raises
    ------
    RefusedError
        If the cluster is not there, or has other versions.
    ClusterLostError
        If no worker of this machine starts.
    """
    import dask
    import distributed
    from dask.system import CPU_COUNT
    from distributed.comm import addressing, registry

    with contextlib.ExitStack() as stack:
        if scheduler is None:
            # A worker counts as suspect whenever it dies under a run. What is logged are messages, with a chapter in many of them.
            settings = {"distributed.scheduler.allowed-failures": attempts - 1, "distributed.admin.low-level-log-length": 10}
            stack.enter_context(dask.config.set(settings))
            size = {"n_workers": min(workers or CPU_COUNT, runs), "threads_per_worker": 1, "memory_limit": 0}
            quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL, "preload": [_IGNORE_INTERRUPTS]}
            try:
                cluster = stack.enter_context(distributed.LocalCluster(**size, **quiet, host="127.0.0.1"))
            except RuntimeError as error:
                raise ClusterLostError(f"no worker starts ({error}); a script must sweep under if __name__ == '__main__'") from None
            yield stack.enter_context(distributed.Client(cluster, set_as_default=False))
            return
        try:
            # A client that is given no such address is noisy when Python ends.
            scheme, location = addressing.parse_address(scheduler)
            registry.get_backend(scheme)
            addressing.parse_host_port(location)
            client = stack.enter_context(distributed.Client(scheduler, timeout=CONNECT_TIMEOUT, set_as_default=False))
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        except (OSError, ValueError, TimeoutError) as error:
            found = first_line(error)
            raise RefusedError(f"scheduler must be the address of a Dask scheduler that has workers, got {scheduler!r}: {found}") from None
        _validate_versions(client)
        yield client


def _validate_versions(client):
    ours = records.versions()
    for address, theirs in client.run(records.versions, on_error="return").items():
        if isinstance(theirs, Exception):
            raise RefusedError(f"the worker at {address} cannot do runs: {first_line(theirs)}")
        if found := version_difference(theirs, ours):
            raise RefusedError(f"the worker at {address} has {found}")


def version_difference(theirs: dict[str, str | None], ours: dict[str, str | None]) -> str:
    """Say in which versions a worker differs; nothing if in none."""
    return ", ".join(f"{name} {theirs.get(name)} instead of {version}" for name, version in ours.items() if theirs.get(name) != version)
