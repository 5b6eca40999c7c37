import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convae_nb import data, metrics, models, noise, pretrained, training

WEIGHTS = Path(pretrained.__file__).with_name("weights")


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The weights in a folder where they may be harmed."""
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(pretrained, "_FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


def test_the_package_ships_exactly_the_named_runs_and_they_are_small():
    files = {path.name for path in WEIGHTS.iterdir()}
    assert files == {f"{name.replace('/', '-')}.{suffix}" for name in pretrained.NAMES for suffix in ("npz", "json")}
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 6e6


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_shipped_model_measures_what_its_record_says(name):
    digits = data.load().x_test
    noisy = noise.corrupt(digits, level=0.5 if "denoiser" in name else 0)
    measured = metrics.evaluate(pretrained.load(name), digits, noisy).loc[0].to_dict()
    recorded = pretrained.record(name)["test"]
    assert measured.pop("verdict") == recorded.pop("verdict") == "learned"
    assert measured == pytest.approx(recorded, rel=1e-4)


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_record_is_of_the_recipe_that_the_package_has(name):
    about, (recipe, seed) = pretrained.record(name), name.split("/")
    assert training.Recipe.model_validate_json(json.dumps(about["recipe"])) == training.RECIPES[recipe].model_copy(
        update={"seed": int(seed)}
    )
    assert about["model"]["seed"] == int(seed)
    assert len(about["history"]["loss"]) == training.RECIPES[recipe].epochs
    assert about["seconds"] > 0


@pytest.mark.parametrize("model", ["basic", "denoiser"])
def test_the_fast_recipe_reaches_the_originals_loss_in_the_median(model):
    def losses(recipe):
        return [pretrained.record(name)["test"]["loss"] for name in pretrained.NAMES if name.startswith(recipe)]

    assert np.median(losses(f"fast_{model}")) <= np.median(losses(f"original_{model}"))


def test_a_bare_recipe_is_its_first_seed():
    first, bare = (pretrained.load(name).get_weights() for name in ("fast_basic/0", "fast_basic"))
    assert all(map(np.array_equal, first, bare))
    assert not np.array_equal(first[0], models.build_autoencoder().get_weights()[0])


@pytest.mark.parametrize("name", ["orginal_basic", "original_basic/9", "fast_basic/", ""])
def test_an_unknown_name_is_refused_with_the_closest(name):
    with pytest.raises(ValueError, match=r"there is no reference run .*: did you mean '\w+/\d'\? There are original_basic/0, "):
        pretrained.load(name)


def test_a_changed_byte_is_refused(copied):
    path = copied / "fast_basic-0.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fast_basic-0.npz should have SHA-256 \w+, found \w+: install the package again"):
        pretrained.load("fast_basic")


def test_a_run_is_made_with_weights_and_record(copied, tmp_path, monkeypatch):
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train[:300], None, digits.x_test[:100], None))
    before = pretrained.record("fast_basic/1")
    pretrained.make("fast_basic/1", tmp_path / "checkpoints")
    after = json.loads((copied / "fast_basic-1.json").read_text())
    assert after["sha256"] != before["sha256"]
    assert pretrained.load("fast_basic/1").count_params() == 4385
    assert (tmp_path / "checkpoints" / "fast_basic" / "1" / "checkpoint.npz").exists()


def summary(recipe):
    """A recipe's line in README.md: medians over its seeds, and of the loss the lowest and the highest."""
    tests = pd.DataFrame([pretrained.record(name)["test"] for name in pretrained.NAMES if name.split("/")[0] == recipe])
    middle, loss = tests.drop(columns="verdict").median(), tests["loss"]
    span = f"{middle['loss']:.4f} ({loss.min():.4f} to {loss.max():.4f})" if len(tests) > 1 else f"{middle['loss']:.4f}"
    dead = ", ".join(map(str, tests["dead_maps"]))
    return f"| `{recipe}` | {len(tests)} | {span} | {middle['excess']:.4f} | {middle['PSNR']:.2f} dB | {middle['SSIM']:.3f} | {dead} |"


@pytest.mark.parametrize("recipe", training.RECIPES)
def test_the_readme_says_what_the_records_say(recipe):
    assert summary(recipe) in (WEIGHTS.parents[1] / "README.md").read_text(encoding="utf-8")
