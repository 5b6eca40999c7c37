"""What the page on the speed run says, held to the trials, the recipes and the reference runs."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convae_nb import reference, training

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "benchmarks"))
speedrun = importlib.import_module("speedrun")
PAGE = (ROOT / "book/speedrun.md").read_text("utf-8")
TABLE = pd.read_csv(speedrun.TABLE)
FIELDS = ["task", "optimizer", "learning_rate", "epochs", "batch_size"]


def lines():
    """A line for each kind of trial: the median of its seeds, the lowest and the highest."""
    for fields, losses in TABLE.groupby(FIELDS, sort=False)["loss"]:
        task, optimizer, rate, epochs, batch = fields
        span = f" ({losses.min():.4f} to {losses.max():.4f})" if len(losses) > 1 else ""
        yield f"| {task} | {optimizer} | {rate:g} | {epochs:g} | {batch} | {len(losses)} | {losses.median():.4f}{span} |"


def losses(recipe):
    return [reference.record(name)["test"]["loss"] for name in reference.NAMES if name.startswith(f"{recipe}/")]


def test_the_trials_are_all_there_and_as_the_page_has_them():
    rows = TABLE.to_dict("records")
    assert [trial for trial in speedrun.TRIALS if not any(trial.items() <= row.items() for row in rows)] == []
    assert re.findall(r"^\| (?:basic|denoiser) \| (?:adam|muon) .*\|$", PAGE, re.MULTILINE) == list(lines())


@pytest.mark.parametrize("task", ["basic", "denoiser"])
def test_the_recipe_is_one_of_the_trials_and_beat_the_originals_weights_on_the_digits_held_out(task):
    recipe = training.RECIPES[f"speedrun_{task}"]
    tried = TABLE[(TABLE["task"] == task) & (TABLE[FIELDS[1:]] == [getattr(recipe, name) for name in FIELDS[1:]]).all(axis=1)]
    mark = speedrun.original(task)
    assert f"{mark:.4f}" in PAGE
    assert tried["loss"].median() < mark


@pytest.mark.parametrize("task", ["basic", "denoiser"])
def test_the_rule_holds_on_the_test_digits(task):
    assert np.median(losses(f"speedrun_{task}")) <= np.median(losses(f"original_{task}"))


def test_how_many_images_are_seen_is_as_the_page_says():
    for task in ("basic", "denoiser"):
        fast, slow = (round(60_000 * training.RECIPES[f"{kind}_{task}"].epochs) for kind in ("speedrun", "original"))
        assert f"{fast:,} images instead of {slow:,}" in " ".join(PAGE.split())
