"""A client of a kernel that does not wait for ever for a reply that has come."""

import contextlib
import math
import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from traitlets import Type

_LOOK = 1.0  # seconds between two looks


class PatientChannel(AsyncZMQSocketChannel):
    """A channel that looks for a message every second.

    nbclient sends on the shell's socket whatever changes an output widget, past asyncio's loop, which waits for a reply on the same
    socket. Such a send may use up the event that wakes the loop: then the reply is there, and nobody looks.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]  # as its base does
        until = time.monotonic() + (math.inf if timeout is None else timeout)
        while (left := until - time.monotonic()) > _LOOK:
            with contextlib.suppress(Empty):
                return await super().get_msg(_LOOK)
        return await super().get_msg(max(0.0, left))


class Client(AsyncKernelClient):
    """A client whose shell channel is patient."""

    shell_channel_class = Type(PatientChannel)
