"""Figures of tables: what was measured of several things, by several measures, over seeds."""

import itertools
from collections.abc import Collection, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from convae_nb.plots.style import COLOURS, WIDTH, colours


def heat_map(table: pd.DataFrame, *, label: str, limit: float | None = None) -> Figure:
    """Draw a table as a map of colours around zero, each number written in its cell, the largest of each row framed, if above zero.

    Parameters
    ----------
    table : DataFrame
        Numbers; a row with several levels of index is named by all of them.
    label : str
        What the numbers are, with their unit.
    limit : float, optional
        The number of the strongest colours, red above zero and blue below; beyond it they grow no stronger. None: the largest of all.

    Returns
    -------
    Figure
    """
    limit = limit or float(np.nanmax(np.abs(table.to_numpy())))
    fig, axes = plt.subplots(figsize=(WIDTH, 0.24 * len(table) + 1.3), layout="constrained")
    drawn = axes.imshow(table, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    for (i, j), value in np.ndenumerate(table):
        number = f"{round(value, 1) + 0.0:+.1f}"  # +0.0 for what rounds to -0.0
        axes.text(j, i, number, ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.6 * limit else "black")
    for i, j in enumerate(np.nanargmax(table, axis=1)):
        if table.iat[i, j] > 0.05:  # as written
            axes.add_patch(plt.Rectangle((j - 0.47, i - 0.44), 0.94, 0.88, fill=False, edgecolor="black", linewidth=1.5))
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in table.index]
    axes.set(xticks=range(table.shape[1]), yticks=range(len(names)))
    axes.set_xticklabels([str(name).replace("_", " ") for name in table], fontsize=8, rotation=40, ha="left", rotation_mode="anchor")
    axes.set_yticklabels([name.replace("_", " ") for name in names], fontsize=8)
    axes.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    fig.colorbar(drawn, label=label, extend="both" if np.nanmax(np.abs(table.to_numpy())) > limit else "neither")
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
    """Draw what was measured over seeds: a dot for each seed and a bar at their median, a line of them for each thing compared.

    The decoders of `models.DECODERS`, by their names, keep their colours from figure to figure.

    Parameters
    ----------
    measures : dict of str to DataFrame
        A panel each, named with its unit; a column for each thing compared, the same and in the same order in all, and a row for each seed.
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
    colour_of = colours(names)
    size = (WIDTH, 0.3 * len(names) + 0.7)
    fig, row = plt.subplots(1, len(measures), figsize=size, sharex=one_scale, sharey=True, squeeze=False, layout="constrained")
    for axes, (title, table) in zip(row[0], measures.items(), strict=True):
        for place, name in enumerate(names):
            axes.plot(table[name], [place] * len(table), "o", color=colour_of[name], markersize=4, alpha=0.7)
            axes.plot([table[name].median()] * 2, [place - 0.35, place + 0.35], color=colour_of[name], linewidth=2)
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
