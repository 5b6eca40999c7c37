"""Figures that show small patterns: pixels magnified by whole numbers, and spectra."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from convae_nb._base.validate import is_whole_number
from convae_nb.measures import checkerboard
from convae_nb.plots.pictures import Images, show
from convae_nb.plots.style import COLOURS

_RING = {"color": COLOURS[1], "markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.5}


def magnified(
    rows: Mapping[str, Images],
    *,
    times: int,
    notes: Mapping[str, Sequence[str]] | None = None,
    signed: Mapping[str, float] | None = None,
    unit: str = "",
) -> Figure:
    """Draw sets of pictures as rows, every pixel a square of the same whole number of screen pixels: small patterns neither fade nor beat.

    Parameters
    ----------
    rows : dict of str to array
        Label to images, (N, height, width[, channels]) in [0, 1]; as many in each row.
    times : int
        Screen pixels a pixel, along an axis. All the pictures of a row must fit into some 640 screen pixels.
    notes : dict of str to sequence of str, optional
        Label to what stands above that row's pictures.
    signed : dict of str to float, optional
        Labels of rows that hold other numbers, and the number of the strongest colours: blue is below zero, red above, white is zero.
        Such a row has a colour bar.
    unit : str
        What the numbers of these rows are, with their unit.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If `times` is no whole number of at least 1.
    """
    if not is_whole_number(times):
        raise ValueError(f"times must be a whole number of at least 1, got {times!r}")
    notes, dots, gap, margin = notes or {}, 100, 8, 96
    above = [18 * (len(str(notes[label][0]).splitlines()) if label in notes else 0) for label in rows]
    sides = [np.multiply(np.shape(images)[1:3], times) for images in rows.values()]
    signed = signed or {}
    pictures = margin + max(len(images) * (side[1] + gap) for images, side in zip(rows.values(), sides, strict=True))
    width = pictures + (60 if signed else 0)  # room for colour bars
    height = sum(side[0] + gap + note for side, note in zip(sides, above, strict=True))
    fig = plt.figure(figsize=(width / dots, height / dots), dpi=dots)
    top = height
    for (label, images), side, note in zip(rows.items(), sides, above, strict=True):
        top -= note + side[0]
        for i, picture in enumerate(images):
            axes = fig.add_axes(((margin + i * (side[1] + gap)) / width, top / height, side[1] / width, side[0] / height))
            drawn = show(axes, np.asarray(picture) / signed.get(label, 1), signed=label in signed)
            if note:
                axes.set_title(notes[label][i], fontsize=8, pad=3)
        if label in signed:
            bar = fig.colorbar(drawn, cax=fig.add_axes((pictures / width, top / height, 8 / width, side[0] / height)))
            bar.set_ticks([-1, 0, 1], labels=[f"{share * signed[label]:.3g}" for share in (-1, 0, 1)], fontsize=8)
            bar.set_label(unit, fontsize=8)
        fig.text((margin - 8) / width, (top + side[0] / 2) / height, label, ha="right", va="center", fontsize=9)
        top -= gap
    plt.close(fig)
    return fig


def insets(pictures: Mapping[str, np.ndarray], *, box: tuple[int, int, int], times: int = 4) -> Figure:
    """Draw the first of some versions of a photograph whole, with a box marked, and what lies in the box magnified, from every version.

    Parameters
    ----------
    pictures : dict of str to array, shape (height, width) or (height, width, channels)
        Label to a version, in [0, 1]; all of one size.
    box : tuple of int, (row, column, side)
        The upper left corner and the side of the box, in pixels.
    times : int
        Screen pixels per pixel in the boxes, along an axis: a whole number, so that small patterns neither fade nor beat.

    Returns
    -------
    Figure
    """
    top, left, side = box
    dots, gap, note, columns = 100, 8, 18, 3
    shown = side * times
    rows = -(-len(pictures) // columns)
    height = rows * (shown + gap + note)
    first = np.asarray(next(iter(pictures.values())))
    whole = min(height - note - gap, int((640 - columns * (shown + gap)) * first.shape[0] / first.shape[1]))
    beside = int(whole * first.shape[1] / first.shape[0]) + 2 * gap
    width = beside + columns * (shown + gap)
    fig = plt.figure(figsize=(width / dots, height / dots), dpi=dots)
    axes = fig.add_axes((0, (height - note - whole) / height, (beside - 2 * gap) / width, whole / height))
    axes.imshow(first, cmap="gray", vmin=0, vmax=1)  # whole and small, for the view: smoothed
    axes.set(xticks=[], yticks=[])
    axes.add_patch(plt.Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=COLOURS[1], linewidth=2))
    for i, (label, picture) in enumerate(pictures.items()):
        x, y = beside + i % columns * (shown + gap), height - (i // columns + 1) * (shown + gap + note) + gap
        axes = fig.add_axes((x / width, y / height, shown / width, shown / height))
        show(axes, np.asarray(picture)[top : top + side, left : left + side])
        axes.set_title(label, fontsize=8, pad=3)
    plt.close(fig)
    return fig


def spectra(images: Mapping[str, np.ndarray]) -> Figure:
    """Draw pictures, and below each its power at every frequency, in dB of the largest of all, with the places of checkerboards marked.

    Parameters
    ----------
    images : dict of str to array, shape (height, width, channels)
        Title to a picture in [0, 1].

    Returns
    -------
    Figure
        In a spectrum the constant is in the middle, and half a cycle per pixel, a period of two pixels, at the upper and left rim.
    """
    powers = {title: checkerboard.power_spectrum(picture[None])[0] for title, picture in images.items()}
    largest = max(power.to_numpy().max() for power in powers.values())
    fig, grid = plt.subplots(2, len(images), figsize=(1.9 * len(images) + 0.8, 3.9), squeeze=False, layout="constrained")
    for (above, below), (title, picture), power in zip(grid.T, images.items(), powers.values(), strict=True):
        show(above, picture)
        above.set_title(title, fontsize=9)
        decibels = 10 * np.log10(np.maximum(power.to_numpy() / largest, 1e-6))
        steps = [(frequencies[1] - frequencies[0]) / 2 for frequencies in (power.columns, power.index)]
        extent = -0.5 - steps[0], 0.5 - steps[0], 0.5 - steps[1], -0.5 - steps[1]  # a point is a square around its frequency
        drawn = below.imshow(decibels, cmap="cividis", vmin=-60, vmax=0, interpolation="nearest", extent=extent)
        below.plot([-0.5, -0.5, 0], [-0.5, 0, -0.5], "o", clip_on=False, **_RING)
        below.set(xlim=extent[:2], ylim=extent[2:], xticks=[-0.5, 0], yticks=[-0.5, 0], xlabel="cycles per pixel")
    fig.colorbar(drawn, ax=grid[1], label="power (dB)")
    plt.close(fig)
    return fig
