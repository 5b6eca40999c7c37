"""Networks whose maps pass around the code, and trainings without clean images: how they are measured, and the tables that ship."""

import numpy as np
import pytest
from scipy import stats

from convae_nb import baselines, data, metrics, models, noise, reference, training
from convae_nb.measures import denoisers
from convae_nb.reference import around, controls, tables


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Few digits and patches to measure on, all to fit regressions to, and a folder to write into instead of the package's."""
    digits, patches = data.load(), data.photograph_patches()
    part = data.Dataset(digits.x_train, digits.y_train, digits.x_test[:40], digits.y_test[:40])
    monkeypatch.setattr(data, "load", lambda: part)
    monkeypatch.setattr(data, "photograph_patches", lambda: data.Dataset(patches.x_train[:100], None, patches.x_test[:40], None))
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    return part


@pytest.fixture
def trained(monkeypatch):
    """The trainings that were asked for: model, dataset, recipe and inputs. They learn from the first images."""
    asked = []
    train = training.train

    def note(model, dataset, recipe, inputs=None, **options):
        asked.append((model, dataset, recipe, inputs))
        return train(model, data.first(dataset, 100), recipe, inputs=inputs if inputs is None else inputs[:100], **options)

    monkeypatch.setattr(training, "train", note)
    return asked


def test_networks_with_skips_are_trained_on_each_noise_and_measured_beside_chapter_4s_rivals(few, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(around, "_NOISES", [("gaussian", 0.5), ("blur", 2.0)])
    around.measure_skips(tmp_path)
    table = reference.skips()
    assert table[["kind", "level"]].values.tolist() == [["gaussian", 0.0], ["gaussian", 0.5], ["blur", 2.0]]
    asked = [(recipe.noise_kind, recipe.noise_level, recipe.epochs) for _, _, recipe, _ in trained]
    assert asked == [(*row, 2) for row in table[["kind", "level"]].itertuples(index=False)]
    assert {model.built_with["skips"] for model, *_ in trained} == {"add"}
    clean, (model, *_), row = data.as_images(few.x_test), trained[1], table.iloc[1]
    noisy = noise.corrupt(clean, "gaussian", 0.5)
    reached = metrics.psnr(clean, models.reconstruct(model, noisy))
    assert row["PSNR"] == pytest.approx(reached.mean(), abs=1e-3)
    over = reached - metrics.psnr(clean, baselines.DENOISERS["ridge regression"](noisy, kind="gaussian", level=0.5))
    assert row["over ridge"] == pytest.approx(over.mean(), abs=1e-3)
    low, high = stats.norm.interval(0.95, scale=stats.sem(over))
    assert row["ridge half-width"] == pytest.approx((high - low) / 2, abs=1e-3)
    theirs = metrics.psnr(clean, models.reconstruct(reference.load("own_denoiser-gaussian-0.5"), noisy))
    assert row["over bottleneck"] == pytest.approx((reached - theirs).mean(), abs=1e-3)
    assert table.loc[table["level"] == 0, "over ridge"].isna().all()


def test_without_its_code_a_network_has_only_what_passes_around_it():
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype="float32")
    model = models.build_autoencoder((4, 3), skips="add", seed=1)
    cut = around.without_code(model)
    assert np.abs(models.predict(cut, images) - models.predict(model, images)).max() > 1e-3
    up = model.get_layer("decoder").get_layer("up1")
    # A code of zeros and biases of zero give the first way up nothing but the bias, whatever its kernel.
    up.kernel.assign(np.zeros_like(up.kernel))
    np.testing.assert_allclose(models.predict(cut, images), models.predict(model, images), atol=1e-6)


def test_the_seconds_of_networks_are_taken_in_turns(few, tmp_path, monkeypatch):
    monkeypatch.setattr(around, "_ROUNDS", 2)
    monkeypatch.setattr(controls, "_TIMED_DIGITS", 100)
    around.measure_skip_seconds()
    table = reference.skip_seconds()
    assert table["network"].tolist() == ["bottleneck", "added", "side by side"] * 2
    assert (table["seconds"] > 0).all()


def test_only_the_target_differs_between_trainings_with_and_without_clean_images(few, trained, tmp_path, monkeypatch):
    few = data.Dataset(few.x_train[:300], None, few.x_test, None)
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(around, "_TRIALS", (("digits", "gaussian", 0.5, (0,)), ("photographs", "occlusion", 0.5, (1,))))
    around.measure_targets(tmp_path)
    table = reference.targets()
    assert table["target"].tolist() == [*reference.TARGETS] * 2
    (_, clean, recipe, given), (_, copy, recipe_2, given_2), (_, itself, recipe_3, given_3) = trained[:3]
    np.testing.assert_array_equal(clean.x_train, data.as_images(few.x_train))
    np.testing.assert_array_equal(given, given_2)
    np.testing.assert_array_equal(given, given_3)
    assert recipe == recipe_2 == training.recipe(recipe_3, blind_spots=0)
    assert recipe_3.blind_spots == 0.1
    assert recipe.level_range == (0, 0)
    np.testing.assert_array_equal(itself.x_train, given)
    differ = np.abs(copy.x_train - given)
    assert 0.2 < differ[few.x_train[..., None] == 0].mean() < 0.35  # of two halves of a normal, each 0 or half of 0.5 times 0.8
    drawn = models.reconstruct(trained[1][0], noise.corrupt(few.x_test, "gaussian", 0.5))
    assert table.loc[1, "PSNR"] == pytest.approx(metrics.psnr(few.x_test, drawn).mean(), abs=1e-3)
    corrected = denoisers.without_bias(drawn, "gaussian", 0.5).astype("float32")
    assert table.loc[1, "corrected"] == pytest.approx(metrics.psnr(few.x_test, corrected).mean(), abs=1e-3)
    assert table.loc[3:, "corrected"].isna().all()


def test_blotches_are_as_strong_as_the_noise_that_they_are_made_of_and_shared_by_neighbours():
    grey = np.full((200, 28, 28), 0.5, dtype="float32")
    blotches = around._noisy(grey, "blotches", 0.05, 7)[..., 0] - 0.5
    assert blotches.std() == pytest.approx(0.05, rel=0.02)
    assert np.corrcoef(blotches[:, :, 1:].ravel(), blotches[:, :, :-1].ravel())[0, 1] > 0.6
    assert np.abs(np.corrcoef(around._noisy(grey, "blotches", 0.05, 8).ravel(), blotches.ravel())[0, 1]) < 0.01
    np.testing.assert_array_equal(around._noisy(grey, "gaussian", 0.05, 7), noise.corrupt(grey, "gaussian", 0.05, 7))


def test_no_noise_to_train_on_is_that_of_a_test_or_of_a_recipe():
    assert len(set(around._NOISE_SEEDS.values())) == 3
    for part in ("x_train", "another"):
        with pytest.raises(ValueError, match="seed"):
            training.recipe("fast_denoiser", seed=around._NOISE_SEEDS[part])
