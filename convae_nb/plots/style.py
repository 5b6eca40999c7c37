"""What all figures have in common: their width, and colours that differ in brightness too."""

import itertools
from collections.abc import Collection

import matplotlib
from matplotlib.typing import ColorType

from convae_nb.models import DECODERS

WIDTH = 7.5  # inches: the width of a page
COLOURS = matplotlib.color_sequences["petroff10"]
DASHES = ["-", "--", "-.", ":"]


def colours(names: Collection[str]) -> dict[str, ColorType]:
    """Give each of some names a colour: a decoder its own, the same in every figure, and the others those that are left, in turn."""
    own = dict(zip(DECODERS, COLOURS, strict=False))
    free = COLOURS if own.keys().isdisjoint(names) else COLOURS[len(own) :]
    return own | dict(zip((name for name in names if name not in own), itertools.cycle(free), strict=False))
