import inspect

import numpy as np
import pytest
from scipy import ndimage, signal

from convae_nb import checkerboard, data, layers, models
from convae_nb._base.tensorflow import keras

ROWS, COLUMNS = np.indices((28, 28))
BOARDS = {
    "board": (-1.0) ** (ROWS + COLUMNS),
    "rows": (-1.0) ** ROWS,
    "columns": (-1.0) ** COLUMNS,
    "overlap": (3 + (-1.0) ** ROWS) * (3 + (-1.0) ** COLUMNS) / 4 - 9 / 4,  # counts of 4, 2, 2 and 1, less their mean
}


@pytest.fixture(scope="module")
def digits():
    return data.load().x_test / 255  # (10000, 28, 28), float64


def white_noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# Overlap


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_overlap_map_is_a_transposed_convolution_of_ones(kernel_size, stride):
    ones = {"kernel_initializer": "ones", "use_bias": False}
    plane = keras.layers.Conv2DTranspose(1, kernel_size, stride, **ones)(np.ones((1, 5, 6, 1)))[0, :, :, 0].numpy()
    line = keras.layers.Conv1DTranspose(1, kernel_size, stride, **ones)(np.ones((1, 5, 1)))[0, :, 0].numpy()
    counts = checkerboard.overlap_map((5, 6), kernel_size=kernel_size, stride=stride)
    # Keras appends what a kernel smaller than the stride leaves empty after the last pixel.
    height, width = counts.shape
    assert counts.sum() == plane.sum() == 30 * kernel_size**2
    np.testing.assert_array_equal(counts, plane[:height, :width])
    np.testing.assert_array_equal(checkerboard.overlap_map((5,), kernel_size=kernel_size, stride=stride), line[:height])


@pytest.mark.parametrize(("kernel_size", "stride"), [([3, 3], 2), (3, [2, 2]), ([3, 5, 4], [2, 3, 1]), ([2, 4], [2, 2]), ([4], 2)])
def test_overlap_map_of_layers_in_a_row_is_their_composition(kernel_size, stride):
    count = max(np.size(kernel_size), np.size(stride))
    painted = np.ones((1, 5, 4, 1))
    for taps, step in zip(np.resize(kernel_size, count), np.resize(stride, count), strict=True):
        painted = keras.layers.Conv2DTranspose(1, int(taps), int(step), kernel_initializer="ones", use_bias=False)(painted)
    counts = checkerboard.overlap_map((5, 4), kernel_size=kernel_size, stride=stride)
    np.testing.assert_array_equal(counts, painted[0, :, :, 0])


@pytest.mark.parametrize("kernel_size", range(1, 8))
@pytest.mark.parametrize("stride", range(1, 5))
def test_overlap_is_flat_inside_exactly_when_the_stride_divides_the_kernel(kernel_size, stride):
    inside = checkerboard.overlap_map((20,), kernel_size=kernel_size, stride=stride)[7:-7]
    assert (np.ptp(inside) == 0) == (kernel_size % stride == 0)


def test_overlap_of_two_layers_compounds():
    # The first gives 2, 1, 2, 1 …; of these, the second sums two at its even positions, and copies one at its odd ones.
    inside = checkerboard.overlap_map((9,), kernel_size=3, stride=[2, 2])[8:24]
    assert inside.reshape(-1, 4).tolist() == [[3, 2, 3, 1]] * 4


@pytest.mark.parametrize(
    ("input_shape", "kernel_size", "stride", "sentence"),
    [
        ((0, 3), 3, 2, r"whole numbers of at least 1, got input_shape=\(0, 3\), kernel_size=3, stride=2"),
        ((3, 3), 3, 0, "whole numbers of at least 1, got .* stride=0"),
        ((3, 3), 2.5, 2, "whole numbers of at least 1, got .* kernel_size=2.5"),
        ((3, 3), True, 2, "whole numbers of at least 1, got .* kernel_size=True"),
        ((3, 3), [], 2, r"whole numbers of at least 1, got .* kernel_size=\[\]"),
        ((3, 3), [[3, 3]], 2, r"whole numbers of at least 1, got .* kernel_size=\[\[3, 3\]\]"),
        ((3, 3, 3), 3, 2, r"input_shape must be \(length,\) or \(height, width\), got input_shape=\(3, 3, 3\)"),
        ((3, 3), [3, 3, 3], [2, 2], r"must be as many, one a layer, got .* kernel_size=\[3, 3, 3\], stride=\[2, 2\]"),
    ],
)
def test_overlap_of_impossible_sizes_is_refused(input_shape, kernel_size, stride, sentence):
    with pytest.raises(ValueError, match=sentence):
        checkerboard.overlap_map(input_shape, kernel_size=kernel_size, stride=stride)


# Phases


def transposed(filters, kernel_size, strides, **options):
    return keras.layers.Conv2DTranspose(filters, kernel_size, strides, **options)


def in_steps(resize, filters, kernel_size, **options):
    return keras.Sequential([keras.Input((16, 16, 3)), resize, keras.layers.Conv2D(filters, kernel_size, **options)])


UPSAMPLERS = {
    **{f"{k}x{k} by {s} {p}": lambda k=k, s=s, p=p: transposed(4, k, s, padding=p)
       for k in (1, 2, 3, 4, 5, 6) for s in (1, 2, 3, 4) for p in ("same", "valid")},
    "oblong": lambda: transposed(4, (6, 3), (3, 2), padding="same"),
    "output padding, same": lambda: transposed(4, 5, 2, padding="same", output_padding=0),
    "output padding, valid": lambda: transposed(4, 3, 2, padding="valid", output_padding=1),
    "with ReLU": lambda: transposed(4, 3, 2, activation="relu"),
    **{f"UpsampleConv2D {k}x{k}": lambda k=k: layers.UpsampleConv2D(4, k) for k in (1, 2, 3, 4, 5)},
    "UpsampleConv2D to an odd size": lambda: layers.UpsampleConv2D(4, 3, target_size=(31, 31)),
    **{f"SubpixelConv2D {k}x{k}": lambda k=k: layers.SubpixelConv2D(4, k) for k in (1, 2, 3, 4)},
    "nearest": lambda: in_steps(keras.layers.UpSampling2D(2), 4, 3, padding="same"),
    "bilinear": lambda: in_steps(keras.layers.UpSampling2D((3, 2), interpolation="bilinear"), 4, 5),
    "Resizing, nearest": lambda: in_steps(keras.layers.Resizing(48, 32, interpolation="nearest"), 4, 3),
    "Resizing, bilinear": lambda: in_steps(keras.layers.Resizing(32, 32, interpolation="bilinear"), 4, 4, padding="same"),
}  # fmt: skip


def with_random_weights(layer, seed=0):
    layer(np.zeros((1, 16, 16, 3), "float32"))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=weights.shape) for weights in layer.get_weights()])
    return layer


def answer(layer):
    """Run the layer on an input channel of ones at a time, (in, height, width, out), and take off what it gives for zeros: its bias."""
    flat = np.concatenate([np.broadcast_to(np.eye(3)[:, None, None], (3, 16, 16, 3)), np.zeros((1, 16, 16, 3))])
    outputs = np.float64(layer(flat.astype("float32")))
    return outputs[:3] - outputs[3:]


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_phases_are_what_the_layer_gives_for_constant_input_inside(name):
    layer = with_random_weights(UPSAMPLERS[name]())
    response = checkerboard.phase_response(layer)
    if name == "with ReLU":
        layer.activation = keras.activations.linear
    assert response.shape[2:] == (4, 3)
    assert response.dtype == "float64"
    vertical, horizontal = response.shape[:2]
    inside = answer(layer)[:, 5 * vertical : 11 * vertical, 5 * horizontal : 11 * horizontal]
    expected = np.tile(response.transpose(3, 0, 1, 2), (1, 6, 6, 1))
    np.testing.assert_allclose(inside, expected, rtol=0, atol=2e-6 * np.abs(layer.get_weights()[0]).sum())

    phases = inside[:, :vertical, :horizontal]
    spread = np.mean(phases.std(axis=(1, 2)) / np.sqrt((phases**2).mean(axis=(1, 2))))
    assert checkerboard.phase_spread(layer) == pytest.approx(spread, abs=1e-5)


def test_phases_of_a_transposed_convolution_sum_every_strideth_tap():
    layer = with_random_weights(transposed(2, 5, 3))
    kernel = layer.get_weights()[0].astype("float64")
    expected = np.zeros((3, 3, 2, 3))
    for u in range(5):
        for v in range(5):
            expected[u % 3, v % 3] += kernel[u, v]
    np.testing.assert_allclose(checkerboard.phase_response(layer), expected, rtol=1e-12)


@pytest.mark.parametrize(("kernel_size", "stride"), [(2, 2), (3, 2), (4, 2), (5, 3), (2, 3)])
def test_phases_of_a_kernel_of_ones_are_the_overlap(kernel_size, stride):
    layer = transposed(1, kernel_size, stride, kernel_initializer="ones")
    layer.build((None, 16, 16, 1))
    inside = checkerboard.overlap_map((16, 16), kernel_size=kernel_size, stride=stride)[6 * stride :, 6 * stride :][:stride, :stride]
    np.testing.assert_array_equal(checkerboard.phase_response(layer)[:, :, 0, 0], inside)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in UPSAMPLERS if "UpsampleConv2D" in name or "nearest" in name or "bilinear" in name])
def test_resize_and_convolution_has_no_spread_whatever_its_weights(name, seed):
    assert checkerboard.phase_spread(with_random_weights(UPSAMPLERS[name](), seed)) < 1e-12


def test_a_resize_has_no_spread_even_where_its_kernel_sums_to_nearly_nothing():
    layer = with_random_weights(layers.UpsampleConv2D(4))
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel - kernel.mean(axis=(0, 1)), bias])
    assert checkerboard.phase_spread(layer) < 1e-12


def test_sub_pixel_convolution_starts_without_spread_and_may_get_one():
    layer = layers.SubpixelConv2D(8)
    layer.build((None, 16, 16, 8))
    assert checkerboard.phase_spread(layer) < 1e-12
    assert checkerboard.phase_spread(with_random_weights(layers.SubpixelConv2D(8))) > 0.5


def test_spread_is_1_where_phases_cancel_0_where_nothing_passes_and_a_mean_over_pairs_of_channels():
    layer = transposed(3, 2, 2)
    layer.build((None, 16, 16, 2))
    kernel = np.zeros((2, 2, 3, 2))  # (kernel, kernel, out, in)
    for out, values in enumerate([[[1, -1], [-1, 1]], [[3, 3], [3, 3]]]):
        kernel[:, :, out, 0] = values
    kernel[:, :, 2, 1] = [[2, 0], [0, 0]]  # mean 1/2, mean square 1: a spread of the root of 3/4
    layer.set_weights([kernel, np.zeros(3)])
    assert checkerboard.phase_spread(layer) == pytest.approx((1 + np.sqrt(3 / 4)) / 6, rel=1e-12)


@pytest.mark.parametrize("kernel_size", [2, 3, 4])
def test_random_kernels_scatter_alike_whatever_their_overlap(kernel_size):
    spreads = []
    for seed in range(20):
        layer = transposed(8, kernel_size, 2, kernel_initializer=keras.initializers.GlorotUniform(seed=seed))
        layer.build((None, 16, 16, 8))
        spreads.append(checkerboard.phase_spread(layer))
    assert np.mean(spreads) == pytest.approx(0.85, abs=0.02)


@pytest.mark.parametrize("name", ["bilinear", "Resizing, nearest"])
def test_a_resize_has_a_phase_for_each_step_of_its_own_factor_along_each_axis(name):
    assert checkerboard.phase_response(with_random_weights(UPSAMPLERS[name]())).shape == (3, 2, 4, 3)


def test_a_resize_of_layers_taken_from_a_model_is_measured_too():
    resize, convolution = keras.layers.UpSampling2D(2), keras.layers.Conv2D(4, 3)
    convolution(resize(np.ones((1, 8, 8, 3))))
    assert checkerboard.phase_response(keras.Sequential([resize, convolution])).shape == (2, 2, 4, 3)


def test_layers_whose_phases_are_not_known_are_refused():
    def built(*steps, size=16):
        return keras.Sequential([keras.Input((size, size, 2)), *steps])

    up, convolution = keras.layers.UpSampling2D(2), keras.layers.Conv2D
    for layer, sentence in [
        (convolution(1, 3), "layer must be one of Conv2DTranspose, UpsampleConv2D, SubpixelConv2D, Sequential, got Conv2D"),
        (transposed(1, 3, 2, name="up"), "layer must have weights, and 'up' has none yet"),
        (built(convolution(1, 3), up), "must be an UpSampling2D or Resizing and a Conv2D, got Conv2D, UpSampling2D"),
        (built(up, convolution(1, 3), convolution(1, 3)), "and a Conv2D, got UpSampling2D, Conv2D, Conv2D"),
        (built(up, layers.UpsampleConv2D(1)), "and a Conv2D, got UpSampling2D, UpsampleConv2D"),
        (built(up, convolution(1, 3, 2)), r"must have stride 1 and one group, got convolution.strides=\(2, 2\)"),
        (built(up, convolution(2, 3, groups=2)), "must have stride 1 and one group, got .* convolution.groups=2"),
        (built(keras.layers.Resizing(7, 7), convolution(1, 3), size=4), r"a whole multiple of it, got \(4, 4\) to \(7, 7\)"),
        (built(keras.layers.Resizing(32, 32), convolution(1, 3), size=None), r"from a known size .* got \(None, None\)"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            checkerboard.phase_response(layer)

    resize, last = keras.layers.Resizing(32, 32), convolution(1, 3)
    last(resize(np.ones((1, 16, 16, 2))))
    with pytest.raises(ValueError, match=r"from a known size to a whole multiple of it, got \(None, None\) to \(32, 32\)"):
        checkerboard.phase_spread(keras.Sequential([resize, last]))
    first = transposed(1, 3, 2, data_format="channels_first")
    first.build((None, 2, 16, 16))
    with pytest.raises(ValueError, match=r"must have its channels last, got layer\.data_format='channels_first'"):
        checkerboard.phase_response(first)


# Index


def index_by_fft(image, factor):
    """The definition once more, by a Fourier transform of the image padded with zeros, which has all the frequencies that are asked for."""
    window = np.multiply.outer(*(signal.windows.cosine(size) ** 2 for size in image.shape))
    size = factor * np.array(image.shape)
    power = np.abs(np.fft.fft2((image - image.mean()) * window, s=tuple(size))) ** 2
    ratios = []
    for p, q in np.ndindex(factor, factor):
        if p or q:
            near, beside = [], []
            for v, h in np.ndindex(5, 5):
                value = power[(p * image.shape[0] + (v - 2) * factor) % size[0], (q * image.shape[1] + (h - 2) * factor) % size[1]]
                (near if v in (1, 2, 3) and h in (1, 2, 3) else beside).append(value)
            ratios.append(np.mean(near) / np.mean(beside))
    return np.mean(ratios)


@pytest.mark.parametrize(("shape", "factor"), [((28, 28), 2), ((8, 8), 2), ((27, 31), 2), ((28, 18), 4), ((13, 12), 3)])
def test_index_is_the_ratio_of_powers_around_the_multiples_of_the_frequency(shape, factor):
    images = white_noise(4, *shape)
    images[1:] = np.cumsum(images[1:], axis=1)  # steep spectra as well
    expected = [index_by_fft(image, factor) for image in images]
    np.testing.assert_allclose(checkerboard.checkerboard_index(images, factor=factor), expected, rtol=1e-8)


def test_quantiles_of_the_test_digits_are_those_of_the_docstring(digits):
    low, median, high = np.quantile(checkerboard.checkerboard_index(digits), [0.05, 0.5, 0.95])
    stated = f"On the 10,000 test digits of MNIST the median is {median:.2f}, and 90 % lie between {low:.2f} and {high:.2f}."
    assert stated in " ".join(inspect.getdoc(checkerboard.checkerboard_index).split())
    assert 0.3 < median < 2


@pytest.mark.parametrize(("shape", "factor"), [((28, 28), 2), ((28, 28, 3), 2), ((27, 33), 2), ((8, 8), 2), ((28, 28), 4)])
def test_white_noise_has_a_median_of_about_1(shape, factor):
    assert np.median(checkerboard.checkerboard_index(white_noise(3000, *shape), factor=factor)) == pytest.approx(1, abs=0.06)


def test_smooth_and_repeated_pixels_lower_the_index(digits):
    digits = digits[:1000]
    repeated = digits[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    plain, smooth, nearest = (
        np.median(checkerboard.checkerboard_index(images)) for images in (digits, ndimage.gaussian_filter(digits, 1, axes=(1, 2)), repeated)
    )
    assert max(smooth, nearest) < plain / 2


@pytest.mark.parametrize("name", BOARDS)
def test_median_over_the_digits_stays_when_a_board_moves_and_rises_with_it(digits, name):
    medians = [np.median(checkerboard.checkerboard_index(digits))]
    for amplitude in (0.02, 0.1):
        board = amplitude * BOARDS[name]
        moved = [np.roll(board, shift, axis=(0, 1)) for shift in ((0, 0), (1, 0), (0, 1))]
        indices = [np.median(checkerboard.checkerboard_index(digits + board)) for board in moved]
        assert max(indices) < 1.03 * min(indices)
        medians.append(np.mean(indices))
    assert medians[0] < medians[1] / 2 < medians[2] / 20


@pytest.mark.parametrize(("name", "side"), [("board", 28), ("columns", 28), ("overlap", 28), ("board", 27)])
def test_mean_over_a_board_and_its_negative_rises_with_amplitude_for_every_digit(digits, name, side):
    digits, board = digits[:, :side, :side], BOARDS[name][:side, :side]
    before = checkerboard.checkerboard_index(digits)
    for amplitude in (0.01, 0.05, 0.25):
        now = sum(checkerboard.checkerboard_index(digits + sign * amplitude * board) for sign in (1, -1)) / 2
        assert (now > before).all()
        before = now


def test_index_goes_by_power_so_that_twice_a_strong_board_is_four_times_as_much(digits):
    for board in BOARDS.values():
        once, twice = (checkerboard.checkerboard_index(digits[:200] + amplitude * board) for amplitude in (50, 100))
        np.testing.assert_allclose(twice / once, 4, rtol=0.05)


def test_brightness_and_contrast_of_the_whole_image_do_not_matter(digits):
    digits, rng = digits[:500], np.random.default_rng(0)
    expected = checkerboard.checkerboard_index(digits)
    contrast = rng.choice([-1, 1], (500, 1, 1)) * 10 ** rng.uniform(-4, 4, (500, 1, 1))
    changed = contrast * (digits + rng.normal(0, 10, (500, 1, 1)))
    np.testing.assert_allclose(checkerboard.checkerboard_index(changed), expected, rtol=1e-8)
    np.testing.assert_allclose(checkerboard.checkerboard_index((255 * digits).round().astype("uint8")), expected, rtol=1e-8)


def test_index_does_not_change_when_an_image_is_mirrored_or_turned():
    images = np.cumsum(white_noise(20, 28, 19), axis=1)
    expected = checkerboard.checkerboard_index(images)
    for changed in (images[:, ::-1], images[:, :, ::-1], images.swapaxes(1, 2)):
        np.testing.assert_allclose(checkerboard.checkerboard_index(changed), expected, rtol=1e-8)


def test_a_constant_image_has_1_whatever_its_value_size_and_colour():
    for value in (0, 1, -3, 0.1, 1 / 3, 1e300, 5e-324):
        for shape in ((28, 28), (9, 11), (9, 11, 3)):
            assert checkerboard.checkerboard_index(np.full((2, *shape), value)).tolist() == [1, 1]
    colour = np.broadcast_to([0.1, 1 / 3, 0.7], (1, 27, 29, 3))
    assert checkerboard.checkerboard_index(colour).tolist() == [1]


def test_index_is_finite_for_images_without_anything_beside_the_board_or_at_the_ends_of_the_range():
    noise = np.clip(white_noise(28, 28) / 4, -1, 1)
    images = [*BOARDS.values(), noise * np.finfo(float).max, noise * 1e-300, noise * 5e-324, ROWS, ROWS == 3, (ROWS == 3) * COLUMNS == 12]
    indices = checkerboard.checkerboard_index(np.stack([np.float64(image) for image in images]))
    assert np.isfinite(indices).all()
    assert indices.min() >= 0
    assert indices[: len(BOARDS)].min() > 1e9
    assert np.isfinite(checkerboard.checkerboard_index(np.float32([noise * np.finfo("float32").max]))).all()
    assert np.isfinite(checkerboard.checkerboard_index(np.indices((16, 16))[:1], factor=4)).all()


def test_rounding_is_no_pattern():
    # A bump has less than float32's rounding at these frequencies, beside the peak as well as in it.
    bump = np.exp(-((ROWS - 13.5) ** 2 + (COLUMNS - 13.5) ** 2) / 12)
    for images in ([bump], np.float32([bump])):
        assert checkerboard.checkerboard_index(images) == pytest.approx(1, abs=0.02)


def test_powers_of_colours_are_averaged():
    grey = white_noise(5, 20, 20)
    np.testing.assert_allclose(
        checkerboard.checkerboard_index(grey[..., None].repeat(3, axis=-1)), checkerboard.checkerboard_index(grey), rtol=1e-10
    )
    board = BOARDS["board"][:20, :20]
    opposite = np.stack([grey + 5 * board, grey - 5 * board], axis=-1)
    assert checkerboard.checkerboard_index(opposite).min() > 10
    np.testing.assert_allclose(checkerboard.checkerboard_index(opposite), checkerboard.checkerboard_index(opposite[..., ::-1]), rtol=1e-10)


def test_factor_4_counts_period_4_and_period_2_where_factor_2_sees_period_2_alone(digits):
    digits = digits[:1000]
    fours = np.cos(np.pi / 2 * ROWS) + np.cos(np.pi / 2 * (ROWS + COLUMNS))
    by_2, by_4 = (checkerboard.checkerboard_index(digits, factor=factor) for factor in (2, 4))
    assert 0.3 < np.median(by_4) < 2
    np.testing.assert_allclose(checkerboard.checkerboard_index(digits + 0.1 * fours), by_2, rtol=1e-8)
    for board in (fours, BOARDS["board"]):
        signs = [checkerboard.checkerboard_index(digits + sign * 0.1 * board, factor=4) for sign in (1, -1)]
        assert (np.mean(signs, axis=0) > by_4).all()
        assert np.median(signs) > 2 * np.median(by_4)


def test_each_image_has_its_own_index_whatever_comes_with_it():
    images = white_noise(501, 8, 9) * np.geomspace(1, 1e6, 501)[:, None, None]
    indices = checkerboard.checkerboard_index(images)
    assert indices.shape == (501,)
    alone = [checkerboard.checkerboard_index(images[[i]]).item() for i in (0, 499, 500)]
    np.testing.assert_allclose(indices[[0, 499, 500]], alone, rtol=1e-10)


@pytest.mark.parametrize("factor", [1, 2.0, True, "2"])
def test_a_factor_that_is_no_period_is_refused(factor):
    with pytest.raises(ValueError, match=f"factor must be a whole number of at least 2, got {factor!r}"):
        checkerboard.checkerboard_index(white_noise(1, 28, 28), factor=factor)


@pytest.mark.parametrize(("shape", "factor", "least"), [((7, 28), 2, 8), ((28, 15), 4, 16)])
def test_images_too_small_for_the_factor_are_refused(shape, factor, least):
    with pytest.raises(ValueError, match=f"at least {least} pixels a side for factor={factor}, got {shape[0]}x{shape[1]}"):
        checkerboard.checkerboard_index(white_noise(1, *shape), factor=factor)


@pytest.mark.parametrize("measure", [checkerboard.checkerboard_index, checkerboard.power_spectrum])
def test_what_is_no_set_of_finite_images_is_refused(measure):
    for images in (np.zeros((28, 28)), np.zeros((0, 28, 28)), np.zeros((1, 28, 28), complex), np.full((1, 28, 28), "a")):
        with pytest.raises(ValueError, match=r"images must be numbers of shape \(batch, height, width\[, channels\]\), got .* \("):
            measure(images)
    for value in (np.nan, np.inf):
        images = np.zeros((2, 28, 28))
        images[1, 3, 4:6] = value
        with pytest.raises(ValueError, match="images must be finite, got 2 values that are not"):
            measure(images)


# Spectrum


def test_a_wave_stands_at_its_frequency_in_the_spectrum():
    rows, columns = np.indices((28, 20))
    wave = 7 + 0.3 * np.cos(2 * np.pi * (3 / 28 * rows - 0.25 * columns) + 1)
    power, _ = checkerboard.power_spectrum([wave])
    np.testing.assert_allclose(power.index, np.arange(-14, 14) / 28)
    np.testing.assert_allclose(power.columns, np.arange(-10, 10) / 20)
    # Half the amplitude for each sign of the frequency; the window leaves two thirds of the pixels along an axis, in power.
    height = 0.15**2 * (2 / 3 * 28) * (2 / 3 * 20)
    expected = np.zeros((28, 20))
    for sign in (1, -1):
        for v, h in np.ndindex(3, 3):  # Hann's window: half the amplitude, so a quarter of the power, next to it
            expected[14 + sign * 3 + v - 1, 10 - sign * 5 + h - 1] = height * 0.25 ** (abs(v - 1) + abs(h - 1))
    np.testing.assert_allclose(power, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 28, 28), (6, 9, 12, 3), (501, 8, 9)])
def test_mean_over_frequencies_is_the_power_of_the_windowed_images(shape):
    images = np.cumsum(white_noise(*shape), axis=2)
    window = np.multiply.outer(*(signal.windows.cosine(size) ** 2 for size in shape[1:3]))
    weighed = (images - images.mean(axis=(1, 2), keepdims=True)) * window.reshape(1, *shape[1:3], *(1 for _ in shape[3:]))
    power, _ = checkerboard.power_spectrum(images)
    assert power.to_numpy().mean() == pytest.approx(np.mean(weighed**2) / np.mean(window**2), rel=1e-10)


def test_white_noise_has_its_variance_at_every_frequency_away_from_0():
    power, azimuthal = checkerboard.power_spectrum(5 + 0.3 * white_noise(4000, 16, 16))
    rows, columns = np.abs(np.meshgrid(power.index, power.columns, indexing="ij"))
    away = np.maximum(rows, columns) > 1.5 / 16
    np.testing.assert_allclose(power.to_numpy()[away], 0.09, rtol=0.1)
    np.testing.assert_allclose(azimuthal[azimuthal.index > 2.5 / 16], 0.09, rtol=0.05)


@pytest.mark.parametrize("shape", [(28, 28), (9, 12)])
def test_azimuthal_spectrum_is_the_mean_over_rings(shape):
    power, azimuthal = checkerboard.power_spectrum(np.cumsum(white_noise(3, *shape), axis=1))
    shorter, rings = min(shape), {}
    for (vertical, horizontal), value in power.stack().items():
        rings.setdefault(round(np.sqrt(vertical**2 + horizontal**2) * shorter), []).append(value)
    assert sorted(rings) == list(range(len(rings)))
    np.testing.assert_allclose(azimuthal.index, np.arange(len(rings)) / shorter)
    np.testing.assert_allclose(azimuthal, [np.mean(rings[ring]) for ring in sorted(rings)])


def test_a_board_rises_in_the_last_ring_and_stripes_at_a_half(digits):
    _, clean = checkerboard.power_spectrum(digits[:100])
    assert round(clean.index[-1], 2) == 0.71
    for name, radius in (("board", 20 / 28), ("rows", 0.5), ("columns", 0.5)):
        _, azimuthal = checkerboard.power_spectrum(digits[:100] + 0.1 * BOARDS[name])
        assert (azimuthal / clean).idxmax() == pytest.approx(radius)


def test_spectrum_of_a_set_is_the_mean_of_those_of_its_images(digits):
    whole, rings = checkerboard.power_spectrum(digits[:3])
    parts = [checkerboard.power_spectrum(digits[[i]]) for i in range(3)]
    np.testing.assert_allclose(whole, np.mean([power for power, _ in parts], axis=0))
    np.testing.assert_allclose(rings, np.mean([azimuthal for _, azimuthal in parts], axis=0))
    grey_levels, _ = checkerboard.power_spectrum((255 * digits[:3]).round().astype("uint8"))
    np.testing.assert_allclose(grey_levels, whole)


def equal_weights(*sides):
    layers_ = [keras.layers.Conv2DTranspose(2, side, strides=2, kernel_initializer="ones") for side in sides]
    return keras.Sequential([keras.Input((4, 4, 3)), *layers_])


@pytest.mark.parametrize(("sides", "shares"), [((3,), {2: np.sqrt(19) / 10}), ((4,), {2: 0}), ((2, 4), {2: 0, 4: 0})])
def test_equal_weights_answer_to_a_flat_code_as_their_overlaps_count(sides, shares):
    scatter, picture = checkerboard.flat_answer(equal_weights(*sides))
    assert scatter["as a share"].to_dict() == pytest.approx(shares)
    overlap = checkerboard.overlap_map((12, 12), kernel_size=list(sides), stride=2)
    period = 2 ** len(sides)
    middle = overlap[16 : 16 + period, 16 : 16 + period] * 3 * 2 ** (len(sides) - 1)  # paths times channels
    np.testing.assert_allclose(picture[:period, :period, 0], middle)
    assert scatter.loc[period, "in units"] == pytest.approx(middle.std())


@pytest.mark.parametrize("decoder", models.DECODERS)
def test_a_decoder_answers_as_one_that_is_built_for_a_wide_code(decoder):
    level = np.linspace(0.2, 1.5, 8).astype("float32")
    model = models.build_autoencoder(decoder=decoder, seed=3)
    wide = models.build_autoencoder(decoder=decoder, image_shape=(128, 128, 1), seed=3)
    expected = np.asarray(wide.get_layer("decoder")(np.broadcast_to(level, (1, 16, 16, 8))))[0, 40:72, 40:72]
    scatter, picture = checkerboard.flat_answer(model.get_layer("decoder"), level)
    np.testing.assert_allclose(picture, expected, atol=1e-5)
    assert list(scatter.index) == [2, 4, 8]
    assert (scatter["in units"] < 1e-6).all() == (decoder in ("nearest", "bilinear", "subpixel"))
    for period in (2, 4, 8):
        means = expected.reshape(32 // period, period, 32 // period, period).mean(axis=(0, 2))
        assert scatter.loc[period, "in units"] == pytest.approx(means.std(), abs=1e-6)


def test_a_decoder_answers_as_it_does_after_training():
    decoder = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Dropout(0.5), keras.layers.BatchNormalization(), *equal_weights(3).layers]
    )
    decoder.layers[1].set_weights([np.full(3, value) for value in (1, 0, 1, 4 - 1e-3)])  # scale, shift, mean, variance: 3 becomes 1
    np.testing.assert_allclose(checkerboard.flat_answer(decoder, 3.0)[1], checkerboard.flat_answer(equal_weights(3))[1], rtol=1e-5)


def test_a_code_that_is_drawn_as_nothing_scatters_by_nothing():
    scatter, picture = checkerboard.flat_answer(equal_weights(3), 0)
    assert not picture.any()
    assert scatter.loc[2].tolist() == [0, 0]


@keras.saving.register_keras_serializable("tests")
class Ramp(keras.layers.Layer):
    def __init__(self, axis, **options):
        super().__init__(**options)
        self.axis = axis

    def call(self, maps):
        return keras.ops.cumsum(maps, axis=self.axis)

    def get_config(self):
        return super().get_config() | {"axis": self.axis}


@pytest.mark.parametrize(
    ("decoder", "code", "message"),
    [
        (3, 1.0, "decoder must be a keras.Model from codes .* to pictures, got 3"),
        (keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)]), 1.0, "decoder must be a keras.Model from codes"),
        (equal_weights(3), [1, 2], r"code must be a finite number, or one for each of the 3 channels, got an array of shape \(2,\)"),
        (equal_weights(3), np.nan, "code must be a finite number"),
        (
            keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))]),
            1.0,
            "decoder must be made of layers that take codes of any size",
        ),
        (keras.Sequential([keras.Input((4, 4, 1)), Ramp(1)]), 1.0, "the picture does not repeat itself from cell to cell"),
        (keras.Sequential([keras.Input((4, 4, 1)), Ramp(2)]), 1.0, "the picture does not repeat itself from cell to cell"),
        (
            keras.Sequential([keras.Input((28, 28, 1)), keras.layers.MaxPooling2D(4)]),
            1.0,
            "decoder must give pictures at least as large as its codes, got 4 pixels for 16 cells",
        ),
    ],
)
def test_what_has_no_flat_answer_is_refused_in_a_sentence(decoder, code, message):
    with pytest.raises(ValueError, match=message):
        checkerboard.flat_answer(decoder, code)
