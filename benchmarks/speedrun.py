"""Try how little training reaches the original's loss: ``.venv/bin/python benchmarks/speedrun.py``, half an hour on two cores.

Every trial trains on the first 55,000 training digits and is judged on the last 5,000, never on test digits. What it gave is appended to
``speedrun.csv`` beside this script, so that a call that was ended goes on where it was; the page "A speed run" of the book has the table.
"""

import itertools
import statistics
from pathlib import Path

import pandas as pd

from convae_nb import data, metrics, models, noise, reference, training

TABLE = Path(__file__).with_name("speedrun.csv")
HELD_OUT = 5000
_NOISE_SEED = 2**31  # recipes take seeds below it
_FILTERS = {"basic": (16, 8, 8), "denoiser": (32, 32, 16)}


def trials(task, seeds, **grid):
    """Every combination of some fields of the task's fast recipe, each with these seeds."""
    values = itertools.product(*grid.values())
    return [{"task": task, **dict(zip(grid, point, strict=True)), "seed": seed} for point in values for seed in seeds]


TRIALS = [
    *trials("basic", range(3), optimizer=["adam"], learning_rate=[0.03], epochs=[1, 0.5], batch_size=[50]),
    *trials("basic", range(3), optimizer=["muon"], learning_rate=[0.03], epochs=[1], batch_size=[50]),
    *trials("basic", range(3), optimizer=["muon"], learning_rate=[0.02, 0.045], epochs=[0.5], batch_size=[50]),
    *trials("basic", range(3), optimizer=["muon"], learning_rate=[0.03], epochs=[0.5], batch_size=[100]),
    *trials("basic", range(5), optimizer=["muon"], learning_rate=[0.03], epochs=[0.5, 0.45, 0.4], batch_size=[50]),
    *trials("denoiser", range(1), optimizer=["muon"], learning_rate=[0.02, 0.03], epochs=[1], batch_size=[50]),
    *trials("denoiser", range(1), optimizer=["muon"], learning_rate=[0.01, 0.03], epochs=[2], batch_size=[50]),
    *trials("denoiser", range(3), optimizer=["muon"], learning_rate=[0.015], epochs=[2], batch_size=[50]),
    *trials("denoiser", range(1), optimizer=["muon"], learning_rate=[0.02], epochs=[3], batch_size=[50]),
    *trials("denoiser", range(2), optimizer=["muon"], learning_rate=[0.015], epochs=[3], batch_size=[50]),
]


def loss_of(model, level, seed):
    """Give the loss on the digits that are held out, with noise of this seed."""
    clean = data.as_images(data.load().x_train[-HELD_OUT:])
    return metrics.binary_cross_entropy(clean, models.predict(model, noise.corrupt(clean, level=level, seed=_NOISE_SEED + seed)))


def measure(task, seed, **changes):
    """Train by a variant of the task's fast recipe, and give the loss on the digits that are held out."""
    recipe = training.recipe(f"fast_{task}", validation=HELD_OUT, seed=seed, **changes)
    model = models.build_autoencoder(_FILTERS[task], seed=seed)
    training.train(model, data.load(), recipe)
    return round(loss_of(model, recipe.noise_level, seed), 5)


def original(task):
    """Give the median loss of the original's runs on these digits, which they were trained on: a mark that is hard to reach."""
    recipe = f"original_{task}"
    names = [name for name in reference.NAMES if name.startswith(f"{recipe}/")]
    return statistics.median(loss_of(reference.load(name), training.RECIPES[recipe].noise_level, seed=0) for name in names)


def main():
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    for trial in TRIALS:
        if not any(trial.items() <= row.items() for row in rows):
            rows.append(trial | {"loss": measure(**trial)})
            pd.DataFrame(rows).to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
