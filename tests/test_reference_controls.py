"""Controls of what the chapters find: how they are measured, and the tables that ship."""

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model

from convae_nb import baselines, data, layers, metrics, models, noise, reference, training
from convae_nb._base.tensorflow import keras
from convae_nb.reference import controls, names, networks, tables


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Few digits, held out and measured on, and a folder to write into instead of the package's."""
    digits = data.load()
    part = data.Dataset(digits.x_train[:5300], digits.y_train[:5300], digits.x_test[:60], digits.y_test[:60])
    monkeypatch.setattr(data, "load", lambda: part)
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    monkeypatch.setattr(controls, "_SEEDS", (0, 1))
    return part


def test_a_change_is_made_in_addition_to_those_before_it_and_the_last_recipe_is_the_fast_one(few, tmp_path, monkeypatch):
    trained = []
    train = training.train

    def first_steps(model, dataset, recipe, **options):
        trained.append(recipe)
        return train(model, data.first(dataset, recipe.validation + 100), training.recipe(recipe, batch_size=50), **options)

    monkeypatch.setattr(training, "train", first_steps)
    controls.measure_ablation(tmp_path)
    recipes = trained[: len(tables.ABLATION)]
    fast = training.RECIPES["fast_basic"].model_dump()
    for before, after, (label, fields) in zip(
        [training.RECIPES["original_basic"], *recipes], recipes, tables.ABLATION.items(), strict=False
    ):
        changed = {field for field, value in before.model_dump().items() if after.model_dump()[field] != value}
        assert changed - {"validation"} == set(fields), label
        assert all(after.model_dump()[field] == fast[field] for field in fields)
    assert training.recipe(recipes[-1], validation=0) == training.RECIPES["fast_basic"]
    table = reference.ablation()
    assert table["change"].tolist() == [*tables.ABLATION] * 2
    assert table["seed"].tolist() == sorted([0, 1] * len(tables.ABLATION))
    assert (table["first_epoch"] != table["test_loss"]).all()


def test_what_is_measured_after_each_epoch_is_the_test_loss(few, tmp_path, monkeypatch):
    few = data.Dataset(few.x_train[:1000], None, few.x_test, None)
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(tables, "ABLATION", {"all": ("epochs", "batch_size", "schedule", "learning_rate")})
    controls.measure_ablation(tmp_path)
    first = reference.ablation().iloc[0]
    recipe = training.recipe("original_basic", epochs=2, batch_size=50, schedule="one_cycle", learning_rate=0.015)
    model = models.build_autoencoder(seed=0)
    training.train(model, few, recipe, progress=False)
    measured = metrics.evaluate(model, few.x_test).loc[0]
    assert first["test_loss"] == pytest.approx(measured["loss"], abs=1e-5)
    assert first["PSNR"] == pytest.approx(measured["PSNR"], abs=1e-3)


def test_the_linear_twin_is_linear_and_has_the_kernels_of_its_model():
    model = models.build_autoencoder(seed=3)
    twin = controls._linear(model)
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in model.weights]
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype="float32")
    zero = twin(np.zeros((1, 28, 28, 1)))
    np.testing.assert_allclose(twin(images).numpy().sum(axis=0) - 2 * zero[0], twin(images.sum(axis=0, keepdims=True))[0], atol=1e-4)
    kinds = {type(layer) for part in ("encoder", "decoder") for layer in twin.get_layer(part).layers}
    assert kinds == {
        keras.layers.InputLayer,
        keras.layers.Conv2D,
        keras.layers.AveragePooling2D,
        layers.UpsampleConv2D,
        layers.SingleMapConv2D,
    }


def test_the_peak_of_the_linear_twin_is_chosen_on_digits_held_out(few, tmp_path, monkeypatch):
    train = training.train
    monkeypatch.setattr(
        training,
        "train",
        lambda model, dataset, recipe, **options: train(model, dataset, training.recipe(recipe, epochs=0.5), **options),
    )
    monkeypatch.setattr(controls, "_LINEAR_PEAKS", (1e-6, 0.01))
    controls.measure_linear(tmp_path)
    table = reference.linear()
    tried = table[table["seed"].isin(controls._CHOICE_SEEDS)]
    assert tried["validation_loss"].notna().all()
    assert tried["test_loss"].isna().all()
    reported = table.drop(tried.index)
    assert reported["learning_rate"].eq(0.01).all()
    assert reported["seed"].tolist() == [0, 1]
    assert reported["PSNR"].gt(10).all()


@pytest.fixture
def one_noise(few, monkeypatch):
    monkeypatch.setattr(controls, "CONDITIONS", (("speckle", 1.0),))
    monkeypatch.setattr(networks, "record", lambda name: {"sha256": name})
    monkeypatch.setattr(networks, "load", lambda name: models.build_autoencoder((4, 4), seed=9))
    ridge = baselines.Denoiser("ridge regression", lambda images, condition, **_: images / 2, {"alpha": [1.0]})
    monkeypatch.setitem(baselines.DENOISERS, "ridge regression", ridge)
    monkeypatch.setattr(
        training, "train", lambda model, dataset, recipe, **options: trained.append((recipe.noise_kind, recipe.noise_level, recipe.seed))
    )
    trained = []
    return trained


def test_a_network_for_each_noise_is_compared_with_ridge_regression_digit_by_digit(one_noise, few, tmp_path):
    controls.measure_own_denoisers(tmp_path)
    assert one_noise == [("speckle", 1.0, seed) for seed in controls._OWN_SEEDS[1:]]
    table = reference.own_denoisers()
    assert table["seed"].tolist() == list(controls._OWN_SEEDS)
    clean = data.as_images(few.x_test)
    noisy = noise.corrupt(clean, "speckle", 1.0)
    shipped = metrics.psnr(clean, models.reconstruct(models.build_autoencoder((4, 4), seed=9), noisy))
    ridge = baselines.DENOISERS["ridge regression"](noisy, kind="speckle", level=1.0)
    over = pd.Series(shipped - metrics.psnr(clean, ridge))
    expected = {"PSNR": shipped.mean(), "over ridge": over.mean(), "half-width": 1.96 * over.sem()}
    assert table.loc[0, list(expected)].to_dict() == pytest.approx(expected, abs=1e-3)


def test_probes_read_what_they_say(few, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "record", lambda name: {"sha256": name})
    monkeypatch.setattr(networks, "load", lambda name: models.build_autoencoder(seed=int(name[-1])))
    monkeypatch.setattr(controls, "_PENALTIES", (0.1,))
    monkeypatch.setattr(tables, "PROBED", {"pixels, unscaled": 1, "code, untrained": 2, "code": 1})
    controls.measure_probes(tmp_path)
    table = reference.probes()
    assert table["description"].tolist() == ["pixels, unscaled", "code, untrained", "code, untrained", "code"]
    assert table.loc[1, "read right"] == table.loc[3, "read right"]  # here no code is trained
    half = len(few.x_train) // 2
    pixels = linear_model.LogisticRegression(C=0.1, max_iter=1000).fit(few.x_train[:half].reshape(half, -1) / 255, few.y_train[:half])
    assert table.loc[0, "read right"] == pytest.approx(pixels.score(few.x_test.reshape(60, -1) / 255, few.y_test), abs=0.02)


def test_all_controls_ship_with_all_their_seeds():
    own = reference.own_denoisers()
    assert own.groupby(["kind", "level"]).size().to_dict() == {
        (kind, level): len(controls._OWN_SEEDS) for kind, levels in baselines.LEVELS.items() for level in levels
    }
    assert reference.ablation().groupby("change")["seed"].apply(list).to_dict() == {key: [0, 1, 2, 3, 4] for key in tables.ABLATION}
    assert reference.probes().groupby("description").size().to_dict() == tables.PROBED
    assert sum(reference.linear()["test_loss"].notna()) == 5
    assert set(own["seed"]) == set(controls._OWN_SEEDS)


def test_each_noise_has_a_network_that_chapter_4_trains():
    for kind, levels in baselines.LEVELS.items():
        for level in levels:
            recipe = networks.recipe_of(names.own_denoiser(kind, level))
            assert recipe == training.recipe("fast_denoiser", epochs=2, noise_kind=kind, noise_level=level)


def test_a_small_code_gets_the_decoder_of_the_basic_model():
    model = controls._with_wide_decoder(1, 3)
    assert model.get_layer("encoder").output.shape[1:] == (4, 4, 1)
    basic = models.build_autoencoder(seed=3).get_layer("decoder")
    found = [weight.shape for weight in model.get_layer("decoder").weights]
    assert found[0] == (3, 3, 1, 8)
    assert found[1:] == [weight.shape for weight in basic.weights][1:]
    mirrored = models.build_autoencoder((16, 8, 1), seed=3).get_layer("encoder")
    for own, other in zip(model.get_layer("encoder").get_weights(), mirrored.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_wide_decoders_are_trained_for_each_size_and_seed(few, tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "_WIDE_MAPS", (1, 2))
    monkeypatch.setattr(controls, "_WIDE_SEEDS", (0,))
    monkeypatch.setattr(training, "train", lambda *arguments, **options: None)
    controls.measure_wide_decoders(tmp_path)
    table = reference.wide_decoders()
    assert table[["numbers", "seed"]].values.tolist() == [[16, 0], [32, 0]]
    assert table["test_loss"].between(0.6, 0.8).all()  # untrained


class Codec:
    """Keeps what it is shown, and gives it back."""

    def __init__(self):
        self.shown = []

    def encode(self, images):
        self.shown.append(images)
        return images

    def decode(self, code):
        return code


def test_turned_digits_are_no_0_1_or_8_and_a_codec_is_measured_beside_the_networks(few, monkeypatch):
    codec = Codec()
    monkeypatch.setattr(controls.baselines, "pca_codec", lambda *arguments: codec)
    controls.measure_turned()
    table = reference.turned()
    assert set(table["shown"]) == set(controls._TURNS)
    assert set(table["method"]) == {"network 0", "network 1", "PCA"}
    kept = data.as_images(few.x_test[~np.isin(few.y_test, (0, 1, 8))])
    for shown, turned in zip(codec.shown, (kept, np.flip(kept, 2), np.flip(kept, 1), np.rot90(kept, axes=(1, 2))), strict=True):
        np.testing.assert_array_equal(shown, turned)
    assert (table.loc[table["method"] == "PCA", "PSNR"] > 50).all()


def test_shipped_controls_hold_every_point():
    wide = reference.wide_decoders()[["numbers", "seed"]]
    assert sorted(map(tuple, wide.values.tolist())) == [(numbers, seed) for numbers in (16, 32, 64) for seed in range(3)]
    assert len(reference.turned()) == 4 * 6
    assert (reference.ablation()["seconds"] > 0).all()
