"""One training run: a model, a dataset and a recipe in; the trained model, its history and the seconds out.

The loop is one compiled graph, which a quarter of a second's images go into as uint8: no Python between two steps. It minimises the mean
sigmoid cross-entropy between logits and clean images with Adam, as Udacity's tutorial of 2018 does. A run with a checkpoint folder
survives the end of its process, and goes on to the same bits.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import math
import os
import signal
import threading
import time

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from convae_nb import data, metrics, models
from convae_nb._base import processor
from convae_nb._base.progress import progress_bar
from convae_nb._base.tensorflow import keras, tf
from convae_nb.data.images import validate_shape
from convae_nb.noise import graph
from convae_nb.training import checkpoint
from convae_nb.training.muon import Muon
from convae_nb.training.recipes import Recipe

_SAVE_EVERY = 10  # seconds between two checkpoints, each of which takes some milliseconds


@dataclasses.dataclass(frozen=True)
class Result:
    """What a training run gives beside the weights, which are in the model.

    Attributes
    ----------
    history : dict of str to list of float
        "loss": nats per pixel, the mean over each epoch's images as they were trained on; "validation_loss": at each epoch's end,
        on the images held out (empty if there are none).
    step_losses : ndarray of float32, shape (epochs * steps,)
        The loss of each step's batch, before the step.
    seconds : float
        Time of the whole run, compilation included, and that of the calls that it was resumed from.
    compile_seconds : float
        Of these, what the last call took before its first step.
    resumed_from : tuple of int, (epoch, step), or None
        What a checkpoint had done already: whole epochs, and steps of the next. None if the run began afresh.
    precision : str
        In which the layers computed during a step: "bfloat16" where the recipe asks for it and the processor multiplies in it, or
        "float32". The same recipe and seed end elsewhere in the other.
    batch_size : int
        Images in a step.
    """

    history: dict[str, list[float]]
    step_losses: np.ndarray
    seconds: float
    compile_seconds: float
    resumed_from: tuple[int, int] | None
    precision: str
    batch_size: int

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the training loss along the images seen, for logarithmic axes: means over up to 40 stretches, each longer than the last.

        Returns
        -------
        seen : ndarray of float
            Images seen in the middle of each stretch.
        loss : ndarray of float
            In nats per pixel.

        Examples
        --------
        >>> Result({}, np.array([0.5, 0.3, 0.1, 0.1], "float32"), 1.0, 0.5, None, "float32", batch_size=50).curve()[0].tolist()
        [25.0, 75.0, 125.0, 175.0]
        """
        edges = np.unique(np.geomspace(1, len(self.step_losses) + 1, 41).round().astype(int)) - 1
        parts = [self.step_losses[start:stop].mean(dtype="float64") for start, stop in itertools.pairwise(edges)]
        return (edges[1:] + edges[:-1]) / 2 * self.batch_size, np.array(parts)


def train(
    model: keras.Model,
    dataset: data.Dataset,
    recipe: Recipe,
    *,
    inputs: ArrayLike | None = None,
    checkpoint_dir: str | os.PathLike | None = None,
    progress: bool = True,
) -> "Result":
    """Train a model, from the weights that it has, to reproduce images.

    Parameters
    ----------
    model : keras.Model
        From images to logits, such as `models.build_autoencoder` gives. Its weights are trained in place.
    dataset : data.Dataset
        Its ``x_train`` serves, all but the last `Recipe.validation` images.
    recipe : Recipe
        One of `RECIPES`, or what `recipe` makes of it.
    inputs : array, optional
        What goes in, image by image, in the place of the training images, which remain what is to come out: such as another noisy copy
        of each [2]_. The recipe's noise is added to it. None: the training images themselves.
    checkpoint_dir : str or Path, optional
        A folder of this run alone. Every ten seconds the run is written there, whole or not at all; the next call with the same
        model, data and recipe goes on from it, and ends with the bits of a run that was never interrupted. A finished run is
        loaded at once. A damaged file is renamed, with a warning, and the run begins again.
    progress : bool
        Show a live line with loss, images per second and time left; one plain line stays.

    Returns
    -------
    Result

    Raises
    ------
    data.DataError
        If images or inputs are not images, before the first step.
    ValueError
        If dataset or recipe are something else, the inputs are other in shape or type than the training images, these do not fit the
        model, the recipe is not valid, or none are left to train on.
    CheckpointError
        If the folder holds another run, or cannot be written.
    FloatingPointError
        If the loss is no longer finite.
    KeyboardInterrupt
        At Ctrl-C, between two steps: the model keeps what it has learned, the message says how far it came, and the checkpoint, if
        there is one, is that of this very step.

    Notes
    -----
    Every epoch takes each image once. Order and noise depend on the recipe's seed, the epoch and the step alone. On the same machine,
    with the same versions and number of threads, two runs end with the same bits.

    A fresh model predicts half grey. Digits are darker, and in the first steps all of the network is pushed to darken its output; feature
    maps that start with few values above zero are often shut then for good. ``start_at_mean`` takes that push away [1]_; how many maps
    it saves is measured in ``benchmarks/RESULTS.md``.

    With ``blind_spots`` the training images may be noisy, and no clean ones are asked for [3]_: some pixels are hidden behind neighbours,
    and the loss is the mean over these alone, to which the network cannot copy their own noise.

    References
    ----------
    .. [1] A. Karpathy, "A Recipe for Training Neural Networks", 2019, "init well".
    .. [2] J. Lehtinen et al., "Noise2Noise: Learning Image Restoration without Clean Data", ICML 2018, arXiv:1803.04189.
    .. [3] A. Krull et al., "Noise2Void: Learning Denoising from Single Noisy Images", CVPR 2019, arXiv:1811.10980.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, such as RECIPES['original_basic'], got {recipe!r}")
    if not isinstance(dataset, data.Dataset):
        raise ValueError(f"dataset must be a data.Dataset, such as data.load() gives, got {type(dataset).__name__}")
    images = _training_images(model, dataset.x_train)
    given = images if inputs is None else _inputs(model, inputs, images)
    kept = len(images) - recipe.validation
    if kept < 1:
        raise ValueError(f"validation={recipe.validation} leaves none of the {len(images)} training images to train on")
    steps = math.ceil(kept / recipe.batch_size)
    started = saved = time.perf_counter()
    run = _Run(model, recipe, images[:kept], steps, given[:kept] if given is not images else None)
    history: dict[str, list[float]] = {"loss": [], "validation_loss": []}
    seconds, resumed_from = 0.0, None
    folder = checkpoint_dir and checkpoint.Folder(checkpoint_dir, model, run.variables, _identity(model, recipe, images, given))
    if folder and (found := folder.resume()):
        history, seconds = found["history"], found["seconds"]
        resumed_from = divmod(run.done, steps)
    if recipe.start_at_mean and not resumed_from:
        _start_at_mean(model, images[:kept])

    compiled = time.perf_counter() - started
    with (
        _interrupts() as interrupted,
        progress_bar(total=math.ceil(recipe.epochs * kept), unit=" images", unit_scale=True, progress=progress) as bar,
    ):
        bar.update(run.done // steps * kept + run.done % steps * recipe.batch_size)
        while run.done < run.total:
            epoch, step = divmod(run.done, steps)
            seen = run.advance(epoch, step)
            bar.set_description(f"epoch {epoch + 1} of {recipe.epochs}, loss {run.loss:.4f}", refresh=False)
            bar.update(seen - step * recipe.batch_size)
            if not math.isfinite(run.loss):
                raise FloatingPointError(f"the loss is {run.loss} in epoch {epoch + 1}: lower learning_rate={recipe.learning_rate}")
            finished = run.done == run.total
            if seen == kept or finished:
                history["loss"].append(run.loss)
                if recipe.validation:
                    logits = models.predict(model, given[kept:])
                    history["validation_loss"].append(metrics.binary_cross_entropy(images[kept:], logits))
            stop = interrupted.is_set() and not finished  # asked once: what is heard after the save is for the next look
            if folder and (finished or stop or time.perf_counter() - saved > _SAVE_EVERY):
                folder.save({"history": history, "seconds": seconds + time.perf_counter() - started})
                saved = time.perf_counter()
            if stop:
                raise KeyboardInterrupt(_how_far(divmod(run.done, steps), steps, recipe.epochs, folder))
        bar.bar_format = "{desc}{elapsed}, {rate_fmt}"  # what stays is a plain line
    took = seconds + time.perf_counter() - started
    return Result(history, run.step_losses, took, compiled, resumed_from, run.precision, recipe.batch_size)


def _training_images(model, images):
    """Check images as `data.as_images` does and give them their channel axis, but leave uint8 as it is: a quarter of the memory."""
    if getattr(images, "dtype", None) == np.uint8:
        validate_shape(images.shape)
        images = images.reshape(*images.shape[:3], -1)
    else:
        images = data.as_images(images)
    if images.shape[1:] != tuple(model.input_shape[1:]):
        raise ValueError(f"the model takes images of shape {tuple(model.input_shape[1:])}, the training images have {images.shape[1:]}")
    return images


def _inputs(model, inputs, images):
    given = _training_images(model, inputs)
    if (given.shape, given.dtype) != (images.shape, images.dtype):
        stated = f"{images.dtype} {images.shape}", f"{given.dtype} {given.shape}"
        raise ValueError("inputs must be an image for each training image, of the same type: these are {}, got {}".format(*stated))
    return given


def _start_at_mean(model, images):
    bias, mean = _bias_of_logits(model), images.mean(axis=(0, 1, 2), dtype="float64")
    if bias is not None and not np.any(bias):
        bias.assign(special.logit(np.clip(mean / (255 if images.dtype == np.uint8 else 1), 1e-3, 1 - 1e-3)))


def _bias_of_logits(model):
    """Give the bias of the layer that the logits come out of, perhaps cropped; None if it has none."""
    layer = model
    while isinstance(layer, keras.Model):
        layer = layer.output._keras_history.operation
        while isinstance(layer, keras.layers.Cropping2D):
            layer = layer.input._keras_history.operation
    return getattr(layer, "bias", None)


@keras.saving.register_keras_serializable(package="convae_nb")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a straight line over the first 30 % of the steps and falls to 0 over the rest [1]_.

    Parameters
    ----------
    peak : float
        The highest learning rate.
    steps : int
        Steps of the whole run.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018,
       arXiv:1708.07120.

    Examples
    --------
    >>> schedule = OneCycle(peak=0.01, steps=10)
    >>> [round(float(schedule(step)), 4) for step in (0, 2, 3, 9)]
    [0.0017, 0.0083, 0.0093, 0.0007]
    """

    def __init__(self, peak: float, steps: int):
        self.peak = peak
        self.steps = steps

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        done = (tf.cast(step, tf.float32) + 0.5) / self.steps
        return self.peak * tf.minimum(done / 0.3, (1 - done) / 0.7)

    def get_config(self) -> dict[str, float]:
        return {"peak": self.peak, "steps": self.steps}


class _Run:
    """The state of a run, all in TensorFlow's variables: weights, optimizer (its iterations are the position), loss of each step."""

    def __init__(self, model, recipe, images, steps, inputs=None):
        self.model, self.recipe, self._images, self.count, self.steps = model, recipe, images, len(images), steps
        self._inputs = inputs  # None: the images
        self.total = math.ceil(recipe.epochs * steps)
        rate = recipe.learning_rate
        if recipe.schedule == "one_cycle":
            rate = OneCycle(rate, self.total)
        decays = {"beta_1": recipe.beta_1, "beta_2": recipe.beta_2, "epsilon": recipe.epsilon}
        self.optimizer = {"adam": keras.optimizers.Adam, "muon": Muon}[recipe.optimizer](rate, **decays)
        self.optimizer.build(model.trainable_variables)
        self._losses = tf.Variable(tf.zeros(self.total))
        self.variables = [*(variable.value for variable in [*model.variables, *self.optimizer.variables]), self._losses]
        self._run_steps = self._compile()
        self._order_of, self._chunk = None, 1

    @property
    def done(self):
        """Steps taken since the run began."""
        return int(self.optimizer.iterations.numpy())

    @property
    def step_losses(self):
        """The loss of each step so far."""
        return self._losses.numpy()[: self.done]

    @property
    def loss(self):
        """The mean loss over the images that the epoch has seen so far."""
        losses = self.step_losses[(self.done - 1) // self.steps * self.steps :]
        sizes = np.diff(np.minimum(np.arange(len(losses) + 1) * self.recipe.batch_size, self.count))
        return float(np.average(losses, weights=sizes))

    def advance(self, epoch, step):
        """Take a quarter of a second of steps, as the epoch has them; return how many of its images have been seen then."""
        if self._order_of != epoch:
            self._order, self._order_of = np.random.default_rng((self.recipe.seed, epoch)).permutation(self.count), epoch
        last = min(step + self._chunk, self.steps, self.total - epoch * self.steps)
        started = time.perf_counter()
        chosen = self._order[step * self.recipe.batch_size : last * self.recipe.batch_size]
        images = tf.constant(self._images[chosen])
        self._run_steps(images, images if self._inputs is None else self._inputs[chosen], step, last, epoch)
        # A quarter of a second between two looks: the line moves, an interrupt is heard, and the loop stays compiled.
        self._chunk = max(1, round(0.25 * (last - step) / (time.perf_counter() - started)))
        return min(last * self.recipe.batch_size, self.count)

    def _compile(self):
        model, recipe, optimizer, losses = self.model, self.recipe, self.optimizer, self._losses
        variables = model.trainable_variables
        scale = 255.0 if self._images.dtype == np.uint8 else 1.0
        scalar, some = tf.TensorSpec((), tf.int32), tf.TensorSpec((None, *self._images.shape[1:]), self._images.dtype)

        @tf.function(input_signature=[some, some, scalar, scalar, scalar])
        def run_steps(images, given, first, last, epoch):
            for step in tf.range(first, last):
                part = slice((step - first) * recipe.batch_size, (step - first + 1) * recipe.batch_size)
                targets, inputs = (tf.cast(stack[part], tf.float32) / scale for stack in (images, given))
                inputs, hidden = _as_shown(inputs, recipe, (recipe.seed, epoch * self.steps + step))
                with tf.GradientTape() as tape:
                    loss = _loss(targets, tf.cast(model(inputs, training=True), tf.float32), hidden)
                optimizer.apply(tape.gradient(loss, variables), variables)
                losses[epoch * self.steps + step].assign(loss)

        with _computing_in(recipe.precision, model) as self.precision:
            run_steps.get_concrete_function()  # which fixes what the layers compute in
        return run_steps


def _as_shown(inputs, recipe, seed):
    """Corrupt a batch and hide pixels of it, as the recipe says; give it with those that are hidden, or None if all count."""
    low, high = recipe.level_range
    if high > 0:
        inputs = graph.corrupt(inputs, recipe.noise_kind, low, high, seed=seed)
    return graph.hide(inputs, recipe.blind_spots, tf.random.fold_in(seed, 1)) if recipe.blind_spots else (inputs, None)


def _loss(targets, logits, hidden):
    costs = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    if hidden is None:
        return tf.reduce_mean(costs)
    return tf.reduce_sum(hidden * costs) / tf.maximum(tf.reduce_sum(hidden) * costs.shape[-1], 1.0)  # none may be hidden


@contextlib.contextmanager
def _computing_in(precision, model):
    """Let the layers of a model compute in bfloat16, where that is asked for and fast, and say what they do; their weights stay float32."""
    changed = {}
    if not processor.multiplies_bfloat16():
        precision = "float32"
    if precision == "bfloat16":
        changed = {layer: layer.dtype_policy for layer in _innermost_layers(model)}
    for layer in changed:
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    try:
        yield precision
    finally:
        for layer, policy in changed.items():
            layer.dtype_policy = policy


def _innermost_layers(model):
    for layer in model.layers:
        yield from _innermost_layers(layer) if hasattr(layer, "layers") else [layer]


@contextlib.contextmanager
def _interrupts():
    """Hear Ctrl-C as an event, so that no step is cut in two. Nothing changes where none arrives: outside the main thread, to which
    Python delivers it, and where it is ignored, as in a script's background job."""
    heard = threading.Event()
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield heard
        return
    before = signal.signal(signal.SIGINT, lambda *_: heard.set())
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _how_far(position, steps, epochs, folder):
    epoch, step = position
    reached = f"training stopped after {epoch} of {epochs} epochs and {step} of {steps} steps; the model keeps what it has learned"
    return f"{reached}, and the same call goes on from there" if folder else reached


def _identity(model, recipe, images, inputs):
    """What tells a run from others: no checkpoint of another recipe, model or data is taken for its own."""
    data_ = {"shape": list(images.shape), "type": str(images.dtype), "sha256": _sha256(images)}
    if inputs is not images:
        data_["inputs"] = _sha256(inputs)
    return {"recipe": recipe.model_dump(mode="json"), "model": _structure(model.get_config()), "data": data_}


def _sha256(images):
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()


def _structure(config):
    """A model's configuration without what differs between two builds of the same: names, and the seeds that weights started from."""
    if isinstance(config, dict):
        ignored = ("name", "seed", "inbound_nodes", "input_layers", "output_layers")
        return {key: _structure(value) for key, value in config.items() if key not in ignored}
    if isinstance(config, list | tuple):
        return [_structure(value) for value in config]
    return config if isinstance(config, str | int | float | bool | None) else str(config)
