import numpy as np
import pytest

from convae_nb import data, decoders, models, training


def test_each_decoder_has_the_peak_rate_of_its_lowest_mean_loss():
    table = decoders.rate_table()
    means = {(name, rate): trials["validation_loss"].mean() for (name, rate), trials in table.groupby(["decoder", "learning_rate"])}
    for name in models.DECODERS:
        recipe = decoders.recipe(name)
        assert means[name, recipe.learning_rate] == min(loss for (other, _), loss in means.items() if other == name)
        assert recipe.model_copy(update={"learning_rate": 0.015}) == training.RECIPES["fast_basic"]


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match=r"decoder must be one of nearest, .*, subpixel, got 'nearst'"):
        decoders.recipe("nearst")


def test_all_rates_were_tried_alike_and_no_edge_was_chosen():
    table = decoders.rate_table()
    counts = table.groupby(["decoder", "learning_rate"]).size().unstack()
    assert set(counts.index) == set(models.DECODERS)
    assert (counts == table["seed"].nunique()).all(axis=None)
    chosen = {decoders.recipe(name).learning_rate for name in models.DECODERS}
    assert not chosen & {table["learning_rate"].min(), table["learning_rate"].max()}


def test_all_decoders_were_timed_as_often():
    table = decoders.speed_table()
    assert table.groupby("decoder").size().to_dict() == dict.fromkeys(models.DECODERS, table["round"].nunique())
    assert table["seconds"].between(1, 100).all()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Few digits and one decoder, and a folder to write into instead of the package's."""
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train[:5300], digits.y_train[:5300], digits.x_test[:10], None))
    monkeypatch.setattr(models, "DECODERS", {"nearest": models.DECODERS["nearest"]})
    monkeypatch.setattr(decoders, "_FILES", tmp_path / "files")


def test_rates_are_chosen_on_digits_held_out_and_the_choice_goes_on_where_it_was(small, tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "_PEAKS", (0.01,))
    (tmp_path / "peak_rates.csv").write_text("decoder,learning_rate,seed,validation_loss\nnearest,0.01,5,0.5\n")
    decoders.choose_rates(tmp_path)
    recipe = training.RECIPES["fast_basic"].model_copy(update={"learning_rate": 0.01, "validation": 5000, "seed": 6})
    expected = training.train(models.build_autoencoder(seed=6), data.load(), recipe, progress=False).history["validation_loss"][-1]
    assert decoders.rate_table().to_numpy().tolist() == [["nearest", 0.01, 5, 0.5], ["nearest", 0.01, 6, pytest.approx(expected, abs=1e-5)]]


def test_an_epoch_is_timed_without_compilation(small, monkeypatch):
    monkeypatch.setattr(decoders, "_ROUNDS", 2)
    monkeypatch.setattr(decoders, "_TIMED", 3000)
    results = []
    train = training.train
    monkeypatch.setattr(training, "train", lambda *given, **options: results.append(train(*given, **options)) or results[-1])
    decoders.time_epochs()
    steps = [20 * (result.seconds - result.compile_seconds) for result in results]  # 3,000 of 60,000 digits
    np.testing.assert_allclose(decoders.speed_table()["seconds"], steps, atol=1e-3)
    assert all(result.compile_seconds > 0.1 for result in results)
