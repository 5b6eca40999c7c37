import numpy as np
import pandas as pd
import pytest
from sklearn import decomposition

from convae_nb import code_sizes, data, metrics, models, pretrained, training

RECIPE = training.RECIPES["fast_basic"].model_copy(update={"epochs": 1, "batch_size": 20})


@pytest.fixture(scope="module")
def few():
    digits = data.load()
    return data.Dataset(digits.x_train[:400], None, digits.x_test[:50], None)


@pytest.mark.parametrize(("filters", "numbers"), [([4, 2], 7 * 7 * 2), ((4, 4, 1), 4 * 4 * 1)])
def test_a_row_says_what_was_trained_and_how_large_its_code_is(few, filters, numbers):
    row = code_sizes.measure(filters, few, RECIPE.model_copy(update={"seed": 3}), progress=False)
    assert (row["filters"], row["seed"], row["numbers"]) == (str(list(filters)), 3, numbers)
    assert row["test_loss"] - row["excess"] == pytest.approx(metrics.entropy_floor(few.x_test))
    assert row["psnr"] > 5


def test_weights_and_order_follow_from_the_recipe_s_seed(few):
    recipe = RECIPE.model_copy(update={"seed": 5})
    model = models.build_autoencoder([4, 2], seed=5)
    training.train(model, few, recipe, progress=False)
    row = code_sizes.measure([4, 2], few, recipe, progress=False)
    assert row["test_loss"] == metrics.evaluate(model, few.x_test)["loss"].item()
    assert row["test_loss"] != code_sizes.measure([4, 2], few, RECIPE, progress=False)["test_loss"]


def test_pictures_of_another_shape_are_measured_too():
    pictures = np.random.default_rng(0).integers(0, 256, (60, 27, 31, 3), dtype="uint8")
    colours = data.Dataset(pictures, None, pictures[:20], None)
    assert code_sizes.measure([2, 1], colours, RECIPE, progress=False)["numbers"] == 7 * 8 * 1
    assert code_sizes.pca_psnr(colours, 1000) > 40  # 59 components hold all 60 pictures


def test_pca_s_psnr_is_that_of_scikit_learn_s_components(few):
    train, test = (images.reshape(len(images), -1) / 255 for images in (few.x_train, few.x_test))
    pca = decomposition.PCA(20, svd_solver="full").fit(train)
    errors = (np.clip(pca.inverse_transform(pca.transform(test)), 0, 1) - test) ** 2
    assert code_sizes.pca_psnr(few, 20) == pytest.approx(-10 * np.log10(errors.mean(axis=1)).mean(), abs=0.01)


@pytest.fixture
def small(few, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(code_sizes, "FILTERS", ([2, 1], [2, 2]))
    monkeypatch.setattr(code_sizes, "SEEDS", (0, 1))
    monkeypatch.setattr(code_sizes, "_RECIPE", RECIPE)
    monkeypatch.setattr(code_sizes, "_FILE", tmp_path / "code_sizes.csv")


def test_the_table_has_a_row_for_each_size_and_seed(small, few, tmp_path):
    code_sizes.make(tmp_path / "build")
    table = code_sizes.reference_table()
    assert table["filters"].tolist() == ["[2, 1]"] * 2 + ["[2, 2]"] * 2
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert table["numbers"].tolist() == [49, 49, 98, 98]
    assert table["pca_psnr"].tolist() == pytest.approx([code_sizes.pca_psnr(few, n) for n in (49, 49, 98, 98)], abs=1e-4)
    row = code_sizes.measure([2, 2], few, RECIPE.model_copy(update={"seed": 1}), progress=False)
    assert table.iloc[3].drop("pca_psnr").to_dict() == pytest.approx(row, abs=1e-5)


def test_a_killed_measurement_goes_on_where_it_was(small, tmp_path, monkeypatch):
    measured, measure = [], code_sizes.measure

    def killed_at_the_third(filters, dataset, recipe, **options):
        measured.append((str(filters), recipe.seed))
        if len(measured) == 3:
            raise KeyboardInterrupt
        return measure(filters, dataset, recipe, **options)

    monkeypatch.setattr(code_sizes, "measure", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        code_sizes.make(tmp_path / "build")
    assert not code_sizes._FILE.exists()
    code_sizes.make(tmp_path / "build")
    assert measured == [("[2, 1]", 0), ("[2, 1]", 1), ("[2, 2]", 0), ("[2, 2]", 0), ("[2, 2]", 1)]
    resumed = code_sizes.reference_table()
    code_sizes.make(tmp_path / "other")
    pd.testing.assert_frame_equal(code_sizes.reference_table(), resumed)


def test_what_was_measured_with_another_recipe_is_not_taken_over(small, tmp_path, monkeypatch):
    code_sizes.make(tmp_path / "build")
    monkeypatch.setattr(code_sizes, "_RECIPE", RECIPE.model_copy(update={"learning_rate": 1e-6}))
    before = code_sizes.reference_table()
    code_sizes.make(tmp_path / "build")
    assert (code_sizes.reference_table()["test_loss"] > before["test_loss"]).all()


@pytest.fixture(scope="module")
def table():
    return code_sizes.reference_table()


def test_the_shipped_table_holds_every_size_and_seed_once(table):
    expected = [(str(filters), seed, 16 * filters[-1]) for filters in code_sizes.FILTERS for seed in code_sizes.SEEDS]
    assert list(table[["filters", "seed", "numbers"]].itertuples(index=False, name=None)) == expected
    assert table.notna().all(axis=None)


def test_the_shipped_table_has_the_reference_runs_among_its_rows(table):
    basic = table[table["numbers"] == 128].set_index("seed")
    for seed in code_sizes.SEEDS:
        test = pretrained.record(f"fast_basic/{seed}")["test"]
        assert basic.loc[seed, "psnr"] == pytest.approx(test["PSNR"], abs=0.3)  # rounding differs between processors
        assert basic.loc[seed, "test_loss"] == pytest.approx(test["loss"], abs=0.003)


def test_larger_codes_reach_more_in_the_shipped_table(table):
    medians = table.groupby("numbers")[["psnr", "pca_psnr"]].median()
    assert (medians.diff().iloc[1:] > 0).all(axis=None)
    assert medians.loc[128, "pca_psnr"] == pytest.approx(25.11, abs=0.01)  # as in the README
    assert np.allclose(table["test_loss"] - table["excess"], 0.0581, atol=1e-4)
