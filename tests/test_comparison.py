import numpy as np
import pytest
from scipy import stats

from convae_nb import baselines, data, metrics, noise
from convae_nb.measures import comparison


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
    table = baselines.compare({"halve": halve, "leave": leave}, random_images(3, 12, 12, 1), conditions)
    assert list(table.columns) == ["kind", "level", "method", "PSNR", "SSIM", "n"]
    assert list(table.index) == list(range(6))
    assert list(zip(table["kind"], table["level"], strict=True)) == [condition for condition in conditions for _ in range(2)]
    assert table["method"].tolist() == ["halve", "leave"] * 3
    assert (table["n"] == 3).all()


def test_psnr_and_ssim_are_those_of_grey_by_arithmetic():
    # Against white, a brightness of 0.5 is wrong by 0.5, 6.02 dB; its SSIM is (2 * 0.5 + c) / (1 + 0.25 + c), c = 0.01**2.
    table = baselines.compare({"halve": halve}, np.ones((4, 11, 11)), [("poisson", 0)])
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
    baselines.compare({"spoil": spoil, "look": look}, images, [("gaussian", 0.5), ("occlusion", 0.25)], seed=seed)
    np.testing.assert_array_equal(images, before)
    expected = [noise.corrupt(images, "gaussian", 0.5, seed), noise.corrupt(images, "occlusion", 0.25, seed)]
    assert [len(batch) for batch in seen["gaussian", 0.5]] == [4, 4, 2]  # no more at a time, whatever the number of images
    np.testing.assert_array_equal(np.concatenate(seen["gaussian", 0.5]), expected[0])
    np.testing.assert_array_equal(np.concatenate(seen["occlusion", 0.25]), expected[1])
    np.testing.assert_array_equal(np.concatenate(seen["spoil"]), np.concatenate(expected))


def test_differences_are_paired_with_intervals_of_the_normal_distribution(digits):
    methods = {name: baselines.DENOISERS[name] for name in ("noisy image", "Gaussian filter")}
    table = baselines.compare(methods, digits, [("gaussian", 0.25)], seed=1, reference="noisy image").set_index("method")
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

    tables = [baselines.compare({"a": grey(), "b": grey()}, np.ones((40, 11, 11)), [("blur", 0)], reference="a") for _ in range(200)]
    held = sum(abs(table["PSNR difference"][1]) <= table["PSNR half-width"][1] for table in tables)
    assert stats.binomtest(int(held), 200, 0.95).pvalue > 1e-3


def test_one_image_has_no_interval():
    table = baselines.compare({"halve": halve, "leave": leave}, random_images(1, 12, 12), [("gaussian", 0.1)], reference="leave")
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
        baselines.compare(given.pop("denoisers"), given.pop("images"), given.pop("conditions"), **given)


def test_images_too_small_for_ssim_are_compared_by_psnr_alone():
    table = baselines.compare({"halve": halve, "leave": leave}, np.ones((2, 10, 12)), [("gaussian", 0)], reference="leave")
    assert table.filter(like="SSIM").isna().all(axis=None)
    assert table["PSNR"].to_list() == pytest.approx([20 * np.log10(2), 58.92], abs=0.01)


def test_what_is_wrong_is_refused_before_anything_is_denoised():
    def never(noisy, *, kind, level):
        raise AssertionError

    with pytest.raises(ValueError, match="level of blur"):
        baselines.compare({"never": never}, random_images(2, 12, 12), [("gaussian", 0.5), ("blur", 6)])
