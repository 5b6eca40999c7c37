import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from convae_nb import baselines, comparison, data, metrics, models, noise, pretrained


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.8, shape).astype("float32")


def leave(noisy, *, kind, level):
    return noisy


def halve(noisy, *, kind, level):
    return noisy / 2


@pytest.fixture(scope="module")
def digits():
    return data.as_images(data.load().x_test[:200])


def test_a_row_a_condition_and_method_in_their_order():
    conditions = [("blur", 1.0), ("gaussian", 0.1), ("gaussian", 0.5)]
    table = comparison.compare({"halve": halve, "leave": leave}, random_images(3, 12, 12, 1), conditions)
    assert list(table.columns) == ["kind", "level", "method", "PSNR", "SSIM", "n"]
    assert list(table.index) == list(range(6))
    assert list(zip(table["kind"], table["level"], strict=True)) == [condition for condition in conditions for _ in range(2)]
    assert table["method"].tolist() == ["halve", "leave"] * 3
    assert (table["n"] == 3).all()


def test_psnr_and_ssim_are_those_of_grey_by_arithmetic():
    # Against white, a brightness of 0.5 is wrong by 0.5, 6.02 dB; its SSIM is (2 * 0.5 + c) / (1 + 0.25 + c), c = 0.01**2.
    table = comparison.compare({"halve": halve}, np.ones((4, 11, 11)), [("poisson", 0)])
    assert table["PSNR"].item() == pytest.approx(-20 * np.log10(0.5))
    assert table["SSIM"].item() == pytest.approx(1.0001 / 1.2501)


@pytest.mark.parametrize("seed", [0, 3])
def test_every_method_gets_the_same_noise_whatever_one_does_to_it(monkeypatch, seed):
    monkeypatch.setattr(comparison, "_BATCH", 4)
    seen = {}

    def spoil(noisy, *, kind, level):
        seen.setdefault("spoil", []).append(noisy.copy())
        noisy[:] = 0
        return noisy

    def look(noisy, *, kind, level):
        seen.setdefault((kind, level), []).append(noisy.copy())
        return noisy

    images = random_images(10, 12, 12, 1)
    before = images.copy()
    comparison.compare({"spoil": spoil, "look": look}, images, [("gaussian", 0.5), ("occlusion", 0.25)], seed=seed)
    np.testing.assert_array_equal(images, before)
    expected = [noise.corrupt(images, "gaussian", 0.5, seed), noise.corrupt(images, "occlusion", 0.25, seed)]
    assert [len(batch) for batch in seen["gaussian", 0.5]] == [4, 4, 2]  # no more at a time, whatever the number of images
    np.testing.assert_array_equal(np.concatenate(seen["gaussian", 0.5]), expected[0])
    np.testing.assert_array_equal(np.concatenate(seen["occlusion", 0.25]), expected[1])
    np.testing.assert_array_equal(np.concatenate(seen["spoil"]), np.concatenate(expected))


def test_differences_are_paired_with_intervals_of_the_normal_distribution(digits):
    methods = {name: baselines.DENOISERS[name] for name in ("noisy image", "Gaussian filter")}
    table = comparison.compare(methods, digits, [("gaussian", 0.25)], seed=1, reference="noisy image").set_index("method")
    noisy = noise.corrupt(digits, "gaussian", 0.25, 1)
    filtered = methods["Gaussian filter"](noisy, kind="gaussian", level=0.25)
    for measure, function in {"PSNR": metrics.psnr, "SSIM": metrics.ssim}.items():
        differences = function(digits, filtered) - function(digits, noisy)
        low, high = stats.norm.interval(0.95, differences.mean(), stats.sem(differences))
        row = table.loc["Gaussian filter"]
        assert row[measure] == pytest.approx(function(digits, filtered).mean())
        assert row[f"{measure} difference"] == pytest.approx((low + high) / 2)
        assert row[f"{measure} half-width"] == pytest.approx((high - low) / 2)
        assert (table.loc["noisy image", [f"{measure} difference", f"{measure} half-width"]] == 0).all()


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)

    def grey():
        # Against white, a brightness of 1 - e is wrong by e: a PSNR that differs from image to image, by 10 dB in the mean.
        errors = 10 ** (-rng.normal(10, 1, (40, 1, 1, 1)) / 20)
        return lambda noisy, *, kind, level: np.broadcast_to(1 - errors, noisy.shape)

    tables = [comparison.compare({"a": grey(), "b": grey()}, np.ones((40, 11, 11)), [("blur", 0)], reference="a") for _ in range(200)]
    held = sum(abs(table["PSNR difference"][1]) <= table["PSNR half-width"][1] for table in tables)
    assert stats.binomtest(int(held), 200, 0.95).pvalue > 1e-3


def test_one_image_has_no_interval():
    table = comparison.compare({"halve": halve, "leave": leave}, random_images(1, 12, 12), [("gaussian", 0.1)], reference="leave")
    assert table[["PSNR half-width", "SSIM half-width"]].isna().all(axis=None)
    assert table[["PSNR difference", "SSIM difference"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reference": "leav"}, r"reference must be one of the denoisers, halve, leave, got 'leav': did you mean 'leave'\?"),
        ({"reference": 3}, "reference must be one of the denoisers, halve, leave, got 3"),
        ({"denoisers": {}}, "at least one denoiser and one condition, got 0 and 1"),
        ({"conditions": []}, "at least one denoiser and one condition, got 2 and 0"),
        ({"conditions": ("gaussian", 0.5)}, r"conditions must be pairs of a kind and a level, such as .*, got 'gaussian'"),
        ({"conditions": [("gaussian", 0.5, 1)]}, r"conditions must be pairs .*, got \('gaussian', 0.5, 1\)"),
        ({"conditions": [("gaussian", 0.5), ("blurr", 1)]}, "kind must be one of .* did you mean 'blur'"),
        ({"conditions": [("gaussian", 0.5), ("blur", 6)]}, "level of blur must be a number from 0 to 5"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"images": np.full((2, 12, 12), 2.0)}, r"images of floats must lie in \[0, 1\]"),
        ({"denoisers": {"cut": lambda noisy, *, kind, level: noisy[:, 1:]}}, "must have the same shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(changed, message):
    given = {"denoisers": {"halve": halve, "leave": leave}, "images": random_images(2, 12, 12), "conditions": [("gaussian", 0.5)]}
    given |= {"reference": None} | changed
    with pytest.raises(ValueError, match=message):
        comparison.compare(given.pop("denoisers"), given.pop("images"), given.pop("conditions"), **given)


def test_images_too_small_for_ssim_are_compared_by_psnr_alone():
    table = comparison.compare({"halve": halve, "leave": leave}, np.ones((2, 10, 12)), [("gaussian", 0)], reference="leave")
    assert table.filter(like="SSIM").isna().all(axis=None)
    assert table["PSNR"].to_list() == pytest.approx([20 * np.log10(2), 58.92], abs=0.01)


def test_what_is_wrong_is_refused_before_anything_is_denoised():
    def never(noisy, *, kind, level):
        raise AssertionError

    with pytest.raises(ValueError, match="level of blur"):
        comparison.compare({"never": never}, random_images(2, 12, 12), [("gaussian", 0.5), ("blur", 6)])


def test_a_network_denoises_alike_whatever_kind_and_level(digits):
    model = models.build_autoencoder((4, 4), seed=1)
    denoise = comparison.network(model)
    expected = special.expit(model(digits[:10], training=False))
    for kind, level in (("gaussian", 0.5), ("blur", 2)):
        np.testing.assert_allclose(denoise(digits[:10], kind=kind, level=level), expected, atol=1e-6)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Few digits, levels and methods, and two untrained networks, one of them said to be trained on noise of all levels."""
    digits = data.load()
    few = data.Dataset(digits.x_train, None, digits.x_test[:5], None)
    recipes = {"original_denoiser": 0.5, "range_denoiser": [0.0, 1.0], "original_basic": 0.0}
    records = {
        f"{recipe}/0": {"recipe": {"noise_kind": "gaussian", "noise_level": level}, "sha256": recipe} for recipe, level in recipes.items()
    }
    filters = ("noisy image", "Gaussian filter")
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setattr(pretrained, "NAMES", ("original_basic/0", "original_denoiser/0", "original_denoiser/1", "range_denoiser/0"))
    monkeypatch.setattr(pretrained, "record", records.__getitem__)
    monkeypatch.setattr(pretrained, "load", lambda name: models.build_autoencoder((4, 4), seed=len(name)))
    monkeypatch.setattr(baselines, "DENOISERS", {name: baselines.DENOISERS[name] for name in filters})
    monkeypatch.setattr(baselines, "LEVELS", {"gaussian": (0.1, 0.5), "blur": (2.0,)})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "denoisers.json").write_text("{}")
    monkeypatch.setattr(comparison, "_FILE", tmp_path / "files" / "denoising.csv")
    return records


def test_the_table_holds_both_comparisons_of_all_methods(small, tmp_path):
    comparison.make(tmp_path / "build")
    table = comparison.reference_table().set_index(["tuned_for", "kind", "level", "method"])
    networks = ["original_denoiser", "range_denoiser"]
    fair = [("gaussian", 0.1), ("gaussian", 0.5), ("blur", 2.0)]
    expected = [("the condition", *condition, name) for condition in fair for name in [*baselines.DENOISERS, *networks]]
    ignorant = [("gaussian", 0.1), ("blur", 2.0)]
    expected += [("gaussian 0.5", *condition, name) for condition in ignorant for name in [*baselines.DENOISERS, networks[0]]]
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
    measured, compare = [], comparison.compare

    def killed_at_the_third(denoisers, images, conditions, **options):
        measured.append(conditions)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return compare(denoisers, images, conditions, **options)

    monkeypatch.setattr(comparison, "compare", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        comparison.make(tmp_path / "build")
    assert not comparison._FILE.exists()
    comparison.make(tmp_path / "build")
    assert len(measured) == 3 + 3  # five in all, of which two were kept
    resumed = comparison.reference_table()
    comparison.make(tmp_path / "other")
    pd.testing.assert_frame_equal(comparison.reference_table(), resumed)


@pytest.mark.parametrize("changed", ["weights", "tuning"])
def test_what_was_measured_of_others_is_not_taken_over(small, tmp_path, monkeypatch, changed):
    comparison.make(tmp_path / "build")
    if changed == "weights":
        small["range_denoiser/0"]["sha256"] = "another"
    else:
        comparison._FILE.with_name("denoisers.json").write_text("{ }")
    monkeypatch.setattr(baselines, "DENOISERS", {"leave": leave})
    comparison.make(tmp_path / "build")
    assert "leave" in set(comparison.reference_table()["method"])


@pytest.fixture(scope="module")
def table():
    return comparison.reference_table().set_index(["tuned_for", "kind", "level", "method"])


def test_the_shipped_table_holds_everything(table):
    fair, ignorant = (table.loc[block] for block in ("the condition", "gaussian 0.5"))
    networks = {name.split("/")[0] for name in pretrained.NAMES if name.endswith("denoiser/0")}
    methods, conditions = (
        {*baselines.DENOISERS, *networks},
        {(kind, level) for kind in baselines.LEVELS for level in baselines.LEVELS[kind]},
    )
    assert set(fair.index) == {(*condition, method) for condition in conditions for method in methods}
    assert set(ignorant.index) == {
        (*condition, method) for condition in conditions - {("gaussian", 0.5)} for method in methods - {"range_denoiser"}
    }
    assert (table["n"] == 10_000).all()
    assert table.notna().all(axis=None)
    assert comparison._FILE.stat().st_size < 60e3


@pytest.mark.parametrize(("level", "psnr"), [(0.1, 22.66), (0.25, 14.86), (0.5, 9.38), (1.0, 5.98)])
def test_the_noisy_digits_of_the_shipped_table_have_the_known_psnr(table, level, psnr):
    assert table.loc[("the condition", "gaussian", level, "noisy image"), "PSNR"] == pytest.approx(psnr, abs=0.006)


def test_ridge_regression_of_the_shipped_table_has_the_known_psnr(table):
    assert table.loc[("the condition", "gaussian", 0.5, "ridge regression"), "PSNR"] == pytest.approx(17.57, abs=0.1)


def test_no_filter_gains_from_being_tuned_for_another_noise(table):
    filters = table["PSNR"].unstack("method")[["Gaussian filter", "median filter", "total variation", "non-local means"]]
    gain = filters.loc["gaussian 0.5"] - filters.loc["the condition"].drop(("gaussian", 0.5))
    assert gain.max(axis=None) < 0.05  # dB: chosen on other digits


@pytest.mark.parametrize("name", ["noisy image", "median filter", "original_denoiser"])
def test_the_shipped_table_is_measured_again_on_a_part(table, digits, name):
    denoise = baselines.DENOISERS.get(name) or comparison.network(pretrained.load(name))
    row = comparison.compare({name: denoise}, digits, [("gaussian", 0.5)]).loc[0]
    stored = table.loc[("the condition", "gaussian", 0.5, name)]
    assert row["PSNR"] == pytest.approx(stored["PSNR"], abs=0.3)  # 200 digits of 10,000, with deviations of up to 2 dB
    assert row["SSIM"] == pytest.approx(stored["SSIM"], abs=0.03)
