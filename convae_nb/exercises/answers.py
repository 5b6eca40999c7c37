"""Answers of every kind, read and compared: numbers, arrays, names, choices, functions. Text is compared and never executed."""

import decimal
import math
import numbers
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np


class WrongAnswer(Exception):
    """An answer is not right; its text says in one sentence what is off, and not what would be right."""


def read_number(answer: Any, what: str = "the answer") -> float | int:
    """Read a number, whole numbers of any size included; an array of one value is one."""
    if isinstance(answer, str):
        reason = "text is not computed: leave the quotation marks out" if re.search(r"\d", answer) else "this is a text"
        raise WrongAnswer(f"{what} must be a number, and {reason}")
    if isinstance(answer, bool | np.bool_) or answer is None:
        raise WrongAnswer(f"{what} must be a number, and this is {answer}")
    if isinstance(answer, numbers.Rational | decimal.Decimal) and not isinstance(answer, int):
        answer = float(answer)
    if not isinstance(answer, int):
        array = read_array(answer, what)
        if array.size != 1:
            raise WrongAnswer(f"{what} must be one number, and this has {array.size}")
        answer = array.item()
    if isinstance(answer, float) and not math.isfinite(answer):
        raise WrongAnswer(f"{what} must be a finite number, and this is {answer}")
    return answer


def read_numbers(answer: Any, count: int, what: str = "the answer") -> list[float | int]:
    """Read some numbers out of a list, a tuple, an array or a dict's values."""
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise WrongAnswer(f"{what} must be {count} numbers in brackets")
    answer = list(answer)
    if len(answer) != count:
        raise WrongAnswer(f"{what} must be {count} numbers, and these are {len(answer)}")
    return [read_number(number, f"number {i} of {what}") for i, number in enumerate(answer, start=1)]


def read_array(answer: Any, what: str = "the answer") -> np.ndarray:
    """Read numbers as an array of floats."""
    try:
        array = np.asarray(answer)
    except (TypeError, ValueError):
        array = np.array(None)
    if array.dtype.kind not in "iufb" and array.size:
        raise WrongAnswer(f"{what} must be numbers, and this is of type {type(answer).__name__}")
    if array.size == 0:
        raise WrongAnswer(f"{what} is empty")
    return array.astype("float64")


def read_picture(answer: Any, shape: tuple[int, int], what: str = "the answer") -> np.ndarray:
    """Read one picture, whose axes of length 1 do not matter, as (height, width)."""
    array = read_array(answer, what)
    if array.squeeze().shape != shape:
        wanted = "x".join(map(str, shape))
        raise WrongAnswer(f"{what} must be one picture of {wanted} pixels, and this has the shape {array.shape}")
    if not np.isfinite(array).all():
        raise WrongAnswer(f"{what} holds values that are not finite")
    return array.reshape(shape)


def compare(
    answer: float,
    truth: float,
    tolerance: float,
    mistakes: Mapping[float, str] | None = None,
    what: str = "the answer",
) -> None:
    """Compare a number with the right one: known mistakes first, then sign, percent, order of magnitude and direction."""
    if isinstance(answer, int) and answer.bit_length() > 1000:  # no float could hold it
        raise WrongAnswer(f"{what} is too {'large' if answer > 0 else 'small'}, and not even of the right order of magnitude")
    if abs(answer - truth) <= tolerance:
        return
    for mistake, text in (mistakes or {}).items():
        if abs(answer - mistake) <= tolerance:
            raise WrongAnswer(text)
    if answer * truth < 0:
        raise WrongAnswer(f"{what} has the wrong sign")
    if abs(answer / 100 - truth) <= tolerance:
        raise WrongAnswer(f"{what} looks like percent: give the share, between 0 and 1")
    direction = "large" if answer > truth else "small"
    ratio = max(abs(answer), 1e-300) / abs(truth) if truth else math.inf
    if not 0.1 <= ratio <= 10:
        raise WrongAnswer(f"{what} is too {direction}, and not even of the right order of magnitude")
    raise WrongAnswer(f"{what} is too {direction}")


def choose(answer: Any, choices: Mapping[str, str], also: Mapping[str, str] | None = None) -> None:
    """Compare a short text with those that can be chosen: each with what is said to it, the right one with nothing.

    `also` has other words for them.
    """
    known = {_plain(choice): text for choice, text in choices.items()}
    known |= {_plain(word): choices[choice] for word, choice in (also or {}).items()}
    text = known.get(_plain(answer)) if isinstance(answer, str) else None
    if text is None:
        listed = ", ".join(f'"{choice}"' for choice in choices)
        raise WrongAnswer(f"the answer must be one of these words: {listed}")
    if text:
        raise WrongAnswer(text)


def _plain(text):
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def read_set(answer: Any, what: str = "the answer") -> set[int]:
    """Read whole numbers out of a list, a set or an array, in any order; of a dict the keys whose values are true."""
    if isinstance(answer, Mapping):
        answer = [key for key, chosen in answer.items() if chosen]
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise WrongAnswer(f"{what} must be some whole numbers in brackets")
    numbers = [read_number(number, f"each of {what}") for number in answer]
    if any(number != int(number) for number in numbers):
        raise WrongAnswer(f"{what} must be whole numbers")
    return {int(number) for number in numbers}


def call(answer: Any, *arguments: Any) -> Any:
    """Call a function that is an answer; what it raises is said in one sentence."""
    if not callable(answer):
        raise WrongAnswer(f"the answer must be a function, without brackets behind its name, and this is of type {type(answer).__name__}")
    try:
        return answer(*arguments)
    except Exception as error:  # it may be anything
        raise WrongAnswer(f"your function raised {type(error).__name__}: {str(error).partition(chr(10))[0]}") from None


def curve(answer: Callable, truth: Callable, tolerance: float) -> None:
    """Compare a function of a grey with the right one, at 11 greys from black to white."""
    greys = np.linspace(0, 1, 11)
    values = [read_number(call(answer, float(grey)), "what your function gives") for grey in greys]
    off = np.array(values) - [truth(grey) for grey in greys]
    if np.abs(off).max() > tolerance:
        i = int(np.argmax(np.abs(off)))
        direction = "high" if off[i] > 0 else "low"
        raise WrongAnswer(f"at a value of {greys[i]:g} your function gives {values[i]:.3g}, which is too {direction}")
