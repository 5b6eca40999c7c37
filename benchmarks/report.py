"""What the benchmark writes: ``results.json``, a summary of repeats for each name, and ``RESULTS.md``, the same as tables.

``about.json`` holds what is no number: the machine, the versions, and notes such as what was left out.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent


class Section(NamedTuple):
    """A part of the results: its heading, what it compares, and a pattern of the names that belong to it."""

    title: str
    text: str
    names: str


SECTIONS = {
    "throughput_basic": Section(
        "Training throughput, basic model",
        "How many images a second the loops train on. All peers compute the same loss on the same digits from the same starting weights, "
        "in float32, with batches of 200 and Adam; `loss_difference` is how far their losses of five steps lie from those of `ours`, "
        "noise off. Each waits in a process of its own while another is measured, round by round; compilation does not count. `ours` is "
        "the loop of `convae_nb.training`; `ours_plain` the same, with resize and convolution one after the other; `original` the "
        "original's loop over a session; `fit` Keras's `Model.fit` from arrays, the model as keras.io would write it; "
        "`pytorch_contiguous`, `pytorch_channels_last` and `pytorch_compile` (channels last, too) are PyTorch as it comes; `pytorch_tied` "
        "is channels last with the trick of `ours`. `cores` is processor time over time.",
        r"(throughput|cores)_basic_.*|loss_difference_basic",
    ),
    "throughput_denoiser": Section(
        "Training throughput, denoiser",
        "The same for the larger model, with gaussian noise of level 0.5 drawn afresh for each batch; in `fit` by the layer "
        "`GaussianNoise` and a clip. Ratios are those of `ours` to a peer in the same round; `throughput_over_pytorch` is over the "
        "fastest of the three without the trick. Rounds in which `fit` used fewer than 1.5 cores, `fit_rounds_dropped`, do not count in "
        "its ratio. `gemm_share` is the useful work of `ours`, counted in the plain formulation, as a share of `gemm_rate`, at which "
        "TensorFlow multiplies float32 matrices of 2048x2048 in the same rounds.",
        r"(throughput|cores)_denoiser_.*|loss_difference_denoiser|throughput_over_.*|fit_rounds_dropped|gemm_.*",
    ),
    "time_to_quality_basic": Section(
        "Time to quality, basic model",
        "How long the original's recipe takes, over how long `fast_basic` takes. Five seeds are trained by the fast recipe, in the "
        "precision that it names, on all digits, each in a fresh process; before each, an epoch of the original's loop over a session is "
        "measured in another, and taken times the epochs of its recipe. `with_start` is from the start of the process to the trained "
        "model, imports, data and compilation included. The original's test losses are those of its reference runs.",
        r".*_(fast|original)_basic(_with_start)?|time_to_quality_ratio_basic.*",
    ),
    "time_to_quality_denoiser": Section(
        "Time to quality, denoiser",
        "The same for `fast_denoiser`. Test losses are with gaussian noise of level 0.5 going in. `peak_memory_mb` is the most memory "
        "that a training by `fast_denoiser` holds.",
        r".*_(fast|original)_denoiser(_with_start)?|time_to_quality_ratio_denoiser.*|peak_memory_mb",
    ),
    "inference": Section(
        "Inference",
        "How many images a second `models.reconstruct` returns, called with 1, 10 or 1000 at a time.",
        r"(cores_)?inference_.*",
    ),
    "checkpoints": Section(
        "Checkpoints",
        "The share of its time that a training by `fast_denoiser` spends on writing checkpoints, over at least 40 seconds.",
        r"checkpoint_share",
    ),
    "explorer": Section(
        "Noise explorer",
        "What a move of the level costs in the kernel, for ten digits and no baseline: the median and the 95th percentile of 300 moves, "
        "repeated.",
        r"explorer_.*",
    ),
    "sweeps": Section(
        "Parameterized runs and sweeps",
        "What a run costs besides its chapter's work: imports, each in a fresh process; `kernel`, start, one line and end of a kernel; "
        "`execute`, a chapter that does nothing by `runs.execute`, papermill imported; `command`, the same by papermill's command line. "
        "Then eight runs of chapter 3 on 5,000 digits for one epoch: one after the other by papermill's command line, by a sweep with one "
        "worker that has all cores, and by one with two workers that share them; the sweep's own start is in it. `share_of_papermill` is "
        "the time of two workers over that of papermill. Last, a sweep of `nothing_runs` runs of the chapter that does nothing, on two "
        "workers: `engine` is a worker's time a run that is not papermill's or the kernel's, `memory` the most that the sweep's own "
        "process holds.",
        r"sweep_.*",
    ),
    "dead_maps": Section(
        "Dead maps of the code",
        "How many maps of the code are zero on all test digits after 200 steps of `original_basic`, all in all over twelve seeds: with the "
        "logits' bias at zero, as the original has it, and started at the mean pixel, as the fast recipes do.",
        r"dead_maps_.*",
    ),
}


def section_of(name):
    """Give the section that a result belongs to.

    Raises
    ------
    ValueError
        If it is not exactly one.

    Examples
    --------
    >>> section_of("cores_denoiser_fit")
    'throughput_denoiser'
    """
    found = [key for key, section in SECTIONS.items() if re.fullmatch(section.names, name)]
    if len(found) != 1:
        raise ValueError(f"the name of a result must fit one section of the report, {name!r} fits {found}")
    return found[0]


def summary(values, unit):
    """Summarize repeats of a measurement, to six digits.

    Examples
    --------
    >>> summary([3.0, 1.0, 2.0], "seconds")
    {'median': 2.0, 'low': 1.0, 'high': 3.0, 'unit': 'seconds'}
    """
    numbers = {"median": np.median(values), "low": np.min(values), "high": np.max(values)}
    return {key: float(f"{value:.6g}") for key, value in numbers.items()} | {"unit": unit}


def store(section, measured, notes, machine, folder=FOLDER):
    """Put a section's measurements in the place of its former ones, and write all files anew.

    What was measured on another machine or with other versions is dropped.

    Parameters
    ----------
    section : str
        A key of `SECTIONS`.
    measured : dict of str to (list of float, str)
        The repeats of each measurement, and their unit.
    notes : list of str
        Sentences beside them, such as what was left out and why.
    machine : dict
        What it was measured on, as JSON can hold it.
    folder : Path
        Where the files are.
    """
    results, about = read(folder)
    if about["machine"] != machine:
        results, about = {}, {"machine": machine, "notes": {}}
    kept = {name: result for name, result in results.items() if section_of(name) != section}
    results = kept | {name: summary(*repeats) for name, repeats in measured.items()}
    places = list(SECTIONS)
    results = {name: results[name] for name in sorted(results, key=lambda name: places.index(section_of(name)))}
    about["notes"][section] = notes
    for name, content in (("results.json", results), ("about.json", about)):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(render(results, about), encoding="utf-8")


def read(folder=FOLDER):
    """Give what ``results.json`` and ``about.json`` hold, both empty if there are none."""
    empty = ("results.json", {}), ("about.json", {"machine": {}, "notes": {}})
    return [json.loads((folder / name).read_text("utf-8")) if (folder / name).exists() else default for name, default in empty]


def render(results, about):
    """Write out results as the text of ``RESULTS.md``.

    Parameters
    ----------
    results : dict of str to dict
        Median, lowest, highest and unit by name, in the order of their rows.
    about : dict
        "machine": what it was measured on; "notes": sentences, by section.

    Returns
    -------
    str
        Markdown.
    """
    machine = ", ".join(f"{key} {value}" for key, value in about["machine"].items())
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench`. Machine and versions: {machine}.",
        "",
        "Each number is the median of its repeats, between the lowest and the highest. What is compared is measured in turn, and a ratio "
        "is taken within each round.",
    ]
    for key, section in SECTIONS.items():
        rows = {name: result for name, result in results.items() if section_of(name) == key}
        notes = about["notes"].get(key, [])
        if not rows and not notes:
            continue
        lines += ["", f"## {section.title}", "", section.text]
        for note in notes:
            lines += ["", note]
        if rows:
            lines += ["", "| name | median | lowest | highest | unit |", "|---|---|---|---|---|"]
        for name, result in rows.items():
            numbers = " | ".join(_shown(result[column]) for column in ("median", "low", "high"))
            lines.append(f"| `{name}` | {numbers} | {result['unit']} |")
    return "\n".join(lines) + "\n"


def _shown(number):
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
