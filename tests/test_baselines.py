import json
import subprocess
import sys

import numpy as np
import pytest
import skimage.filters
import skimage.metrics
import skimage.restoration
from sklearn import linear_model

from convae_nb import baselines, data, metrics, noise, parameters

FILTERS = ["Gaussian filter", "median filter", "total variation", "non-local means"]
LEARNED = ["ridge regression", "PCA, 256 numbers"]


@pytest.fixture(scope="module")
def digits():
    return data.as_images(data.load().x_train[:1000])[:, 6:22, 6:22]  # where the ink is


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


# More images than values, and fewer: scikit-learn's solver differs.
@pytest.mark.parametrize("shape", [(100, 5, 4, 3), (40, 9, 8, 1)])
@pytest.mark.parametrize("numbers", [1, 7, 30])
def test_pca_is_the_truncated_singular_value_decomposition(shape, numbers):
    images, unseen = 0.4 + 0.2 * random_images(*shape), 0.4 + 0.2 * random_images(6, *shape[1:], seed=1)
    flat = images.reshape(len(images), -1).astype("float64")
    axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:numbers]
    projected = (unseen.reshape(6, -1) - flat.mean(axis=0)) @ axes.T @ axes + flat.mean(axis=0)

    codec = baselines.pca_codec(images, numbers)
    codes = codec.encode(unseen)
    decoded = codec.decode(codes)
    assert codes.shape == (6, numbers)
    assert decoded.dtype == "float32"
    np.testing.assert_allclose(decoded, projected.reshape(unseen.shape), atol=1e-6)


def test_the_error_on_the_training_digits_is_what_the_singular_values_leave(digits):
    flat = digits.reshape(len(digits), -1).astype("float64")
    left = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[128:]
    codec = baselines.pca_codec(digits, 128)
    decoded = codec.pca.inverse_transform(codec.encode(digits))
    assert np.sum((decoded - flat) ** 2) == pytest.approx(np.sum(left**2), rel=1e-4)
    # Pixels are never beyond black and white, so the clipped images are nearer still.
    assert np.sum((codec.decode(codec.encode(digits)) - digits) ** 2) < np.sum(left**2)


def test_as_many_numbers_as_values_lose_nothing():
    images, unseen = random_images(30, 4, 5), random_images(6, 4, 5, seed=1)
    codec = baselines.pca_codec(images, 20)
    np.testing.assert_allclose(codec.decode(codec.encode(unseen))[..., 0], unseen, atol=1e-6)


def test_decoded_images_stay_in_range():
    codec = baselines.pca_codec(random_images(30, 4, 5), 3)
    decoded = codec.decode([[100.0, -100.0, 100.0]])
    assert (decoded.min(), decoded.max()) == (0, 1)


def test_two_fits_are_the_same_bits(digits):
    first, second = (baselines.pca_codec(digits, np.int64(16)).encode(digits[:50]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_uint8_and_float_images_give_the_same_code():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 5), "uint8")
    codec = baselines.pca_codec(pixels, 3)
    np.testing.assert_allclose(codec.encode(pixels), baselines.pca_codec(pixels / 255, 3).encode(pixels / 255), atol=1e-6)


@pytest.mark.parametrize("numbers", [0, -1, 21, 2.0, True, "mle", None])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ValueError, match=rf"numbers must be a whole number from 1 to 20, for 30 images of 20 values, got {numbers!r}"):
        baselines.pca_codec(random_images(30, 4, 5), numbers)


def test_there_are_no_more_numbers_than_images():
    with pytest.raises(ValueError, match="from 1 to 6, for 6 images of 20 values, got 7"):
        baselines.pca_codec(random_images(6, 4, 5), 7)


def test_images_and_codes_of_another_size_are_refused():
    codec = baselines.pca_codec(random_images(30, 4, 5), 3)
    with pytest.raises(ValueError, match=r"fitted to images of shape \(4, 5, 1\), got \(5, 4, 1\)"):
        codec.encode(random_images(2, 5, 4))
    for codes in (np.zeros((2, 4)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"codes must have the shape \(batch, 3\), got"):
            codec.decode(codes)


@pytest.fixture(scope="module")
def clean():
    return data.as_images(data.load().x_test[:1000])


@pytest.fixture(scope="module")
def stored():
    return json.loads(baselines._FILE.read_text("utf-8"))


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
    np.testing.assert_allclose(flat, 0.25, atol=1e-6)


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
    np.testing.assert_array_equal(baselines.DENOISERS[name].apply(images, None, nothing), images)
    assert {key: values[0] for key, values in baselines.DENOISERS[name].grid.items()} == nothing


@pytest.fixture
def few_digits(monkeypatch):
    """Ridge regression and PCA fitted to 1,000 digits; what is fitted to more is kept aside."""
    monkeypatch.setattr(baselines, "_FITTING_DIGITS", 1000)
    for fit in ("_ridge", "_moments", "_digits_codec"):
        monkeypatch.setattr(baselines, fit, getattr(baselines, fit).__wrapped__)
    return data.as_images(data.load().x_train[:1000])


def test_ridge_regression_is_that_of_scikit_learn_clipped(few_digits, clean):
    kind, level, alpha = "gaussian", 0.25, 100.0
    fitted_on = noise.corrupt(few_digits, kind, level, baselines._FITTING_SEED).reshape(1000, -1)
    expected = linear_model.Ridge(alpha).fit(fitted_on.astype("float64"), few_digits.reshape(1000, -1))
    noisy = noise.corrupt(clean[:20], kind, level)
    denoised = baselines.DENOISERS["ridge regression"].apply(noisy, (kind, level), {"alpha": alpha})
    np.testing.assert_allclose(denoised.reshape(20, -1), expected.predict(noisy.reshape(20, -1)).clip(0, 1), atol=1e-5)


def test_pca_projects_on_256_components_of_clean_digits(few_digits, clean):
    axes = np.linalg.svd(few_digits.reshape(1000, -1) - few_digits.mean(axis=0).ravel(), full_matrices=False)[2][:256]
    noisy, mean = noise.corrupt(clean[:20]), few_digits.mean(axis=0).ravel()
    expected = (noisy.reshape(20, -1) - mean) @ axes.T @ axes + mean
    denoised = baselines.DENOISERS["PCA, 256 numbers"](noisy, kind="gaussian", level=0.5)
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


def test_fitting_and_tuning_take_noise_that_no_chapter_can_ask_for():
    assert baselines._FITTING_SEED != baselines._TUNING_SEED
    for seed in (baselines._FITTING_SEED, baselines._TUNING_SEED):
        with pytest.raises(parameters.RefusedError, match="seed"):
            parameters.check(seed=seed)


def test_fitting_and_tuning_take_digits_of_their_own():
    assert baselines._FITTING_DIGITS <= 55_000
    assert baselines._TUNING_DIGITS <= 5_000


@pytest.mark.parametrize(("level", "psnr"), [(0.1, 22.66), (0.25, 14.86), (0.5, 9.38), (1.0, 5.98)])
def test_noisy_digits_have_the_known_psnr(clean, level, psnr):
    noisy = baselines.DENOISERS["noisy image"](noise.corrupt(clean, level=level), kind="gaussian", level=level)
    # The known figures are of all 10,000 test digits, whose standard deviations are 0.1 to 0.3 dB.
    assert metrics.psnr(clean, noisy).mean() == pytest.approx(psnr, abs=0.05)


def test_a_median_of_3x3_and_ridge_regression_have_the_known_psnr(clean):
    noisy = noise.corrupt(clean, level=0.5)
    median = baselines.DENOISERS["median filter"].apply(noisy, ("gaussian", 0.5), {"radius": 1.5})
    ridge = baselines.DENOISERS["ridge regression"](noisy, kind="gaussian", level=0.5)
    assert metrics.psnr(clean, median).mean() == pytest.approx(14.15, abs=0.2)
    assert metrics.psnr(clean, ridge).mean() == pytest.approx(17.57, abs=0.2)


@pytest.mark.parametrize(("level", "nearest"), [(0, 0.1), (0.175, 0.1), (0.18, 0.25), (0.37, 0.25), (0.4, 0.5), (0.8, 1.0), (2, 1.0)])
def test_the_nearest_tuned_level_counts(monkeypatch, level, nearest):
    sigmas = {0.1: 0.3, 0.25: 0.5, 0.5: 0.9, 1.0: 1.5}
    tuned = {f"{key:g}": {"parameters": {"sigma": sigma}} for key, sigma in sigmas.items()}
    monkeypatch.setattr(baselines, "_tuning", lambda: {"Gaussian filter": {"gaussian": tuned}})
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


def test_tuning_takes_the_best_of_the_grid_on_digits_held_out(tmp_path, monkeypatch):
    sigmas, radii = [0, 0.5, 0.8, 0.801, 1.2], [0, 1, 1.5]
    few = {
        "noisy image": baselines.DENOISERS["noisy image"],
        "Gaussian filter": baselines.Denoiser("Gaussian filter", baselines._gaussian, {"sigma": sigmas}),
        "median filter": baselines.Denoiser("median filter", baselines._median, {"radius": radii}),
    }
    levels = {"gaussian": (0.5,), "blur": (2.0,)}
    for name, value in {"DENOISERS": few, "LEVELS": levels, "_TUNING_DIGITS": 20, "_FILE": tmp_path / "denoisers.json"}.items():
        monkeypatch.setattr(baselines, name, value)
    (tmp_path / "denoisers.json").write_text("{}")
    baselines._tuning.cache_clear()
    try:
        assert baselines._tuning() == {}  # what was read before is not kept
        baselines.tune()
        held_out = data.load().x_train[55_000:55_020] / 255
        noisy = {kind: noise.corrupt(held_out, kind, level, baselines._TUNING_SEED)[..., 0] for kind, (level,) in levels.items()}

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
        expected = {"parameters": {"sigma": best}, "PSNR": pytest.approx(reached[best], abs=1e-3), "at_end": []}
        assert tuned["Gaussian filter"]["gaussian"] == {"0.5": expected}
        assert tuned["median filter"]["gaussian"]["0.5"]["parameters"] == {"radius": 1.5}
        assert tuned["median filter"]["gaussian"]["0.5"]["at_end"] == ["radius"]
        nothing = pytest.approx(psnr("blur", lambda image: image), abs=1e-3)
        assert tuned["noisy image"]["blur"]["2"] == {"parameters": {}, "PSNR": nothing, "at_end": []}
        assert tuned["Gaussian filter"]["blur"]["2"] == {"parameters": {"sigma": 0}, "PSNR": nothing, "at_end": ["sigma"]}

        # From now on, that is what the denoisers do.
        image = noisy["gaussian"][:1]
        denoised = few["Gaussian filter"](image, kind="gaussian", level=0.5)
        np.testing.assert_allclose(denoised[0, ..., 0], blurred(0.8)(image[0]), atol=1e-6)
    finally:
        baselines._tuning.cache_clear()


def test_every_denoiser_is_tuned_for_every_level_within_its_grid(stored):
    assert set(stored) == set(baselines.DENOISERS)
    for name, denoiser in baselines.DENOISERS.items():
        assert {kind: set(levels) for kind, levels in stored[name].items()} == {
            kind: {f"{level:g}" for level in levels} for kind, levels in baselines.LEVELS.items()
        }
        for tuned in (tuned for levels in stored[name].values() for tuned in levels.values()):
            assert set(tuned["parameters"]) == set(denoiser.grid)
            assert all(value in denoiser.grid[key] for key, value in tuned["parameters"].items())


def test_the_best_lies_at_an_end_of_a_grid_only_where_there_is_nothing_beyond(stored):
    for name, kinds in stored.items():
        for kind, levels in kinds.items():
            for tuned in levels.values():
                strength = next(iter(baselines.DENOISERS[name].grid), None)
                # Filters do nothing at 0. Blur without noise is undone the better, the less ridge regression is held back.
                beyond_is_nothing = {"ridge regression": 1e-8 if kind == "blur" else None}.get(name, 0)
                if strength in tuned["at_end"]:
                    assert tuned["parameters"][strength] == beyond_is_nothing


def test_on_the_digits_that_filters_were_tuned_on_they_never_harm(stored):
    for name in FILTERS:
        for kind, levels in stored[name].items():
            for level, tuned in levels.items():
                assert tuned["PSNR"] >= stored["noisy image"][kind][level]["PSNR"]


@pytest.mark.parametrize("name", ["noisy image", "Gaussian filter", "total variation", "PCA, 256 numbers"])
@pytest.mark.parametrize("kind", ["gaussian", "occlusion"])
def test_the_stored_psnr_is_reached(stored, name, kind):
    held_out = data.load().x_train[-5000:][: baselines._TUNING_DIGITS]
    noisy = noise.corrupt(held_out, kind, 0.5, baselines._TUNING_SEED)
    reached = metrics.psnr(held_out, baselines.DENOISERS[name](noisy, kind=kind, level=0.5)).mean()
    assert reached == pytest.approx(stored[name][kind]["0.5"]["PSNR"], abs=0.01)  # of another processor
