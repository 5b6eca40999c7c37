"""How time and memory grow with the number of images, their size, their channels and the network's depth.

Images are digits, shifted and enlarged, in an uncompressed .npz file; each case has a process of its own.
"""

import itertools
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from protocol import ROOT, Worker

PICTURE = ROOT / "images" / "scale.png"
BATCH = 50  # of the fast recipes
FILTERS = (16, 8, 8)
SECONDS = 4.0
PIXELS = 60_000 * 28 * 28  # of the larger pictures all in all

# By axis: what is on it, and for each place the number of images, their side and channels, and the network's filters.
CASES = {
    "images": {count: (count, 28, 1, FILTERS) for count in (1000, 10_000, 100_000, 1_000_000)},
    "side": {side: (PIXELS // side**2, side, 1, FILTERS) for side in (28, 64, 128, 256, 512)},
    "channels": {channels: (3000, 64, channels, FILTERS) for channels in (1, 3)},
    "depth": {depth: (60_000, 28, 1, (16, 16, 8, 8, 8)[:depth]) for depth in range(1, 6)},
}
#: The columns of the table: what is measured, and its unit.
QUANTITIES = {
    "load": "seconds",
    "epoch": "seconds",
    "rate": "images/s",
    "reconstruct": "images/s",
    "memory": "MB",
}
ROUNDS = 5  # of the images on the disk beside the same in memory


def measure(cases=CASES, seconds=SECONDS, rounds=ROUNDS):
    """Measure all cases, and the last of the images once more on the disk.

    Returns
    -------
    dict
        Repeats and unit by name, ``scale_AXIS_PLACE_QUANTITY``.
    """
    measured = {}
    build = ROOT / "build"  # in the checkout, on a real disk, which a temporary folder may not be on
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as folder:
        path = Path(folder, "images.npz")
        for axis, places in cases.items():
            for place, (count, side, channels, filters) in places.items():
                print(f"scale: {axis} {place}", flush=True)
                write(path, count, side, channels)
                with _worker(path, filters) as worker:
                    found = worker.ask("load") | worker.ask("train", {"seconds": seconds}) | worker.ask("reconstruct", seconds / 4)
                found["epoch"] = count / found["rate"]
                measured |= {f"scale_{axis}_{place}_{name}": ([found[name]], unit) for name, unit in QUANTITIES.items()}
            if axis == "images":
                measured |= _on_disk(path, count, filters, seconds, rounds)
    return measured


def _on_disk(path, count, filters, seconds, rounds):
    """Train from the disk and from memory in turns."""
    print(f"scale: {count} images on the disk", flush=True)
    with _worker(path, filters) as memory, _worker(path, filters) as disk:
        memory.ask("load")
        loaded = disk.ask("load", path.stat().st_size // 2)
        turns = [[worker.ask("train", {"seconds": seconds}) for worker in (memory, disk)] for _ in range(rounds)]
    return {
        "scale_disk_load": ([loaded["load"]], "seconds"),
        "scale_disk_memory": ([max(on_disk["own"] for _, on_disk in turns)], "MB"),
        "scale_disk_memory_otherwise": ([max(in_memory["own"] for in_memory, _ in turns)], "MB"),
        "scale_disk_share": ([100 * on_disk["rate"] / in_memory["rate"] for in_memory, on_disk in turns], "percent"),
    }


def _worker(path, filters):
    return Worker("scale.py", str(path), json.dumps(filters), str(BATCH))


def write(path, count, side, channels):
    """Write digits that are shifted by up to 3 pixels and enlarged, as an uncompressed file with a tenth, at most 1,000, to test with."""
    from convae_nb import data

    digits = data.load()
    rng = np.random.default_rng(0)

    def images(source, wanted):
        picked = source[rng.integers(len(source), size=wanted)]
        for i, shift in enumerate(itertools.product(range(-3, 4), repeat=2)):
            picked[i::49] = np.roll(picked[i::49], shift, (1, 2))
        index = np.arange(side) * 28 // side
        enlarged = picked if side == 28 else picked[:, index[:, None], index]
        return enlarged if channels == 1 else np.repeat(enlarged[..., None], channels, axis=3)

    np.savez(path, x_train=images(digits.x_train, count), x_test=images(digits.x_test, min(1000, max(1, count // 10))))


def table(results):
    """Give the lines of a Markdown table, a row a case, from medians by name."""
    lines = [
        "| axis | place | load, s | epoch, s | training, images/s | reconstruction, images/s | memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for axis, place in cases_in(results):
        numbers = (f"{results[f'scale_{axis}_{place}_{name}']:,.4g}" for name in QUANTITIES)
        lines.append(f"| {axis} | {place:,} | {' | '.join(numbers)} |")
    return lines


def cases_in(results):
    """Give (axis, place) of the cases that results hold, in their order."""
    names = (name.split("_") for name in results if name.startswith("scale_") and name.endswith("_load") and "disk" not in name)
    return [(axis, int(place)) for _, axis, place, _ in names]


def exponents(results):
    """Give the steepest growth of each quantity along its axis: 1 is linear.

    Parameters
    ----------
    results : dict of str to float
        Medians by name.

    Returns
    -------
    dict of str to float
        Exponents of a power law between two neighbouring places, of the time to load and of an epoch over the number of images, and of the
        time and memory of an image over its pixels.
    """

    def steepest(axis, y, of_place=lambda place: place):
        places = [place for other, place in cases_in(results) if other == axis]
        values = [y(lambda name, place=place: results[f"scale_{axis}_{place}_{name}"]) for place in places]
        return float(np.max(np.diff(np.log(values)) / np.diff(np.log([of_place(place) for place in places]))))

    return {
        "load": steepest("images", lambda of: of("load")),
        "epoch": steepest("images", lambda of: of("epoch")),
        "pixels": steepest("side", lambda of: 1 / of("rate"), lambda side: side**2),
        "memory": steepest("side", lambda of: of("memory"), lambda side: side**2),
    }


def fits(results, gigabytes=(4, 8, 16)):
    """Compute what fits in memory, from a line through the cases.

    Returns
    -------
    list of str
        The lines of a Markdown table: by memory, the largest pictures of a batch of `BATCH`, and how many digits.
    """
    sides = np.array([place for axis, place in cases_in(results) if axis == "side"])
    held = np.array([results[f"scale_side_{side}_memory"] for side in sides])
    slope, base = np.polyfit(sides[-2:] ** 2.0, held[-2:], 1)  # MB a pixel of a side's square, with its share of the images
    counts = np.array([place for axis, place in cases_in(results) if axis == "images"])
    each, start = np.polyfit(counts, [results[f"scale_images_{count}_memory"] for count in counts], 1)
    lines = [f"| memory | largest square pictures, batches of {BATCH} | digits of 28x28 |", "|---|---|---|"]
    for size in gigabytes:
        side = int(np.sqrt((1000 * size - base) / slope))
        lines.append(f"| {size} GB | {side // 8 * 8} x {side // 8 * 8} | {(1000 * size - start) / each / 1e6:.1f} million |")
    return lines


def draw(results, path=PICTURE):
    """Draw time and memory over the number of images and their size, on logarithmic axes, beside lines of linear growth."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
    panels = {
        "images": ("images", {"load": "loading (s)", "epoch": "an epoch (s)"}, lambda place: place),
        "pixels of a picture": ("side", {"rate": "training, a picture (s)", "reconstruct": "reconstructing it (s)"}, lambda side: side**2),
        "pixels of a picture ": ("side", {"memory": "memory (MB)"}, lambda side: side**2),
    }
    for panel, (xlabel, (axis, quantities, of_place)) in zip(axes, panels.items(), strict=True):
        places = [place for other, place in cases_in(results) if other == axis]
        x = np.array([of_place(place) for place in places], float)
        for marker, (name, label) in zip("os", quantities.items(), strict=False):
            y = np.array([results[f"scale_{axis}_{place}_{name}"] for place in places])
            y = 1 / y if name in ("rate", "reconstruct") else y
            panel.plot(x, y, marker=marker, label=label)
        panel.plot(x, y[-1] * x / x[-1], ":", color="0.5", label="in proportion")
        panel.set(xscale="log", yscale="log", xlabel=xlabel.strip())
        panel.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)
