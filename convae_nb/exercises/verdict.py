"""What is said of an answer, to a reader and to whoever collects it from an executed notebook."""

import dataclasses
from typing import Any

#: The type under which a verdict stands in a notebook's outputs.
VERDICT = "application/vnd.convae.exercise+json"
_WORDS = {True: "right", False: "not yet", None: "open"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is said of an answer. As the last line of a cell it is shown.

    Attributes
    ----------
    exercise : str
        Such as "3.1".
    right : bool or None
        None if only a reader can tell: the exercise is open, or no answer was given.
    text : str
        One or two sentences: what is off, or what the answer shows.
    """

    exercise: str
    right: bool | None
    text: str

    def __bool__(self) -> bool:
        return self.right is True

    def __repr__(self) -> str:
        return f"{self.exercise}, {_WORDS[self.right]}: {self.text}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {VERDICT: {"version": 1, "exercise": self.exercise, "right": self.right}, "text/plain": repr(self)}
