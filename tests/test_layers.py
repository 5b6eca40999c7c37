import numpy as np
import pytest

from convae_nb import layers
from convae_nb._tensorflow import keras, tf


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


def test_upsample_conv_stays_float32_and_channels_last_whatever_keras_is_told():
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    try:
        layer = layers.UpsampleConv2D(2)
        outputs = layer(np.zeros((1, 3, 5, 4), "float32"))
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
    assert outputs.shape == (1, 6, 10, 2)
    assert outputs.dtype == layer.kernel.dtype == "float32"


@pytest.mark.parametrize("target_size", [(15, 10), (14, 8), (7, 5)])
def test_a_target_that_is_not_double_or_one_less_is_refused(target_size):
    with pytest.raises(ValueError, match=r"target_size must be twice the input or one pixel less, got .* for an input of \(7, 5\)"):
        layers.UpsampleConv2D(1, target_size=target_size)(np.zeros((1, 7, 5, 1), "float32"))


def test_config_round_trip_keeps_the_target():
    layer = layers.UpsampleConv2D(3, 4, target_size=(7, 7), activation="relu")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.filters, again.kernel_size, again.target_size, again.activation.__name__) == (3, (4, 4), (7, 7), "relu")
