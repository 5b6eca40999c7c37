"""Measure the project's speed beside other ways to compute the same: ``make bench``, about an hour and a half on two quiet cores.

``python benchmarks/bench.py throughput`` measures a part alone. Each section is stored as soon as it is measured, beside those that
are there already. The peers of a section are in memory together, some 9 GB.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import tempfile
from pathlib import Path

import dead_maps
import explorer
import large_picture
import live_pages
import numpy as np
import ratios
import report
import scale
import sweeps
import torch_environment
import waiting
from protocol import SKIPS, TASKS, Worker
from ratios import cores, rate

from convae_nb import models, reference, training
from convae_nb._base import processor

ROUNDS = 5
SECONDS = 4.0  # that a training loop is measured in a round
STEPS = 5  # whose losses must agree
INFERENCE_SECONDS = 1.0
CHECKPOINT_SECONDS = 40.0

# The scripts of peers/, and what tells their variants apart.
PEERS = {"ours": ("ours.py", "tied"), "ours_plain": ("ours.py", "plain"), "original": ("original.py",), "fit": ("fit.py",)}
STOCK_PYTORCH = {f"pytorch_{variant}": ("pytorch.py", variant) for variant in ("contiguous", "channels_last", "compile")}
PYTORCH = STOCK_PYTORCH | {"pytorch_tied": ("pytorch.py", "tied")}


def throughput():
    """Training steps of all peers, in turn."""
    python, build = torch_environment.prepare() or (None, "PyTorch could not be installed: its rows are left out.")
    peers, notes = PEERS | (PYTORCH if python else {}), [build]
    if python and not torch_environment.can_compile():
        del peers["pytorch_compile"]
        notes.append("`pytorch_compile` is left out: it needs a C++ compiler and the headers of Python.")
    for task, (filters, *_) in TASKS.items():
        with contextlib.ExitStack() as stack:
            weights = stack.enter_context(starting_weights(filters))

            def start(name, task=task, weights=weights, stack=stack):
                script, *variant = peers[name]
                interpreter = {"python": python} if name in PYTORCH else {}
                return stack.enter_context(Worker(script, task, weights, *variant, **interpreter))

            workers = {name: start(name) for name in peers}
            differences = ratios.disagreement(
                {name: worker.ask("losses", {"steps": STEPS, "noise": 0.0}) for name, worker in workers.items()}
            )
            if task == "denoiser":
                workers["gemm"] = stack.enter_context(Worker("gemm.py"))
            rounds = _rounds(task, workers, start)
        measured = {f"loss_difference_{task}": (differences, "relative")}
        measured |= {f"throughput_{task}_{name}": ([rate(each[name]) for each in rounds], "images/s") for name in peers}
        measured |= {f"cores_{task}_{name}": ([cores(each[name]) for each in rounds], "cores") for name in workers}
        if task == "denoiser":
            measured |= ratios.over_peers(rounds, STOCK_PYTORCH)
            measured |= ratios.over_gemm(rounds, models.layer_table(models.build_autoencoder(filters)))
        yield f"throughput_{task}", measured, notes


def _rounds(task, workers, start):
    for worker in workers.values():
        worker.ask("run", {"seconds": 1})
    rounds = []
    for number in range(ROUNDS):
        print(f"throughput, {task}: round {number + 1} of {ROUNDS}", flush=True)
        rounds.append({name: worker.ask("run", {"seconds": SECONDS}) for name, worker in workers.items()})
        if cores(rounds[-1]["fit"]) < ratios.FEWEST_CORES:
            # Some compiled steps of `fit` run on one core, and go on so: the next round has another.
            workers["fit"].stop()
            workers["fit"] = start("fit")
            workers["fit"].ask("run", {"seconds": 1})
    return rounds


def skips():
    """Training steps of networks whose maps pass around the code, ours and Keras's `fit`, in turn."""
    measured = {}
    for task, (filters, _, joint) in SKIPS.items():
        with contextlib.ExitStack() as stack:
            weights = stack.enter_context(starting_weights(filters, joint))

            def start(name, task=task, weights=weights, stack=stack):
                script, *variant = PEERS[name]
                return stack.enter_context(Worker(script, task, weights, *variant))

            workers = {name: start(name) for name in ("ours", "fit")}
            differences = ratios.disagreement(
                {name: worker.ask("losses", {"steps": STEPS, "noise": 0.0}) for name, worker in workers.items()}
            )
            rounds = _rounds(f"skips, {task}", workers, start)
        compared = ratios.over_peers(rounds, ())
        measured |= {f"loss_difference_skips_{task}": (differences, "relative")}
        measured |= {f"skips_{task}_{name}": ([rate(each[name]) for each in rounds], "images/s") for name in workers}
        measured |= {f"cores_skips_{task}_{name}": ([cores(each[name]) for each in rounds], "cores") for name in workers}
        measured |= {f"skips_{task}_{name.removeprefix('throughput_')}": repeats for name, repeats in compared.items()}
    yield "skips", measured, []


@contextlib.contextmanager
def starting_weights(filters, skips="none"):
    """Give the path of a file of the weights that all peers start from, in the order of the model's: kernel, bias, kernel, bias …"""
    weights = models.build_autoencoder(filters, skips=skips).get_weights()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.npz")
        np.savez(path, **{f"{i:03d}": array for i, array in enumerate(weights)})
        yield str(path)


def time_to_quality():
    """Trainings by the recipes of the speed run and by the fast ones, and an epoch of the original's loop before each pair."""
    for task, (filters, *_) in TASKS.items():
        recipes = {kind: f"{kind}_{task}" for kind in ratios.KINDS}
        if missing := [name for name in recipes.values() if name not in training.RECIPES]:
            yield f"time_to_quality_{task}", {}, [f"Left out: there is no recipe `{missing[0]}`."]
            continue
        recorded = [reference.record(name)["test"]["loss"] for name in reference.NAMES if name.startswith(f"original_{task}/")]
        rounds = []
        with starting_weights(filters) as weights:
            for seed in range(len(recorded)):  # as many as the original was trained with
                print(f"time to quality, {task}: seed {seed}", flush=True)
                with Worker("original.py", task, weights) as worker:
                    worker.ask("run", {})  # one step
                    rounds.append({"original_start": worker.age, "epoch": worker.ask("run", {"count": 60_000})})
                for kind, recipe in recipes.items():
                    with Worker("recipe.py", task, recipe, str(seed)) as worker:
                        trained = {"reading": worker.ask("train"), "with_start": worker.age, "loss": worker.ask("test_loss")}
                    rounds[-1][kind] = trained
        epochs = training.RECIPES[f"original_{task}"].epochs
        measured = ratios.over_original(task, rounds, epochs, recorded)
        memory = [each["fast"]["reading"]["peak_memory"] for each in rounds]
        if task == "denoiser" and all(memory):
            measured["peak_memory_mb"] = (memory, "MB")
        yield f"time_to_quality_{task}", measured, []


def inference():
    """Reconstruction, by how many images it is called with."""
    kinds = [(task, batch) for task in TASKS for batch in (1, 10, 1000)]
    readings = {f"inference_{task}_{batch}": [] for task, batch in kinds}
    with Worker("inference.py") as worker:
        for number in range(ROUNDS):
            print(f"inference: round {number + 1} of {ROUNDS}", flush=True)
            for task, batch in kinds:
                reading = worker.ask("run", {"model": task, "batch": batch, "seconds": INFERENCE_SECONDS})
                readings[f"inference_{task}_{batch}"].append(reading)
    measured = {name: ([rate(each) for each in repeats], "images/s") for name, repeats in readings.items()}
    measured |= {f"cores_{name}": ([cores(each) for each in repeats], "cores") for name, repeats in readings.items()}
    yield "inference", measured, []


def checkpoints():
    """What a training's checkpoints cost."""
    if "fast_denoiser" not in training.RECIPES:
        yield "checkpoints", {}, ["Left out: there is no recipe `fast_denoiser`."]
        return
    with Worker("recipe.py", "denoiser", "fast_denoiser", "0") as worker:
        spent = worker.ask("checkpoints", CHECKPOINT_SECONDS)
    yield "checkpoints", {"checkpoint_share": ([100 * spent["saving"] / spent["seconds"]], "percent")}, []


PARTS = {
    "throughput": throughput,
    "skips": skips,
    "time_to_quality": time_to_quality,
    "inference": inference,
    "checkpoints": checkpoints,
    "explorer": lambda: [("explorer", explorer.measure(), [])],
    "sweeps": lambda: [("sweeps", sweeps.measure(), [])],
    "waiting": lambda: [("waiting", waiting.measure(), [])],
    "scale": lambda: [("scale", scale.measure(), [])],
    "dead_maps": lambda: [("dead_maps", dead_maps.measure(), [])],
    "large_picture": lambda: [("large_picture", large_picture.measure(), [])],
    "live": lambda: [("live", *live_pages.measure())],
}


def machine():
    """Say what is measured on."""
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"processor": processor.name(), "cores": os.cpu_count(), "python": platform.python_version()} | versions


def main(arguments=None):
    """Measure the parts that the command line names, or all."""
    parser = argparse.ArgumentParser(description="Measure speed, and write it beside this script.")
    parser.add_argument("parts", metavar="PART", nargs="*", choices=["all", *PARTS], default="all", help=f"all, or {', '.join(PARTS)}")
    named = parser.parse_args(arguments).parts
    for part in PARTS if "all" in named else named:
        for section, measured, notes in PARTS[part]():
            report.store(section, measured, notes, machine())


if __name__ == "__main__":
    main()
