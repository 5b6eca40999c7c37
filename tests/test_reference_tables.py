"""Peak rates, seconds and sizes of codes: their making, how it goes on after a kill, and the tables that ship."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import decomposition

from convae_nb import baselines, data, metrics, models, reference, training
from convae_nb.reference import controls, make, networks, resumable, tables

RECIPE = training.recipe("fast_basic", epochs=1, batch_size=20)


def test_each_decoder_has_the_peak_rate_of_its_lowest_mean_loss():
    table = reference.peak_rates()
    means = {(name, rate): trials["validation_loss"].mean() for (name, rate), trials in table.groupby(["decoder", "learning_rate"])}
    for name in models.DECODERS:
        recipe = reference.recipe_for(name)
        assert means[name, recipe.learning_rate] == min(loss for (other, _), loss in means.items() if other == name)
        assert training.recipe(recipe, learning_rate=0.015) == training.RECIPES["fast_basic"]


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match=r"decoder must be one of nearest, .*, subpixel, got 'nearst'"):
        reference.recipe_for("nearst")


def test_all_rates_were_tried_alike_and_no_edge_was_chosen():
    table = reference.peak_rates()
    counts = table.groupby(["decoder", "learning_rate"]).size().unstack()
    assert set(counts.index) == set(models.DECODERS)
    assert (counts == table["seed"].nunique()).all(axis=None)
    chosen = {reference.recipe_for(name).learning_rate for name in models.DECODERS}
    assert not chosen & {table["learning_rate"].min(), table["learning_rate"].max()}


def test_all_decoders_were_timed_as_often():
    table = reference.epoch_seconds()
    assert table.groupby("decoder").size().to_dict() == dict.fromkeys(models.DECODERS, table["round"].nunique())
    assert table["seconds"].between(1, 100).all()


@pytest.mark.parametrize("asked", ["NAMES", "peak_rates()", "epoch_seconds()", "denoising()", "code_sizes()", "recipe_for('subpixel')"])
def test_names_tables_and_chosen_recipes_are_at_hand_without_tensorflow(asked):
    code = f"import sys; from convae_nb import reference; assert reference.{asked} is not None; print('tensorflow' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400, check=True)
    assert (told.stdout, told.stderr) == ("False\n", "")


@pytest.fixture
def few_rates(tmp_path, monkeypatch):
    """Few digits and one decoder, and a folder to write into instead of the package's."""
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train[:5300], digits.y_train[:5300], digits.x_test[:10], None))
    monkeypatch.setattr(models, "DECODERS", {"nearest": models.DECODERS["nearest"]})
    shutil.copytree(tables.FILES, tmp_path / "files")
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")


def test_rates_are_chosen_on_digits_held_out_and_the_choice_goes_on_where_it_was(few_rates, tmp_path, monkeypatch):
    monkeypatch.setattr(make, "_PEAKS", (0.01,))
    train, trained = training.train, []

    def killed_at_the_second(model, dataset, recipe, **options):
        trained.append(recipe.seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(model, dataset, recipe, **options)

    monkeypatch.setattr(training, "train", killed_at_the_second)
    shipped = reference.peak_rates()
    with pytest.raises(KeyboardInterrupt):
        make.measure_peak_rates(tmp_path, ["nearest"])
    pd.testing.assert_frame_equal(reference.peak_rates(), shipped)
    make.measure_peak_rates(tmp_path, ["nearest"])
    assert trained == [5, 6, 6]
    table = reference.peak_rates()
    for seed in (5, 6):
        recipe = training.recipe("fast_basic", learning_rate=0.01, validation=5000, seed=seed)
        loss = train(models.build_autoencoder(seed=seed), data.load(), recipe, progress=False).history["validation_loss"][-1]
        row = table[(table["decoder"] == "nearest") & (table["seed"] == seed)]
        assert row[["learning_rate", "validation_loss"]].to_numpy().tolist() == [[0.01, pytest.approx(loss, abs=1e-5)]]
    others = table[table["decoder"] != "nearest"].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, shipped[shipped["decoder"] != "nearest"].reset_index(drop=True))


def test_a_loss_of_another_recipe_is_not_taken_over(tmp_path):
    def measure(number):
        return [{"doubled": 2 * number}]

    points = [{"number": number} for number in (3, 1)]
    assert resumable.resumable_table("table", "a recipe", points, measure, tmp_path)["doubled"].tolist() == [6, 2]

    def never(number):
        raise AssertionError(number)

    assert resumable.resumable_table("table", "a recipe", points[::-1], never, tmp_path)["doubled"].tolist() == [2, 6]
    with pytest.raises(AssertionError):
        resumable.resumable_table("table", "another recipe", points, never, tmp_path)


def test_one_lucky_seed_does_not_choose_a_rate(tmp_path, monkeypatch):
    (tmp_path / "peak_rates.csv").write_text(
        "decoder,learning_rate,seed,validation_loss\nnearest,0.01,5,0.1\nnearest,0.01,6,0.9\nnearest,0.02,5,0.4\nnearest,0.02,6,0.4\n"
    )
    monkeypatch.setattr(tables, "FILES", tmp_path)
    assert reference.recipe_for("nearest").learning_rate == 0.02


def test_an_epoch_is_timed_without_compilation(few_rates, monkeypatch):
    monkeypatch.setattr(make, "_ROUNDS", 2)
    monkeypatch.setattr(controls, "_TIMED_DIGITS", 3000)
    results = []
    train = training.train
    monkeypatch.setattr(training, "train", lambda *given, **options: results.append(train(*given, **options)) or results[-1])
    make.measure_epoch_seconds()
    steps = [20 * (result.seconds - result.compile_seconds) for result in results]  # 3,000 of 60,000 digits
    np.testing.assert_allclose(reference.epoch_seconds()["seconds"], steps, atol=1e-3)
    assert all(result.compile_seconds > 0.1 for result in results)


@pytest.fixture(scope="module")
def few():
    digits = data.load()
    return data.Dataset(digits.x_train[:400], None, digits.x_test[:50], None)


@pytest.mark.parametrize(("filters", "numbers"), [([4, 2], 7 * 7 * 2), ((4, 4, 1), 4 * 4 * 1)])
def test_a_row_says_what_was_trained_and_how_large_its_code_is(few, filters, numbers):
    row = reference.measure_code(filters, few, training.recipe(RECIPE, seed=3), progress=False)
    assert (row["filters"], row["seed"], row["numbers"]) == (str(list(filters)), 3, numbers)
    assert row["test_loss"] - row["excess"] == pytest.approx(metrics.entropy_floor(few.x_test))
    assert row["psnr"] > 5


def test_weights_and_order_follow_from_the_recipe_s_seed(few):
    recipe = training.recipe(RECIPE, seed=5)
    model = models.build_autoencoder([4, 2], seed=5)
    training.train(model, few, recipe, progress=False)
    row = reference.measure_code([4, 2], few, recipe, progress=False)
    assert row["test_loss"] == metrics.evaluate(model, few.x_test)["loss"].item()
    assert row["test_loss"] != reference.measure_code([4, 2], few, RECIPE, progress=False)["test_loss"]


def test_pictures_of_another_shape_are_measured_too():
    pictures = np.random.default_rng(0).integers(0, 256, (60, 27, 31, 3), dtype="uint8")
    colours = data.Dataset(pictures, None, pictures[:20], None)
    assert reference.measure_code([2, 1], colours, RECIPE, progress=False)["numbers"] == 7 * 8 * 1
    assert baselines.pca_psnr(colours, 1000) > 40  # 59 components hold all 60 pictures


def test_pca_s_psnr_is_that_of_scikit_learn_s_components(few):
    train, test = (images.reshape(len(images), -1) / 255 for images in (few.x_train, few.x_test))
    pca = decomposition.PCA(20, svd_solver="full").fit(train)
    errors = (np.clip(pca.inverse_transform(pca.transform(test)), 0, 1) - test) ** 2
    assert baselines.pca_psnr(few, 20) == pytest.approx(-10 * np.log10(errors.mean(axis=1)).mean(), abs=0.01)


@pytest.fixture
def few_sizes(few, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(tables, "CODE_FILTERS", ([2, 1], [2, 2]))
    monkeypatch.setattr(tables, "CODE_SEEDS", (0, 1))
    monkeypatch.setitem(training.RECIPES, "fast_basic", RECIPE)
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")


def test_the_table_has_a_row_for_each_size_and_seed(few_sizes, few, tmp_path):
    make.measure_code_sizes(tmp_path / "build")
    table = reference.code_sizes()
    assert table["filters"].tolist() == ["[2, 1]"] * 2 + ["[2, 2]"] * 2
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert table["numbers"].tolist() == [49, 49, 98, 98]
    assert table["pca_psnr"].tolist() == pytest.approx([baselines.pca_psnr(few, n) for n in (49, 49, 98, 98)], abs=1e-4)
    row = reference.measure_code([2, 2], few, training.recipe(RECIPE, seed=1), progress=False)
    assert table.iloc[3].drop("pca_psnr").to_dict() == pytest.approx(row, abs=1e-5)


def test_a_killed_measurement_goes_on_where_it_was(few_sizes, tmp_path, monkeypatch):
    measured, measure = [], reference.measure_code

    def killed_at_the_third(filters, dataset, recipe, **options):
        measured.append((str(filters), recipe.seed))
        if len(measured) == 3:
            raise KeyboardInterrupt
        return measure(filters, dataset, recipe, **options)

    monkeypatch.setattr(networks, "measure_code", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        make.measure_code_sizes(tmp_path / "build")
    assert not (tables.FILES / "code_sizes.csv").exists()
    make.measure_code_sizes(tmp_path / "build")
    assert measured == [("[2, 1]", 0), ("[2, 1]", 1), ("[2, 2]", 0), ("[2, 2]", 0), ("[2, 2]", 1)]
    resumed = reference.code_sizes()
    make.measure_code_sizes(tmp_path / "other")
    pd.testing.assert_frame_equal(reference.code_sizes(), resumed)


def test_what_was_measured_with_another_recipe_is_not_taken_over(few_sizes, tmp_path, monkeypatch):
    make.measure_code_sizes(tmp_path / "build")
    monkeypatch.setitem(training.RECIPES, "fast_basic", training.recipe(RECIPE, learning_rate=1e-6))
    before = reference.code_sizes()
    make.measure_code_sizes(tmp_path / "build")
    assert (reference.code_sizes()["test_loss"] > before["test_loss"]).all()


@pytest.fixture(scope="module")
def sizes():
    return reference.code_sizes()


def test_the_shipped_table_holds_every_size_and_seed_once(sizes):
    expected = [(str(filters), seed, 16 * filters[-1]) for filters in reference.CODE_FILTERS for seed in reference.CODE_SEEDS]
    assert list(sizes[["filters", "seed", "numbers"]].itertuples(index=False, name=None)) == expected
    assert sizes.notna().all(axis=None)


def test_the_shipped_table_has_the_reference_runs_among_its_rows(sizes):
    basic = sizes[sizes["numbers"] == 128].set_index("seed")
    for seed in reference.CODE_SEEDS:
        test = reference.record(f"fast_basic/{seed}")["test"]
        assert basic.loc[seed, "psnr"] == pytest.approx(test["PSNR"], abs=0.3)  # rounding differs between processors
        assert basic.loc[seed, "test_loss"] == pytest.approx(test["loss"], abs=0.003)


def test_larger_codes_reach_more_in_the_shipped_table(sizes):
    medians = sizes.groupby("numbers")[["psnr", "pca_psnr"]].median()
    assert (medians.diff().iloc[1:] > 0).all(axis=None)
    assert medians.loc[128, "pca_psnr"] == pytest.approx(25.11, abs=0.01)  # as in the README
    assert np.allclose(sizes["test_loss"] - sizes["excess"], 0.0581, atol=1e-4)
