import subprocess
import sys

import numpy as np
import pytest
import scipy.special
import skimage.metrics

from convae_nb import data, metrics
from convae_nb._base.tensorflow import keras, tf
from convae_nb.measures import metrics as measured


@pytest.fixture(scope="module")
def digits():
    return data.load().x_test


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def tiny_model(image_shape, kernel, weight=10.0, bias=-5.0):
    """A model whose code is ReLU of each pixel's channels times `kernel` (in, maps); its logits are weight · first map + bias."""
    channels, maps = np.shape(kernel)
    encoder = keras.Sequential([keras.Input(image_shape), keras.layers.Conv2D(maps, 1, activation="relu")], name="encoder")
    decoder = keras.Sequential([keras.Input((*image_shape[:2], maps)), keras.layers.Conv2D(channels, 1)], name="decoder")
    encoder.set_weights([np.reshape(kernel, (1, 1, channels, maps)), np.zeros(maps)])
    first = np.zeros((1, 1, maps, channels))
    first[0, 0, 0] = weight
    decoder.set_weights([first, np.full(channels, bias)])
    images = keras.Input(image_shape)
    return keras.Model(images, decoder(encoder(images)))


def test_loss_is_the_cross_entropy_of_the_sigmoid():
    images, logits = random_images(3, 5, 4, 3), np.random.default_rng(1).normal(0, 3, (3, 5, 4, 3))
    prediction = scipy.special.expit(logits)
    expected = -np.mean(images * np.log(prediction) + (1 - images) * np.log(1 - prediction))
    assert metrics.binary_cross_entropy(images, logits) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("pixel", "logit", "loss"), [(1.0, 1e4, 0), (0.0, -1e4, 0), (1.0, -1e4, 1e4), (0.0, 1e4, 1e4), (0.25, 1e4, 7500)])
def test_loss_is_stable_where_the_sigmoid_is_0_or_1(pixel, logit, loss):
    assert metrics.binary_cross_entropy(np.full((1, 2, 2), pixel), np.full((1, 2, 2), logit)) == loss


def test_mean_over_all_test_pixels_is_good_to_a_millionth(digits):
    images = digits / np.float64(255)
    logits = np.random.default_rng(0).normal(-16, 1, digits.shape)
    expected = np.mean(np.logaddexp(0, logits) - images * logits)
    assert metrics.binary_cross_entropy(digits, logits) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(40, 28, 28, 1), (3, 17, 5, 3)])
@pytest.mark.parametrize("scale", [1, 5, 30])
def test_loss_is_that_of_tensorflow_to_ten_digits(shape, scale):
    images = random_images(*shape)
    logits = np.random.default_rng(1).normal(0, scale, shape).astype("float32")
    expected = tf.nn.sigmoid_cross_entropy_with_logits(images.astype("float64"), logits.astype("float64")).numpy().mean()
    assert metrics.binary_cross_entropy(images, logits) == pytest.approx(expected, rel=0, abs=1e-10)


def test_loss_is_the_mean_over_more_images_than_are_taken_at_a_time(monkeypatch):
    images, logits = random_images(7, 3, 4, 1), np.random.default_rng(1).normal(size=(7, 3, 4, 1))
    expected = np.mean([metrics.binary_cross_entropy(images[[i]], logits[[i]]) for i in range(7)])
    monkeypatch.setattr(measured, "_BATCH", 3)
    assert metrics.binary_cross_entropy(images, logits) == pytest.approx(expected, rel=1e-12)


def test_figures_of_images_need_no_tensorflow():
    code = (
        "import sys, numpy as np, convae_nb.metrics as metrics; images = np.zeros((1, 12, 12))\n"
        "metrics.binary_cross_entropy(images, images), metrics.scores(images, images), metrics.trivial_predictors(images)\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_loss_takes_pixels_as_every_kind_of_image():
    bits = random_images(2, 3, 4) > 0.5
    logits = np.random.default_rng(1).normal(size=(2, 3, 4, 1))
    losses = [metrics.binary_cross_entropy(images, logits) for images in (bits, bits * np.uint8(255), bits.astype(float)[..., None])]
    assert len(set(losses)) == 1


def test_a_logit_that_is_not_finite_shows_in_the_loss():
    for pixel in (0.0, 0.5, 1.0):
        for logit in (np.nan, np.inf, -np.inf):
            assert not np.isfinite(metrics.binary_cross_entropy(np.full((1, 2, 2), pixel), [[[0.0, logit], [1.0, 2.0]]]))


def test_floor_of_the_test_digits(digits):
    assert metrics.entropy_floor(digits) == pytest.approx(0.0581, abs=5e-5)


def test_floor_is_the_loss_of_the_perfect_prediction_and_no_other_is_lower():
    images = random_images(4, 6, 7)
    perfect = scipy.special.logit(images)
    assert metrics.entropy_floor(images) == pytest.approx(metrics.binary_cross_entropy(images, perfect), rel=1e-6)
    for error in (-0.1, 0.1):
        assert metrics.binary_cross_entropy(images, perfect + error) > metrics.entropy_floor(images) + 1e-4


def test_floor_of_black_and_white_is_zero():
    assert metrics.entropy_floor(random_images(2, 3, 4) > 0.5) == 0


def test_the_floor_of_bytes_is_that_of_their_255ths(digits):
    assert metrics.entropy_floor(digits) == pytest.approx(metrics.entropy_floor(digits / np.float64(255)), rel=1e-7)
    with pytest.raises(data.DataError, match="images must have shape"):
        metrics.entropy_floor(digits[0])


@pytest.mark.parametrize("shape", [(3, 28, 28, 1), (2, 11, 17, 3), (2, 30, 12, 1)])
def test_psnr_and_ssim_are_those_of_scikit_image(shape):
    images = random_images(*shape)
    others = np.clip(images + np.random.default_rng(1).normal(0, 0.2, shape), 0, 1).astype("float32")
    images[0], others[0] = 0.9 + images[0] / 100, 0.9 + others[0] / 100  # bright and nearly flat: where single precision fails
    settings = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    pairs = list(zip(images.astype("float64"), others.astype("float64"), strict=True))
    ratios = [skimage.metrics.peak_signal_noise_ratio(*pair, data_range=1) for pair in pairs]
    similarities = [skimage.metrics.structural_similarity(*pair, **settings) for pair in pairs]
    np.testing.assert_allclose(metrics.psnr(images, others), ratios, rtol=1e-6)
    np.testing.assert_allclose(metrics.ssim(images, others), similarities, rtol=1e-9)


@pytest.mark.parametrize("shape", [(2, 28, 28, 1), (1, 12, 40, 3)])
def test_map_of_ssim_is_that_of_scikit_image(shape):
    images, others = random_images(*shape), random_images(*shape, seed=1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": -1}
    pairs = zip(images.astype("float64"), others.astype("float64"), strict=True)
    expected = [skimage.metrics.structural_similarity(*pair, full=True, **options)[1] for pair in pairs]
    np.testing.assert_allclose(metrics.ssim_map(images, others), expected, rtol=1e-9)


def test_psnr_and_ssim_are_those_of_tensorflow(digits):
    images = data.as_images(digits[:50])
    others = np.clip(images + np.random.default_rng(0).normal(0, 0.5, images.shape), 0, 1).astype("float32")
    np.testing.assert_allclose(metrics.psnr(images, others), tf.image.psnr(images, others, max_val=1.0), rtol=1e-5)
    np.testing.assert_allclose(metrics.ssim(images, others), tf.image.ssim(images, others, max_val=1.0), atol=1e-5)


def test_halving_the_contrast_is_an_error(digits):
    images = data.as_images(digits[:20])
    expected = -10 * np.log10(np.mean(images**2, axis=(1, 2, 3)) / 4)
    np.testing.assert_allclose(metrics.psnr(images, images / 2), expected, rtol=1e-5)
    assert metrics.ssim(images, images / 2).max() < 0.95


def test_range_is_1_for_images_that_do_not_fill_it():
    dim, other = random_images(2, 16, 16) / 10, random_images(2, 16, 16, seed=1) / 10
    settings = {"gaussian_weights": True, "use_sample_covariance": False}
    for data_range, agree in ((1, True), (0.1, False)):
        expected = [
            skimage.metrics.structural_similarity(*pair, data_range=data_range, **settings) for pair in zip(dim, other, strict=True)
        ]
        assert np.allclose(metrics.ssim(dim, other), expected, atol=1e-5) == agree
    assert metrics.psnr(dim, other).min() > 20  # no error exceeds 0.1


def test_equal_images_do_not_spoil_a_mean(digits):
    ceiling = 10 * np.log10(12 * 255**2)  # rounding to steps of 1/255 errs uniformly within half a step: variance 1/12 of its square
    np.testing.assert_allclose(metrics.psnr(digits[:3], digits[:3]), ceiling)
    np.testing.assert_allclose(metrics.ssim(digits[:3], digits[:3]), 1)


def test_an_error_of_one_grey_level_counts_in_full():
    dark, next_level = np.full((1, 2, 2), 20, "uint8"), np.full((1, 2, 2), 21, "uint8")
    assert metrics.psnr(dark, next_level) == pytest.approx(20 * np.log10(255), rel=1e-5)


def test_each_image_has_its_own_figure_whatever_comes_with_it():
    images, others = random_images(501, 11, 11), random_images(501, 11, 11, seed=1)
    for figure in (metrics.psnr, metrics.ssim):
        values = figure(images, others)
        assert values.shape == (501,)
        # TensorFlow may sum in another order in a batch of another size.
        np.testing.assert_allclose(
            values[[0, 499, 500]], np.concatenate([figure(images[[i]], others[[i]]) for i in (0, 499, 500)]), atol=1e-5
        )


@pytest.mark.parametrize("figure", [metrics.psnr, metrics.ssim])
def test_sets_of_different_shape_are_refused(figure):
    with pytest.raises(ValueError, match=r"must have the same shape, got \(2, 12, 12, 1\) and \(1, 12, 12, 1\)"):
        figure(random_images(2, 12, 12), random_images(1, 12, 12))


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"logits must have the shape of the images, \(2, 3, 4, 1\), got \(2, 4, 3, 1\)"):
        metrics.binary_cross_entropy(random_images(2, 3, 4), np.zeros((2, 4, 3, 1)))


def test_scores_are_psnr_and_ssim_and_leave_ssim_out_where_images_are_too_small():
    images, others = random_images(3, 12, 11, 3), random_images(3, 12, 11, 3, seed=1)
    table = metrics.scores(images, others)
    np.testing.assert_array_equal(table["PSNR"], metrics.psnr(images, others))
    np.testing.assert_array_equal(table["SSIM"], metrics.ssim(images, others))
    small = metrics.scores(images[:, :10], others[:, :10])
    np.testing.assert_array_equal(small["PSNR"], metrics.psnr(images[:, :10], others[:, :10]))
    assert small["SSIM"].isna().all()


@pytest.mark.parametrize(("height", "width"), [(11, 10), (10, 11)])
def test_images_too_small_for_ssim_are_refused(height, width):
    with pytest.raises(ValueError, match=f"SSIM needs images of at least 11 pixels a side, got {height}x{width}"):
        metrics.ssim(random_images(1, height, width), random_images(1, height, width))


def test_trivial_losses_of_the_test_digits(digits):
    table = metrics.trivial_predictors(digits)
    assert list(table.index) == ["black", "half grey", "mean pixel", "mean image"]
    assert [f"{loss:.3g}" for loss in table["loss"]] == ["2.14", "0.693", "0.391", "0.262"]
    np.testing.assert_allclose(table["loss"] - table["excess"], 0.0581, atol=5e-5)


def test_trivial_losses_are_the_losses_of_their_logits():
    images, fit_on = random_images(5, 4, 6, 3), random_images(7, 4, 6, 3, seed=1) ** 2
    means = {"black": 1e-7, "half grey": 0.5, "mean pixel": fit_on.mean(), "mean image": fit_on.mean(axis=0)}
    losses = metrics.trivial_predictors(images, fit_on)["loss"]
    for name, mean in means.items():
        logits = np.broadcast_to(scipy.special.logit(mean), images.shape)
        assert losses[name] == pytest.approx(metrics.binary_cross_entropy(images, logits), rel=1e-5)


def test_means_come_from_the_images_to_fit_on():
    black, white = np.zeros((2, 3, 4), "uint8"), np.full((4, 3, 4), 255, "uint8")
    losses = metrics.trivial_predictors(black, fit_on=white)["loss"]
    assert losses["mean pixel"] == losses["mean image"] == pytest.approx(-np.log(1e-7))
    assert metrics.trivial_predictors(black)["loss"]["mean image"] == pytest.approx(1e-7)


def test_images_to_fit_on_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"fit_on must hold images of the same shape, \(5, 4, 1\), got \(4, 5, 1\)"):
        metrics.trivial_predictors(random_images(2, 5, 4), random_images(2, 4, 5))


@pytest.mark.parametrize("shape", [(5, 12, 14, 1), (5, 12, 14, 3)])
def test_evaluate_is_one_row_of_the_metrics_of_the_sigmoid(shape):
    images, noisy = random_images(*shape) ** 3, random_images(*shape, seed=1)
    model = tiny_model(shape[1:], np.ones((shape[-1], 2)))
    logits = model(noisy).numpy()
    reconstructed = tf.sigmoid(logits).numpy()
    row = metrics.evaluate(model, images, noisy)
    assert list(row.columns) == ["loss", "excess", "PSNR", "SSIM", "verdict", "dead_maps"]
    assert len(row) == 1
    loss = metrics.binary_cross_entropy(images, logits)
    figures = [metrics.psnr(images, reconstructed).mean(), metrics.ssim(images, reconstructed).mean()]
    np.testing.assert_allclose(row.iloc[0, :4].astype(float), [loss, loss - metrics.entropy_floor(images), *figures], rtol=1e-4)


def test_without_inputs_the_images_are_fed(digits):
    model = tiny_model((28, 28, 1), [[1.0]])
    fed = metrics.evaluate(model, digits[:20], digits[:20])
    assert metrics.evaluate(model, digits[:20]).equals(fed)
    assert metrics.evaluate(model, digits[:20], digits[20:40])["loss"].item() > fed["loss"].item()


def test_a_model_has_learned_when_it_beats_the_mean_image(digits):
    digits = data.as_images(digits[:1000])
    mean = np.clip(digits.mean(axis=0), 1e-3, 1)
    copies = tiny_model((28, 28, 1), [[1.0]])
    # Whatever goes in, nearly the mean image comes out: better than the mean pixel, but nothing is learned of any digit.
    flat = [keras.layers.Flatten(), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))]
    encoder, decoder = copies.get_layer("encoder"), keras.Sequential([keras.Input((28, 28, 1)), *flat], name="decoder")
    decoder.set_weights([np.zeros((784, 784)), scipy.special.logit(mean).ravel()])
    guesses = keras.Model(encoder.input, decoder(encoder(encoder.input)))

    rows = {model: metrics.evaluate(model, digits) for model in (copies, guesses)}
    assert rows[copies]["verdict"].item() == "learned"
    assert rows[guesses]["verdict"].item() == "not learned: no better than the mean image"
    assert rows[guesses]["loss"].item() < metrics.trivial_predictors(digits).loc["mean pixel", "loss"]


@pytest.mark.parametrize(
    ("brightest", "verdict"), [(1.0, "learned"), (0.4, "not learned: on images as dark as these hardly better than the mean image")]
)
def test_what_is_hardly_better_than_the_mean_image_is_not_praised_where_all_is_nearly_black(digits, brightest, verdict):
    digits = data.as_images(digits[:500]) * np.float32(brightest)
    mean = digits.mean(axis=0)
    # A tenth of the digit beside nine of the mean: better than the mean image, and no more than that.
    encoder = tiny_model((28, 28, 1), [[1.0]]).get_layer("encoder")
    guess = keras.layers.Lambda(
        lambda image: (lambda p: tf.math.log(p) - tf.math.log1p(-p))(tf.clip_by_value(0.1 * image + 0.9 * mean, 1e-4, 0.999))
    )
    model = keras.Model(encoder.input, guess(encoder(encoder.input)))
    row = metrics.evaluate(model, digits)
    assert row["loss"].item() < metrics.trivial_predictors(digits).loc["mean image", "loss"]
    assert row["verdict"].item() == verdict


def test_what_has_learned_dark_images_is_said_to_have_learned(digits):
    assert metrics.evaluate(tiny_model((28, 28, 1), [[1.0]]), digits[:500])["verdict"].item() == "learned"


def test_dead_maps_are_0_everywhere_on_all_images():
    kernel = np.hstack([np.eye(3), -np.eye(3)[:, :2]])  # a map for each channel, and two that ReLU keeps at 0
    images = np.zeros((1002, 12, 12, 3), "float32")
    model = tiny_model((12, 12, 3), kernel)
    assert metrics.evaluate(model, images)["dead_maps"].item() == 5
    images[0, 3, 4, 0] = images[600, 0, 0, 1] = images[1001, 11, 11, 2] = 1e-3  # one pixel is life enough, in any batch
    assert metrics.evaluate(model, images)["dead_maps"].item() == 2


def test_a_map_is_dead_if_it_is_0_on_what_goes_in_whatever_is_to_come_out():
    black, white = np.zeros((3, 12, 12, 1), "float32"), np.ones((3, 12, 12, 1), "float32")
    model = tiny_model((12, 12, 1), [[1.0, -1.0]])  # a map that is 0 on black, and one that is 0 on both
    assert metrics.evaluate(model, black, white)["dead_maps"].item() == 1
    assert metrics.evaluate(model, white, black)["dead_maps"].item() == 2


def test_ssim_is_missing_for_images_too_small_for_it():
    row = metrics.evaluate(tiny_model((10, 30, 1), [[1.0]]), random_images(3, 10, 30))
    assert np.isnan(row["SSIM"].item())
    assert np.isfinite(row["PSNR"].item())


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_an_output_that_is_not_finite_is_said(broken):
    row = metrics.evaluate(tiny_model((12, 12, 1), [[1.0]], bias=broken), random_images(3, 12, 12))
    assert row["verdict"].item() == "not learned: the model's output is not finite"
    assert not np.isfinite(row["loss"].item())
    assert row[["PSNR", "SSIM"]].isna().all(axis=None)


def test_evaluate_refuses_what_does_not_fit():
    model = tiny_model((12, 12, 1), [[1.0]])
    with pytest.raises(ValueError, match="must have the same shape"):
        metrics.evaluate(model, random_images(3, 12, 12), random_images(2, 12, 12))
    with pytest.raises(ValueError, match=r"the model takes images of shape \(12, 12, 1\), got \(13, 12, 1\)"):
        metrics.evaluate(model, random_images(3, 13, 12))
    with pytest.raises(ValueError, match="No such layer: encoder"):
        metrics.evaluate(keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 1)]), random_images(3, 12, 12))
