"""Figures that show numbers: curves, bars and dots."""

import itertools
from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from convae_nb.plots.style import COLOURS, DASHES, WIDTH


def loss_curves(curves: Mapping[str, Sequence[float]], *, levels: Mapping[str, float] | None = None) -> Figure:
    """Draw losses by epoch, with floors and baselines as labelled lines.

    Parameters
    ----------
    curves : dict of str to sequence of float
        Label to the loss of each epoch, in nats a pixel, the first epoch first. What has none is left out.
    levels : dict of str to float, optional
        Label to a loss that a curve is to be seen against.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    styles = zip(itertools.cycle(COLOURS), itertools.cycle("os^Dv"))
    for (label, losses), (colour, marker) in zip(curves.items(), styles, strict=False):
        if not len(losses):
            continue
        axes.plot(range(1, len(losses) + 1), losses, color=colour, marker=marker, markersize=4, label=label)
    for (label, level), dash in zip((levels or {}).items(), itertools.cycle(DASHES[1:]), strict=False):
        axes.axhline(level, color="0.35", linestyle=dash, linewidth=1)
        axes.annotate(
            label, (1, level), xycoords=("axes fraction", "data"), xytext=(-4, 2), textcoords="offset points", ha="right", fontsize=8
        )
    axes.set(xlabel="epoch", ylabel="loss (nats a pixel)")
    axes.locator_params(axis="x", integer=True)
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
) -> Figure:
    """Draw one quantity against another, a labelled line each, and points to be seen on them.

    Parameters
    ----------
    curves : dict of str to tuple of sequence of float, (x, y)
    xlabel, ylabel : str
        What is drawn along either axis, with its unit.
    marks : dict of str to tuple of sequence of float, (x, y), optional
        Drawn as dots.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    styles = zip(itertools.cycle(COLOURS), itertools.cycle(DASHES))
    for (label, (x, y)), (colour, dash) in zip(curves.items(), styles, strict=False):
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=2, label=label)
    for label, (x, y) in (marks or {}).items():
        axes.plot(x, y, "o", color="0.2", markersize=5, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    fig.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside right center")
    plt.close(fig)
    return fig


def bar_columns(table: pd.DataFrame) -> Figure:
    """Draw each column of a table as bars, a row of the table a bar, the first on top, with its value beside it.

    Parameters
    ----------
    table : DataFrame
        Whole numbers of at least 0; its index names the bars, its columns, with their units, the axes.

    Returns
    -------
    Figure
    """
    size = (WIDTH, 0.22 * len(table) + 0.6)
    fig, row = plt.subplots(1, table.shape[1], figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axes, (name, values) in zip(row[0], table.items(), strict=True):
        drawn = axes.barh(table.index, values, color=COLOURS[0])
        axes.bar_label(drawn, labels=[f"{value:,}" for value in values], padding=3, fontsize=8)
        axes.set(xlabel=name, xticks=[])
        axes.margins(x=0.2)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    row[0, 0].invert_yaxis()
    plt.close(fig)
    return fig


def seed_dots(
    measures: Mapping[str, pd.DataFrame], *, marks: Mapping[str, float] | None = None, log: Collection[str] = (), one_scale: bool = False
) -> Figure:
    """Draw what was measured over seeds: a dot a seed and a bar at their median, a line of them for each thing compared.

    Parameters
    ----------
    measures : dict of str to DataFrame
        A panel each, named with its unit; a column for each thing compared, the same and in the same order in all, and a row a seed.
    marks : dict of str to float, optional
        A value of a panel to compare with, by its name.
    log : collection of str
        Names of the panels with a logarithmic scale.
    one_scale : bool
        Whether all panels have the same limits.

    Returns
    -------
    Figure
    """
    names, marks = list(next(iter(measures.values())).columns), marks or {}
    size = (WIDTH, 0.3 * len(names) + 0.7)
    fig, row = plt.subplots(1, len(measures), figsize=size, sharex=one_scale, sharey=True, squeeze=False, layout="constrained")
    for axes, (title, table) in zip(row[0], measures.items(), strict=True):
        for place, (name, colour) in enumerate(zip(names, itertools.cycle(COLOURS), strict=False)):
            axes.plot(table[name], [place] * len(table), "o", color=colour, markersize=4, alpha=0.7)
            axes.plot([table[name].median()] * 2, [place - 0.35, place + 0.35], color=colour, linewidth=2)
        if title in marks:
            axes.axvline(marks[title], color="0.35", linestyle="--", linewidth=1)
        if title in log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        axes.set_xlabel(title, fontsize=9)
        axes.set(yticks=range(len(names)), yticklabels=names)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right", "left"]].set_visible(False)
    row[0, 0].invert_yaxis()
    plt.close(fig)
    return fig


def sweep(table: pd.DataFrame, *, x: str, y: str, xlabel: str, ylabel: str, by: str | None = None) -> Figure:
    """Draw a result of many runs against a parameter, with its spread over seeds, a labelled line for each value of another.

    Parameters
    ----------
    table : DataFrame
        The ``table`` that `runs.compare` gives: with `over`, bars reach one standard deviation up and down; without it, each run is a
        point of its line.
    x : str
        The parameter along the axis, in the order of its values; what is no number is written out.
    y : str
        The result; runs that lack it are left out.
    xlabel, ylabel : str
        What is drawn along either axis, with its unit.
    by : str, optional
        The parameter that tells the lines apart.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the table has no such column.
    """
    for name in (x, y, *([by] if by else [])):
        if name not in table.columns:
            raise ValueError(f"table must have the columns that are drawn, got {name!r}, not one of {', '.join(table.columns)}")
    table = table.dropna(subset=[x, y]).sort_values(x, kind="stable")
    numbers = all(isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_) for value in table[x])
    places = {value: value if numbers else place for place, value in enumerate(dict.fromkeys(table[x]))}
    fig, axes = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    styles = zip(itertools.cycle(COLOURS), itertools.cycle("os^Dv"))
    groups = table.groupby(by, sort=False) if by else [("", table)]
    for (label, group), (colour, marker) in zip(groups, styles, strict=False):
        spread = group[f"{y}_spread"].fillna(0.0).astype(float) if f"{y}_spread" in table.columns else None
        along = [places[value] for value in group[x]]
        heights, label = group[y].astype(float), f"{by} {label}"
        axes.errorbar(along, heights, yerr=spread, color=colour, marker=marker, markersize=5, capsize=3, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if not numbers:
        axes.set_xticks(list(places.values()), [str(value) for value in places])
    if by:
        fig.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside right center")
    plt.close(fig)
    return fig
