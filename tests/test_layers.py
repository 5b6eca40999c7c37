import itertools

import numpy as np
import pytest

from convae_nb import layers
from convae_nb._base.tensorflow import keras, tf

LAYERS = [layers.UpsampleConv2D, layers.SubpixelConv2D]


def two_steps(layer, inputs, height, width):
    """What the layer stands for, by Keras's own layers: resize by repetition, crop, convolve."""
    rows, columns = 2 * inputs.shape[1] - height, 2 * inputs.shape[2] - width
    convolution = keras.layers.Conv2D(layer.filters, layer.kernel_size, padding="same", activation=layer.activation)
    steps = keras.Sequential([keras.layers.UpSampling2D(2), keras.layers.Cropping2D(((0, rows), (0, columns))), convolution])
    steps.build(inputs.shape)
    convolution.set_weights(layer.get_weights())
    return steps(inputs)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("height", "width"), [(14, 10), (13, 9), (14, 9)])
def test_upsample_conv_is_resize_crop_convolve(kernel_size, height, width):
    inputs = np.random.default_rng(0).normal(size=(3, 7, 5, 4)).astype("float32")
    layer = layers.UpsampleConv2D(6, kernel_size, target_size=(height, width), activation="relu", bias_initializer="random_normal")
    outputs = layer(inputs)
    expected = two_steps(layer, inputs, height, width)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_upsample_conv_has_the_gradients_of_resize_and_convolve(kernel_size):
    inputs = tf.constant(np.random.default_rng(0).normal(size=(3, 7, 5, 4)), tf.float32)
    layer = layers.UpsampleConv2D(6, kernel_size)
    layer(inputs)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        got, expected = layer(inputs) ** 2, tf.nn.conv2d(tf.repeat(tf.repeat(inputs, 2, 1), 2, 2), layer.kernel, 1, "SAME") ** 2
    for variable in (inputs, layer.kernel.value):
        gradient = tape.gradient(expected, variable).numpy()
        np.testing.assert_allclose(tape.gradient(got, variable), gradient, rtol=0, atol=2e-6 * np.abs(gradient).max())


def test_rows_are_those_of_tensorflow_1_and_not_of_keras_resizing():
    rows = np.arange(4, dtype="float32").reshape(1, 4, 1, 1)
    layer = layers.UpsampleConv2D(1, 1, target_size=(7, 1), kernel_initializer="ones")
    original = tf.compat.v1.image.resize_nearest_neighbor(rows, (7, 1))
    np.testing.assert_array_equal(layer(rows)[0, :, 0, 0], [0, 0, 1, 1, 2, 2, 3])
    np.testing.assert_array_equal(layer(rows), original)
    keras_rows = keras.layers.Resizing(7, 1, interpolation="nearest", data_format="channels_last")(rows)
    assert np.any(np.asarray(keras_rows) != np.asarray(original))


def four_convolutions(layer, inputs, height, width):
    """What the sub-pixel layer stands for, by Keras's own layer: a convolution for each phase, whose pixels stand 2 apart."""
    outputs = np.empty((len(inputs), 2 * inputs.shape[1], 2 * inputs.shape[2], layer.filters))
    kernel, bias = layer.get_weights()
    for (row, column), kernel_of_phase in zip(np.ndindex(2, 2), np.split(kernel, 4, axis=-1), strict=True):
        convolution = keras.layers.Conv2D(layer.filters, layer.kernel_size, padding="same", activation=layer.activation)
        convolution.build(inputs.shape)
        convolution.set_weights([kernel_of_phase, bias])
        outputs[:, row::2, column::2] = convolution(inputs)
    return outputs[:, :height, :width]


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("height", "width"), [(14, 10), (13, 9), (14, 9)])
def test_subpixel_conv_is_four_convolutions_interleaved_and_cropped(kernel_size, height, width):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 7, 5, 4)).astype("float32")
    layer = layers.SubpixelConv2D(6, kernel_size, target_size=(height, width), activation="relu")
    layer.build(inputs.shape)
    assert [tuple(weight.shape) for weight in layer.weights] == [(kernel_size, kernel_size, 4, 24), (6,)]
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    expected = four_convolutions(layer, inputs, height, width)
    outputs = layer(inputs)
    assert outputs.shape == layer.compute_output_shape(inputs.shape) == (3, height, width, 6)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("initializer", ["GlorotUniform", "HeNormal", "Orthogonal"])
def test_subpixel_conv_starts_as_the_nearest_resize_of_the_convolution_that_its_initialiser_draws(initializer):
    inputs = np.random.default_rng(0).normal(size=(3, 7, 5, 4)).astype("float32")
    layer, convolution = (
        kind(6, kernel_size=3, kernel_initializer=getattr(keras.initializers, initializer)(seed=1), **options)
        for kind, options in [(layers.SubpixelConv2D, {}), (keras.layers.Conv2D, {"padding": "same"})]
    )
    outputs = layer(inputs).numpy()
    for phase in np.ndindex(2, 2):  # some processors sum the maps of one phase in another order than those of the next
        np.testing.assert_allclose(outputs[:, phase[0] :: 2, phase[1] :: 2], outputs[:, ::2, ::2], rtol=0, atol=2e-6)
    expected = keras.layers.UpSampling2D(2)(convolution(inputs))
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_a_step_of_training_tells_the_phases_of_a_subpixel_conv_apart():
    layer = layers.SubpixelConv2D(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.ones((1, 3, 3, 1))) * np.random.default_rng(0).normal(size=(1, 6, 6, 2)))
    gradients = np.split(tape.gradient(loss, layer.kernel.value), 4, axis=-1)
    assert all(np.abs(one - other).min() > 0 for one, other in itertools.combinations(gradients, 2))


@pytest.mark.parametrize("kind", LAYERS)
def test_regularisers_constraints_and_a_missing_bias_are_those_of_conv2d(kind):
    layer = kind(2, kernel_regularizer=keras.regularizers.L2(0.5), kernel_constraint="non_neg", use_bias=False)
    layer(np.ones((1, 3, 3, 1), "float32"))
    (kernel,) = layer.get_weights()
    np.testing.assert_allclose(layer.losses, [0.5 * np.sum(kernel**2)], rtol=1e-6)
    assert isinstance(layer.kernel.constraint, keras.constraints.NonNeg)


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_stay_float32_and_channels_last_whatever_keras_is_told(kind):
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    try:
        layer = kind(2)
        outputs = layer(np.zeros((1, 3, 5, 4), "float32"))
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
    assert outputs.shape == (1, 6, 10, 2)
    assert outputs.dtype == layer.kernel.dtype == "float32"


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("target_size", [(15, 10), (14, 8), (7, 5)])
def test_a_target_that_is_not_double_or_one_less_is_refused(kind, target_size):
    with pytest.raises(ValueError, match=r"target_size must be twice the input or one pixel less, got .* for an input of \(7, 5\)"):
        kind(1, target_size=target_size)(np.zeros((1, 7, 5, 1), "float32"))


@pytest.mark.parametrize("kind", LAYERS)
def test_an_input_of_unknown_size_is_refused(kind):
    with pytest.raises(ValueError, match=r"the input's height and width must be known, got \(None, 5\)"):
        kind(1)(keras.Input((None, 5, 1)))


@pytest.mark.parametrize("kind", LAYERS)
def test_config_round_trip_keeps_the_target_and_the_starting_weights(kind):
    layer = kind(3, 4, target_size=(7, 7), activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is kind
    assert (again.filters, again.kernel_size, again.target_size, again.activation.__name__) == (3, (4, 4), (7, 7), "relu")
    for one in (layer, again):
        one.build((None, 4, 4, 2))
    np.testing.assert_array_equal(again.kernel, layer.kernel)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_a_convolution_to_a_single_map_has_the_function_and_the_gradients_of_kerass_own(kernel_size):
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(3, 7, 5, 4)), tf.float32)
    drawn = keras.initializers.RandomNormal(seed=1)
    layer = layers.SingleMapConv2D(kernel_size, activation="tanh", kernel_initializer=drawn, bias_initializer=drawn)
    convolution = keras.layers.Conv2D(1, kernel_size, padding="same", activation="tanh")
    layer(inputs), convolution(inputs)
    convolution.set_weights(layer.get_weights())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs, expected = layer(inputs), convolution(inputs)
        got, wanted = outputs**2, expected**2
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)
    pairs = zip(
        [inputs, *(weight.value for weight in layer.weights)], [inputs, *(weight.value for weight in convolution.weights)], strict=True
    )
    for ours, theirs in pairs:
        gradient = tape.gradient(wanted, theirs).numpy()
        # The single number of the bias is the sum of a hundred that cancel each other.
        np.testing.assert_allclose(
            tape.gradient(got, ours), gradient, rtol=0, atol=(2e-6 if gradient.size > 1 else 1e-5) * np.abs(gradient).max()
        )


def test_in_bfloat16_the_products_to_a_single_map_are_summed_in_float32():
    inputs = np.random.default_rng(0).normal(size=(20, 9, 9, 32)).astype("float32")
    exact = layers.SingleMapConv2D(kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    rounded = layers.SingleMapConv2D(dtype="mixed_bfloat16")
    expected = exact(inputs).numpy()
    rounded.build(inputs.shape)
    rounded.set_weights(exact.get_weights())
    outputs = rounded(inputs)
    assert outputs.dtype == tf.bfloat16
    # Rounded to 8 bits once a product, and once at the end, by some processors in another order: 0.003 to 0.0045. Sums in bfloat16
    # are off by 0.009.
    assert np.std(tf.cast(outputs, tf.float32) - expected) / np.std(expected) < 0.006


def test_a_convolution_to_a_single_map_is_configured_as_kerass_own():
    options = {"kernel_regularizer": keras.regularizers.L2(0.5), "kernel_constraint": "non_neg", "use_bias": False}
    layer = layers.SingleMapConv2D(5, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed=1), **options)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (type(again), again.filters, again.kernel_size, again.activation.__name__) == (layers.SingleMapConv2D, 1, (5, 5), "relu")
    for one in (layer, again):
        one(np.ones((1, 6, 6, 2), "float32"))
        assert [tuple(weight.shape) for weight in one.weights] == [(5, 5, 2, 1)]
        np.testing.assert_allclose(one.losses, [0.5 * np.sum(one.kernel.numpy() ** 2)], rtol=1e-6)
    np.testing.assert_array_equal(again.kernel, layer.kernel)
    images = keras.Input((None, 7, 2))
    whole = keras.Model(images, layer(images))
    assert whole.output_shape == (None, None, 7, 1)
    np.testing.assert_allclose(whole.predict(np.ones((1, 6, 7, 2)), verbose=0), layer(np.ones((1, 6, 7, 2), "float32")), rtol=1e-6)
