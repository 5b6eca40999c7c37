"""Did you mean …?: which of the names that there are somebody may have meant."""

import difflib
from collections.abc import Collection


def did_you_mean(name: object, names: Collection[str]) -> str:
    """Suggest the most similar of some names, of which there must be one.

    Examples
    --------
    >>> did_you_mean("epoch", ["seed", "epochs"])
    "did you mean 'epochs'?"
    """
    return f"did you mean {difflib.get_close_matches(str(name), names, n=1, cutoff=0)[0]!r}?"


def closest(name: object, names: Collection[str]) -> str:
    """Suggest the most similar of some names, and list them all.

    Examples
    --------
    >>> closest("epoch", ["seed", "epochs"])
    "did you mean 'epochs'? There are seed, epochs"
    """
    return f"{did_you_mean(name, names)} There are {', '.join(names)}" if names else "there are none"
