"""Which of the names that there are somebody may have meant."""

import difflib


def did_you_mean(name, names):
    """Ask for the most similar of some names, of which there must be one.

    Examples
    --------
    >>> did_you_mean("epoch", ["seed", "epochs"])
    "did you mean 'epochs'?"
    """
    return f"did you mean {difflib.get_close_matches(str(name), names, n=1, cutoff=0)[0]!r}?"
