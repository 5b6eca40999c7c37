import functools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from convae_nb import checkerboard, data, metrics, models, noise, reference, training
from convae_nb.reference import make, networks

WEIGHTS = Path(reference.__file__).with_name("weights")


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The weights in a folder where they may be harmed."""
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(networks, "_FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


def test_the_package_ships_exactly_the_named_runs_and_they_are_small():
    assert {path.name for path in WEIGHTS.iterdir()} == {
        f"{name}.{suffix}" for name in (*models.DECODERS, *networks._APART) for suffix in ("npz", "json")
    }
    stored = {name for path in WEIGHTS.glob("*.json") for name in json.loads(path.read_text())}
    assert stored == {name for name in reference.NAMES if "fast_denoiser-nearest/" not in name}
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 8e6


@functools.lru_cache(maxsize=2)
def clean_and_noisy(photographs, kind, level):
    """The images that a run is measured on, and the same with noise."""
    images = data.photograph_patches().x_test if photographs else data.load().x_test
    return images, noise.corrupt(images, kind, level)


def inputs_of(name):
    """What a run is measured on; a range of levels is measured at 0.5."""
    recipe = reference.recipe_of(name)
    low, high = recipe.level_range
    return clean_and_noisy(name.startswith("photo"), recipe.noise_kind, high if low == high else 0.5)


def marked(names):
    """The quick tests look at the original's networks, the slow ones at all."""
    return [pytest.param(name, marks=() if name.startswith("original_") else pytest.mark.slow) for name in names]


# One of each kind, in full; weights are checked by their digest whenever they are loaded.
IN_FULL = [
    "original_basic/0",
    "original_denoiser/0",
    "fast_basic-subpixel-bare/0",
    "skip_denoiser/0",
    "photographs-nearest/0",
    "photo_denoiser/0",
]


@pytest.mark.parametrize("name", marked(IN_FULL))
def test_a_shipped_model_measures_what_its_record_says(name):
    digits, noisy = inputs_of(name)
    model, about = reference.load(name), reference.record(name)
    measured = metrics.evaluate(model, digits, noisy).loc[0].to_dict()
    assert measured.pop("verdict") == about["test"].pop("verdict") == "learned"
    assert measured == pytest.approx(about["test"], rel=1e-4)
    if "checkerboard" in about:
        logits = models.predict(model, noisy)
        boards = {"images": models.reconstruct(model, noisy), "logits": logits}
        medians = {what: np.median(checkerboard.checkerboard_index(of)) for what, of in boards.items()}
        assert medians == pytest.approx(about["checkerboard"], rel=1e-3)


# Of the others the first seeds, and of the twenty networks that have a noise of their own two.
OTHERS = [name for name in reference.NAMES if name.endswith("/0") and not name.startswith("own_") and name not in IN_FULL]
OTHERS += ["own_denoiser-poisson-0.5/0", "own_denoiser-gaussian-0/0"]


@pytest.mark.parametrize("name", marked(OTHERS))
def test_another_network_has_the_loss_of_its_record(name):
    digits, noisy = inputs_of(name)
    loss = metrics.binary_cross_entropy(digits, models.predict(reference.load(name), noisy))
    assert loss == pytest.approx(reference.record(name)["test"]["loss"], rel=1e-4)


@pytest.mark.parametrize("name", reference.NAMES)
def test_a_record_is_of_the_recipe_that_the_package_has(name):
    about, (group, seed) = reference.record(name), name.split("/")
    recipe, *rest = group.split("-")
    changes: dict = {"seed": int(seed)}
    if recipe == "own_denoiser":
        recipe, (kind, level), rest = "fast_denoiser", rest, []
        changes |= {"epochs": 2, "noise_kind": kind, "noise_level": float(level)}
    elif recipe.startswith("skip"):
        assert about["model"]["skips"] == "add"
        recipe = recipe.replace("skip_range", "range").replace("skip", "fast")
    elif recipe == "photo_denoiser":
        recipe, changes = "fast_denoiser", changes | {"epochs": 20, "noise_level": (0.0, 0.25)}
    elif recipe == "photographs":
        recipe, changes = "fast_basic", changes | {"epochs": 20, "learning_rate": 0.01}
    elif rest and recipe == "fast_basic":
        changes["learning_rate"] = reference.recipe_for(rest[0]).learning_rate
    recorded = training.Recipe.model_validate_json(json.dumps(about["recipe"]))
    assert recorded == training.RECIPES[recipe].model_copy(update=changes)
    assert about.get("precision", "float32") == recorded.precision
    assert about["model"]["seed"] == int(seed)
    assert about["model"].get("decoder", "nearest") == (rest or ["nearest"])[0]
    assert about["model"].get("output_convolution", True) == (rest[1:] != ["bare"])
    assert len(about["history"]["loss"]) == math.ceil(recorded.epochs)
    assert about["seconds"] > 0


def test_the_denoiser_with_its_own_decoder_is_one_run_by_two_names():
    assert reference.record("fast_denoiser-nearest/3") == reference.record("fast_denoiser/3")
    first, second = (reference.load(name).get_weights() for name in ("fast_denoiser-nearest/3", "fast_denoiser/3"))
    assert all(map(np.array_equal, first, second))


@pytest.mark.parametrize("model", ["basic", "denoiser"])
def test_the_fast_recipe_reaches_the_originals_loss_in_the_median(model):
    def losses(recipe):
        return [reference.record(name)["test"]["loss"] for name in reference.NAMES if name.startswith(recipe)]

    assert np.median(losses(f"fast_{model}")) <= np.median(losses(f"original_{model}"))


def test_a_bare_recipe_is_its_first_seed():
    first, bare = (reference.load(name).get_weights() for name in ("fast_basic/0", "fast_basic"))
    assert all(map(np.array_equal, first, bare))
    assert not np.array_equal(first[0], models.build_autoencoder().get_weights()[0])


@pytest.mark.parametrize("name", ["orginal_basic", "original_basic/9", "fast_basic/", ""])
def test_an_unknown_name_is_refused_with_the_closest(name):
    with pytest.raises(ValueError, match=r"there is no reference run .*: did you mean '[\w-]+/\d'\? reference.NAMES has them all"):
        reference.load(name)


def test_a_changed_byte_is_refused(copied):
    path = copied / "nearest.npz"
    content = bytearray(path.read_bytes())
    content[content.index(reference.load("fast_basic").get_weights()[0].tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"nearest.npz is damaged, install the package again: fast_basic: .*CRC"):
        reference.load("fast_basic")
    assert reference.load("fast_basic/1").count_params() == 4385


def test_weights_that_are_not_those_of_the_record_are_refused(copied):
    records = copied / "nearest.json"
    records.write_text(records.read_text().replace(reference.record("fast_basic")["sha256"], "0" * 64))
    with pytest.raises(ValueError, match=r"nearest.npz is damaged, .*: the weights should have SHA-256 0{64}, found \w{64}"):
        reference.load("fast_basic")


def test_a_run_is_made_with_weights_and_record(copied, tmp_path, monkeypatch):
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train[:300], None, digits.x_test[:100], None))
    before = {name: reference.record(name) for name in ("fast_basic-bilinear-bare/1", "fast_basic-bilinear-bare/2")}
    make.train_network("fast_basic-bilinear-bare/1", tmp_path / "checkpoints")
    after = {name: reference.record(name) for name in before}
    assert after["fast_basic-bilinear-bare/1"]["sha256"] != before["fast_basic-bilinear-bare/1"]["sha256"]
    assert after["fast_basic-bilinear-bare/2"] == before["fast_basic-bilinear-bare/2"]
    assert list(json.loads((copied / "bilinear.json").read_text())) == [name for name in reference.NAMES if "bilinear" in name]
    bare, whole = (reference.load(name).count_params() for name in ("fast_basic-bilinear-bare/1", "fast_basic-bilinear/1"))
    assert whole - bare == (3 * 3 * 8 * 16 + 16) + (3 * 3 * 16 + 1) - (3 * 3 * 8 + 1)  # two layers more, one less
    assert (tmp_path / "checkpoints/fast_basic-bilinear-bare/1/checkpoint.npz").exists()


def test_a_curve_stands_at_the_middle_of_its_epochs_and_other_images_have_none(capsys):
    seen, loss = reference.curve("original_basic/1", "mnist")
    assert loss.tolist() == reference.record("original_basic/1")["history"]["loss"]
    np.testing.assert_array_equal(seen, 30_000 + 60_000 * np.arange(20))
    seen, loss = reference.curve("original_basic", "photographs.npz")
    assert seen.size == loss.size == 0
    assert "there is none to compare with" in capsys.readouterr().out


def test_what_ships_is_found_and_anything_else_is_trained(capsys, monkeypatch):
    recipe = training.recipe("fast_basic", seed=3)
    model, seconds, precision = reference.find_or_train(data.load(), recipe, filters=[16, 8, 8])
    assert "It ships: fast_basic/3" in capsys.readouterr().out
    for own, shipped in zip(model.get_weights(), reference.load("fast_basic/3").get_weights(), strict=True):
        np.testing.assert_array_equal(own, shipped)
    assert (seconds, precision) == (reference.record("fast_basic/3")["seconds"], "float32")

    trained = []
    monkeypatch.setattr(training, "train", lambda model, dataset, recipe: trained.append(recipe) or Result())
    few = data.first(data.load(), 200)
    other = training.recipe(recipe, epochs=1)
    for dataset, chosen, changes in (
        (few, recipe, {}),
        (data.load(), other, {}),
        (data.load(), recipe, {"filters": [8, 4]}),
        (data.load(), recipe, {"retrain": True}),
    ):
        reference.find_or_train(dataset, chosen, **changes)
        assert trained.pop() == chosen


class Result:
    seconds, precision = 1.0, "float32"


def test_measured_runs_are_rows_with_their_decoder_and_seed():
    names = ["fast_basic/0", "fast_basic-subpixel-bare/2"]
    table = reference.measured({name: reference.record(name) for name in names})
    assert table[["decoder", "bare", "seed"]].values.tolist() == [["nearest", False, 0], ["subpixel", True, 2]]
    for row, name in zip(table.to_dict("records"), names, strict=True):
        about = reference.record(name)
        assert row["excess loss"] == about["test"]["excess"]
        assert row["index of logits"] == about["checkerboard"]["logits"]


def test_networks_of_photographs_take_patches_and_hold_what_was_measured():
    name = "photographs-nearest/1"
    patches = data.photograph_patches()
    model, about = reference.load(name), reference.record(name)
    assert model.input_shape[1:] == (32, 32, 1)
    assert about["recipe"]["epochs"] == 20
    measured = metrics.evaluate(model, patches.x_test).loc[0]
    assert measured["loss"] == pytest.approx(about["test"]["loss"], abs=1e-5)
