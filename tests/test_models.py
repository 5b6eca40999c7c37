import subprocess
import sys

import numpy as np
import pytest
from scipy import special

from convae_nb import data, models
from convae_nb._base.tensorflow import keras, tf

BASIC, DENOISER = (16, 8, 8), (32, 32, 16)
SIDES = {"transposed_3x3": 3, "transposed_4x4": 4, "transposed_2x2": 2}  # of the transposed convolutions' kernels


@pytest.fixture(scope="module")
def digits():
    return data.as_images(data.load().x_test[:1000])


def original_logits(weights, images):
    """The original's graph, by TensorFlow 1's calls, with these kernels and biases."""
    *convolutions, last = zip(weights[::2], weights[1::2], strict=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = maps = tf.compat.v1.placeholder(tf.float32, (None, 28, 28, 1))
        for kernel, bias in convolutions[:3]:
            maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), bias))
            maps = tf.nn.max_pool(maps, 2, 2, "SAME")
        for (kernel, bias), size in zip(convolutions[3:], (7, 14, 28), strict=True):
            maps = tf.compat.v1.image.resize_nearest_neighbor(maps, (size, size))
            maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), bias))
        logits = tf.nn.bias_add(tf.nn.conv2d(maps, last[0], 1, "SAME"), last[1])
        return session.run(logits, {inputs: images})


@pytest.mark.parametrize(("filters", "weights"), [(BASIC, 4385), (DENOISER, 30689)])
def test_logits_are_those_of_the_original_graph(digits, filters, weights):
    model = models.build_autoencoder(filters)
    assert model.count_params() == weights
    # Biases start at zero, where an error in them would not show.
    rng = np.random.default_rng(0)
    model.set_weights([value + rng.normal(0, 0.1, value.shape) for value in model.get_weights()])
    expected = original_logits(model.get_weights(), digits)
    np.testing.assert_allclose(model(digits), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_the_code_is_4x4x8_and_the_parts_compose(digits):
    model = models.build_autoencoder()
    code = model.get_layer("encoder")(digits[:10])
    assert code.shape == (10, 4, 4, 8)
    np.testing.assert_array_equal(model.get_layer("decoder")(code), model(digits[:10]))


def convolved(maps, kernel):
    """'same' convolution of maps (height, width, in) with a kernel (k, k, in, out)."""
    side = len(kernel)
    padded = np.pad(maps, [((side - 1) // 2, side // 2)] * 2 + [(0, 0)])
    return np.einsum("yxiuv,uvio->yxo", np.lib.stride_tricks.sliding_window_view(padded, (side, side), (0, 1)), kernel)


def resized_bilinearly(maps):
    def along(values):
        positions = (np.arange(2 * len(values)) + 0.5) / 2 - 0.5  # of the pixels' centres, in pixels of the input
        return np.interp(positions, np.arange(len(values)), values)

    return np.apply_along_axis(along, 1, np.apply_along_axis(along, 0, maps))


def painted(maps, kernel):
    """Transposed convolution of stride 2 with a kernel (k, k, out, in): each pixel adds its square; then 'same' cuts k - 2 pixels off."""
    height, width, _ = maps.shape
    side, before = len(kernel), (len(kernel) - 2) // 2
    canvas = np.zeros((2 * height + side, 2 * width + side, kernel.shape[2]))
    for row, column in np.ndindex(height, width):
        canvas[2 * row : 2 * row + side, 2 * column : 2 * column + side] += kernel @ maps[row, column]
    return canvas[before : before + 2 * height, before : before + 2 * width]


def interleaved(maps, kernel):
    phases = np.split(convolved(maps, kernel), 4, axis=-1)
    outputs = np.empty((2 * len(maps), 2 * len(maps[0]), phases[0].shape[-1]))
    for (row, column), phase in zip(np.ndindex(2, 2), phases, strict=True):
        outputs[row::2, column::2] = phase
    return outputs


BY_HAND = {
    "nearest": lambda maps, kernel, height, width: convolved(maps.repeat(2, 0).repeat(2, 1)[:height, :width], kernel),
    "bilinear": lambda maps, kernel, height, width: convolved(resized_bilinearly(maps)[:height, :width], kernel),
    "subpixel": lambda maps, kernel, height, width: interleaved(maps, kernel)[:height, :width],
} | dict.fromkeys(SIDES, lambda maps, kernel, height, width: painted(maps, kernel)[:height, :width])


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize(("kernel_size", "target_size"), [(3, (8, 10)), (2, (7, 9)), (5, (8, 9))])
def test_a_way_up_is_what_its_name_says_cropped_bottom_and_right(decoder, kernel_size, target_size):
    rng = np.random.default_rng(0)
    inputs = keras.Input((4, 5, 3))
    model = keras.Model(inputs, models.DECODERS[decoder](inputs, 2, kernel_size, target_size, name="up", activation="relu"))
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    kernel, bias = model.get_weights()
    assert len(kernel) == SIDES.get(decoder, kernel_size)
    maps = rng.normal(size=(4, 5, 3))
    expected = np.maximum(BY_HAND[decoder](maps, kernel, *target_size) + bias, 0)
    np.testing.assert_allclose(model(maps[None])[0], expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("decoder", "weights"),
    [
        ("nearest", 4385),
        ("bilinear", 4385),
        ("transposed_3x3", 4385),
        ("transposed_4x4", 6177),
        ("transposed_2x2", 3105),
        ("subpixel", 11297),
    ],
)
def test_the_basic_model_has_as_many_weights_as_its_way_up_needs(decoder, weights):
    assert models.build_autoencoder(decoder=decoder).count_params() == weights


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize(
    ("image_shape", "depths", "kernel_size"),
    [((27, 31, 1), 3, 3), ((33, 33, 1), 4, 2), ((115, 173, 3), 2, 4), ((8, 8, 1), 5, 3), ((8, 9, 3), 1, 5), ((28, 28, 1), 3, 1)],
)
@pytest.mark.parametrize(("output_convolution", "skips"), [(True, "none"), (False, "none"), (True, "add"), (False, "concatenate")])
def test_any_size_comes_back_exactly_and_learns(decoder, image_shape, depths, kernel_size, output_convolution, skips):
    model = models.build_autoencoder((4, 3, 2, 3, 2)[:depths], decoder, image_shape, kernel_size, 0, output_convolution, skips)
    images = np.random.default_rng(0).uniform(size=(2, *image_shape)).astype("float32") ** 2  # darker than the grey of logits 0
    losses = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            logits = model(images)
            losses.append(tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(images, logits)))
        gradients = tape.gradient(losses[-1], model.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        keras.optimizers.SGD(0.1).apply(gradients, model.trainable_variables)
    assert logits.shape == images.shape
    assert logits.dtype == "float32"
    assert losses[1] < losses[0]


@pytest.mark.parametrize(("skips", "weights"), [("none", 30689), ("add", 30689), ("concatenate", 44801)])
def test_maps_pass_around_the_code_as_in_a_network_of_plain_layers(digits, skips, weights):
    model = models.build_autoencoder(DENOISER, skips=skips, seed=1)
    assert model.count_params() == weights
    values = iter(model.get_weights())

    def convolved(maps):
        return tf.nn.bias_add(tf.nn.conv2d(maps, next(values), 1, "SAME"), next(values))

    maps, levels = tf.constant(digits[:5]), []
    for _ in DENOISER:
        levels.append(tf.nn.relu(convolved(maps)))
        maps = tf.nn.max_pool(levels[-1], 2, 2, "SAME")
    np.testing.assert_allclose(models.encode(model, digits[:5]), maps, atol=1e-6)
    for level in reversed(levels):
        resized = tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)[:, : level.shape[1], : level.shape[2]]
        maps = tf.nn.relu(convolved(resized))
        maps = {"none": maps, "add": maps + level, "concatenate": tf.concat([maps, level], axis=-1)}[skips]
    expected = convolved(maps)
    np.testing.assert_allclose(model(digits[:5]), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_maps_of_the_images_own_size_do_not_pass_where_the_last_way_up_gives_the_logits():
    model = models.build_autoencoder((4, 3), skips="add", output_convolution=False)
    assert [tensor.shape[1:] for tensor in model.get_layer("encoder").outputs] == [(7, 7, 3), (14, 14, 3)]
    shallow = models.build_autoencoder((4,), skips="add", output_convolution=False)
    assert len(shallow.get_layer("encoder").outputs) == 1


def test_without_output_convolution_the_logits_can_be_negative():
    model = models.build_autoencoder(output_convolution=False)
    assert len(model.weights) == 12
    assert np.min(model(np.random.default_rng(0).uniform(size=(2, 28, 28, 1)))) < 0


def test_weights_are_kernel_bias_from_first_to_last_with_glorot_kernels_and_zero_biases():
    weights = models.build_autoencoder(DENOISER).weights
    shapes = [(3, 3, 1, 32), (3, 3, 32, 32), (3, 3, 32, 16), (3, 3, 16, 16), (3, 3, 16, 32), (3, 3, 32, 32), (3, 3, 32, 1)]
    assert [tuple(weight.shape) for weight in weights[::2]] == shapes
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        limit = np.sqrt(6 / (9 * sum(kernel.shape[2:])))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert not np.any(bias)


def test_weights_follow_from_the_seed_alone_and_the_global_state_is_left_alone():
    def kernels(seed):
        return models.build_autoencoder(seed=seed).get_weights()[::2]

    keras.utils.set_random_seed(1)
    first, state = kernels(0), np.random.get_state()[1].copy()  # noqa: NPY002
    keras.utils.set_random_seed(2)
    assert all(map(np.array_equal, first, kernels(0)))
    assert not any(map(np.array_equal, first, kernels(1)))
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert len({kernel.ravel()[0] for kernel in first}) == len(first), "each kernel has a seed of its own"


def test_kernels_are_drawn_first_layer_first_each_by_its_own_number_of_the_seed():
    # Reference runs start from these weights: another order would make them other runs.
    kernels = models.build_autoencoder(seed=3).get_weights()[::2]
    for kernel, seed in zip(kernels, np.random.SeedSequence(3).generate_state(7), strict=True):
        np.testing.assert_array_equal(kernel, keras.initializers.GlorotUniform(seed=int(seed))(kernel.shape))


def test_a_seed_starts_all_ways_up_alike():
    starts = {decoder: models.build_autoencoder(decoder=decoder, seed=3).get_weights() for decoder in models.DECODERS}
    for weights in starts.values():  # the encoder and the output convolution
        assert all(map(np.array_equal, weights[:6] + weights[12:], starts["nearest"][:6] + starts["nearest"][12:]))
    assert all(map(np.array_equal, starts["bilinear"], starts["nearest"]))
    for four, one in zip(starts["subpixel"][6:12:2], starts["nearest"][6:12:2], strict=True):
        np.testing.assert_array_equal(four, np.concatenate([one] * 4, axis=-1))


def test_every_way_up_stays_float32_and_channels_last_whatever_keras_is_told():
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        built = [models.build_autoencoder(decoder=decoder) for decoder in models.DECODERS]
        outputs = [model(np.zeros((1, 28, 28, 1), "float32")) for model in built]
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    assert {(output.shape, output.dtype.name) for output in outputs} == {((1, 28, 28, 1), "float32")}
    computed = [layer for model in built for part in model.layers[1:] for layer in part.layers[1:]]
    assert {layer.compute_dtype for layer in computed} == {"float32"}


_BUILT = [*((decoder, "none") for decoder in models.DECODERS), ("nearest", "add"), ("transposed_3x3", "concatenate")]


def test_saved_models_and_weights_give_the_same_outputs_in_a_new_process(tmp_path, digits):
    saved = {f"{decoder} {skips}": models.build_autoencoder(decoder=decoder, skips=skips) for decoder, skips in _BUILT}
    for name, model in saved.items():
        model.save(tmp_path / f"{name}.keras")
        model.save_weights(tmp_path / f"{name}.weights.h5")
    np.save(tmp_path / "digits.npy", digits[:10])
    code = (
        "import sys, pathlib, numpy as np, convae_nb.layers, convae_nb.models, keras; folder = pathlib.Path(sys.argv[1])\n"
        "digits = np.load(folder / 'digits.npy')\n"
        "for name in sys.argv[2:]:\n"
        "    whole = keras.saving.load_model(folder / f'{name}.keras')\n"
        "    decoder, skips = name.split()\n"
        "    filled = convae_nb.models.build_autoencoder(decoder=decoder, skips=skips, seed=1)\n"
        "    filled.load_weights(folder / f'{name}.weights.h5')\n"
        "    np.save(folder / f'{name}.npy', [whole(digits), filled(digits)])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), *saved], check=True)
    for name, model in saved.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), [model(digits[:10])] * 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": ()}, r"filters must be 1 to 5 whole numbers of at least 1, a depth each, got \(\)"),
        ({"filters": (8,) * 6}, "filters must be"),
        ({"filters": (16, 0)}, "filters must be"),
        ({"filters": 16}, "filters must be .* got 16"),
        ({"filters": (16, 8.0)}, "filters must be"),
        (
            {"decoder": "nearst"},
            "decoder must be one of nearest, bilinear, transposed_3x3, transposed_4x4, transposed_2x2, subpixel, got 'nearst': "
            "did you mean 'nearest'",
        ),
        ({"decoder": None}, "decoder must be one of"),
        ({"decoder": ["nearest"]}, "decoder must be one of"),
        ({"image_shape": (7, 28, 1)}, r"image_shape must be .* at least 8 pixels a side and 1 or 3 channels, got \(7, 28, 1\)"),
        ({"image_shape": (28, 28, 2)}, "image_shape must be"),
        ({"image_shape": (28, 28)}, "image_shape must be"),
        ({"kernel_size": 0}, "kernel_size must be a whole number of at least 1, got 0"),
        ({"kernel_size": 3.0}, "kernel_size must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": True}, "seed must be"),
        ({"skips": "ad"}, "skips must be one of none, concatenate, add, got 'ad': did you mean 'add'"),
        ({"skips": True}, "skips must be one of"),
    ],
)
def test_what_is_outside_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        models.build_autoencoder(**arguments)
    assert "\n" not in str(error.value)


def test_reconstruct_is_the_sigmoid_of_the_logits_whatever_the_batches(digits):
    model = models.build_autoencoder()
    images = models.reconstruct(model, digits[:50], batch_size=17)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, 1 / (1 + np.exp(-model(digits[:50]).numpy())), atol=1e-6)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_array_equal(models.reconstruct(model, digits[:3]), np.full((3, 28, 28, 1), 0.5))


def test_reconstruct_refuses_images_of_another_shape(digits):
    with pytest.raises(ValueError, match=r"the model takes images of shape \(28, 28, 1\), got \(20, 28, 1\)"):
        models.reconstruct(models.build_autoencoder(), digits[:2, :20])


def test_batches_of_no_image_are_refused(digits):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        models.predict(models.build_autoencoder(), digits[:2], batch_size=0)


def test_layer_table_counts_what_keras_counts():
    model = models.build_autoencoder(DENOISER)
    table = models.layer_table(model)
    assert table["weights"].sum() == model.count_params()
    assert table.loc["pool3", ["part", "output", "values"]].tolist() == ["encoder", (4, 4, 16), 256]
    # By hand: 28 * 28 pixels of 9 * 32 products for the first and the last convolution.
    assert table.loc["conv1", "multiply-adds"] == table.loc["logits", "multiply-adds"] == 28 * 28 * 9 * 32
    assert table.loc["up2", "multiply-adds"] == 14 * 14 * 9 * 16 * 32


@pytest.mark.parametrize(
    ("decoder", "products"),
    [
        *[(resize, 14 * 14 * 9) for resize in ("nearest", "bilinear")],
        *[(decoder, 7 * 7 * side**2) for decoder, side in SIDES.items()],
        ("subpixel", 7 * 7 * 4 * 9),
    ],
)
def test_layer_table_counts_the_products_of_every_way_up(decoder, products):
    model = models.build_autoencoder(DENOISER, decoder)
    table = models.layer_table(model)
    assert table["weights"].sum() == model.count_params()
    assert table.loc["up2", "multiply-adds"] == products * 16 * 32  # from 16 maps of 7x7 to 32 maps of 14x14
    # What has no weights: a bilinear pixel is a mean of 4, a crop moves values.
    bare = table[(table["weights"] == 0) & (table["part"] == "decoder")]["multiply-adds"].to_dict()
    resized = {"up1_resize": 4 * 8 * 8 * 16, "up2_resize": 4 * 14 * 14 * 16, "up3_resize": 4 * 28 * 28 * 32}
    assert bare == (resized if decoder == "bilinear" else {}) | ({} if decoder in ("nearest", "subpixel") else {"up1_crop": 0})


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
@pytest.mark.parametrize("depths", [1, 3])
@pytest.mark.parametrize(("output_convolution", "skips"), [(True, "none"), (False, "none"), (True, "concatenate")])
def test_layer_table_sees_as_far_as_the_gradient_reaches(decoder, depths, kernel_size, output_convolution, skips):
    model = models.build_autoencoder((1,) * depths, decoder, (192, 8, 1), kernel_size, 0, output_convolution, skips)
    # All-positive weights let every path through. Max-pooling passes the gradient to one corner of its window: let it be each in turn,
    # by an image that rises down and to the right, and by its mirror image.
    model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
    rising = np.add.outer(np.arange(192), np.arange(8)) + 1.0
    reached = np.zeros((8, 192), dtype=bool)
    for image in (rising, rising[::-1, ::-1]):
        images = tf.constant(np.tile(image[None, :, :, None], (8, 1, 1, 1)), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(images)
            values = model(images)[:, 96:104, 4, 0] * np.eye(8, dtype="float32")  # one of each image, in each of the 2 or 8 phases
        reached |= np.any(tape.gradient(values, images)[..., 0] != 0, axis=2)
    sides = [np.ptp(np.flatnonzero(row)) + 1 for row in reached]
    assert models.layer_table(model).loc["logits", "sees"] == max(sides)


def test_layer_table_lists_where_maps_join():
    model = models.build_autoencoder(DENOISER, skips="concatenate")
    table = models.layer_table(model)
    assert table["weights"].sum() == model.count_params()
    joined = table[table.index.str.startswith("skip")]
    assert joined["output"].tolist() == [(7, 7, 32), (14, 14, 64), (28, 28, 64)]
    assert not joined[["weights", "multiply-adds"]].any(axis=None)
    assert table.loc["up3", "multiply-adds"] == 28 * 28 * 9 * 64 * 32


def test_a_network_denoises_alike_whatever_kind_and_level(digits):
    model = models.build_autoencoder((4, 4), seed=1)
    denoise = models.as_denoiser(model)
    expected = special.expit(model(digits[:10], training=False))
    for kind, level in (("gaussian", 0.5), ("blur", 2)):
        np.testing.assert_allclose(denoise(digits[:10], kind=kind, level=level), expected, atol=1e-6)
