"""Grids of parameters, as tunings try them: the values of each, by its name, in order."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any


def combinations(grid: Mapping[str, Sequence]) -> list[dict[str, Any]]:
    """Give every combination of a grid's values; the last parameter varies fastest.

    Examples
    --------
    >>> combinations({"h": [1, 2], "side": [5]})
    [{'h': 1, 'side': 5}, {'h': 2, 'side': 5}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def at_end(chosen: Mapping[str, Any], grid: Mapping[str, Sequence]) -> list[str]:
    """Name the parameters that lie at an end of their grid, where better ones may lie beyond; of two ways to do it neither is an end.

    Examples
    --------
    >>> at_end({"h": 3, "side": 5, "undo": True}, {"h": [1, 2, 3], "side": [3, 5, 7], "undo": [False, True]})
    ['h']
    """
    return [name for name, value in chosen.items() if len(grid[name]) > 2 and value in (grid[name][0], grid[name][-1])]
