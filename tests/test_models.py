import subprocess
import sys

import numpy as np
import pytest

from convae_nb import data, models
from convae_nb._tensorflow import keras, tf

BASIC, DENOISER = (16, 8, 8), (32, 32, 16)


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


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize(
    ("image_shape", "depths", "kernel_size"),
    [((27, 31, 1), 3, 3), ((33, 33, 1), 4, 2), ((115, 173, 3), 2, 4), ((8, 8, 1), 5, 3), ((8, 9, 3), 1, 5), ((28, 28, 1), 3, 1)],
)
@pytest.mark.parametrize("output_convolution", [True, False])
def test_any_size_comes_back_exactly_and_learns(decoder, image_shape, depths, kernel_size, output_convolution):
    model = models.build_autoencoder((4, 3, 2, 3, 2)[:depths], decoder, image_shape, kernel_size, 0, output_convolution)
    images = np.random.default_rng(0).uniform(size=(2, *image_shape)).astype("float32")
    with tf.GradientTape() as tape:
        logits = model(images)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(images, logits))
    assert logits.shape == images.shape
    assert logits.dtype == "float32"
    assert all(gradient is not None for gradient in tape.gradient(loss, model.trainable_variables))


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


@pytest.mark.parametrize("decoder", models.DECODERS)
def test_a_saved_model_gives_the_same_output_in_a_new_process(tmp_path, digits, decoder):
    model = models.build_autoencoder(decoder=decoder)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "digits.npy", digits[:10])
    code = (
        "import sys, numpy as np, convae_nb.models, keras; folder = sys.argv[1]\n"
        "model = keras.saving.load_model(folder + '/model.keras')\n"
        "np.save(folder + '/logits.npy', model(np.load(folder + '/digits.npy')))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), model(digits[:10]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": ()}, r"filters must be 1 to 5 whole numbers of at least 1, a depth each, got \(\)"),
        ({"filters": (8,) * 6}, "filters must be"),
        ({"filters": (16, 0)}, "filters must be"),
        ({"filters": 16}, "filters must be .* got 16"),
        ({"filters": (16, 8.0)}, "filters must be"),
        ({"decoder": "nearst"}, "decoder must be one of .*, got 'nearst': did you mean 'nearest'"),
        ({"decoder": None}, "decoder must be one of"),
        ({"decoder": ["nearest"]}, "decoder must be one of"),
        ({"image_shape": (7, 28, 1)}, r"image_shape must be .* at least 8 pixels a side and 1 or 3 channels, got \(7, 28, 1\)"),
        ({"image_shape": (28, 28, 2)}, "image_shape must be"),
        ({"image_shape": (28, 28)}, "image_shape must be"),
        ({"kernel_size": 0}, "kernel_size must be a whole number of at least 1, got 0"),
        ({"kernel_size": 3.0}, "kernel_size must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": True}, "seed must be"),
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


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("depths", [1, 2])
def test_layer_table_sees_as_far_as_the_gradient_reaches(depths, kernel_size):
    model = models.build_autoencoder((2, 2)[:depths], image_shape=(64, 64, 1), kernel_size=kernel_size)
    # All-positive weights and an image that rises to the right let every path through, max-pooling's in a known corner.
    model.set_weights([np.full_like(weight, 0.01) for weight in model.get_weights()])
    side = 0
    for row in range(28, 36):
        reached = np.zeros(64, dtype=bool)
        for corner in (1, -1):  # max-pooling passes the gradient to one corner of its window: let it be each in turn
            images = tf.constant(np.add.outer(np.arange(64.0), np.arange(64.0))[::corner, ::corner][None, :, :, None] + 1, tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(images)
                value = model(images)[0, row, row, 0]
            reached |= np.any(tape.gradient(value, images)[0, :, :, 0] != 0, axis=1)
        side = max(side, np.ptp(np.flatnonzero(reached)) + 1)
    assert models.layer_table(model).loc["logits", "sees"] == side
