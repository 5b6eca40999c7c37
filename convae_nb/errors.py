"""Every error of the package's own: each a `ConvaeError`, with one sentence for the reader and an exit code for the command line.

The modules that raise one offer it too, as `data.DataError`. A wrong argument of a function is Python's own ValueError.
"""


class ConvaeError(Exception):
    """Base class: whatever the package refuses or could not finish. Its text is one sentence, with what was found and what to do.

    Attributes
    ----------
    exit_code : int
        What the command line ends with.
    """

    exit_code = 1


class DataError(ConvaeError, ValueError):
    """Data that would be read or trained on wrongly. The message says what was found and what to do."""


class RefusedError(ConvaeError, ValueError):
    """What was asked for cannot be run; nothing was started."""

    exit_code = 2


class RunError(ConvaeError, RuntimeError):
    """A notebook was started and did not come through; one line says where and why."""


class CheckpointError(ConvaeError, RuntimeError):
    """A checkpoint that cannot be written, or is not of this run. The message says which file, what is wrong and what to do."""
