"""Figures that show numbers: curves, bars and points."""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from convae_nb.plots.style import COLOURS, DASHES, WIDTH, colours


def loss_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ends: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Draw how far losses lie above their floor against the images seen, on logarithmic axes: the same share less is the same step down.

    Parameters
    ----------
    curves : dict of str to tuple of sequence of float, (seen, excess)
        Label to the images seen and the excess of the training loss over its floor, in nats per pixel. What has none is left out.
    ends : dict of str to float, optional
        Label to the excess on test digits at the end of that curve, drawn as a ring.
    levels : dict of str to float, optional
        Label to an excess that a curve is to be seen against.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    styles = dict(zip(curves, zip(itertools.cycle(COLOURS), itertools.cycle(DASHES)), strict=False))
    drawn = {label: np.asarray(points) for label, points in curves.items() if np.size(points[0])}
    for label, points in drawn.items():
        axes.plot(*points, color=styles[label][0], linestyle=styles[label][1], linewidth=2, label=f"{label}, training")
    for label in (label for label in drawn if label in (ends or {})):
        end = drawn[label][0, -1], (ends or {})[label]
        axes.plot(*end, "o", color=styles[label][0], markerfacecolor="none", markersize=8, label=f"{label}, test digits")
    for (label, level), dash in zip((levels or {}).items(), itertools.cycle(DASHES[1:]), strict=False):
        axes.axhline(level, color="0.35", linestyle=dash, linewidth=1)
        axes.annotate(
            label, (1, level), xycoords=("axes fraction", "data"), xytext=(-4, 2), textcoords="offset points", ha="right", fontsize=8
        )
    axes.set(xlabel="images seen", ylabel="loss over its floor (nats per pixel)", xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize=8)
    axes.legend(frameon=False)
    plt.close(fig)
    return fig


def bars(heights: Sequence[float] | np.ndarray, *, xlabel: str, ylabel: str, log: bool = False) -> Figure:
    """Draw a bar for each of many numbers, side by side and counted from 0, as in a histogram.

    Parameters
    ----------
    heights : sequence of float
        At least 0.
    xlabel, ylabel : str
        What is counted, and what a height says, with its unit.
    log : bool
        Whether heights are on a logarithmic scale, which shows small ones beside large ones and leaves out zeros.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    axes.bar(range(len(heights)), heights, width=1, color=COLOURS[0], log=log)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter("{x:g}")  # 0.1, and not a power of ten
    if log:
        axes.yaxis.set_minor_formatter(plt.LogFormatter())
    plt.close(fig)
    return fig


def lines(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    marks: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    points: bool = False,
    log2: bool = False,
) -> Figure:
    """Draw one quantity against another, a labelled line each, and points to be seen on them.

    Parameters
    ----------
    curves : dict of str to tuple of sequence of float, (x, y)
    xlabel, ylabel : str
        What is drawn along either axis, with its unit.
    marks : dict of str to tuple of sequence of float, (x, y), optional
        Drawn as dots.
    points : bool
        Whether each number is marked on its line, as for a few that were measured.
    log2 : bool
        Whether each doubling of x is a step of the same length.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    colour_of, styles = colours(curves), zip(itertools.cycle(DASHES), itertools.cycle("os^Dv"))
    for (label, (x, y)), (dash, marker) in zip(curves.items(), styles, strict=False):
        axes.plot(x, y, color=colour_of[label], linestyle=dash, linewidth=2, marker=marker if points else None, markersize=5, label=label)
    for label, (x, y) in (marks or {}).items():
        axes.plot(x, y, "o", color="0.2", markersize=5, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if log2:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    fig.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside right center")
    plt.close(fig)
    return fig


def histograms(values: Mapping[str, ArrayLike], *, xlabel: str, bins: int = 60) -> Figure:
    """Draw how often values occur, a panel for each set, all over the same range.

    Parameters
    ----------
    values : dict of str to array
        Title to numbers.
    xlabel : str
        What the numbers are, with their unit.
    bins : int
        Into how many equal parts their range is cut.

    Returns
    -------
    Figure
    """
    arrays = {title: np.ravel(numbers) for title, numbers in values.items()}
    edges = np.linspace(min(map(np.min, arrays.values())), max(map(np.max, arrays.values())), bins + 1)
    fig, row = plt.subplots(1, len(arrays), figsize=(WIDTH, 2.3), sharey=True, squeeze=False, layout="constrained")
    for axes, (title, numbers), colour in zip(row[0], arrays.items(), itertools.cycle(COLOURS), strict=False):
        axes.hist(numbers, edges, weights=np.full(len(numbers), 100 / len(numbers)), color=colour)
        axes.axvline(numbers.mean(), color="0.2", linestyle="--", linewidth=1.2, label=f"mean {numbers.mean():.3f}")
        axes.set_title(title, fontsize=9)
        axes.set(xlabel=xlabel)
        axes.legend(frameon=False, fontsize=8)
    row[0, 0].set_ylabel("share (%)")
    plt.close(fig)
    return fig


def classes(points: ArrayLike, labels: ArrayLike, *, xlabel: str, ylabel: str) -> Figure:
    """Draw points in the plane in the colour of their class, with the name of each class at the median of its points.

    Parameters
    ----------
    points : array, shape (N, 2)
    labels : array, shape (N,)
        The class of each point.
    xlabel, ylabel : str
        What the two numbers of a point are.

    Returns
    -------
    Figure
    """
    points, labels = np.asarray(points), np.asarray(labels)
    fig, axes = plt.subplots(figsize=(0.8 * WIDTH, 4.6), layout="constrained")
    for name, colour in zip(np.unique(labels), itertools.cycle(COLOURS), strict=False):
        members = points[labels == name]
        axes.plot(*members.T, ".", color=colour, markersize=3, alpha=0.5)
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colour, "alpha": 0.85}
        x, y = np.median(members, axis=0)
        axes.text(x, y, str(name), ha="center", va="center", fontsize=11, fontweight="bold", bbox=box)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    plt.close(fig)
    return fig
