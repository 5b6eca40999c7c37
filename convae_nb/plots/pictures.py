"""Figures that show pictures: their pixels square, their greys fixed to [0, 1]."""

import itertools
from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from convae_nb.plots.style import WIDTH

Images = np.ndarray | Sequence[np.ndarray]


def strongest(differences: np.ndarray) -> np.ndarray:
    """Of the differences of colours, (…, channels), take the largest: in their mean too much red would hide too little green."""
    return np.take_along_axis(differences, np.abs(differences).argmax(axis=-1)[..., None], axis=-1)[..., 0]


def show(axes, image, signed=False):
    """Draw one picture, (height, width[, channels]) in [0, 1], or a difference of two, in [-1, 1], without ticks."""
    image = np.asarray(image, dtype=float)  # matplotlib draws no colours from bool
    if signed:
        limits = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
        image = strongest(image) if image.ndim == 3 else image
    else:
        limits = {"cmap": "gray", "vmin": 0, "vmax": 1}
        image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    drawn = axes.imshow(image, interpolation="nearest", **limits)
    axes.set(xticks=[], yticks=[])
    return drawn


def _close_together():
    return ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)


def image(image: np.ndarray) -> Figure:
    """Draw one picture large, its pixels countable and its grey values on a scale.

    Parameters
    ----------
    image : array, shape (height, width) or (height, width, channels)
        In [0, 1].

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH / 2, 3.2), layout="constrained")
    drawn = show(axes, image)
    axes.set(xlabel="column", ylabel="row")
    step = 4 * -(-max(image.shape[:2]) // 32)  # at most eight numbers, which leaves each its room
    axes.set(xticks=range(0, image.shape[1], step), yticks=range(0, image.shape[0], step))
    if np.squeeze(image).ndim == 2:
        fig.colorbar(drawn, label="pixel value")
    plt.close(fig)
    return fig


def image_rows(
    rows: Mapping[str, Images], *, notes: Mapping[str, Sequence[str | float]] | None = None, unit: str = "", signed: Collection[str] = ()
) -> Figure:
    """Draw sets of pictures as rows, each labelled once, at the left; column i holds image i of every row.

    Parameters
    ----------
    rows : dict of str to array
        Label to images, (N, height, width[, channels]) in [0, 1].
    notes : dict of str to sequence, optional
        Label to what stands under that row's pictures: a text or a number each.
    unit : str
        What stands behind each number of the notes, such as "dB".
    signed : collection of str
        Labels of rows that hold differences, in [-1, 1]: blue is below zero, red above, white is zero. Of a difference of colours
        the channel in which it is largest is drawn.

    Returns
    -------
    Figure
    """
    notes = notes or {}
    count = max(1, *map(len, rows.values()))
    side = min(1.5, WIDTH / (count + 1))
    first = np.asarray(next(iter(rows.values())))
    height = side * first.shape[1] / first.shape[2] if any(map(len, rows.values())) else 0.3  # a line of text
    lines = [1 + max(str(note).count("\n") for note in notes[label]) for label in rows if len(notes.get(label, ()))]
    size = side * (count + 1), len(rows) * height + 0.15 * sum(lines) + 0.1
    fig, grid = plt.subplots(len(rows), count, figsize=size, squeeze=False, layout=_close_together())
    for axes_row, (label, images) in zip(grid, rows.items(), strict=True):
        for axes, picture in itertools.zip_longest(axes_row, images):
            if picture is None:
                axes.set_axis_off()
            else:
                show(axes, picture, signed=label in signed)
        if not len(images):
            axes_row[0].text(0.5, 0.5, f"{label}: none", ha="center", va="center", fontsize=9)
        axes_row[0].set_ylabel(label, rotation="horizontal", ha="right", va="center", fontsize=9)
        for axes, note in zip(axes_row, notes.get(label, ()), strict=False):
            axes.set_xlabel(note if isinstance(note, str) else f"{note:.3g} {unit}".rstrip(), fontsize=8)
    plt.close(fig)
    return fig


def tiles(images: np.ndarray, *, xlabel: str, ylabel: str, extent: tuple[float, float, float, float]) -> Figure:
    """Draw a square of pictures side by side without gaps, as drawn from a grid of points in the plane.

    Parameters
    ----------
    images : array, shape (rows, columns, height, width)
        In [0, 1], the first row at the bottom.
    xlabel, ylabel : str
        What is along either axis.
    extent : tuple of float, (left, right, bottom, top)
        What the outer edges of the square stand for.

    Returns
    -------
    Figure
    """
    rows, columns, height, width = images.shape
    mosaic = images[::-1].transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    fig, axes = plt.subplots(figsize=(0.7 * WIDTH, 0.7 * WIDTH), layout="constrained")
    axes.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent, aspect="auto")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    plt.close(fig)
    return fig


def code_maps(images: Images, code: np.ndarray) -> Figure:
    """Draw images, a row each, and beside each the maps of its code on one common scale from 0 to the largest value.

    Parameters
    ----------
    images : array, shape (N, height, width[, channels])
        In [0, 1].
    code : array, shape (N, code_height, code_width, maps)
        At least 0, as ReLU leaves it.

    Returns
    -------
    Figure
    """
    maps = code.shape[-1]
    side = WIDTH / (maps + 2)
    fig, grid = plt.subplots(len(images), maps + 1, figsize=(WIDTH, side * len(images) + 0.2), squeeze=False, layout=_close_together())
    for row, picture, values in zip(grid, images, code, strict=True):
        show(row[0], picture)
        for i, axes in enumerate(row[1:]):
            drawn = axes.imshow(values[..., i], cmap="cividis", vmin=0, vmax=np.max(code) or 1, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
    for i, axes in enumerate(grid[0, 1:], start=1):
        axes.set_title(f"map {i}", fontsize=9)
    fig.colorbar(drawn, ax=grid, label="value in the code", fraction=0.03)
    plt.close(fig)
    return fig
