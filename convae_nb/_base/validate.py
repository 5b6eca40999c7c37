"""Validate what comes in: whole numbers, and the one line of an error that says something."""

import numbers
import re
from typing import Any

_COLOURS = re.compile(r"\x1b\[[\d;]*m")  # of a terminal


def is_whole_number(value: Any, low: float = 1, high: float = float("inf")) -> bool:
    """Say whether a value is a whole number of a range; True and 1.0 are none.

    Examples
    --------
    >>> [is_whole_number(value) for value in (3, 0, 3.0, True, "3")]
    [True, False, False, False, False]
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and low <= int(value) <= high


def first_line(error: object, default: str | None = None) -> str:
    """Give the first line of an error's message that says something, or else the default, which is the error's type.

    Keras begins by naming the layer's method, and says only then what is wrong.

    Examples
    --------
    >>> first_line(ValueError("\\n  too long\\nby two")), first_line(OSError())
    ('too long', 'OSError')
    """
    lines = [line for line in map(str.strip, _COLOURS.sub("", str(error)).splitlines()) if line]
    telling = (line for line in lines if not line.startswith("Exception encountered when calling"))
    return next(iter([*telling, *lines]), type(error).__name__ if default is None else default)
