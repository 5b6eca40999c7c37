"""The list of exercises: each chapter's module adds its own."""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Exercise:
    """An exercise whose answer can be checked, or an open one.

    Attributes
    ----------
    asks : str
        What an answer has to be, or of an open exercise, what a good one has.
    right : str
        What is said to a right answer.
    check : callable or None
        Takes an answer, and raises `WrongAnswer` if it is not right. None: the exercise is open.
    """

    asks: str
    right: str = ""
    check: Callable[[Any], None] | None = None


#: By name: "3.0" is the warm-up of chapter 3, "3.1" its first exercise, "3.project" its project.
EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, *, asks: str, right: str) -> Callable:
    """Add an exercise to the list, with the function below as its check."""

    def add(check):
        EXERCISES[name] = Exercise(asks, right, check)
        return check

    return add


def open_exercise(name: str, good: str) -> None:
    """Add an exercise that only a reader can judge, with what a good answer has."""
    EXERCISES[name] = Exercise(good)
