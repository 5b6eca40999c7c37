import dataclasses
import re

import numpy as np
import pytest

from convae_nb import data, metrics, models, noise, training
from convae_nb._base import processor
from convae_nb._base.tensorflow import keras, tf
from convae_nb.noise import graph
from convae_nb.training import loop, plain

RECIPE = training.RECIPES["original_basic"]


@pytest.fixture(scope="module")
def dataset():
    digits = data.load()
    return dataclasses.replace(digits, x_train=digits.x_train[:700], y_train=digits.y_train[:700])


def trained(dataset, **changes):
    model = models.build_autoencoder()
    recipe = training.recipe(RECIPE, **{"epochs": 1, "batch_size": 100} | changes)
    return model, training.train(model, dataset, recipe, progress=False)


def test_the_recipe_is_the_originals():
    assert RECIPE.model_dump(exclude={"seed"}) == {
        "epochs": 20,
        "batch_size": 200,
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "schedule": "constant",
        "optimizer": "adam",
        "noise_kind": "gaussian",
        "noise_level": 0.0,
        "blind_spots": 0.0,
        "start_at_mean": False,
        "precision": "float32",
        "validation": 0,
    }


def assert_alike(weights, others):
    """Equal up to rounding. Adam divides a gradient near zero by its own size and so enlarges its rounding: a few weights may differ by
    more. Seven steps move a weight by up to 0.007; Keras's own epsilon, 1e-7, would show as 1e-3 here, beta_2 = 0.9989 as 1e-5."""
    differences = np.concatenate([np.ravel(np.abs(got - want)) for got, want in zip(weights, others, strict=True)])
    assert np.quantile(differences, 0.95) < 1e-6


def original_training(weights, batches):
    """Train the original's graph by its own means: a session, a placeholder, AdamOptimizer and sigmoid cross-entropy."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        inputs, targets = (v1.placeholder(tf.float32, (None, 28, 28, 1)) for _ in range(2))
        variables = [v1.get_variable(f"weight{i}", initializer=value, use_resource=True) for i, value in enumerate(weights)]
        pairs = list(zip(variables[::2], variables[1::2], strict=True))
        maps = inputs
        for kernel, bias in pairs[:3]:
            maps = tf.nn.max_pool(tf.nn.relu(tf.nn.conv2d(maps, kernel, 1, "SAME") + bias), 2, 2, "SAME")
        for (kernel, bias), size in zip(pairs[3:6], (7, 14, 28), strict=True):
            maps = tf.nn.relu(tf.nn.conv2d(v1.image.resize_nearest_neighbor(maps, (size, size)), kernel, 1, "SAME") + bias)
        logits = tf.nn.conv2d(maps, pairs[6][0], 1, "SAME") + pairs[6][1]
        cost = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
        step = v1.train.AdamOptimizer(0.001).minimize(cost)
        session.run(v1.global_variables_initializer())
        losses = [session.run([cost, step], {inputs: given, targets: clean})[0] for given, clean in batches]
        return losses, session.run(variables)


def test_steps_are_those_of_the_original_graph_and_optimizer(dataset):
    order = np.random.default_rng((0, 0)).permutation(700)
    batches = [dataset.x_train[order[i : i + 100], :, :, None] / np.float32(255) for i in range(0, 700, 100)]
    start = models.build_autoencoder().get_weights()
    losses, expected = original_training(start, zip(batches, batches, strict=True))
    model, result = trained(dataset)
    assert result.history["loss"] == [pytest.approx(np.mean(losses), rel=1e-6)]
    assert_alike(model.get_weights(), expected)


def test_two_epochs_with_noise_are_those_of_the_original_graph_with_another_order_and_noise_each(dataset):
    model, recipe = models.build_autoencoder(), training.recipe(RECIPE, epochs=2, batch_size=200, noise_level=0.5)
    weights = model.get_weights()
    training.train(model, dataset, recipe, progress=False)
    batches = []
    for epoch in range(2):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(700)
        for step in range(4):
            clean = tf.constant(data.as_images(dataset.x_train[order[200 * step : 200 * (step + 1)]]))
            noisy = graph.corrupt(clean, "gaussian", 0.5, 0.5, seed=(recipe.seed, 4 * epoch + step))
            batches.append((noisy.numpy(), clean.numpy()))
    assert_alike(model.get_weights(), original_training(weights, batches)[1])


@pytest.mark.parametrize("changes", [{}, {"noise_level": (0.1, 0.6), "schedule": "one_cycle", "beta_2": 0.95}])
def test_plain_fit_takes_the_steps_of_the_compiled_loop(dataset, changes):
    recipe = training.recipe(RECIPE, epochs=2, batch_size=150, **changes)
    fast, slow = models.build_autoencoder(), models.build_autoencoder()
    losses = training.train(fast, dataset, recipe, progress=False).history["loss"]
    assert plain.fit(slow, dataset, recipe).history["loss"] == pytest.approx(losses, rel=1e-5)
    assert_alike(fast.get_weights(), slow.get_weights())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blind_spots": 0.1}, r"blind_spots of a recipe must be 0\.0 for plain\.fit, got 0\.1: training\.train takes it"),
        ({"optimizer": "muon"}, "optimizer of a recipe must be 'adam' for plain.fit, got 'muon'"),
        ({"validation": 100}, "validation of a recipe must be 0 for plain.fit, got 100"),
    ],
)
def test_plain_fit_refuses_what_it_does_not_do(dataset, changes, message):
    model = models.build_autoencoder()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        plain.fit(model, dataset, training.recipe(RECIPE, **changes))
    assert all(map(np.array_equal, before, model.get_weights()))


def test_every_epoch_takes_each_image_once_and_reports_their_mean_loss(dataset):
    model, result = trained(dataset, epochs=2, batch_size=300, learning_rate=1e-12)
    expected = metrics.evaluate(model, dataset.x_train)["loss"].item()
    assert result.history["loss"] == pytest.approx([expected, expected], rel=1e-5)


def test_training_lowers_the_loss_on_digits_never_seen(dataset):
    unseen = data.load().x_test[:500]
    before = metrics.evaluate(models.build_autoencoder(), unseen)["loss"].item()
    model, result = trained(dataset, epochs=4, batch_size=20)
    assert result.history["loss"] == sorted(result.history["loss"], reverse=True)
    assert metrics.evaluate(model, unseen)["loss"].item() < 0.5 * before


def test_the_same_seed_gives_the_same_bits_and_another_does_not(dataset):
    first, again, other = (trained(dataset, seed=seed)[0].get_weights() for seed in (0, 0, 1))
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))


def test_training_goes_on_from_the_weights_that_are_there(dataset):
    model, first = trained(dataset)
    second = training.train(model, dataset, training.recipe(RECIPE, epochs=1, batch_size=100), progress=False)
    assert second.history["loss"][0] < 0.9 * first.history["loss"][0]


def test_a_start_at_the_mean_is_a_logits_bias_that_predicts_the_mean_pixel(dataset):
    tiny = {"learning_rate": 1e-12, "start_at_mean": True}
    model, result = trained(dataset, **tiny)
    mean = dataset.x_train.mean() / 255
    predicted = 1 / (1 + np.exp(-model.weights[-1].numpy()))
    np.testing.assert_allclose(predicted, [mean], rtol=1e-5)
    for weight, start in zip(model.get_weights()[:-1], models.build_autoencoder().get_weights()[:-1], strict=True):
        np.testing.assert_allclose(weight, start, atol=1e-10)
    assert result.history["loss"][0] < trained(dataset, learning_rate=1e-12)[1].history["loss"][0]


def test_a_start_at_the_mean_leaves_a_bias_that_was_trained_already(dataset):
    model = models.build_autoencoder()
    model.weights[-1].assign([0.25])
    training.train(model, dataset, training.recipe(RECIPE, epochs=1, learning_rate=1e-12, start_at_mean=True), progress=False)
    np.testing.assert_allclose(model.weights[-1], [0.25])


def shared_layer():
    """The layer of the logits comes first in the list of layers, for it is used twice; the last weight is another's."""
    images = keras.Input((8, 8, 1))
    logits, other = (keras.layers.Conv2D(1, 3, padding="same", name=name) for name in ("logits", "other"))
    return keras.Model(images, logits(other(logits(images))))


def without_bias():
    """The last weight is a kernel, at zero."""
    images = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(1, 3, padding="same", name="inner")(images)
    return keras.Model(images, keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="zeros", name="logits")(maps))


def ends_in_a_crop():
    """The bare decoder's 28 rows and columns are cropped to 27 once they are logits."""
    model = models.build_autoencoder((4, 2), decoder="transposed_3x3", image_shape=(27, 27, 1), output_convolution=False)
    assert model.get_layer("decoder").layers[-1].weights == []
    return model


@pytest.mark.parametrize(("build", "expected"), [(shared_layer, ["logits/bias"]), (without_bias, []), (ends_in_a_crop, ["logits/bias"])])
def test_a_start_at_the_mean_moves_the_bias_of_the_logits_alone(build, expected):
    model = build()
    before = model.get_weights()
    loop._start_at_mean(model, np.full((2, *model.input_shape[1:]), 51, np.uint8))
    moved = [weight for weight, old in zip(model.weights, before, strict=True) if (weight.numpy() != old).any()]
    assert ["/".join(weight.path.split("/")[-2:]) for weight in moved] == expected
    for bias in moved:
        np.testing.assert_allclose(bias, [np.log(0.2 / 0.8)], rtol=1e-6)  # 51 of 255


def test_layers_at_any_depth_compute_in_the_precision_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: True)
    inner = models.build_autoencoder((4, 2))
    outer = keras.Sequential([keras.Sequential([inner])])
    layers = [layer for part in ("encoder", "decoder") for layer in inner.get_layer(part).layers]
    with loop._computing_in("bfloat16", outer):
        assert {layer.compute_dtype for layer in layers} == {"bfloat16"}
    assert {layer.compute_dtype for layer in layers} == {"float32"}


def test_bfloat16_steps_are_float32_steps_up_to_its_rounding(dataset, monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: True)  # elsewhere it is slow, but it is there
    model, result = trained(dataset, precision="bfloat16")
    other, exact = trained(dataset)
    assert result.history["loss"] != exact.history["loss"]
    assert result.history["loss"] == pytest.approx(exact.history["loss"], rel=3e-3)  # bfloat16 keeps 8 bits: 0.4 % a number
    assert not any(map(np.array_equal, model.get_weights(), other.get_weights()))


def test_a_model_trained_in_bfloat16_holds_and_computes_float32(dataset, monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: True)
    model, _ = trained(dataset, precision="bfloat16")
    again = models.build_autoencoder()
    again.set_weights(model.get_weights())
    assert {weight.dtype for weight in model.weights} == {"float32"}
    np.testing.assert_array_equal(models.predict(model, dataset.x_test[:50]), models.predict(again, dataset.x_test[:50]))


def test_where_the_processor_has_no_bfloat16_steps_are_float32(dataset, monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: False)
    assert trained(dataset, precision="bfloat16")[1].history == trained(dataset)[1].history


def test_other_inputs_go_in_where_the_images_are_to_come_out(dataset):
    inputs = noise.corrupt(dataset.x_train, level=0.5, seed=3)
    targets = data.as_images(dataset.x_train)
    model, other = models.build_autoencoder(), models.build_autoencoder()
    floats = dataclasses.replace(dataset, x_train=targets)
    recipe = training.recipe(RECIPE, epochs=1, batch_size=100, validation=100)
    result = training.train(model, floats, recipe, inputs=inputs, progress=False)
    order = np.random.default_rng((0, 0)).permutation(600)
    other.compile(keras.optimizers.Adam(0.001, epsilon=1e-8), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    other.fit(inputs[order], targets[order], batch_size=100, shuffle=False, verbose=0)
    assert_alike(model.get_weights(), other.get_weights())
    expected = metrics.binary_cross_entropy(targets[600:], models.predict(model, inputs[600:]))
    assert result.history["validation_loss"] == [pytest.approx(expected, rel=1e-6)]


def test_inputs_get_the_noise_and_the_targets_do_not(dataset):
    black, white = np.zeros_like(dataset.x_train), np.full_like(dataset.x_train, 255)
    model = models.build_autoencoder()
    recipe = training.recipe(RECIPE, epochs=1, batch_size=700, noise_level=0.5)
    result = training.train(model, dataclasses.replace(dataset, x_train=white), recipe, inputs=black, progress=False)
    went_in = graph.corrupt(tf.zeros((700, 28, 28, 1)), "gaussian", 0.5, 0.5, (0, 0))
    expected = metrics.binary_cross_entropy(white, models.build_autoencoder()(went_in))
    assert result.step_losses[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda x: x[:-1], r"inputs must be an image for each training image, .*uint8 \(700, 28, 28, 1\), got uint8 \(699, 28, 28, 1\)"),
        (lambda x: data.as_images(x), "inputs must be .* got float32"),
        (lambda x: x[:, :20], "the model takes images of shape"),
        (lambda x: x.astype("int64"), "int64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(dataset, inputs, message):
    with pytest.raises(ValueError, match=message):
        training.train(models.build_autoencoder(), dataset, RECIPE, inputs=inputs(dataset.x_train), progress=False)


def test_with_blind_spots_the_loss_is_that_of_hidden_pixels_which_the_network_does_not_see(dataset):
    _, result = trained(dataset, batch_size=700, blind_spots=0.1)
    targets = data.as_images(dataset.x_train)[np.random.default_rng((0, 0)).permutation(700)]
    shown, hidden = graph.hide(tf.constant(targets), 0.1, tf.random.fold_in((0, 0), 1))
    logits = np.asarray(models.build_autoencoder()(shown), "float64")
    costs = np.logaddexp(0, logits) - targets * logits
    assert result.step_losses[0] == pytest.approx(costs[hidden.numpy() == 1].mean(), rel=1e-5)


def test_images_held_out_are_the_last_and_are_not_trained_on(dataset):
    model, result = trained(dataset, validation=100)
    cut = dataclasses.replace(dataset, x_train=dataset.x_train[:600])
    alone, expected = trained(cut)
    assert all(map(np.array_equal, model.get_weights(), alone.get_weights()))
    assert result.history["loss"] == expected.history["loss"]
    assert result.history["validation_loss"] == [pytest.approx(metrics.evaluate(model, dataset.x_train[600:])["loss"].item(), rel=1e-6)]
    assert expected.history["validation_loss"] == []


def test_images_on_the_disk_train_to_the_same_bits(dataset, tmp_path):
    np.savez(tmp_path / "digits.npz", x_train=dataset.x_train, x_test=dataset.x_test)
    mapped = data.load(tmp_path / "digits.npz", limit=1000)
    assert isinstance(mapped.x_train, np.memmap)
    results = [trained(images, start_at_mean=True, validation=100) for images in (dataset, mapped)]
    for one, other in zip(*(model.get_weights() for model, _ in results), strict=True):
        np.testing.assert_array_equal(one, other)
    assert results[0][1].history == results[1][1].history


def test_floats_in_0_to_1_train_as_the_bytes_do(dataset):
    floats = dataclasses.replace(dataset, x_train=data.as_images(dataset.x_train))
    assert_alike(trained(floats)[0].get_weights(), trained(dataset)[0].get_weights())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda x: x.astype("float32"), r"\[0, 1\]"),
        (lambda x: x.astype("int64"), "int64"),
        (lambda x: x[:, :20], r"the model takes images of shape \(28, 28, 1\), the training images have \(20, 28, 1\)"),
        (lambda x: x[:0], "give at least one picture"),
        (lambda x: x.reshape(700, -1), r"\(1, 784\)|\(700, 784\)"),
    ],
)
def test_data_that_would_train_wrongly_is_refused_before_the_first_step(dataset, images, message):
    model = models.build_autoencoder()
    with pytest.raises(ValueError, match=message):
        training.train(model, dataclasses.replace(dataset, x_train=images(dataset.x_train)), RECIPE, progress=False)
    assert all(map(np.array_equal, model.get_weights(), models.build_autoencoder().get_weights()))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("epochs", 0, "greater than or equal to 1"),
        ("batch_size", 2.5, "integer"),
        ("learning_rate", -1.0, "greater than 0"),
        ("beta_1", 1.0, "less than 1"),
    ],
)
def test_a_bad_recipe_names_field_value_and_what_is_allowed(dataset, field, value, allowed):
    with pytest.raises(ValueError, match=rf"(?s){field}.*{allowed}.*{re.escape(repr(value))}"):
        trained(dataset, **{field: value})
    with pytest.raises(ValueError, match="epoch_count"):
        training.Recipe(epoch_count=3, epochs=1, batch_size=1, learning_rate=0.1)


def test_a_name_or_an_array_in_the_wrong_place_is_refused_in_a_sentence(dataset):
    model = models.build_autoencoder()
    with pytest.raises(ValueError, match=r"recipe must be a Recipe, such as .*, got 'original_basic'"):
        training.train(model, dataset, "original_basic")
    with pytest.raises(ValueError, match=r"dataset must be a data.Dataset, such as data.load\(\) gives, got ndarray"):
        training.train(model, dataset.x_train, RECIPE)


def test_holding_out_everything_is_refused(dataset):
    with pytest.raises(ValueError, match="validation=700 leaves none of the 700 training images"):
        trained(dataset, validation=700)


def test_a_loss_that_is_no_longer_finite_ends_the_run(dataset):
    with pytest.raises(FloatingPointError, match=r"the loss is nan in epoch 1: lower learning_rate=1e\+30"):
        trained(dataset, learning_rate=1e30)


def test_progress_shows_loss_and_rate_and_can_be_silenced(dataset, capfd):
    training.train(models.build_autoencoder(), dataset, training.recipe(RECIPE, epochs=1), progress=True)
    shown = capfd.readouterr().err
    assert re.search(r"epoch 1 of 1, loss 0\.\d{4}: .*images/s", shown.splitlines()[-1])
    trained(dataset)
    assert capfd.readouterr() == ("", "")
