import numpy as np
import pytest
import skimage.filters
import skimage.util
from scipy import stats

from convae_nb import data, noise

KINDS = list(noise.KINDS)
# Fixed seeds: each of these probabilities is one number, and 1e-3 leaves none of the true claims to luck.
RARE = 1e-3


@pytest.fixture(scope="module")
def digits():
    return data.load().x_test[:30]


def flat(value, *shape):
    return np.full(shape, value, "float32")


def test_the_levels_have_the_ranges_that_are_documented():
    assert {name: (kind.low, kind.high) for name, kind in noise.KINDS.items()} == {
        "gaussian": (0, 2),
        "speckle": (0, 2),
        "salt_and_pepper": (0, 1),
        "poisson": (0, 2),
        "blur": (0, 5),
        "occlusion": (0, 1),
    }
    assert all(kind.meaning and kind.unit for kind in noise.KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_level_0_returns_the_very_values(digits, kind):
    np.testing.assert_array_equal(noise.corrupt(digits, kind, 0), data.as_images(digits))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [1e-200, 0.3, None])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_result_is_new_images_and_the_input_unchanged(kind, level, channels):
    images = np.random.default_rng(0).uniform(size=(3, 9, 12, channels)).astype("float32")
    images[0] = 0
    before = images.copy()
    noisy = noise.corrupt(images, kind, noise.KINDS[kind].high if level is None else level)
    assert noisy.dtype == np.float32
    assert noisy.shape == images.shape
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert not np.shares_memory(noisy, images)
    noise.KINDS[kind].function(images[1], 0.3, np.random.default_rng(0))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_of_an_image_depends_on_seed_and_index_alone(digits, kind):
    noisy = noise.corrupt(digits, kind, 0.5, seed=3)
    np.testing.assert_array_equal(noise.corrupt(digits[:10], kind, 0.5, seed=3), noisy[:10])
    others = digits.copy()
    others[:5] = 0
    np.testing.assert_array_equal(noise.corrupt(others, kind, 0.5, seed=3)[5:], noisy[5:])


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_numpy_give_the_same_bits(digits, kind):
    np.testing.assert_array_equal(noise.corrupt(digits, kind, np.float64(0.3), np.int64(1)), noise.corrupt(digits, kind, 0.3, 1))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "blur"])
def test_seeds_and_images_have_noise_of_their_own(kind):
    noisy = np.concatenate([noise.corrupt(flat(0.5, 3, 28, 28), kind, 0.25, seed) for seed in (0, 1)])
    assert len(np.unique(noisy.reshape(6, -1), axis=0)) == 6


@pytest.mark.parametrize("kind", ["gaussian", "speckle"])
def test_the_field_is_the_same_at_every_level_scaled(kind):
    images = flat(0.5, 4, 28, 28)
    fields = [(noise.corrupt(images, kind, level) - 0.5) / level for level in (0.02, 0.08)]
    np.testing.assert_allclose(*fields, atol=1e-5)  # a float32 rounding of 6e-8 over the level


def test_salt_and_pepper_of_a_lower_level_stay_at_a_higher():
    few, many = (noise.corrupt(flat(0.5, 4, 28, 28), "salt_and_pepper", level) for level in (0.2, 0.6))
    hit = few != 0.5
    np.testing.assert_array_equal(many[hit], few[hit])


def test_a_smaller_occlusion_lies_in_a_larger():
    small, large = (noise.corrupt(flat(1, 50, 28, 28), "occlusion", level) for level in (0.2, 0.5))
    assert (large <= small).all()


def test_the_pattern_of_photons_stays_as_the_level_moves():
    fields = [noise.corrupt(flat(0.5, 4, 28, 28), "poisson", level).ravel() - 0.5 for level in (0.0049, 0.01, 0.1, 0.15)]
    # The counts' rounding, a third of their deviation at most, is all that comes between.
    assert np.corrcoef(fields).min() > 0.95


def test_gaussian_adds_a_normal_deviation_of_the_level():
    deviations = noise.corrupt(flat(0.5, 100, 28, 28), "gaussian", 0.08).ravel() - 0.5
    assert stats.kstest(deviations, stats.norm(scale=0.08).cdf).pvalue > RARE


@pytest.mark.parametrize(("brightness", "level"), [(0.8, 0.05), (0.4, 0.2)])
def test_speckle_deviates_in_proportion_to_brightness(brightness, level):
    deviations = noise.corrupt(flat(brightness, 100, 28, 28), "speckle", level).ravel() - brightness
    # Tested within what clipping leaves alone.
    expected = stats.truncnorm(-brightness / (brightness * level), (1 - brightness) / (brightness * level), scale=brightness * level)
    inside = deviations[(deviations > -brightness) & (deviations < 1 - brightness - 1e-6)]
    assert stats.kstest(inside, expected.cdf).pvalue > RARE


@pytest.mark.parametrize("kind", ["speckle", "poisson"])
def test_black_stays_black_under_noise_that_scales_with_light(kind):
    assert not noise.corrupt(flat(0, 3, 28, 28), kind, 1.5).any()


@pytest.mark.parametrize(("brightness", "level"), [(0, 0.5), (0.9, 0.5), (1, 2)])
def test_clipping_biases_the_mean_as_the_normal_distribution_says(brightness, level):
    noisy = noise.corrupt(flat(brightness, 400, 28, 28), "gaussian", level)
    normal = stats.norm(brightness, level)
    # The integral of the tail function over [0, 1] is the mean of a variable clipped to [0, 1].
    expected = np.trapezoid(normal.sf(np.linspace(0, 1, 10_001)), dx=1e-4)
    assert noisy.mean(dtype="float64") == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(noisy.size))


def test_black_at_level_half_has_a_mean_of_0_191():
    # 0.5 / sqrt(2 pi) * (1 - exp(-2)) + P(N > 2), by parts.
    assert noise.corrupt(flat(0, 400, 28, 28)).mean() == pytest.approx(0.5 * 0.398942 * 0.864665 + 0.022750, abs=0.002)


@pytest.mark.parametrize(
    ("kind", "level", "mode", "options"),
    [
        ("gaussian", 0.5, "gaussian", {"var": 0.25}),
        ("speckle", 0.7, "speckle", {"var": 0.49}),
        ("salt_and_pepper", 0.3, "s&p", {"amount": 0.3}),
        ("poisson", 0.25, "poisson", {}),  # scikit-image counts 16 photons for white if there are 16 greys
    ],
)
def test_noise_is_distributed_as_that_of_scikit_image(kind, level, mode, options):
    greys = np.linspace(1 / 16, 1, 16)
    images = np.broadcast_to(greys, (200, 28, 16))
    ours = noise.corrupt(images, kind, level)[..., 0]
    theirs = skimage.util.random_noise(images, mode, rng=0, **options)
    for grey in range(16):
        assert stats.ks_2samp(ours[..., grey].ravel(), theirs[..., grey].astype("float32").ravel(), method="asymp").pvalue > RARE


@pytest.mark.parametrize(("brightness", "level"), [(0.5, 0.25), (0.25, 1), (0.75, 2), (0.2, 0.05)])
def test_photons_have_the_probabilities_of_poisson(brightness, level):
    noisy = noise.corrupt(flat(brightness, 100, 28, 28), "poisson", level).ravel()
    white = int(level**-2)  # counts from here on are clipped
    counts = np.rint(np.minimum(noisy, 1) / level**2).astype(int) if white else (noisy > 0).astype(int)
    law = stats.poisson(brightness / level**2)
    last = max(white, 1)
    expected = law.pmf(np.arange(last + 1)) * noisy.size
    expected[last] = law.sf(last - 1) * noisy.size
    observed = np.bincount(counts, minlength=last + 1)
    common = expected > 5
    rest = [observed[~common].sum()], [expected[~common].sum() + 1e-9]
    observed, expected = (np.append(values[common], other) for values, other in zip((observed, expected), rest, strict=True))
    assert stats.chisquare(observed, expected, sum_check=False).pvalue > RARE


@pytest.mark.parametrize("level", [0.0069, 0.0073, 0.001, 1e-5])
def test_many_photons_deviate_by_the_root_of_brightness(level):
    noisy = noise.corrupt(flat(0.5, 50, 28, 28), "poisson", level).astype("float64")
    assert noisy.mean() == pytest.approx(0.5, abs=5 * level / np.sqrt(noisy.size))
    assert noisy.std() == pytest.approx(level * np.sqrt(0.5), rel=0.02)


@pytest.fixture(scope="module")
def hits():
    return noise.corrupt(flat(0.5, 2000, 28, 28), "salt_and_pepper", 0.3)[..., 0] != 0.5


def test_pixels_are_hit_with_the_probability_of_the_level_and_no_fixed_count(hits):
    counts = hits.sum(axis=(1, 2))
    assert stats.binomtest(int(counts.sum()), hits.size, 0.3).pvalue > RARE
    # The scatter between images, over the binomial's, is chi-squared: too little of it is as wrong as too much.
    scatter = stats.chi2(1999).cdf(counts.var(ddof=1) * 1999 / (784 * 0.3 * 0.7))
    assert RARE < scatter < 1 - RARE


def test_every_pixel_is_hit_alike(hits):
    counts = hits.sum(axis=0)
    assert RARE < stats.chi2(784).cdf(((counts - 600) ** 2 / (2000 * 0.3 * 0.7)).sum()) < 1 - RARE


def test_half_of_the_hits_are_white(hits):
    noisy = noise.corrupt(flat(0.5, 100, 28, 28), "salt_and_pepper", 1)
    assert set(np.unique(noisy)) == {0, 1}
    assert stats.binomtest(int(noisy.sum()), noisy.size, 0.5).pvalue > RARE


def test_a_coloured_pixel_is_hit_as_a_whole():
    noisy = noise.corrupt(flat(0.5, 10, 28, 28, 3), "salt_and_pepper", 0.4)
    assert (noisy == noisy[..., :1]).all()
    assert set(np.unique(noisy)) == {0, 0.5, 1}


@pytest.mark.parametrize("kind", ["gaussian", "speckle", "poisson"])
def test_colours_have_noise_of_their_own(kind):
    red, green, blue = np.moveaxis(noise.corrupt(flat(0.5, 10, 28, 28, 3), kind, 0.1), -1, 0)
    assert np.abs(np.corrcoef([red.ravel(), green.ravel(), blue.ravel()]) - np.eye(3)).max() < 0.05


@pytest.mark.parametrize("level", [0.4, 1, 5])
def test_blur_is_the_gaussian_filter_of_scikit_image(level):
    images = np.random.default_rng(0).uniform(size=(3, 12, 15, 3))
    expected = [skimage.filters.gaussian(image, level, mode="reflect", truncate=4, channel_axis=-1) for image in images]
    np.testing.assert_allclose(noise.corrupt(images, "blur", level), expected, atol=1e-6)


def test_blur_keeps_the_brightness_of_every_digit(digits):
    np.testing.assert_allclose(
        noise.corrupt(digits, "blur", 5).mean(axis=(1, 2, 3)), data.as_images(digits).mean(axis=(1, 2, 3)), rtol=1e-5
    )


@pytest.mark.parametrize(("level", "side"), [(0.01, 0), (0.25, 5), (0.5, 10), (1, 20)])
def test_occlusion_is_one_black_square_with_a_share_of_the_shorter_side(level, side):
    wide, high = (noise.corrupt(flat(1, 20, *shape, 3), "occlusion", level) for shape in ((20, 31), (31, 20)))
    for image in [*wide, *high]:
        rows, columns, _ = np.nonzero(image == 0)
        assert (image == 0).sum() == 3 * side**2
        if side:
            assert (np.ptp(rows), np.ptp(columns)) == (side - 1, side - 1)


def test_occlusion_is_anywhere_alike_and_flush_with_the_border_too():
    black = noise.corrupt(flat(1, 6000, 8, 10), "occlusion", 0.5)[..., 0] == 0
    tops, lefts = black.any(axis=2).argmax(axis=1), black.any(axis=1).argmax(axis=1)
    places = np.bincount(tops * 7 + lefts, minlength=35)
    assert len(places) == 35
    assert stats.chisquare(places).pvalue > RARE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "gausian"}, r"kind must be one of gaussian, .*occlusion, got 'gausian': did you mean 'gaussian'\?"),
        ({"kind": "salt"}, r"got 'salt': did you mean 'salt_and_pepper'\?"),
        ({"kind": None}, r"kind must be one of gaussian, .* got None"),
        ({"kind": ["blur"]}, r"kind must be one of gaussian, .* got \['blur'\]: did you mean 'blur'\?"),
        ({"level": 2.1}, r"level of gaussian must be a number from 0 to 2, the standard deviation .* got 2\.1"),
        ({"kind": "occlusion", "level": 1.01}, r"level of occlusion must be a number from 0 to 1, .* got 1\.01"),
        ({"level": -0.1}, r"level of gaussian must be .* got -0\.1"),
        ({"level": np.nan}, r"level of gaussian must be .* got nan"),
        ({"level": True}, r"level of gaussian must be .* got True"),
        ({"level": "0.5"}, r"level of gaussian must be .* got '0\.5'"),
        ({"seed": -1}, r"seed must be a whole number of at least 0, got -1"),
        ({"seed": 1.0}, r"seed must be a whole number of at least 0, got 1\.0"),
        ({"seed": True}, r"seed must be a whole number of at least 0, got True"),
        ({"seed": None}, r"seed must be a whole number of at least 0, got None"),
    ],
)
def test_what_is_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        noise.corrupt(flat(0.5, 1, 8, 8), **options)


def test_what_are_not_images_is_refused_even_at_level_0():
    with pytest.raises(data.DataError, match=r"images / 255"):
        noise.corrupt(flat(255, 1, 8, 8), level=0)
