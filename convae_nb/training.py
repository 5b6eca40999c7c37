"""One training run: a model, a dataset and a recipe in; the trained model, its history and the seconds out.

The loop is one compiled graph over images that stay in memory, as uint8: no Python between two steps. It minimises the mean
sigmoid cross-entropy between logits and images with Adam, as Udacity's tutorial of 2018 does.
"""

import dataclasses
import io
import math
import sys
import time

import numpy as np
import pydantic
from tqdm import tqdm

from convae_nb import data, metrics, models
from convae_nb._tensorflow import keras, tf


class Recipe(pydantic.BaseModel):
    """How to train: everything but the model and the data. Frozen; ``model_copy(update={"epochs": 3})`` gives a variant.

    Raises
    ------
    pydantic.ValidationError
        A ValueError that names the field, the value found and what is allowed.

    Examples
    --------
    >>> RECIPES["original_basic"].model_copy(update={"epochs": 3}).epochs
    3
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    epochs: int = pydantic.Field(ge=1, description="passes over the training images")
    batch_size: int = pydantic.Field(ge=1, description="images a step; an epoch's last step takes what is left")
    learning_rate: float = pydantic.Field(gt=0, description="Adam's step size")
    beta_1: float = pydantic.Field(0.9, ge=0, lt=1, description="decay of Adam's mean of gradients")
    beta_2: float = pydantic.Field(0.999, ge=0, lt=1, description="decay of Adam's mean of squared gradients")
    epsilon: float = pydantic.Field(1e-8, gt=0, description="what Adam adds to the root; TensorFlow 1's 1e-8, where Keras has 1e-7")
    validation: int = pydantic.Field(0, ge=0, description="training images, the last ones, held out to choose by")
    seed: int = pydantic.Field(0, ge=0, description="decides the order of the images")


# original_basic is the tutorial's own, to the letter: all 60,000 digits, nothing held out.
RECIPES = {"original_basic": Recipe(epochs=20, batch_size=200, learning_rate=0.001)}


@dataclasses.dataclass(frozen=True)
class Result:
    """What a training run gives beside the weights, which are in the model.

    Attributes
    ----------
    history : dict of str to list of float
        "loss": nats a pixel, the mean over each epoch's images as they were trained on; "validation_loss": at each epoch's end,
        on the images held out (empty if there are none).
    seconds : float
        Time of the whole run, compilation included.
    """

    history: dict
    seconds: float


def train(model, dataset, recipe, *, progress=True):
    """Train a model, from the weights that it has, to reproduce images.

    Parameters
    ----------
    model : keras.Model
        From images to logits, such as `models.build_autoencoder` gives. Its weights are trained in place.
    dataset : data.Dataset
        Its ``x_train`` serves, all but the last `Recipe.validation` images.
    recipe : Recipe
        Checked again here, since ``model_copy`` does not check.
    progress : bool
        Show a live line with loss, images a second and time left; one plain line stays.

    Returns
    -------
    Result

    Raises
    ------
    data.DataError
        If the images are not images, before the first step.
    ValueError
        If they do not fit the model, the recipe is not valid, or none are left to train on.
    FloatingPointError
        If the loss is no longer finite.

    Notes
    -----
    Every epoch takes each image once, in an order that depends on the recipe's seed and the epoch alone. On the same machine, with the same
    versions and number of threads, two runs end with the same bits.
    """
    recipe = Recipe(**dict(recipe))
    images = _training_images(model, dataset.x_train)
    kept = len(images) - recipe.validation
    if kept < 1:
        raise ValueError(f"validation={recipe.validation} leaves none of the {len(images)} training images to train on")
    images, held_out = images[:kept], images[kept:]

    optimizer = keras.optimizers.Adam(recipe.learning_rate, recipe.beta_1, recipe.beta_2, recipe.epsilon)
    optimizer.build(model.trainable_variables)
    run_steps = _compile_steps(model, optimizer, images, recipe.batch_size)
    steps = math.ceil(kept / recipe.batch_size)
    history = {"loss": [], "validation_loss": []}
    started = time.perf_counter()
    with _bar(progress, total=recipe.epochs * kept, unit=" images", unit_scale=True) as bar:
        for epoch in range(recipe.epochs):
            order = np.random.default_rng((recipe.seed, epoch)).permutation(kept).astype(np.int32)
            step, summed, chunk = 0, 0.0, 1
            while step < steps:
                last = min(step + chunk, steps)
                chunk_started = time.perf_counter()
                summed = float(run_steps(order, step, last, summed))
                # A quarter of a second between two looks: the line moves, an interrupt is heard, and the loop stays compiled.
                chunk = max(1, round(0.25 * (last - step) / (time.perf_counter() - chunk_started)))
                seen = min(last * recipe.batch_size, kept)
                bar.set_description(f"epoch {epoch + 1} of {recipe.epochs}, loss {summed / seen:.4f}", refresh=False)
                bar.update(seen - step * recipe.batch_size)
                step = last
            if not math.isfinite(summed):
                raise FloatingPointError(f"the loss is {summed} in epoch {epoch + 1}: lower learning_rate={recipe.learning_rate}")
            history["loss"].append(summed / kept)
            if len(held_out):
                history["validation_loss"].append(metrics.binary_cross_entropy(held_out, models.predict(model, held_out)))
        bar.bar_format = "{desc}{elapsed}, {rate_fmt}"  # what stays is a plain line
    return Result(history, time.perf_counter() - started)


def _training_images(model, images):
    """Check images as `data.as_images` does and give them their channel axis, but leave uint8 as it is: a quarter of the memory."""
    if getattr(images, "dtype", None) == np.uint8:
        shape = data.as_images(images[:1]).shape[1:]
        images = images.reshape(-1, *shape)
    else:
        images = data.as_images(images)
    if images.shape[1:] != tuple(model.input_shape[1:]):
        raise ValueError(f"the model takes images of shape {tuple(model.input_shape[1:])}, the training images have {images.shape[1:]}")
    return images


def _compile_steps(model, optimizer, images, batch_size):
    variables = model.trainable_variables
    images = tf.constant(images)
    scale = 255.0 if images.dtype == tf.uint8 else 1.0

    scalar = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32), scalar, scalar, tf.TensorSpec((), tf.float64)])
    def run_steps(order, first, last, summed):
        """Take steps first to last of an epoch; add each image's loss to `summed`."""
        for step in tf.range(first, last):
            batch = tf.gather(images, order[step * batch_size : (step + 1) * batch_size])
            batch = tf.cast(batch, tf.float32) / scale
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(batch, model(batch, training=True)))
            optimizer.apply(tape.gradient(loss, variables), variables)
            summed += tf.cast(loss, tf.float64) * tf.cast(tf.shape(batch)[0], tf.float64)
        return summed

    return run_steps


class _NotebookBar(tqdm):
    """A progress line in one output of a notebook, replaced as it moves: a stored notebook keeps its last state as plain text."""

    def __init__(self, *args, **options):
        from IPython import display

        self._line = display.display({"text/plain": ""}, raw=True, display_id=True)
        super().__init__(*args, file=io.StringIO(), ascii=False, **options)

    def display(self, msg=None, pos=None):
        self._line.update({"text/plain": str(self) if msg is None else msg}, raw=True)


def _bar(progress, **options):
    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
    return (_NotebookBar if in_notebook and progress else tqdm)(disable=not progress, **options)
