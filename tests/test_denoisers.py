import subprocess
import sys

import numpy as np
import pytest
import skimage.filters
import skimage.restoration
from scipy import stats
from sklearn import linear_model

from convae_nb import baselines, data, metrics, noise
from convae_nb.measures import denoisers

FILTERS = ["Gaussian filter", "median filter", "total variation", "non-local means"]
LEARNED = ["ridge regression", "PCA"]


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


@pytest.fixture(scope="module")
def clean():
    return data.as_images(data.load().x_test[:1000])


def test_denoisers_are_imported_without_tensorflow():
    code = "import sys; from convae_nb import baselines; print({'tensorflow', 'keras'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_every_kind_of_noise_has_three_levels_or_more_in_its_range():
    assert list(baselines.LEVELS) == list(noise.KINDS)
    for kind, levels in baselines.LEVELS.items():
        assert len(set(levels)) >= 3
        assert noise.KINDS[kind].low < min(levels) <= max(levels) <= noise.KINDS[kind].high


def test_the_denoisers_are_the_known_filters_and_what_is_fitted_to_digits():
    assert list(baselines.DENOISERS) == ["noisy image", *FILTERS, *LEARNED]


@pytest.mark.parametrize("name", baselines.DENOISERS)
def test_a_denoiser_gives_new_images_in_range_each_as_it_would_be_alone(clean, name):
    denoise = baselines.DENOISERS[name]
    noisy = noise.corrupt(clean[:4], level=0.5)
    before = noisy.copy()
    denoised = denoise(noisy, kind="gaussian", level=0.5)
    np.testing.assert_array_equal(noisy, before)
    assert denoised.dtype == "float32"
    assert denoised.shape == noisy.shape
    assert not np.shares_memory(denoised, noisy)
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    assert np.array_equal(denoised, noisy) == (name == "noisy image")
    np.testing.assert_array_equal(denoise(noisy, kind="gaussian", level=0.5), denoised)
    # Products of matrices may be summed in another order.
    alone = np.concatenate([denoise(image[None], kind="gaussian", level=0.5) for image in noisy])
    np.testing.assert_allclose(alone, denoised, atol=1e-5 if name in LEARNED else 0)


@pytest.mark.parametrize("name", ["noisy image", *FILTERS])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 1), (2, 31, 12, 3)])
def test_filters_take_any_size_in_grey_and_colour(name, shape):
    images = random_images(*shape)
    denoised = baselines.DENOISERS[name](images, kind="gaussian", level=0.5)
    assert denoised.shape == shape
    flat = baselines.DENOISERS[name](np.full(shape, 0.25), kind="gaussian", level=0.5)
    # Of a gain and an offset, which suit digits, nothing is left in pictures of another shape; an undone bias is of the noise alone.
    tuned = denoisers.tuned_parameters()[name]["gaussian"]["0.5"]["parameters"]
    grey = np.interp(0.25, *denoisers._mean_noisy_values("gaussian", 0.5)) if tuned.get("undo_bias") else 0.25
    np.testing.assert_allclose(flat, grey, atol=1e-6)


@pytest.mark.parametrize("name", ["Gaussian filter", "median filter", "total variation"])
def test_colours_are_filtered_one_by_one(name):
    images = random_images(3, 12, 15, 3)
    coloured = baselines.DENOISERS[name](images, kind="gaussian", level=0.5)
    for channel in range(3):
        grey = baselines.DENOISERS[name](images[..., channel], kind="gaussian", level=0.5)
        np.testing.assert_allclose(coloured[..., channel], grey[..., 0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("Gaussian filter", {"sigma": 0.8}, lambda image: skimage.filters.gaussian(image, 0.8, mode="reflect", truncate=4)),
        ("median filter", {"radius": 1.5}, lambda image: skimage.filters.median(image, np.ones((3, 3)), mode="reflect")),
        ("total variation", {"weight": 0.2}, lambda image: skimage.restoration.denoise_tv_chambolle(image, weight=0.2)),
        (
            "non-local means",
            {"h": 0.2, "patch_distance": 3},
            lambda image: skimage.restoration.denoise_nl_means(image, patch_size=5, patch_distance=3, h=0.2),
        ),
    ],
)
def test_filters_are_those_of_scikit_image_on_every_image(clean, name, given, expected):
    noisy = noise.corrupt(clean[:5], level=0.25)
    denoised = baselines.DENOISERS[name].apply(noisy, ("gaussian", 0.25), given)
    np.testing.assert_allclose(denoised[..., 0], [expected(image[..., 0]) for image in noisy], atol=1e-6)


@pytest.mark.parametrize(("radius", "pixels"), [(1, 5), (1.5, 9), (2, 13), (2.3, 21), (2.9, 25), (3, 29), (3.2, 37), (4, 49)])
def test_a_median_takes_the_pixels_within_its_radius(radius, pixels):
    # Among this many pixels, half of them and one more are white around the middle: nearest first, the circle of Gauss.
    steps = np.arange(-6, 7)
    distances = np.hypot(steps[:, None], steps)
    nearest = np.sort(distances.ravel())[:pixels]
    assert nearest[-1] <= radius < np.sort(distances.ravel())[pixels]
    white = np.zeros(169, "float32")
    inside = np.flatnonzero(distances.ravel() <= radius)
    white[inside[: pixels // 2]] = 1
    median = baselines.DENOISERS["median filter"]
    assert median.apply(white.reshape(1, 13, 13, 1), None, {"radius": radius})[0, 6, 6, 0] == 0
    white[inside[pixels // 2]] = 1
    assert median.apply(white.reshape(1, 13, 13, 1), None, {"radius": radius})[0, 6, 6, 0] == 1


@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        ("noisy image", {}),
        ("Gaussian filter", {"sigma": 0}),
        ("median filter", {"radius": 0}),
        ("total variation", {"weight": 0}),
        ("non-local means", {"h": 0, "patch_distance": 1}),
    ],
)
def test_strength_0_does_nothing_and_is_where_the_grid_starts(name, nothing):
    images = random_images(2, 9, 8, 3)
    images[0, :7] = 0.5  # flat, too
    last = {key: values[0] for key, values in denoisers.LAST_STEP.items()}
    np.testing.assert_array_equal(baselines.DENOISERS[name].apply(images, None, nothing | last), images)
    assert {key: values[0] for key, values in baselines.DENOISERS[name].grid.items()} == nothing


def test_an_undone_bias_gives_the_grey_back_whose_mean_noisy_value_it_was():
    greys, deviation = np.array([0.05, 0.3, 0.5, 0.8, 0.95]), 0.5
    low, high = (0 - greys) / deviation, (1 - greys) / deviation
    inside = greys * (stats.norm.cdf(high) - stats.norm.cdf(low)) + deviation * (stats.norm.pdf(low) - stats.norm.pdf(high))
    means = inside + 1 - stats.norm.cdf(high)  # of a clipped normal number
    images = np.broadcast_to(means[:, None, None, None], (5, 6, 6, 1)).astype("float32")
    restored = baselines.DENOISERS["median filter"].apply(images, ("gaussian", deviation), {"radius": 1, "undo_bias": True})
    np.testing.assert_allclose(restored[:, 3, 3, 0], greys, atol=0.02)
    left = baselines.DENOISERS["median filter"].apply(images, ("gaussian", deviation), {"radius": 1, "undo_bias": False})
    np.testing.assert_allclose(left, images, atol=1e-6)


def test_gain_and_offset_stretch_the_greys_and_what_leaves_the_range_is_cut_off():
    greys = np.array([0.1, 0.4, 0.9], "float32").reshape(3, 1, 1, 1) * np.ones((1, 6, 6, 1), "float32")
    stretched = baselines.DENOISERS["median filter"].apply(greys, None, {"radius": 1, "gain": 1.5, "offset": 0.2})
    np.testing.assert_allclose(stretched[:, 3, 3, 0], [0, 0.4, 1], atol=1e-6)
    after_the_bias = baselines.DENOISERS["median filter"].apply(
        greys, ("gaussian", 0.5), {"radius": 1, "undo_bias": True, "gain": 1.5, "offset": 0.2}
    )
    undone = baselines.DENOISERS["median filter"].apply(greys, ("gaussian", 0.5), {"radius": 1, "undo_bias": True})
    np.testing.assert_allclose(after_the_bias, np.clip(1.5 * undone - 0.2, 0, 1), atol=1e-6)


@pytest.fixture
def few_digits(monkeypatch):
    """Ridge regression and PCA fitted to 1,000 digits; what is fitted to more is kept aside."""
    monkeypatch.setattr(denoisers, "_FITTING_DIGITS", 1000)
    for fit in ("_ridge", "_moments", "_digits_codec"):
        monkeypatch.setattr(denoisers, fit, getattr(denoisers, fit).__wrapped__)
    return data.as_images(data.load().x_train[:1000])


def test_ridge_regression_is_that_of_scikit_learn_clipped(few_digits, clean):
    kind, level, alpha = "gaussian", 0.25, 100.0
    fitted_on = noise.corrupt(few_digits, kind, level, denoisers._FITTING_SEED).reshape(1000, -1)
    expected = linear_model.Ridge(alpha).fit(fitted_on.astype("float64"), few_digits.reshape(1000, -1))
    noisy = noise.corrupt(clean[:20], kind, level)
    denoised = baselines.DENOISERS["ridge regression"].apply(noisy, (kind, level), {"alpha": alpha})
    np.testing.assert_allclose(denoised.reshape(20, -1), expected.predict(noisy.reshape(20, -1)).clip(0, 1), atol=1e-5)


def test_pca_projects_on_256_components_of_clean_digits(few_digits, clean):
    axes = np.linalg.svd(few_digits.reshape(1000, -1) - few_digits.mean(axis=0).ravel(), full_matrices=False)[2][:256]
    noisy, mean = noise.corrupt(clean[:20]), few_digits.mean(axis=0).ravel()
    expected = (noisy.reshape(20, -1) - mean) @ axes.T @ axes + mean
    denoised = baselines.DENOISERS["PCA"].apply(noisy, ("gaussian", 0.5), {"numbers": 256})
    np.testing.assert_allclose(denoised.reshape(20, -1), expected.clip(0, 1), atol=1e-4)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("shape", [(2, 28, 29, 1), (2, 28, 28, 3), (2, 14, 56, 1)])
def test_what_is_fitted_to_digits_refuses_other_shapes(name, shape):
    with pytest.raises(ValueError, match=rf"is fitted to images of shape \(28, 28, 1\), got \({shape[1]}, {shape[2]}, {shape[3]}\)"):
        baselines.DENOISERS[name](random_images(*shape), kind="gaussian", level=0.5)


def test_what_suits_images_takes_them_and_the_rest_does_not():
    for shape in [(2, 28, 28), (2, 28, 28, 1), (2, 28, 28, 3), (2, 8, 8), (2, 27, 31, 3)]:
        images, suited = random_images(*shape), baselines.suited_to(random_images(*shape))
        for name in suited:
            assert suited[name](images, kind="gaussian", level=0.5).shape[:3] == shape[:3]
        for name in baselines.DENOISERS.keys() - suited.keys():
            with pytest.raises(ValueError, match="is fitted to images of shape"):
                baselines.DENOISERS[name](images, kind="gaussian", level=0.5)


@pytest.mark.parametrize(("level", "psnr"), [(0.1, 22.66), (0.25, 14.86), (0.5, 9.38), (1.0, 5.98)])
def test_noisy_digits_have_the_known_psnr(clean, level, psnr):
    noisy = baselines.DENOISERS["noisy image"](noise.corrupt(clean, level=level), kind="gaussian", level=level)
    # The known figures are of all 10,000 test digits, whose standard deviations are 0.1 to 0.3 dB.
    assert metrics.psnr(clean, noisy).mean() == pytest.approx(psnr, abs=0.05)


def test_a_median_of_3x3_and_ridge_regression_have_the_known_psnr(clean):
    noisy = noise.corrupt(clean, level=0.5)
    median = baselines.DENOISERS["median filter"].apply(noisy, ("gaussian", 0.5), {"radius": 1.5})
    ridge = baselines.DENOISERS["ridge regression"].apply(noisy, ("gaussian", 0.5), {"alpha": 100.0})
    assert metrics.psnr(clean, median).mean() == pytest.approx(14.15, abs=0.2)
    assert metrics.psnr(clean, ridge).mean() == pytest.approx(17.57, abs=0.2)


@pytest.mark.parametrize(("level", "nearest"), [(0, 0.1), (0.175, 0.1), (0.18, 0.25), (0.37, 0.25), (0.4, 0.5), (0.8, 1.0), (2, 1.0)])
def test_the_nearest_tuned_level_counts(monkeypatch, level, nearest):
    sigmas = {0.1: 0.3, 0.25: 0.5, 0.5: 0.9, 1.0: 1.5}
    tuned = {f"{key:g}": {"parameters": {"sigma": sigma}} for key, sigma in sigmas.items()}
    monkeypatch.setattr(denoisers, "tuned_parameters", lambda: {"Gaussian filter": {"gaussian": tuned}})
    images = random_images(2, 9, 9, 1)
    gaussian = baselines.DENOISERS["Gaussian filter"]
    expected = gaussian.apply(images, None, {"sigma": sigmas[nearest]})
    np.testing.assert_array_equal(gaussian(images, kind="gaussian", level=level), expected)


def test_a_method_is_tuned_for_the_noise_that_it_is_told_not_for_that_of_the_image(clean):
    noisy = noise.corrupt(clean[:50], "speckle", 0.25)
    for name in ("Gaussian filter", "ridge regression"):
        told, mistold = (baselines.DENOISERS[name](noisy, kind=kind, level=level) for kind, level in (("speckle", 0.25), ("gaussian", 0.5)))
        assert metrics.psnr(clean[:50], told).mean() > metrics.psnr(clean[:50], mistold).mean() + 0.5


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"kind": "gausian", "level": 0.5}, "kind must be one of gaussian, .* did you mean 'gaussian'"),
        ({"kind": "gaussian", "level": 2.5}, "level of gaussian must be a number from 0 to 2, .* got 2.5"),
        ({"kind": "blur", "level": None}, "level of blur must be a number from 0 to 5, .* got None"),
    ],
)
@pytest.mark.parametrize("name", ["noisy image", "median filter"])
def test_noise_that_there_is_not_is_refused(name, told, message):
    with pytest.raises(ValueError, match=message):
        baselines.DENOISERS[name](random_images(1, 8, 8), **told)
