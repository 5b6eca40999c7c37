"""Exported models: what onnxruntime computes from the file is what Keras computes. The library does it; our layers must let it."""

import numpy as np
import onnxruntime
import pytest

from convae_nb import data, models, reference

# Keras 3.15 asks NumPy 2 for `object`, which NumPy will define one day.
pytestmark = pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")


def exported(model, path):
    model.export(path, format="onnx", input_signature=model.inputs, verbose=False)
    return onnxruntime.InferenceSession(path)


def assert_same(model, session, images):
    """The same outputs from one image, some, and all: the number of images is open."""
    (taken,) = session.get_inputs()
    expected = np.asarray(model(images))
    for count in (1, 3, len(images)):
        (given,) = session.run(None, {taken.name: images[:count]})
        # Sums are taken in another order: the error is that of float32, relative to the largest value.
        np.testing.assert_allclose(given, expected[:count], atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("decoder", [pytest.param(name, marks=pytest.mark.slow if name != "nearest" else ()) for name in models.DECODERS])
def test_a_trained_model_and_its_parts_say_the_same_as_onnx(decoder, tmp_path):
    model = reference.load(f"fast_basic-{decoder}")
    digits = data.as_images(data.load().x_test[:20])
    assert_same(model, exported(model, tmp_path / "model.onnx"), digits)
    encoder, drawer = (model.get_layer(part) for part in ("encoder", "decoder"))
    assert_same(encoder, exported(encoder, tmp_path / "encoder.onnx"), digits)
    assert_same(drawer, exported(drawer, tmp_path / "decoder.onnx"), np.asarray(encoder(digits)))


@pytest.mark.slow
@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("kernel_size", [2, 5])
def test_odd_sizes_colour_and_other_kernels_are_exported_too(decoder, kernel_size, tmp_path):
    model = models.build_autoencoder((4, 3), decoder, (17, 22, 3), kernel_size)
    images = np.random.default_rng(0).random((5, 17, 22, 3), dtype="float32")
    assert_same(model, exported(model, tmp_path / "model.onnx"), images)


@pytest.mark.parametrize("skips", ["add", "concatenate"])
def test_maps_that_pass_around_the_code_are_exported_too(skips, tmp_path):
    model = models.build_autoencoder((4, 3), image_shape=(17, 22, 1), skips=skips, seed=1)
    images = np.random.default_rng(0).random((5, 17, 22, 1), dtype="float32")
    assert_same(model, exported(model, tmp_path / "model.onnx"), images)
