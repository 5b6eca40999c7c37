"""Where runs are done: worker processes of this machine, a core each, or a Dask cluster that is there."""

import contextlib
import logging

from convae_nb import _execution, _notebook
from convae_nb.parameters import RefusedError

GRACE = 15  # seconds in which a scheduler must answer, and have a worker

# A terminal sends Ctrl-C to the workers, too, but it is the sweep that ends them.
_DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


class LostError(RuntimeError):
    """The cluster is gone, or nothing can be written any more: runs are left that nobody can do."""


@contextlib.contextmanager
def opened(scheduler, workers, count, tries):
    """Give a client of a cluster that is there, or of one that lasts as long as the block.

    Parameters
    ----------
    scheduler, workers
        As `runs.sweep` takes them.
    count, tries : int
        How many runs there are, and how often each is tried.

    Raises
    ------
    RefusedError
        If the cluster is not there, or has other versions.
    LostError
        If no worker of this machine starts.
    """
    import dask
    import distributed
    from dask.system import CPU_COUNT

    with contextlib.ExitStack() as stack:
        if scheduler is None:
            # A worker counts as suspect whenever it dies under a run.
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": tries - 1}))
            size = {"n_workers": min(workers or CPU_COUNT, count), "threads_per_worker": 1, "memory_limit": 0}
            quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL, "preload": [_DEAF]}
            try:
                cluster = stack.enter_context(distributed.LocalCluster(**size, **quiet, host="127.0.0.1"))
            except RuntimeError as error:
                raise LostError(f"no worker starts ({error}); a script must sweep under if __name__ == '__main__'") from None
            yield stack.enter_context(distributed.Client(cluster, set_as_default=False))
            return
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=GRACE, set_as_default=False))
            client.wait_for_workers(1, timeout=GRACE)
        except (OSError, ValueError, TimeoutError) as error:
            found = _notebook.line(error) or type(error).__name__
            raise RefusedError(f"scheduler must be the address of a Dask scheduler that has workers, got {scheduler!r}: {found}") from None
        _compare_versions(client)
        yield client


def _compare_versions(client):
    ours = _execution.versions()
    for address, theirs in client.run(_execution.versions, on_error="return").items():
        if isinstance(theirs, Exception):
            raise RefusedError(f"the worker at {address} cannot do runs: {_notebook.line(theirs) or type(theirs).__name__}")
        if found := difference(theirs, ours):
            raise RefusedError(f"the worker at {address} has {found}")


def difference(theirs, ours):
    """Say in which versions a worker differs; nothing if in none."""
    return ", ".join(f"{name} {theirs.get(name)} instead of {version}" for name, version in ours.items() if theirs.get(name) != version)
