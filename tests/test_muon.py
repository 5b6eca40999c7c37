"""Muon: what it does to a kernel's gradient, and to which kernels."""

import dataclasses

import numpy as np
import pytest

from convae_nb import data, models, training
from convae_nb._base.tensorflow import keras, tf
from convae_nb.training import loop


@pytest.fixture
def optimizer():
    return training.Muon(learning_rate=0.01)


@pytest.mark.parametrize("shape", [(3, 3, 16, 8), (3, 3, 8, 100), (2, 2, 1, 4)])
def test_a_kernel_is_orthogonalised_as_its_singular_value_decomposition_says(optimizer, shape):
    gradient = np.random.default_rng(0).normal(size=shape).astype("float32")
    found = np.reshape(optimizer.zeropower_via_newtonschulz5(tf.constant(gradient), 5), (-1, shape[-1]))
    left, _, right = np.linalg.svd(gradient.reshape(-1, shape[-1]), full_matrices=False)
    # Newton-Schulz with these coefficients leaves the directions and brings their lengths near one, not to one.
    lengths = np.diag(left.T @ found @ right.T)
    assert lengths.min() > 0.65
    assert lengths.max() < 1.25
    np.testing.assert_allclose(left @ np.diag(lengths) @ right, found, atol=1e-4)


def test_inner_kernels_take_orthogonal_steps_and_all_else_takes_those_of_adam():
    model, other = models.build_autoencoder((4, 2)), models.build_autoencoder((4, 2))
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=variable.shape).astype("float32") for variable in model.trainable_variables]
    for net, optimizer in ((model, training.Muon(0.01, ratio=3.0)), (other, keras.optimizers.Adam(0.01, 0.9, 0.95, 1e-8))):
        optimizer.build(net.trainable_variables)
        for _ in range(2):
            optimizer.apply([tf.constant(gradient) for gradient in gradients], net.trainable_variables)
    start = models.build_autoencoder((4, 2)).get_weights()
    kernels = [i for i, weights in enumerate(start) if weights.ndim == 4]
    for i, (ours, adams, before) in enumerate(zip(model.get_weights(), other.get_weights(), start, strict=True)):
        if i not in kernels[1:-1]:
            np.testing.assert_allclose(ours, adams, atol=1e-6)
            continue
        lengths = np.linalg.svd((before - ours).reshape(-1, ours.shape[-1]), compute_uv=False)
        scale = 0.01 * 3 * max(1, ours.shape[-1] / np.prod(ours.shape[:-1])) ** 0.5
        assert lengths.min() > 1.2 * scale  # two steps along one gradient
        assert lengths.max() < 2.5 * scale


def test_it_is_saved_and_loaded_as_kerass_own_are(optimizer):
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is training.Muon
    assert again.get_config() == optimizer.get_config()


def test_a_run_by_muon_that_was_interrupted_ends_with_the_bits_of_one_that_was_not(tmp_path, monkeypatch):
    digits = data.load()
    digits = dataclasses.replace(digits, x_train=digits.x_train[:400])
    recipe = training.recipe("fast_basic", optimizer="muon", batch_size=20, epochs=0.5)

    def weights(**options):
        model = models.build_autoencoder((4, 2))
        training.train(model, digits, recipe, progress=False, **options)
        return model.get_weights()

    expected, advance = weights(), loop._Run.advance

    def interrupted(self, *position):
        self._chunk = 4
        seen = advance(self, *position)
        loop_events[0].set()
        return seen

    loop_events = []
    heard = loop._interrupts

    @loop.contextlib.contextmanager
    def listening():
        with heard() as event:
            loop_events[:] = [event]
            yield event

    monkeypatch.setattr(loop, "_interrupts", listening)
    monkeypatch.setattr(loop._Run, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        weights(checkpoint_dir=tmp_path)
    monkeypatch.setattr(loop._Run, "advance", advance)
    assert all(map(np.array_equal, weights(checkpoint_dir=tmp_path), expected))


def test_a_fraction_of_an_epoch_takes_that_share_of_its_steps():
    digits = data.load()
    digits = dataclasses.replace(digits, x_train=digits.x_train[:400])
    result = training.train(
        models.build_autoencoder((4, 2)), digits, training.recipe("fast_basic", batch_size=20, epochs=0.3), progress=False
    )
    assert len(result.step_losses) == 6
    assert len(result.history["loss"]) == 1
