"""The reference runs: trainings done once, whose weights and records ship with the package.

A name is that of a recipe and a seed, "original_basic/0": the seed of the starting weights and of the recipe alike. With a decoder in
it, "fast_basic-bilinear/0", it is one of the runs that compare decoders; "fast_basic-bilinear-bare/0" has no output convolution.
Weights are plain arrays, read without pickles and only if their checksum fits the record.
"""

import json
import platform
from pathlib import Path

import numpy as np
from scipy import special

from convae_nb import _checkpoint, _processor, checkerboard, data, decoders, metrics, models, noise, training
from convae_nb._names import did_you_mean
from convae_nb._tensorflow import keras, tf
from convae_nb._whole import replacing

_FOLDER = Path(__file__).with_name("weights")
_BASIC, _DENOISER = {"filters": [16, 8, 8]}, {"filters": [32, 32, 16]}
# What builds the model, and with how many seeds it was trained; all on all 60,000 digits.
_RUNS = {
    "original_basic": (_BASIC, 3),
    "fast_basic": (_BASIC, 5),
    "original_denoiser": (_DENOISER, 1),
    "fast_denoiser": (_DENOISER, 5),
    "range_denoiser": (_DENOISER, 1),
}
for _decoder in models.DECODERS:
    _RUNS[f"fast_basic-{_decoder}"] = (_BASIC | {"decoder": _decoder}, 5)
    _RUNS[f"fast_basic-{_decoder}-bare"] = (_BASIC | {"decoder": _decoder, "output_convolution": False}, 5)
for _decoder, _seeds in (("nearest", 5), ("transposed_3x3", 3), ("transposed_2x2", 3)):
    _RUNS[f"fast_denoiser-{_decoder}"] = (_DENOISER | {"decoder": _decoder}, _seeds)
# The decoder of the recipe itself is "nearest": one run by two names.
_SAME = {"fast_denoiser-nearest": "fast_denoiser"}
# What a model that learned on noisy digits is measured on, whatever levels it saw.
_TEST_LEVEL = 0.5

#: The reference runs, as ``recipe/seed``: of `training.RECIPES`, and for the comparison of decoders ``fast_basic-DECODER``,
#: ``fast_basic-DECODER-bare``, without output convolution, and ``fast_denoiser-DECODER``.
NAMES = tuple(f"{recipe}/{seed}" for recipe, (_, seeds) in _RUNS.items() for seed in range(seeds))


def load(name):
    """Build the model of a reference run, with its trained weights.

    Parameters
    ----------
    name : str
        One of `NAMES`; a recipe alone stands for its first seed.

    Returns
    -------
    keras.Model
        From images ``(batch, 28, 28, 1)`` in [0, 1] to logits.

    Raises
    ------
    ValueError
        If there is no such run, or its file is not the one that the record describes.

    Examples
    --------
    >>> load("original_basic").count_params()
    4385
    """
    about, path = record(name), _path(name, "npz")
    try:
        # Opened here, since np.load leaves a file open if its directory is damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            weights = [stored[key] for key in sorted(stored) if key.startswith(f"{_run(name)}/")]
        if (digest := _digest(weights)) != about["sha256"]:
            raise ValueError(f"the weights should have SHA-256 {about['sha256']}, found {digest}")
        model = models.build_autoencoder(**about["model"])
        model.set_weights(weights)
    except _checkpoint.UNREADABLE as error:
        raise _damaged(path, name, error) from error
    return model


def record(name):
    """Tell of a reference run what was done and what came out.

    Parameters
    ----------
    name : str
        As for `load`.

    Returns
    -------
    dict
        "model", the arguments of `models.build_autoencoder`; "recipe", the fields of `training.Recipe`; "history", as in
        `training.Result`; "seconds"; "versions" and "processor"; "test", the row of `metrics.evaluate` on the test
        digits, for a denoiser with gaussian noise of level 0.5 in (`noise.corrupt`, seed 0); "sha256", of the weights; "checkerboard", the
        median over the test digits of the `checkerboard.checkerboard_index` of "images", the reconstructions, and of "logits". Runs
        that compare decoders also have "curve", the mean loss of each of 40 stretches of the training (or of its steps, if they are fewer).

    Raises
    ------
    ValueError
        If there is no such run, or its file is damaged.

    Examples
    --------
    >>> len(record("original_basic/1")["history"]["loss"])
    20
    """
    path = _path(name, "json")
    try:
        return dict(json.loads(path.read_text("utf-8"))[_run(name)])
    except _checkpoint.UNREADABLE as error:
        raise _damaged(path, name, error) from error


def losses(name, source):
    """Give the losses of a reference run, to be seen beside those of a run on the same images.

    Parameters
    ----------
    name : str
        As for `load`.
    source : str
        Where the other run's images come from, as `data.load` takes it. If that is not MNIST, there is no loss to compare with, and a
        printed sentence says so.

    Returns
    -------
    list of float
        In nats a pixel, an epoch each.

    Raises
    ------
    ValueError
        As `record` does.

    Examples
    --------
    >>> len(losses("original_basic", "mnist")), losses("original_basic", "photos")
    The reference runs learned from MNIST: for other images there is none to compare with.
    (20, [])
    """
    found = record(name)["history"]["loss"]
    if source == "mnist":
        return found
    print("The reference runs learned from MNIST: for other images there is none to compare with.")
    return []


def recipe_of(name):
    """Give the recipe of a reference run: that of its name, with its seed and with the peak rate that was chosen for its decoder.

    Parameters
    ----------
    name : str
        As for `load`.

    Returns
    -------
    training.Recipe

    Raises
    ------
    ValueError
        If there is no such run.
    """
    group, seed = _run(name).split("/")
    recipe, *decoder = group.split("-")
    chosen = decoders.recipe(decoder[0]) if recipe == "fast_basic" and decoder else training.RECIPES[recipe]
    return chosen.model_copy(update={"seed": int(seed)})


def train(name, dataset=None, recipe=None, *, checkpoint_dir=None, progress=True):
    """Do a reference run anew, or a variant of it.

    Parameters
    ----------
    name : str
        As for `load`: it decides the model and its starting weights.
    dataset : data.Dataset, optional
        MNIST if not given. Trained on its training images, measured on its test images.
    recipe : training.Recipe, optional
        That of `recipe_of` if not given.
    checkpoint_dir, progress
        As for `training.train`.

    Returns
    -------
    (keras.Model, dict)
        The trained model, and what `record` tells of such a run.

    Raises
    ------
    ValueError
        If there is no such run, or as `training.train` does.
    """
    dataset, recipe = dataset or data.load(), recipe or recipe_of(name)
    group, seed = _run(name).split("/")
    arguments = _RUNS[group][0] | {"seed": int(seed)}
    model = models.build_autoencoder(**arguments)
    result = training.train(model, dataset, recipe, checkpoint_dir=checkpoint_dir, progress=progress)
    losses = result.step_losses
    return model, {
        "model": arguments,
        "recipe": recipe.model_dump(mode="json"),
        "history": result.history,
        "curve": [round(float(part.mean()), 5) for part in np.array_split(losses, min(40, len(losses)))],
        "seconds": round(result.seconds, 1),
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
        "processor": _processor.name(),
        **_measure(model, recipe, dataset.x_test),
        "sha256": _digest(model.get_weights()),
    }


def make(name, checkpoints):
    """Train a reference run, or go on with it, and write its weights and its record into the package.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    checkpoints : str or Path
        The folder under which a run keeps its checkpoint; to have been killed costs no more than some seconds.
    """
    name = _run(name)
    model, about = train(name, checkpoint_dir=Path(checkpoints, name))
    _store(name, model.get_weights(), about)


def _store(name, weights, about):
    """Put a run beside the others of its decoder. Killed between the two files, it leaves weights that `load` refuses, until made again."""
    arrays, records = _path(name, "npz"), _path(name, "json")
    others = {}
    if arrays.exists():
        with np.load(arrays, allow_pickle=False) as stored:
            others = {key: stored[key] for key in stored if not key.startswith(f"{name}/")}
    known = json.loads(records.read_text("utf-8")) if records.exists() else {}
    order = sorted(known | {name: about}, key=NAMES.index)
    arrays.parent.mkdir(exist_ok=True)
    with replacing(arrays) as file:
        np.savez(file, **others | {f"{name}/{i:03d}": array for i, array in enumerate(weights)})
    with replacing(records) as file:
        file.write((json.dumps({key: (known | {name: about})[key] for key in order}, indent=1) + "\n").encode())


def _measure(model, recipe, clean):
    inputs = noise.corrupt(clean, recipe.noise_kind, _TEST_LEVEL if recipe.level_range[1] else 0)
    logits = models.predict(model, inputs)
    boards = {"images": special.expit(logits), "logits": logits}
    return {
        "test": metrics.evaluate(model, clean, inputs).loc[0].to_dict(),
        "checkerboard": {what: round(float(np.median(checkerboard.checkerboard_index(of))), 4) for what, of in boards.items()},
    }


def _run(name):
    """Give a run's own name, recipe and seed, for whatever it may be called by."""
    full = name if "/" in str(name) else f"{name}/0"
    if full not in NAMES:
        raise ValueError(f"there is no reference run {name!r}: {did_you_mean(full, NAMES)} pretrained.NAMES has them all")
    group, seed = full.split("/")
    return f"{_SAME.get(group, group)}/{seed}"


def _damaged(path, name, error):
    told = next(iter(str(error).splitlines()), type(error).__name__)
    return ValueError(f"{path.name} is damaged, install the package again: {name}: {told}")


def _path(name, suffix):
    decoder = _RUNS[_run(name).split("/")[0]][0].get("decoder", "nearest")
    return _FOLDER / f"{decoder}.{suffix}"


def _digest(weights):
    return _checkpoint.digest(weights).tobytes().hex()
