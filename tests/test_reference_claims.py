"""Claims of the literature that take trainings: how they are measured, and the tables that ship."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from convae_nb import checkerboard, data, metrics, models, reference, training
from convae_nb.reference import claims, networks, tables


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Few digits, two seeds, networks that were never trained, and a folder to write into instead of the package's."""
    digits = data.load()
    part = data.Dataset(digits.x_train[:5200], None, digits.x_test[:60], None)
    monkeypatch.setattr(data, "load", lambda: part)
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    monkeypatch.setattr(claims, "_SEEDS", (0, 1))
    monkeypatch.setattr(networks, "record", lambda name: {"sha256": name})

    def untrained(name):
        decoder, seed = name.removeprefix("fast_basic-").split("/")
        return models.build_autoencoder(decoder=decoder, seed=int(seed))

    monkeypatch.setattr(networks, "load", untrained)
    monkeypatch.setattr(tables, "recipe_for", lambda decoder: training.RECIPES["fast_basic"])
    return part


def test_a_shift_by_a_cell_moves_what_is_drawn_and_one_by_less_changes_it(few, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_SHIFTS", (1, 8))
    monkeypatch.setattr(claims, "_trained", lambda model, seed: (model, None))
    claims.measure_shifts(tmp_path)
    table = reference.shifts().set_index(["network", "seed", "shift"])["agreement"]
    assert set(table.index.unique("network")) == {*models.DECODERS, "blurred pooling"}
    assert (table.xs(8, level="shift") > table.xs(1, level="shift")).all()

    clean = np.pad(data.as_images(few.x_test), ((0, 0), (18, 18), (18, 18), (0, 0)))
    wide = models.build_autoencoder(decoder="subpixel", image_shape=(64, 64, 1), seed=1)
    before, after = models.reconstruct(wide, clean), models.reconstruct(wide, np.roll(clean, 1, axis=2))
    error = np.mean((before[:, 8:-8, 7:-9] - after[:, 8:-8, 8:-8]) ** 2)
    assert table["subpixel", 1, 1] == pytest.approx(-10 * np.log10(error), abs=0.02)


def test_blurred_pooling_takes_maxima_blurs_and_leaves_out_every_second_pixel():
    maps = np.random.default_rng(0).random((1, 8, 8, 2), dtype="float32")
    largest = np.maximum.reduce([np.pad(maps, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, i : i + 8, j : j + 8] for i in (0, 1) for j in (0, 1)])
    padded = np.pad(largest, ((0, 0), (1, 1), (1, 1), (0, 0)))
    weights = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    expected = np.array(
        [[(padded[0, i : i + 4, j : j + 4] * weights[..., None]).sum(axis=(0, 1)) for j in (0, 2, 4, 6)] for i in (0, 2, 4, 6)]
    )
    np.testing.assert_allclose(claims._BlurredMaxPooling2D()(maps)[0], expected, atol=1e-6)
    model = models.build_autoencoder(seed=2)
    copy = claims._blurred(model)
    for one, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_kernels_are_summed_and_the_peak_of_each_is_chosen_on_digits_held_out(few, tmp_path, monkeypatch):
    def trained(model, seed, learning_rate, validation):
        assert validation == (5000 if seed in claims._CHOICE_SEEDS else 0)
        return model, SimpleNamespace(history={"validation_loss": [0.1, 0.2 + abs(learning_rate - 0.01)]})

    monkeypatch.setattr(claims, "_PEAKS", (0.005, 0.01, 0.02))
    monkeypatch.setattr(claims, "_trained", trained)
    claims.measure_kernels(tmp_path)
    table = reference.kernels()
    reported = table.dropna(subset="test_loss")
    assert reported["learning_rate"].eq(0.01).all()
    assert reported.groupby("kernels")["seed"].apply(list).to_dict() == {kernels: [0, 1] for kernels in ("[3]", "[7]", "[7, 3]")}
    same = models.build_autoencoder(decoder="transposed_3x3").count_params()
    assert reported.groupby("kernels")["weights"].first()["[3]"] == same
    steps = 8 * 8 + 8 * 8 + 8 * 16  # weights of a tap in all three ways up
    assert reported.groupby("kernels")["weights"].first()["[7]"] == same + (49 - 9) * steps
    assert reported.groupby("kernels")["weights"].first()["[7, 3]"] == same + 49 * steps + 8 + 8 + 16


def test_what_is_measured_of_a_network_is_what_the_measures_say(few):
    model = models.build_autoencoder(decoder="transposed_4x4", seed=1)
    row = claims._measured(model)
    digits = data.as_images(few.x_test)
    assert row["test_loss"] == pytest.approx(metrics.evaluate(model, digits)["loss"].item(), abs=1e-5)
    indices = checkerboard.checkerboard_index(models.reconstruct(model, digits))
    assert row["index_of_images"] == pytest.approx(np.median(indices), rel=1e-3)
    code = models.predict(model.get_layer("encoder"), digits).mean(axis=(0, 1, 2))
    scatter, _ = checkerboard.flat_answer(model.get_layer("decoder"), code)
    assert row["flat_8"] == pytest.approx(scatter.loc[8, "in units"], abs=1e-5)


def test_a_decoder_is_told_only_by_networks_and_digits_that_were_not_learned_from(few, tmp_path, monkeypatch):
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train, None, np.repeat(few.x_test, 34, axis=0)[:2000], None))
    monkeypatch.setattr(models, "DECODERS", {name: models.DECODERS[name] for name in ("nearest", "transposed_2x2")})
    seen = []
    monkeypatch.setattr(models, "reconstruct", lambda model, images: seen.append(1) or np.float32(images) * (1 + 0 * len(seen)))
    claims.measure_neighbours(tmp_path)
    table = reference.neighbours()
    assert table["left_out"].tolist() == [0, 0, 1, 1]
    # Here both draw the digits as they are: nobody can tell them apart, and one of them is always named.
    assert table.groupby("left_out")["told"].sum().tolist() == [1, 1]


def test_a_training_is_followed_from_before_its_first_step(few, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_LONG", 2)
    monkeypatch.setattr(claims, "_FOLLOWED", ("transposed_3x3", "nearest"))
    monkeypatch.setattr(claims, "_FEW_SEEDS", (1,))
    monkeypatch.setattr(data, "load", lambda: data.Dataset(few.x_train[:500], None, few.x_test, None))
    claims.measure_along(tmp_path)
    table = reference.along()
    assert table["epoch"].tolist() == [0, 1, 2] * 2
    fresh = models.build_autoencoder(decoder="transposed_3x3", seed=1)
    row = table[(table["decoder"] == "transposed_3x3") & (table["seed"] == 1)].iloc[0]
    assert row["spread"] == pytest.approx(checkerboard.phase_spread(fresh.get_layer("decoder").get_layer("up3")), abs=1e-4)
    assert row["test_loss"] == pytest.approx(metrics.evaluate(fresh, few.x_test)["loss"].item(), abs=1e-4)
    losses = table.groupby("epoch")["test_loss"].median()
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.parametrize(("exponent", "sign"), [(-1.0, -1), (0.0, 0), (1.0, 1)])
def test_noise_has_the_spectrum_that_it_is_asked_for(exponent, sign):
    pictures = np.concatenate([claims._noise(exponent, seed) for seed in range(20)])
    assert pictures.std() == pytest.approx(1)
    power = checkerboard.power_spectrum(pictures)[1]
    low, high = power[(power.index > 0.05) & (power.index < 0.1)].mean(), power[(power.index > 0.4) & (power.index < 0.5)].mean()
    assert np.log10(high / low) == pytest.approx(2 * sign * np.log10(0.45 / 0.075), abs=0.25)


def test_a_fit_comes_nearer_to_its_picture_and_says_what_it_misses(few, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "DECODERS", {name: models.DECODERS[name] for name in ("nearest",)})
    monkeypatch.setattr(claims, "_FEW_SEEDS", (0,))
    errors = []
    for steps in (5, 60):
        monkeypatch.setattr(claims, "_FIT_STEPS", steps)
        claims.measure_spectra(tmp_path)
        errors.append(reference.spectra().groupby("exponent")["error"].median())
    assert (errors[1] < errors[0]).all()
    assert errors[1][-1.0] < errors[1][1.0]  # smooth pictures are easier for smooth ways up


def test_all_claims_ship_with_all_their_seeds():
    seeds = dict.fromkeys((*models.DECODERS, "blurred pooling"), 5)
    assert reference.shifts().groupby("network")["seed"].nunique().to_dict() == seeds
    assert reference.kernels().dropna(subset="test_loss").groupby("kernels").size().to_dict() == {"[3]": 5, "[7]": 5, "[7, 3]": 5}
    assert reference.neighbours().groupby("decoder").size().to_dict() == dict.fromkeys(models.DECODERS, 5)
    assert reference.along().groupby(["decoder", "seed"]).size().eq(11).all()
    assert reference.spectra().groupby(["decoder", "exponent"]).size().eq(3).all()
    assert isinstance(reference.spectra(), pd.DataFrame)
