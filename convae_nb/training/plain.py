"""The training of `loop` in plain Keras, to be read: the same order, noise and steps in Keras's `fit`, slower, without checkpoints."""

from collections.abc import Iterator

import numpy as np

from convae_nb import data
from convae_nb._base.tensorflow import keras, tf
from convae_nb.noise import graph
from convae_nb.training.loop import OneCycle
from convae_nb.training.recipes import Recipe

_TAKEN = {"optimizer": "adam", "blind_spots": 0.0, "validation": 0}  # the only values of these fields that `fit` takes


def batches(images: np.ndarray, recipe: Recipe) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Give every batch of every epoch, as what goes in and what is to come out."""
    step = 0
    for epoch in range(int(recipe.epochs)):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(images))
        for start in range(0, len(images), recipe.batch_size):
            clean = tf.constant(data.as_images(images[order[start : start + recipe.batch_size]]))
            yield graph.corrupt(clean, recipe.noise_kind, *recipe.level_range, seed=(recipe.seed, step)), clean
            step += 1


def fit(model: keras.Model, dataset: data.Dataset, recipe: Recipe) -> keras.callbacks.History:
    """Train a model as `training.train` does, in float32 from the weights that it has, by nothing but Keras's `fit` with Adam.

    Raises
    ------
    ValueError
        If the recipe asks for what is not done here: another optimizer, blind spots, or images held out.
    """
    for field, taken in _TAKEN.items():
        if (found := getattr(recipe, field)) != taken:
            raise ValueError(f"{field} of a recipe must be {taken!r} for plain.fit, got {found!r}: training.train takes it")
    steps = -(-len(dataset.x_train) // recipe.batch_size)
    rate = OneCycle(recipe.learning_rate, int(recipe.epochs) * steps) if recipe.schedule == "one_cycle" else recipe.learning_rate
    adam = keras.optimizers.Adam(rate, recipe.beta_1, recipe.beta_2, recipe.epsilon)
    model.compile(adam, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model.fit(batches(dataset.x_train, recipe), steps_per_epoch=steps, epochs=recipe.epochs, shuffle=False, verbose=0)
