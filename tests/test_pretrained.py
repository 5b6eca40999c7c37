import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from convae_nb import data, metrics, models, pretrained, training

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
    measured = metrics.evaluate(pretrained.load(name), data.load().x_test).loc[0].to_dict()
    recorded = pretrained.record(name)["test"]
    assert measured.pop("verdict") == recorded.pop("verdict") == "learned"
    assert measured == pytest.approx(recorded, rel=1e-4)


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_record_is_of_the_recipe_that_the_package_has(name):
    about, (recipe, seed) = pretrained.record(name), name.split("/")
    assert training.Recipe(**about["recipe"]) == training.RECIPES[recipe].model_copy(update={"seed": int(seed)})
    assert about["model"]["seed"] == int(seed)
    assert len(about["history"]["loss"]) == training.RECIPES[recipe].epochs
    assert about["seconds"] > 0


def test_the_fast_recipe_reaches_the_originals_loss_in_the_median():
    def losses(recipe):
        return [pretrained.record(name)["test"]["loss"] for name in pretrained.NAMES if name.startswith(recipe)]

    assert np.median(losses("fast_basic")) <= np.median(losses("original_basic"))


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


def test_the_readme_says_what_the_records_say():
    readme = (WEIGHTS.parents[1] / "README.md").read_text(encoding="utf-8")
    for seed in range(3):
        test = pretrained.record(f"original_basic/{seed}")["test"]
        row = f"| {seed} | {test['loss']:.4f} | {test['excess']:.4f} | {test['PSNR']:.2f} dB | {test['SSIM']:.3f} | {test['dead_maps']} |"
        assert row in readme
    fast = sorted(pretrained.record(name)["test"]["loss"] for name in pretrained.NAMES if name.startswith("fast_basic"))
    assert f"median {np.median(fast):.4f}\n({fast[0]:.4f} to {fast[-1]:.4f})" in readme
