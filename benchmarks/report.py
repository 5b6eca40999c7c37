"""What the benchmark writes: ``results.json``, a summary of repeats for each name, and ``RESULTS.md``, the same as tables.

``about.json`` holds what is no number: for each section the machine and the versions, and notes such as what was left out.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scale

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
    "skips": Section(
        "Training throughput, maps that pass around the code",
        "The same for two networks of the denoiser's filters whose encoder's maps join the decoder's of the same size: added to them, and "
        "laid beside them, `concatenate`. `ours` is the loop of `convae_nb.training`; `fit` is Keras's `Model.fit` from arrays, the same "
        "network as keras.io would write it. `over_fit` is the ratio of the two in the same round, without rounds in which `fit` used "
        "fewer than 1.5 cores, `fit_rounds_dropped`.",
        r"(cores_|loss_difference_)?skips_.*",
    ),
    "time_to_quality_basic": Section(
        "Time to quality, basic model",
        "How long the original's recipe takes, over how long `speedrun_basic` takes, and under `_fast` over how long `fast_basic` takes. "
        "As many seeds as the original has reference runs are trained by both recipes, in the precision that they name, on all digits, "
        "each in a fresh process; before each pair, an epoch of the original's loop over a session is measured in another, and taken "
        "times the epochs of its recipe. `with_start` is from the start of the process to the trained model, imports, data and "
        "compilation included. The original's test losses are those of its reference runs.",
        r".*_(speedrun|fast|original)_basic(_with_start)?|time_to_quality_ratio_basic.*",
    ),
    "time_to_quality_denoiser": Section(
        "Time to quality, denoiser",
        "The same for `speedrun_denoiser` and `fast_denoiser`. Test losses are with gaussian noise of level 0.5 going in. "
        "`peak_memory_mb` is the most memory that a training by `fast_denoiser` holds.",
        r".*_(speedrun|fast|original)_denoiser(_with_start)?|time_to_quality_ratio_denoiser.*|peak_memory_mb",
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
        "process holds. `landing` is what the sweep's own process takes to hand a run out, take it back and write its notebook, with a "
        "hundred workers that give back a ready notebook of `notebook_kb` at once; workers and scheduler are threads of that process, so "
        "that a cluster's takes less. `collect` is the time to read one of these into the table. `soak` is the same for `soak_runs` runs "
        "of the chapter that does nothing: by how much the memory of that process grows, after the first tenth of them.",
        r"sweep_.*",
    ),
    "waiting": Section(
        "Waiting",
        "Where the time of `make run` goes once all is installed: for each chapter start and end of its kernel, the cells that import, "
        "those that train or sweep, and the rest, baselines and figures. The first kernel's time has papermill's import in it.",
        r"run_.*",
    ),
    "scale": Section(
        "Scale",
        "How time and memory grow: with the number of images of 28x28, with the side of square pictures, with their channels at a side of "
        "64, and with the number of poolings at 28. Images are digits, shifted and enlarged, in an uncompressed file. `epoch` is one of "
        "all images at the rate that was measured over some seconds, by the basic model's filters (but for depth), float32, batches of 50; "
        "`memory` is the most that the process holds. `disk` is the largest number of images left on the disk: what their training holds "
        "but for pages of the file, which the system takes back when it needs them; `otherwise` is the same with the images in memory; and "
        "the speed as a share of that of the same images in memory, in turns, after the file has been read once.",
        r"scale_.*",
    ),
    "large_picture": Section(
        "A large picture",
        "What it takes to denoise a JPEG file of 4000x3000 pixels in colour by `models.denoise_files`, compilation, reading and writing "
        "included, with an untrained network of the shape of `photo_denoiser`, which takes the colours one by one: the time of the call, "
        "and the most memory that the process holds, TensorFlow's own included. Each repeat has a process of its own.",
        r"large_picture_.*",
    ),
    "live": Section(
        "Live pages",
        "What a move of the level costs in the book's live explorer, with ten digits and with one, in Chromium: the median time from the "
        "slider's event to the pictures, with noise, network, PSNR and SSIM of each. `held` is the 99.9th percentile of how long the page "
        "itself was busy at a stretch in as many moves more; `open` is the time from asking for the page, a file, to its first pictures. "
        "Each repeat is a page opened anew.",
        r"live_.*",
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
    kept = {name: result for name, result in results.items() if section_of(name) != section}
    results = kept | {name: summary(*repeats) for name, repeats in measured.items()}
    places = list(SECTIONS)
    results = {name: results[name] for name in sorted(results, key=lambda name: places.index(section_of(name)))}
    about[section] = {"machine": machine, "notes": notes}
    about = {name: about[name] for name in places if name in about}
    for name, content in (("results.json", results), ("about.json", about)):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(render(results, about), encoding="utf-8")


def read(folder=FOLDER):
    """Give what ``results.json`` and ``about.json`` hold, both empty if there are none."""
    files = folder / "results.json", folder / "about.json"
    return [json.loads(file.read_text("utf-8")) if file.exists() else {} for file in files]


def render(results, about):
    """Write out results as the text of ``RESULTS.md``.

    Parameters
    ----------
    results : dict of str to dict
        Median, lowest, highest and unit by name, in the order of their rows.
    about : dict
        By section: "machine", what it was measured on, and "notes", sentences.

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Each number is the median of its repeats, between the lowest and the highest. What is compared is "
        "measured in turn, and a ratio is taken within each round.",
    ]
    for key, section in SECTIONS.items():
        rows = {name: result for name, result in results.items() if section_of(name) == key}
        if key not in about:
            continue
        machine = ", ".join(f"{name} {value}" for name, value in about[key]["machine"].items())
        lines += ["", f"## {section.title}", "", section.text, "", f"Measured on: {machine}."]
        for note in about[key]["notes"]:
            lines += ["", note]
        if key == "scale":
            lines += ["", *scaled({name: result["median"] for name, result in rows.items()})]
            rows = {name: result for name, result in rows.items() if name.startswith("scale_disk_")}
        if rows:
            lines += ["", "| name | median | lowest | highest | unit |", "|---|---|---|---|---|"]
        for name, result in rows.items():
            numbers = " | ".join(_shown(result[column]) for column in ("median", "low", "high"))
            lines.append(f"| `{name}` | {numbers} | {result['unit']} |")
        if "sweep_landing_ms" in rows:
            lines += ["", at_scale({name: result["median"] for name, result in rows.items()})]
    return "\n".join(lines) + "\n"


def at_scale(measured, runs=10_000, machines=100, cores=2):
    """Compute what a large sweep would take on machines like the one that was measured, and what would give way first.

    Parameters
    ----------
    measured : dict of str to float
        Of the section "sweeps".
    runs, machines, cores : int
        The sweep's size, how many machines there are, and how many cores each has.

    Returns
    -------
    str
        A paragraph.
    """
    slots, run = machines * cores, measured["sweep_run_seconds"]
    landing, size = measured["sweep_landing_ms"] / 1000, measured["sweep_notebook_kb"]
    return (
        f"**{runs:,} runs on {machines} machines.** Computed, not tried, from runs of chapter 3 on 5,000 digits for one epoch: each "
        f"takes {run:.0f} seconds of a core, {measured['sweep_execute_seconds'] / run:.0%} of them for papermill and the start of the "
        f"kernel, and so {runs:,} take {runs * run / slots / 60:.0f} minutes on {machines} machines of {cores} cores. "
        f"Their notebooks fill {runs * size / 1e6:.1f} GB on "
        f"the machine that sweeps, and their table takes {runs * measured['sweep_collect_ms'] / 1000:.0f} seconds to read. That machine "
        f"gives way first: one process hands out, takes back and writes, {1 / landing:.0f} runs a second at most, of which this sweep "
        f"asks for {slots / run:.0f}. It keeps {slots} cores at work as long as a run takes more than {slots * landing:.1f} seconds; "
        f"shorter ones wait for it, and are better made longer, several settings to a run. No more runs are handed "
        f"out than can start."
    )


def scaled(measured):
    """Write out how time and memory grow, and what fits.

    Parameters
    ----------
    measured : dict of str to float
        Of the section "scale".

    Returns
    -------
    list of str
        Lines of Markdown.
    """
    steepest = scale.exponents(measured)
    return [
        *scale.table(measured),
        "",
        "Between two sizes that follow each other, the time to load grows with the number of images to the power of "
        f"{steepest['load']:.2f} at most, and that of an epoch to {steepest['epoch']:.2f}; with a picture's pixels, the time to train on "
        f"it grows to the power of {steepest['pixels']:.2f} at most, and memory to {steepest['memory']:.2f}.",
        "",
        *scale.fits(measured),
    ]


def _shown(number):
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
