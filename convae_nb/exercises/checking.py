"""Check an answer."""

from typing import Any

from convae_nb._base.suggestions import did_you_mean

# Each chapter fills the list when it is imported.
from convae_nb.exercises import chapter_1, chapter_2, chapter_3, chapter_4, chapter_5, chapter_6, chapter_7  # noqa: F401
from convae_nb.exercises.answers import WrongAnswer
from convae_nb.exercises.catalogue import EXERCISES
from convae_nb.exercises.verdict import Verdict

_NO_ANSWER = object()


def check(exercise: str, answer: Any = _NO_ANSWER) -> Verdict:
    """Say whether an answer to an exercise is right, and if not, in one sentence what is off, without giving the right one away.

    It needs no network, and keeps nothing. Text is compared and never executed; a function is called.

    Parameters
    ----------
    exercise : str
        Chapter and number, such as "3.1"; 0 is the warm-up, and "3.project" the project.
    answer : object, optional
        A number, an array, a function, a word, or several in brackets, as the exercise has it. Without one, you hear what it has to be.

    Returns
    -------
    Verdict
        Of an open exercise it says what a good answer has.

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> check("2.0", 16 * 5 * 5)
    2.0, not yet: each map has one weight more than its kernel
    """
    name = str(exercise).strip().lower()
    if name not in EXERCISES:
        raise ValueError(f'exercise must be chapter and number, such as "3.1", got {exercise!r}: {did_you_mean(name, EXERCISES)}')
    found = EXERCISES[name]
    if found.check is None:
        return Verdict(name, None, f"a good answer has {found.asks}")
    if answer is _NO_ANSWER:
        return Verdict(name, None, f"the answer is {found.asks}")
    try:
        found.check(answer)
    except WrongAnswer as wrong:
        return Verdict(name, False, str(wrong))
    return Verdict(name, True, found.right)
