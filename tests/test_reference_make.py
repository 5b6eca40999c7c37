"""What makes what ships: the tuning of the denoisers and the table that compares them; and what of both ships."""

import json

import numpy as np
import pandas as pd
import pytest
import skimage.filters
import skimage.metrics

from convae_nb import baselines, data, metrics, models, noise, parameters, reference
from convae_nb.measures import comparison, denoisers
from convae_nb.reference import make, names, networks, resumable, tables

FILTERS = ["Gaussian filter", "median filter", "total variation", "non-local means"]


def leave(noisy, *, kind, level):
    return noisy


@pytest.fixture(scope="module")
def stored():
    return json.loads(denoisers.TUNED.read_text("utf-8"))


def test_fitting_and_tuning_take_noise_that_no_chapter_can_ask_for():
    assert denoisers._FITTING_SEED != make._TUNING_SEED
    for seed in (denoisers._FITTING_SEED, make._TUNING_SEED):
        with pytest.raises(parameters.RefusedError, match="seed"):
            parameters.check(seed=seed)


def test_fitting_and_tuning_take_digits_of_their_own():
    assert denoisers._FITTING_DIGITS <= 55_000
    assert make._TUNING_DIGITS <= 5_000


def test_tuning_takes_the_best_of_the_grid_on_digits_held_out(tmp_path, monkeypatch):
    sigmas, radii = [0, 0.5, 0.8, 0.801, 1.2], [0, 1, 1.5]
    few = {
        "noisy image": baselines.DENOISERS["noisy image"],
        "Gaussian filter": baselines.Denoiser("Gaussian filter", denoisers._gaussian, {"sigma": sigmas}),
        "median filter": baselines.Denoiser("median filter", denoisers._median, {"radius": radii}),
    }
    levels = {"gaussian": (0.5,), "blur": (2.0,)}
    last_step = {"undo_bias": [False], "gain": [1.0, 3.0]}
    for name, value in {"DENOISERS": few, "LEVELS": levels, "LAST_STEP": last_step, "TUNED": tmp_path / "denoisers.json"}.items():
        monkeypatch.setattr(denoisers, name, value)
    monkeypatch.setattr(make, "CONDITIONS", [(kind, level) for kind, (level,) in levels.items()])
    monkeypatch.setattr(make, "_TUNING_DIGITS", 20)
    (tmp_path / "denoisers.json").write_text("{}")
    denoisers.tuned_parameters.cache_clear()
    try:
        assert denoisers.tuned_parameters() == {}  # what was read before is not kept
        make.tune_denoisers()
        held_out = data.load().x_train[55_000:55_020] / 255
        noisy = {kind: noise.corrupt(held_out, kind, level, make._TUNING_SEED)[..., 0] for kind, (level,) in levels.items()}

        def psnr(kind, function):
            pairs = zip(held_out, noisy[kind], strict=True)
            return np.mean([skimage.metrics.peak_signal_noise_ratio(image, function(other), data_range=1) for image, other in pairs])

        def blurred(sigma):
            return lambda image: skimage.filters.gaussian(image, sigma, mode="reflect", truncate=4)

        reached = {sigma: psnr("gaussian", blurred(sigma)) for sigma in sigmas}
        assert max(reached, key=reached.get) == 0.801
        best = 0.8  # neither end, the gentler of two that differ by less than 0.01 dB
        assert reached[best] > reached[0.801] - 0.01
        tuned = json.loads((tmp_path / "denoisers.json").read_text())
        plain = {"undo_bias": False, "gain": 1.0}
        expected = {"parameters": {"sigma": best} | plain, "PSNR": pytest.approx(reached[best], abs=1e-3), "at_end": []}
        assert tuned["Gaussian filter"]["gaussian"] == {"0.5": expected}
        assert tuned["median filter"]["gaussian"]["0.5"]["parameters"] == {"radius": 1.5} | plain
        assert tuned["median filter"]["gaussian"]["0.5"]["at_end"] == ["radius"]
        nothing = pytest.approx(psnr("blur", lambda image: image), abs=1e-3)
        assert tuned["noisy image"]["blur"]["2"] == {"parameters": {}, "PSNR": nothing, "at_end": []}
        assert tuned["Gaussian filter"]["blur"]["2"] == {
            "parameters": {"sigma": 0} | plain,
            "PSNR": nothing,
            "at_end": ["sigma"],
        }

        # From now on, that is what the denoisers do.
        image = noisy["gaussian"][:1]
        denoised = few["Gaussian filter"](image, kind="gaussian", level=0.5)
        np.testing.assert_allclose(denoised[0, ..., 0], blurred(0.8)(image[0]), atol=1e-6)
    finally:
        denoisers.tuned_parameters.cache_clear()


def test_every_denoiser_is_tuned_for_every_level_within_its_grid(stored):
    assert set(stored) == set(baselines.DENOISERS)
    for name, denoiser in baselines.DENOISERS.items():
        assert {kind: set(levels) for kind, levels in stored[name].items()} == {
            kind: {f"{level:g}" for level in levels} for kind, levels in baselines.LEVELS.items()
        }
        for tuned in (tuned for levels in stored[name].values() for tuned in levels.values()):
            grids = denoiser.grid | (denoisers.LAST_STEP if denoiser.grid else {})
            assert set(tuned["parameters"]) == set(grids)
            assert all(value in grids[key] for key, value in tuned["parameters"].items())


def test_the_best_lies_at_an_end_of_a_grid_only_where_there_is_nothing_beyond(stored):
    for name, kinds in stored.items():
        for kind, levels in kinds.items():
            for level, tuned in levels.items():
                strength = next(iter(baselines.DENOISERS[name].grid), None)
                # Filters do nothing at 0, and PCA with all its components; of a digit half gone the fewest are best. Blur without noise is
                # undone the better, the less ridge regression is held back.
                fewest = 10 if (kind, level) == ("occlusion", "0.75") else 784
                beyond_is_nothing = {"ridge regression": 1e-8 if kind == "blur" else None, "PCA": fewest}.get(name, 0)
                if strength in tuned["at_end"]:
                    assert tuned["parameters"][strength] == beyond_is_nothing


def test_on_the_digits_that_filters_were_tuned_on_they_never_harm(stored):
    for name in FILTERS:
        for kind, levels in stored[name].items():
            for level, tuned in levels.items():
                assert tuned["PSNR"] >= stored["noisy image"][kind][level]["PSNR"]


@pytest.mark.parametrize("name", ["noisy image", "Gaussian filter", "total variation", "PCA"])
@pytest.mark.parametrize("kind", ["gaussian", "occlusion"])
def test_the_stored_psnr_is_reached(stored, name, kind):
    held_out = data.load().x_train[-5000:][: make._TUNING_DIGITS]
    noisy = noise.corrupt(held_out, kind, 0.5, make._TUNING_SEED)
    reached = metrics.psnr(held_out, baselines.DENOISERS[name](noisy, kind=kind, level=0.5)).mean()
    assert reached == pytest.approx(stored[name][kind]["0.5"]["PSNR"], abs=0.01)  # of another processor


def test_a_resumable_table_measures_each_point_once_and_gives_what_is_asked_for_in_its_order(tmp_path):
    measured = []

    def measure(kind, level):
        measured.append((kind, level))
        return [{"method": "once", "value": level}, {"method": "twice", "value": 2 * level}]

    blur, less, more = ({"kind": kind, "level": level} for kind, level in (("blur", 2.0), ("gaussian", 0.1), ("gaussian", 0.25)))

    def table(rests_on, *points):
        found = resumable.resumable_table("denoising", rests_on, list(points), measure, tmp_path / "build")
        return list(found[["kind", "level", "method", "value"]].itertuples(index=False, name=None))

    rows = {
        "blur": [("blur", 2.0, "once", 2.0), ("blur", 2.0, "twice", 4.0)],
        "less": [("gaussian", 0.1, "once", 0.1), ("gaussian", 0.1, "twice", 0.2)],
        "more": [("gaussian", 0.25, "once", 0.25), ("gaussian", 0.25, "twice", 0.5)],
    }
    assert table({"weights": "a", "tuning": "b"}, blur, less) == rows["blur"] + rows["less"]
    assert table({"tuning": "b", "weights": "a"}, more, blur) == rows["more"] + rows["blur"]
    assert measured == [("blur", 2.0), ("gaussian", 0.1), ("gaussian", 0.25)]
    assert table({"weights": "another", "tuning": "b"}, blur) == rows["blur"]
    assert measured[3:] == [("blur", 2.0)]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Few digits, levels and methods, and two untrained networks, one of them said to be trained on noise of all levels."""
    digits = data.load()
    few = data.Dataset(digits.x_train, None, digits.x_test[:5], None)
    recipes = {"original_denoiser": 0.5, "range_denoiser": [0.0, 1.0]}
    records = {recipe: {"recipe": {"noise_kind": "gaussian", "noise_level": level}, "sha256": recipe} for recipe, level in recipes.items()}
    conditions = [("gaussian", 0.1), ("gaussian", 0.5), ("blur", 2.0)]
    records |= {names.own_denoiser(*condition): {"sha256": "own"} for condition in conditions}
    filters = ("noisy image", "Gaussian filter")
    monkeypatch.setattr(make, "CONDITIONS", conditions)
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(make, "_COMPARED", tuple(recipes))
    monkeypatch.setattr(networks, "record", records.__getitem__)
    monkeypatch.setattr(networks, "load", lambda name: models.build_autoencoder((4, 4), seed=len(name)))
    monkeypatch.setattr(denoisers, "DENOISERS", {name: baselines.DENOISERS[name] for name in filters})
    monkeypatch.setattr(denoisers, "LEVELS", {"gaussian": (0.1, 0.5), "blur": (2.0,)})
    denoisers.tuned_parameters()  # what ships, for the filters; the copy is for what the table rests on
    monkeypatch.setattr(denoisers, "TUNED", tmp_path / "denoisers.json")
    denoisers.TUNED.write_text("{}")
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    make._own_network.cache_clear()
    yield records
    make._own_network.cache_clear()


def test_the_table_holds_both_comparisons_of_all_methods(small, tmp_path):
    make.measure_denoising(tmp_path / "build")
    table = reference.denoising().set_index(["tuned_for", "kind", "level", "method"])
    trained = ["original_denoiser", "range_denoiser"]
    fair = [("gaussian", 0.1), ("gaussian", 0.5), ("blur", 2.0)]
    fair_methods = [*denoisers.DENOISERS, *trained, "own_denoiser"]
    expected = [("the condition", *condition, name) for condition in fair for name in fair_methods]
    ignorant = [("gaussian", 0.1), ("blur", 2.0)]
    expected += [("gaussian 0.5", *condition, name) for condition in ignorant for name in [*denoisers.DENOISERS, trained[0]]]
    assert list(table.index) == expected
    assert (table["n"] == 5).all()
    assert (table.xs("original_denoiser", level="method")[["PSNR difference", "SSIM half-width"]] == 0).all(axis=None)

    clean = data.load().x_test
    noisy = noise.corrupt(clean, "blur", 2.0)
    told, mistold = (
        baselines.DENOISERS["Gaussian filter"](noisy, kind=kind, level=level) for kind, level in (("blur", 2.0), ("gaussian", 0.5))
    )
    for block, denoised in {"the condition": told, "gaussian 0.5": mistold}.items():
        row = table.loc[(block, "blur", 2.0, "Gaussian filter")]
        for measure, function in {"PSNR": metrics.psnr, "SSIM": metrics.ssim}.items():
            assert row[measure] == pytest.approx(function(clean, denoised).mean(), abs=5.1e-5)  # rounded to four digits


def test_a_killed_comparison_goes_on_where_it_was(small, tmp_path, monkeypatch):
    measured, compare = [], baselines.compare

    def killed_at_the_third(denoisers, images, conditions, **options):
        measured.append(conditions)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return compare(denoisers, images, conditions, **options)

    monkeypatch.setattr(comparison, "compare", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        make.measure_denoising(tmp_path / "build")
    assert not (tables.FILES / "denoising.csv").exists()
    make.measure_denoising(tmp_path / "build")
    assert len(measured) == 3 + 3  # five in all, of which two were kept
    resumed = reference.denoising()
    make.measure_denoising(tmp_path / "other")
    pd.testing.assert_frame_equal(reference.denoising(), resumed)


@pytest.mark.parametrize("changed", ["weights", "tuning"])
def test_what_was_measured_of_others_is_not_taken_over(small, tmp_path, monkeypatch, changed):
    make.measure_denoising(tmp_path / "build")
    if changed == "weights":
        small["range_denoiser"]["sha256"] = "another"
    else:
        denoisers.TUNED.write_text("{ }")
    monkeypatch.setattr(denoisers, "DENOISERS", {"leave": leave})
    make.measure_denoising(tmp_path / "build")
    assert "leave" in set(reference.denoising()["method"])


@pytest.fixture(scope="module")
def table():
    return reference.denoising().set_index(["tuned_for", "kind", "level", "method"])


def test_the_shipped_table_holds_everything(table):
    fair, ignorant = (table.loc[block] for block in ("the condition", "gaussian 0.5"))
    methods, conditions = (
        {*baselines.DENOISERS, "original_denoiser", "fast_denoiser", "range_denoiser", "own_denoiser"},
        {(kind, level) for kind in baselines.LEVELS for level in baselines.LEVELS[kind]},
    )
    assert set(fair.index) == {(*condition, method) for condition in conditions for method in methods}
    assert set(ignorant.index) == {
        (*condition, method) for condition in conditions - {("gaussian", 0.5)} for method in methods - {"range_denoiser", "own_denoiser"}
    }
    assert (table["n"] == 10_000).all()
    assert table.notna().all(axis=None)
    assert (tables.FILES / "denoising.csv").stat().st_size < 60e3


@pytest.mark.parametrize(("level", "psnr"), [(0.1, 22.66), (0.25, 14.86), (0.5, 9.38), (1.0, 5.98)])
def test_the_noisy_digits_of_the_shipped_table_have_the_known_psnr(table, level, psnr):
    assert table.loc[("the condition", "gaussian", level, "noisy image"), "PSNR"] == pytest.approx(psnr, abs=0.006)


def test_ridge_regression_of_the_shipped_table_has_the_known_psnr(table):
    psnr = table.loc[("the condition", "gaussian", 0.5, "ridge regression"), "PSNR"]
    assert psnr == pytest.approx(18.4, abs=0.1)  # without a gain and an offset 17.57


def test_no_filter_gains_from_being_tuned_for_another_noise(table):
    filters = table["PSNR"].unstack("method")[["Gaussian filter", "median filter", "total variation", "non-local means"]]
    gain = filters.loc["gaussian 0.5"] - filters.loc["the condition"].drop(("gaussian", 0.5))
    assert gain.max(axis=None) < 0.05  # dB: chosen on other digits


@pytest.mark.parametrize("name", ["noisy image", "median filter", "original_denoiser"])
def test_the_shipped_table_is_measured_again_on_a_part(table, name):
    denoise = baselines.DENOISERS.get(name) or models.as_denoiser(reference.load(name))
    row = baselines.compare({name: denoise}, data.load().x_test[:200], [("gaussian", 0.5)]).loc[0]
    stored = table.loc[("the condition", "gaussian", 0.5, name)]
    assert row["PSNR"] == pytest.approx(stored["PSNR"], abs=0.3)  # 200 digits of 10,000, with deviations of up to 2 dB
    assert row["SSIM"] == pytest.approx(stored["SSIM"], abs=0.03)
