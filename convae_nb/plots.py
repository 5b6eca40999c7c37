"""Every figure of the chapters. Each function draws one, closes it and returns it, so that a cell shows it once.

Pictures are drawn with greys fixed to [0, 1] and without smoothing: autoscaled greys hide a dim reconstruction, and smoothing hides what
lies between neighbouring pixels. Colour images, ``(…, height, width, 3)``, are drawn in their colours.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

from convae_nb import checkerboard

_WIDTH = 7.5  # inches: the width of a page
_COLOURS = plt.style.library["petroff10"]["axes.prop_cycle"].by_key()["color"]
_DASHES = ["-", "--", "-.", ":"]


def _show(axes, image, signed=False):
    """Draw one picture, (height, width[, channels]) in [0, 1], or a difference of two, in [-1, 1], without ticks."""
    image = np.asarray(image, dtype=float)  # matplotlib draws no colours from bool
    if signed:
        limits = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
        image = _strongest(image) if image.ndim == 3 else image
    else:
        limits = {"cmap": "gray", "vmin": 0, "vmax": 1}
        image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    drawn = axes.imshow(image, interpolation="nearest", **limits)
    axes.set(xticks=[], yticks=[])
    return drawn


def _strongest(differences):
    """Of the differences of colours, (…, channels), take the largest: in their mean too much red would hide too little green."""
    return np.take_along_axis(differences, np.abs(differences).argmax(axis=-1)[..., None], axis=-1)[..., 0]


def image(image):
    """Draw one picture large, its pixels countable and its grey values on a scale.

    Parameters
    ----------
    image : array, shape (height, width) or (height, width, channels)
        In [0, 1].

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(_WIDTH / 2, 3.2), layout="constrained")
    drawn = _show(axes, image)
    axes.set(xlabel="column", ylabel="row")
    step = 4 * -(-max(image.shape[:2]) // 32)  # at most eight numbers, which leaves each its room
    axes.set(xticks=range(0, image.shape[1], step), yticks=range(0, image.shape[0], step))
    if np.squeeze(image).ndim == 2:
        fig.colorbar(drawn, label="pixel value")
    plt.close(fig)
    return fig


def image_rows(rows, *, notes=None, signed=()):
    """Draw sets of pictures as rows, each labelled once, at the left; column i holds image i of every row.

    Parameters
    ----------
    rows : dict of str to array
        Label to images, (N, height, width[, channels]) in [0, 1].
    notes : dict of str to sequence, optional
        Label to what stands under that row's pictures: a text or a number each.
    signed : collection of str
        Labels of rows that hold differences, in [-1, 1]: blue is below zero, red above, white is zero. Of a difference of colours
        the channel in which it is largest is drawn.

    Returns
    -------
    Figure
    """
    notes = notes or {}
    count = max(1, *map(len, rows.values()))
    side = min(1.5, _WIDTH / (count + 1))
    first = np.asarray(next(iter(rows.values())))
    height = side * first.shape[1] / first.shape[2] if any(map(len, rows.values())) else 0.3  # a line of text
    lines = [1 + max(str(note).count("\n") for note in notes[label]) for label in rows if len(notes.get(label, ()))]
    size = side * (count + 1), len(rows) * height + 0.15 * sum(lines) + 0.1
    fig, grid = plt.subplots(len(rows), count, figsize=size, squeeze=False, layout="constrained")
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for axes_row, (label, images) in zip(grid, rows.items(), strict=True):
        for axes, picture in itertools.zip_longest(axes_row, images):
            if picture is None:
                axes.set_axis_off()
            else:
                _show(axes, picture, signed=label in signed)
        if not len(images):
            axes_row[0].text(0.5, 0.5, f"{label}: none", ha="center", va="center", fontsize=9)
        axes_row[0].set_ylabel(label, rotation="horizontal", ha="right", va="center", fontsize=9)
        for axes, note in zip(axes_row, notes.get(label, ()), strict=False):
            axes.set_xlabel(note if isinstance(note, str) else f"{note:.3g}", fontsize=8)
    plt.close(fig)
    return fig


def number_grids(grids, *, cmap="gray", limits=None):
    """Draw small arrays as grids with the number written in each cell.

    Parameters
    ----------
    grids : dict of str to array, shape (height, width)
        Title to values.
    cmap : str
        Matplotlib's name of a colour map.
    limits : tuple of float, (low, high), optional
        The values at the ends of the colour map; None takes those of all grids together.

    Returns
    -------
    Figure
    """
    grids = {title: np.asarray(grid) for title, grid in grids.items()}
    low, high = limits or (min(map(np.min, grids.values())), max(map(np.max, grids.values())))
    widths = [grid.shape[1] for grid in grids.values()]
    tallest = max(grid.shape[0] for grid in grids.values())
    cell = min(0.45, (_WIDTH - 0.3 * len(grids)) / sum(widths))
    size = (cell * sum(widths) + 0.3 * len(grids), cell * tallest + 0.4)
    fig, row = plt.subplots(1, len(grids), figsize=size, squeeze=False, layout="constrained", width_ratios=widths)
    colours = plt.get_cmap(cmap)
    for axes, (title, grid) in zip(row[0], grids.items(), strict=True):
        axes.imshow(grid, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=9)
        for (i, j), value in np.ndenumerate(grid):
            dark = np.mean(colours((value - low) / ((high - low) or 1))[:3]) < 0.5
            axes.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    plt.close(fig)
    return fig


def loss_curves(curves, *, levels=None):
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
    fig, axes = plt.subplots(figsize=(_WIDTH, 3.2), layout="constrained")
    styles = zip(itertools.cycle(_COLOURS), itertools.cycle("os^Dv"))
    for (label, losses), (colour, marker) in zip(curves.items(), styles, strict=False):
        if not len(losses):
            continue
        axes.plot(range(1, len(losses) + 1), losses, color=colour, marker=marker, markersize=4, label=label)
    for (label, level), dash in zip((levels or {}).items(), itertools.cycle(_DASHES[1:]), strict=False):
        axes.axhline(level, color="0.35", linestyle=dash, linewidth=1)
        axes.annotate(
            label, (1, level), xycoords=("axes fraction", "data"), xytext=(-4, 2), textcoords="offset points", ha="right", fontsize=8
        )
    axes.set(xlabel="epoch", ylabel="loss (nats a pixel)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    plt.close(fig)
    return fig


def code_maps(images, code):
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
    side = _WIDTH / (maps + 2)
    fig, grid = plt.subplots(len(images), maps + 1, figsize=(_WIDTH, side * len(images) + 0.2), squeeze=False, layout="constrained")
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for row, picture, values in zip(grid, images, code, strict=True):
        _show(row[0], picture)
        for i, axes in enumerate(row[1:]):
            drawn = axes.imshow(values[..., i], cmap="cividis", vmin=0, vmax=np.max(code) or 1, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
    for i, axes in enumerate(grid[0, 1:], start=1):
        axes.set_title(f"map {i}", fontsize=9)
    fig.colorbar(drawn, ax=grid, label="value in the code", fraction=0.03)
    plt.close(fig)
    return fig


def bars(heights, *, xlabel, ylabel, log=False):
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
    fig, axes = plt.subplots(figsize=(_WIDTH, 2.8), layout="constrained")
    axes.bar(range(len(heights)), heights, width=1, color=_COLOURS[0], log=log)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter("{x:g}")  # 0.1, and not a power of ten
    if log:
        axes.yaxis.set_minor_formatter(plt.LogFormatter())
    plt.close(fig)
    return fig


def lines(curves, *, xlabel, ylabel, marks=None):
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
    fig, axes = plt.subplots(figsize=(_WIDTH, 3.6), layout="constrained")
    styles = zip(itertools.cycle(_COLOURS), itertools.cycle(_DASHES))
    for (label, (x, y)), (colour, dash) in zip(curves.items(), styles, strict=False):
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=2, label=label)
    for label, (x, y) in (marks or {}).items():
        axes.plot(x, y, "o", color="0.2", markersize=5, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    fig.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside right center")
    plt.close(fig)
    return fig


def network(table):
    """Draw a network as a row of blocks, a block what a layer gives: its sides the maps', its thickness their number.

    Sides are to scale among themselves, and so are thicknesses. Below each block stand the layer's name and its output's shape.

    Parameters
    ----------
    table : DataFrame
        As `models.layer_table` gives it.

    Returns
    -------
    Figure
    """
    shapes = [table["output"].iloc[-1], *table["output"]]
    code = int((table["part"] == "encoder").sum())
    depths, largest = code // 2, max(shapes[0][:2])
    ways_up = ["convolution" if name == "logits" and f"up{depths}" in table.index else "upsampling" for name in table.index[code:]]
    kinds = ["convolution", "max-pooling"] * depths + ways_up
    colours = {"images": "0.75", "convolution": _COLOURS[0], "max-pooling": _COLOURS[1], "upsampling": _COLOURS[2]}
    slant, gap, thickness = np.array([0.34, 0.24]), 0.17, 1.5 / sum(shape[2] for shape in shapes)

    fig, axes = plt.subplots(figsize=(_WIDTH, 2.7), layout="constrained")
    left, spans = 0.0, []
    for name, kind, (height, width, maps) in zip(["images", *table.index], ["images", *kinds], shapes, strict=True):
        along, up, away = np.array([maps * thickness, 0]), np.array([0, height / largest]), slant * width / largest
        across = along[0] + away[0]
        span = max(across, 0.32)  # a label's width
        corner = np.array([left + (span - across) / 2, -(up[1] + away[1]) / 2])
        faces = {0.7: (corner, along, up), 0.4: (corner + up, along, away), 0.2: (corner + along, away, up)}
        for strength, (start, one, other) in faces.items():
            outline = [start, start + one, start + one + other, start + other]
            axes.add_patch(plt.Polygon(outline, facecolor=(colours[kind], strength), edgecolor="0.2", linewidth=0.6, joinstyle="round"))
        label = "\n".join([*name.split("_"), f"{height}×{width}", f"×{maps}"])
        axes.text(left + span / 2, -0.72, label, ha="center", va="top", fontsize=7.5, linespacing=1.3)
        spans.append((left, left + span))
        left += span + gap
    axes.text(sum(spans[code]) / 2, 0.75, f"{table['values'].iloc[code - 1]}\nnumbers", ha="center", va="top", fontsize=7.5)
    for label, first, last in [("encoder", 1, code - 1), ("code", code, code), ("decoder", code + 1, len(table))]:
        axes.plot([spans[first][0], spans[last][1]], [0.78, 0.78], color="0.2", linewidth=1)
        axes.text((spans[first][0] + spans[last][1]) / 2, 0.81, label, ha="center", va="bottom", fontsize=9)
    for kind in dict.fromkeys(kinds):
        axes.add_patch(plt.Polygon([(0, 0)], facecolor=(colours[kind], 0.55), edgecolor="0.2", linewidth=0.6, label=kind))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3, frameon=False, fontsize=8)
    axes.set(xlim=(-0.05, left - gap + 0.05), ylim=(-1.2 - 0.13 * any("_" in name for name in table.index), 0.95), aspect="equal")
    axes.set_axis_off()
    plt.close(fig)
    return fig


def bar_columns(table):
    """Draw each column of a table as bars, a row of the table a bar, the first on top, with its value beside it.

    Parameters
    ----------
    table : DataFrame
        Whole numbers of at least 0; its index names the bars, its columns, with their units, the axes.

    Returns
    -------
    Figure
    """
    size = (_WIDTH, 0.22 * len(table) + 0.6)
    fig, row = plt.subplots(1, table.shape[1], figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axes, (name, values) in zip(row[0], table.items(), strict=True):
        drawn = axes.barh(table.index, values, color=_COLOURS[0])
        axes.bar_label(drawn, labels=[f"{value:,}" for value in values], padding=3, fontsize=8)
        axes.set(xlabel=name, xticks=[])
        axes.margins(x=0.2)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    row[0, 0].invert_yaxis()
    plt.close(fig)
    return fig


def reading_and_painting(*, kernel_size, stride, units=3):
    """Draw what a convolution and a transposed convolution have in common: which pixels belong to which unit of the smaller map.

    Parameters
    ----------
    kernel_size, stride : int
        Side of the patch of pixels that belongs to a unit, and distance between two patches, in pixels.
    units : int
        Side of the smaller map, of which one unit and its neighbour are marked.

    Returns
    -------
    Figure
        Two panels: under a convolution a patch of pixels becomes one unit, under a transposed convolution a unit becomes a patch.
    """
    pixels = (units - 1) * stride + kernel_size
    right = pixels + 2.5  # where the smaller map begins
    fig, panels = plt.subplots(1, 2, figsize=(_WIDTH, 3.0), layout="constrained")
    for axes, title, reads in zip(panels, ["convolution", "transposed convolution"], [True, False], strict=True):
        top = (pixels - units) / 2
        for left, up, side in [(0, 0, pixels), (right, top, units)]:
            for i, j in np.ndindex(side, side):
                axes.add_patch(plt.Rectangle((left + j, up + i), 1, 1, facecolor="1", edgecolor="0.75", linewidth=0.8))
        for column, colour in ((0, _COLOURS[0]), (1, _COLOURS[1])):
            patch, unit = (column * stride, 0, kernel_size), (right + column, top, 1)
            for left, up, side in (patch, unit):
                axes.add_patch(plt.Rectangle((left, up), side, side, facecolor=(colour, 0.35), edgecolor=colour, linewidth=1.8))
            ends = (patch[0] + kernel_size, patch[1] + kernel_size / 2), (unit[0], unit[1] + 0.5)
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "connectionstyle": "arc3,rad=-0.25"}
            axes.annotate("", xy=ends[reads], xytext=ends[not reads], arrowprops=arrow)
        axes.set_title(title, fontsize=9)
        axes.set(xlim=(-0.2, right + units + 0.2), ylim=(pixels + 0.2, -1.2), aspect="equal")
        axes.set_axis_off()
    plt.close(fig)
    return fig


def overlap(*, kernel_size, stride, length=6):
    """Draw how the patches that a transposed convolution paints overlap: on a strip one by one, and counted in two dimensions.

    Parameters
    ----------
    kernel_size, stride : int
        Side of a patch, and distance between two, in pixels.
    length : int
        Pixels that come in, along an axis.

    Returns
    -------
    Figure
    """
    counts = checkerboard.overlap_map((length,), kernel_size=kernel_size, stride=stride)
    fig, (strip, plane) = plt.subplots(1, 2, figsize=(_WIDTH, 2.9), layout="constrained", width_ratios=[1.6, 1])
    for i in range(length):
        colour = _COLOURS[i % 2]
        strip.add_patch(plt.Rectangle((i * stride - 0.5, i + 0.1), kernel_size, 0.8, facecolor=(colour, 0.5), edgecolor=colour))
    for x, count in enumerate(counts):
        strip.text(x, -0.75, count, ha="center", va="center", fontsize=7.5, fontweight="bold" if count == counts.max() else "normal")
    strip.set(xlim=(-0.6, len(counts) - 0.4), ylim=(-1.3, length + 0.1), yticks=[], xlabel="position in the output", ylabel="")
    strip.xaxis.get_major_locator().set_params(integer=True)
    strip.set_title("each input pixel's patch, and how many meet at a pixel", fontsize=9)
    drawn = plane.imshow(np.outer(counts, counts), cmap="cividis", vmin=0, interpolation="nearest")
    plane.set(xticks=[], yticks=[])
    plane.set_title("in two dimensions", fontsize=9)
    fig.colorbar(drawn, ax=plane, label="products at a pixel")
    plt.close(fig)
    return fig


def magnified(rows, *, times, notes=None):
    """Draw sets of pictures as rows, every pixel a square of the same whole number of screen pixels: small patterns neither fade nor beat.

    Parameters
    ----------
    rows : dict of str to array
        Label to images, (N, height, width[, channels]) in [0, 1]; as many in each row.
    times : int
        Screen pixels a pixel, along an axis. All the pictures of a row must fit into some 640 screen pixels.
    notes : dict of str to sequence of str, optional
        Label to what stands above that row's pictures.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If `times` is no whole number of at least 1.
    """
    if times < 1 or times != int(times):
        raise ValueError(f"times must be a whole number of at least 1, got {times!r}")
    rows, dots, gap, margin = {label: np.asarray(images) for label, images in rows.items()}, 100, 8, 96
    above = [18 * (len(str((notes or {}).get(label, [""])[0]).splitlines()) if label in (notes or {}) else 0) for label in rows]
    sides = [np.multiply(images.shape[1:3], times) for images in rows.values()]
    width = margin + max(len(images) * (side[1] + gap) for images, side in zip(rows.values(), sides, strict=True))
    height = sum(side[0] + gap + note for side, note in zip(sides, above, strict=True))
    fig = plt.figure(figsize=(width / dots, height / dots), dpi=dots)
    top = height
    for (label, images), side, note in zip(rows.items(), sides, above, strict=True):
        top -= note + side[0]
        for i, picture in enumerate(images):
            axes = fig.add_axes([(margin + i * (side[1] + gap)) / width, top / height, side[1] / width, side[0] / height])
            _show(axes, picture)
            if note:
                axes.set_title(notes[label][i], fontsize=8, pad=3)
        fig.text((margin - 8) / width, (top + side[0] / 2) / height, label, ha="right", va="center", fontsize=9)
        top -= gap
    plt.close(fig)
    return fig


def seed_dots(measures, *, marks=None, log=(), one_scale=False):
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
    names = list(next(iter(measures.values())).columns)
    size = (_WIDTH, 0.3 * len(names) + 0.7)
    fig, row = plt.subplots(1, len(measures), figsize=size, sharex=one_scale, sharey=True, squeeze=False, layout="constrained")
    for axes, (title, table) in zip(row[0], measures.items(), strict=True):
        for place, (name, colour) in enumerate(zip(names, itertools.cycle(_COLOURS), strict=False)):
            axes.plot(table[name], [place] * len(table), "o", color=colour, markersize=4, alpha=0.7)
            axes.plot([table[name].median()] * 2, [place - 0.35, place + 0.35], color=colour, linewidth=2)
        if title in (marks or {}):
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


def sweep(table, *, x, y, xlabel, ylabel, by=None):
    """Draw a result of many runs against a parameter, with its spread over seeds, a labelled line for each value of another.

    Parameters
    ----------
    table : DataFrame
        As `runs.compare` gives it: with `over`, bars reach one standard deviation up and down; without it, each run is a point of its
        line.
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
    fig, axes = plt.subplots(figsize=(_WIDTH, 3.6), layout="constrained")
    styles = zip(itertools.cycle(_COLOURS), itertools.cycle("os^Dv"))
    groups = table.groupby(by, sort=False) if by else [("", table)]
    for (label, group), (colour, marker) in zip(groups, styles, strict=False):
        spread = group[f"{y}_spread"].fillna(0.0).astype(float) if f"{y}_spread" in table.columns else None
        along = [places[value] for value in group[x]]
        line = {"color": colour, "marker": marker, "markersize": 5, "capsize": 3, "label": f"{by} {label}"}
        axes.errorbar(along, group[y].astype(float), yerr=spread, **line)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if not numbers:
        axes.set_xticks(list(places.values()), [str(value) for value in places])
    if by:
        fig.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside right center")
    plt.close(fig)
    return fig
