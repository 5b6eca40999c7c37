"""Figures of small arrays, whose cells are to be read."""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from convae_nb.plots.style import COLOURS, WIDTH


def number_grids(
    grids: Mapping[str, ArrayLike],
    *,
    cmap: str = "gray",
    limits: tuple[float, float] | None = None,
    frames: Mapping[str, Sequence[tuple[int, int, int, int]]] | None = None,
) -> Figure:
    """Draw small arrays as grids with the number written in each cell.

    Parameters
    ----------
    grids : dict of str to array, shape (height, width)
        Title to values.
    cmap : str
        Matplotlib's name of a colour map.
    limits : tuple of float, (low, high), optional
        The values at the ends of the colour map; None takes those of all grids together.
    frames : dict of str to sequence of tuple of int, (row, column, height, width), optional
        Title to rectangles of cells that are framed; the first of each grid in one colour, the second in another, and so on.

    Returns
    -------
    Figure
    """
    arrays = {title: np.asarray(grid) for title, grid in grids.items()}
    low, high = limits or (min(map(np.min, arrays.values())), max(map(np.max, arrays.values())))
    widths = [array.shape[1] for array in arrays.values()]
    tallest = max(array.shape[0] for array in arrays.values())
    cell = min(0.45, (WIDTH - 0.3 * len(grids)) / sum(widths))
    size = (cell * sum(widths) + 0.3 * len(grids), cell * tallest + 0.4)
    fig, row = plt.subplots(1, len(grids), figsize=size, squeeze=False, layout="constrained", width_ratios=widths)
    colours = plt.get_cmap(cmap)
    for axes, (title, array) in zip(row[0], arrays.items(), strict=True):
        axes.imshow(array, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=9)
        for (i, j), value in np.ndenumerate(array):
            dark = np.mean(colours((value - low) / ((high - low) or 1))[:3]) < 0.5
            axes.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
        for (row_, column, height, width), colour in zip((frames or {}).get(title, ()), itertools.cycle(COLOURS), strict=False):
            corner = column - 0.5 + 0.06, row_ - 0.5 + 0.06
            axes.add_patch(plt.Rectangle(corner, width - 0.12, height - 0.12, fill=False, edgecolor=colour, linewidth=2.5))
    plt.close(fig)
    return fig


def word_grids(grids: Mapping[str, Sequence[Sequence[str]]]) -> Figure:
    """Draw small tables of words as grids: equal words have equal colours in all of them, and where there is none the cell stays white.

    Parameters
    ----------
    grids : dict of str to nested sequence of str
        Title to rows of words.

    Returns
    -------
    Figure
    """
    words = sorted({word for grid in grids.values() for row in grid for word in row if word}, key=lambda word: (len(word), word))
    colours = dict(zip(words, itertools.cycle([*COLOURS, *matplotlib.color_sequences["Pastel1"]]), strict=False))
    widths = [len(grid[0]) for grid in grids.values()]
    tallest = max(map(len, grids.values()))
    cell = min(0.5, (WIDTH - 0.3 * len(grids)) / sum(widths))
    size = (cell * sum(widths) + 0.3 * len(grids), cell * tallest + 0.4)
    fig, panels = plt.subplots(1, len(grids), figsize=size, squeeze=False, layout="constrained", width_ratios=widths)
    for axes, (title, grid) in zip(panels[0], grids.items(), strict=True):
        for i, row in enumerate(grid):
            for j, word in enumerate(row):
                face = (colours[word], 0.45) if word else "white"
                axes.add_patch(plt.Rectangle((j, i), 1, 1, facecolor=face, edgecolor="0.6", linewidth=0.8))
                axes.text(j + 0.5, i + 0.5, word, ha="center", va="center", fontsize=8)
        axes.set(xlim=(0, len(grid[0])), ylim=(len(grid), 0), xticks=[], yticks=[], aspect="equal")
        axes.set_title(title, fontsize=9)
    plt.close(fig)
    return fig
