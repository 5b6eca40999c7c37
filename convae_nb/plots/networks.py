"""Figures that show how networks are built: blocks, patches, and where patches overlap."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from convae_nb.measures import checkerboard
from convae_nb.plots.style import COLOURS, WIDTH


def network(table: pd.DataFrame) -> Figure:
    """Draw a network as a row of blocks, a block what a layer gives: its sides the maps', its thickness their number.

    Sides are to scale among themselves, and so are thicknesses. Below each block stand the layer's name and its output's shape. Arrows
    lead from the maps that pass around the code to the block in which they join others.

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
    ways_up = ["joined" if name.startswith("skip") else kind for name, kind in zip(table.index[code:], ways_up, strict=True)]
    kinds = ["convolution", "max-pooling"] * depths + ways_up
    colours = {"images": "0.75", "convolution": COLOURS[0], "max-pooling": COLOURS[1], "upsampling": COLOURS[2], "joined": COLOURS[3]}
    bracket = 0.78 + 0.12 * ways_up.count("joined")
    slant, gap, thickness = np.array([0.34, 0.24]), 0.17, 1.5 / sum(shape[2] for shape in shapes)

    fig, axes = plt.subplots(figsize=(WIDTH, 2.7), layout="constrained")
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
    for number, name in enumerate(name for name in table.index if name.startswith("skip")):
        start, end = (sum(spans[1 + table.index.get_loc(layer)]) / 2 for layer in (f"conv{depths - number}", name))
        height = 0.76 + 0.12 * number
        axes.plot([start, start, end], [0.62, height, height], color=colours["joined"], linewidth=1.2)
        axes.annotate("", xy=(end, 0.6), xytext=(end, height), arrowprops={"arrowstyle": "-|>", "color": colours["joined"], "shrinkA": 0})
    numbers = f"{table['values'].iloc[code - 1]}\nnumbers"
    axes.text(sum(spans[code]) / 2, 0.68 if "joined" in kinds else 0.75, numbers, ha="center", va="top", fontsize=7.5)
    for label, first, last in [("encoder", 1, code - 1), ("code", code, code), ("decoder", code + 1, len(table))]:
        axes.plot([spans[first][0], spans[last][1]], [bracket, bracket], color="0.2", linewidth=1)
        axes.text((spans[first][0] + spans[last][1]) / 2, bracket + 0.03, label, ha="center", va="bottom", fontsize=9)
    for kind in dict.fromkeys(kinds):
        axes.add_patch(plt.Polygon([(0, 0)], facecolor=(colours[kind], 0.55), edgecolor="0.2", linewidth=0.6, label=kind))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=4, frameon=False, fontsize=8)
    axes.set(xlim=(-0.05, left - gap + 0.05), ylim=(-1.2 - 0.2 * any("_" in name for name in table.index), bracket + 0.17), aspect="equal")
    axes.set_axis_off()
    plt.close(fig)
    return fig


def reading_and_painting(*, kernel_size: int, stride: int, units: int = 3) -> Figure:
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
    fig, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.0), layout="constrained")
    for axes, title, reads in zip(panels, ["convolution", "transposed convolution"], [True, False], strict=True):
        top = (pixels - units) / 2
        for left, up, side in [(0, 0, pixels), (right, top, units)]:
            for i, j in np.ndindex(side, side):
                axes.add_patch(plt.Rectangle((left + j, up + i), 1, 1, facecolor="1", edgecolor="0.75", linewidth=0.8))
        for column, colour in ((0, COLOURS[0]), (1, COLOURS[1])):
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


def overlap(*, kernel_size: int, stride: int, length: int = 6) -> Figure:
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
    fig, (strip, plane) = plt.subplots(1, 2, figsize=(WIDTH, 2.9), layout="constrained", width_ratios=[1.6, 1])
    for i in range(length):
        colour = COLOURS[i % 2]
        strip.add_patch(plt.Rectangle((i * stride - 0.5, i + 0.1), kernel_size, 0.8, facecolor=(colour, 0.5), edgecolor=colour))
    for x, count in enumerate(counts):
        strip.text(x, -0.75, count, ha="center", va="center", fontsize=9, fontweight="bold" if count == counts.max() else "normal")
    strip.set(xlim=(-0.6, len(counts) - 0.4), ylim=(-1.3, length + 0.1), yticks=[], xlabel="position in the output", ylabel="")
    strip.locator_params(axis="x", integer=True)
    strip.set_title("each input pixel's patch, and how many meet at a pixel", fontsize=9)
    drawn = plane.imshow(np.outer(counts, counts), cmap="cividis", vmin=0, interpolation="nearest")
    plane.set(xticks=[], yticks=[])
    plane.set_title("in two dimensions", fontsize=9)
    fig.colorbar(drawn, ax=plane, label="products at a pixel")
    plt.close(fig)
    return fig


_STATIONS = ("data", "architecture", "training", "denoising", "checkerboards", "code", "around it")


def road(station: int) -> Figure:
    """Draw the chapters as stations of a road, with one of them lit.

    Parameters
    ----------
    station : int
        The number of the chapter, from 1 on.

    Returns
    -------
    Figure
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 0.75), layout="constrained")
    axes.plot([1, len(_STATIONS)], [0, 0], color="0.6", linewidth=3, zorder=1)
    for number, name in enumerate(_STATIONS, start=1):
        here = number == station
        axes.plot(
            number, 0, "o", markersize=20, color=COLOURS[1] if here else "white", markeredgecolor="0.3", markeredgewidth=1.5, zorder=2
        )
        axes.text(number, 0, str(number), ha="center", va="center_baseline", fontsize=10, fontweight="bold" if here else "normal", zorder=3)
        axes.text(number, -0.85, name, ha="center", va="top", fontsize=9, fontweight="bold" if here else "normal")
    axes.set(xlim=(0.5, len(_STATIONS) + 0.5), ylim=(-1.6, 0.8))
    axes.set_axis_off()
    plt.close(fig)
    return fig
