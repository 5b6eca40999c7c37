"""The reference networks: trainings done once, whose weights and records ship with the package.

Weights are plain arrays, read without pickles, within a limit, and only if their checksum fits the record.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from convae_nb import baselines, checkerboard, data, metrics, models, noise, training
from convae_nb._base import archive, processor
from convae_nb._base.files import write_atomically
from convae_nb._base.tensorflow import keras, tf
from convae_nb._base.validate import first_line
from convae_nb.reference import tables
from convae_nb.reference.names import NAMES, RUNS, canonical

_FOLDER = Path(__file__).with_name("weights")
_EPOCH = 60_000  # images
_TEST_LEVEL = 0.5  # what a model that learned on a range of levels is measured on
_APART = ("own_denoiser", "photographs", "skip", "photo_denoiser")  # runs that are stored by their kind, all others by their decoder
_RECORD_LIMIT = 10_000_000  # bytes of a file of records
_WEIGHTS_LIMIT = 1_000_000  # bytes of a run's weights; the largest has a quarter of that


def load(name: str) -> keras.Model:
    """Build the model of a reference run, with its trained weights.

    Parameters
    ----------
    name : str
        One of `NAMES`; a recipe alone stands for its first seed.

    Returns
    -------
    keras.Model
        From images ``(batch, 28, 28, 1)`` in [0, 1] to logits; those of photographs from ``(batch, 32, 32, 1)``.

    Raises
    ------
    ValueError
        If there is no such run, or its file is not the one that the record describes.

    Examples
    --------
    >>> load("original_basic").count_params()
    4385
    """
    weights = stored_weights(name)
    model = models.build_autoencoder(**_arguments(name))
    model.set_weights(weights)
    return model


def stored_weights(name: str) -> list[np.ndarray]:
    """Read the trained weights of a reference run, in the order of the model's own; to be had without building one."""
    stated, path = record(name), _path(name, "npz")
    prefix = f"{canonical(name)}/"
    try:
        arrays = archive.read_arrays(
            path, label=path.name, wanted=lambda key: key.startswith(prefix), limit=_WEIGHTS_LIMIT, cure="install it again"
        )
        weights = [arrays[key] for key in sorted(arrays)]
        if (found := _digest(weights)) != stated["sha256"]:
            raise ValueError(f"the weights should have SHA-256 {stated['sha256']}, found {found}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(path, name, error) from error
    return weights


def record(name: str) -> dict[str, Any]:
    """Tell of a reference run what was done and what came out.

    Parameters
    ----------
    name : str
        As for `load`.

    Returns
    -------
    dict
        "model", the arguments of `models.build_autoencoder`; "recipe", the fields of `training.Recipe`; "history", as in
        `training.Result`; "seconds"; "precision", in which the steps were computed; "versions" and "processor"; "test", the row of
        `metrics.evaluate` on the test digits, for a denoiser with the noise that it was trained on, at a level of 0.5 if that was a range
        (`noise.corrupt`, seed 0); "sha256", of the weights; "checkerboard", the median over the test digits of the
        `checkerboard.checkerboard_index` of "images", the reconstructions, and of "logits"; "curve", the mean loss of each of 40
        stretches of the training (or of its steps, if they are fewer). The oldest runs lack curve and precision, which was float32.

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
        return dict(_records(path)[canonical(name)])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(path, name, error) from error


def curve(name: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the training loss of a reference run along the images seen, to be drawn beside that of a run on the same images.

    Parameters
    ----------
    name : str
        As for `load`.
    source : str
        Where the other run's images come from, as `data.load` takes it. If that is not MNIST, there is no loss to compare with, and a
        printed sentence says so.

    Returns
    -------
    seen : ndarray of float
        Images seen in the middle of each epoch.
    loss : ndarray of float
        The mean over the epoch, in nats per pixel. Both are empty if there is nothing to compare with.

    Raises
    ------
    ValueError
        As `record` does.

    Examples
    --------
    >>> seen, loss = curve("original_basic", "mnist")
    >>> len(loss), seen[:2].tolist()
    (20, [30000.0, 90000.0])
    >>> len(curve("original_basic", "photos")[1])
    The reference runs learned from MNIST: for other images there is none to compare with.
    0
    """
    found = np.array(record(name)["history"]["loss"])
    if source != "mnist":
        print("The reference runs learned from MNIST: for other images there is none to compare with.")
        found = found[:0]
    return (np.arange(len(found)) + 0.5) * _EPOCH, found


def measured(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Put what was measured of runs into a table.

    Parameters
    ----------
    records : dict of str to dict
        Name of a run to what `record` or `train` tells of it.

    Returns
    -------
    DataFrame
        A row for each run: "decoder"; "bare", whether it has no output convolution; "seed"; "PSNR" in dB and "excess loss" in nats per
        pixel on the test images; "index of images" and "index of logits", medians of their `checkerboard.checkerboard_index`.

    Examples
    --------
    >>> measured({"fast_basic/0": record("fast_basic/0")})[["decoder", "bare", "seed"]].values.tolist()
    [['nearest', False, 0]]
    """
    rows = []
    for about in records.values():
        given, test = about["model"], about["test"]
        row = {"decoder": given.get("decoder", "nearest"), "bare": not given.get("output_convolution", True), "seed": given["seed"]}
        row |= {"PSNR": test["PSNR"], "excess loss": test["excess"]}
        rows.append(row | {f"index of {part}": about["checkerboard"][part] for part in ("images", "logits")})
    return pd.DataFrame(rows)


def recipe_of(name: str) -> training.Recipe:
    """Give the recipe of a reference run, with its seed; where basic decoders are compared, with the peak that was chosen for its decoder.

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
    group, seed = canonical(name).split("/")
    run = RUNS[group]
    compared = run.recipe == "fast_basic" and "decoder" in run.model
    chosen = tables.recipe_for(run.model["decoder"]) if compared else training.RECIPES[run.recipe]
    return chosen.model_copy(update={**run.changes, "seed": int(seed)})


def train(
    name: str,
    dataset: data.Dataset | None = None,
    recipe: training.Recipe | None = None,
    *,
    checkpoint_dir: str | os.PathLike | None = None,
    progress: bool = True,
) -> tuple[keras.Model, dict[str, Any]]:
    """Do a reference run anew, or a variant of it.

    Parameters
    ----------
    name : str
        As for `load`: it decides the model and its starting weights.
    dataset : data.Dataset, optional
        What the run learned from if not given. Trained on its training images, measured on its test images.
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
    if dataset is None:
        dataset = data.photograph_patches() if RUNS[canonical(name).split("/")[0]].photographs else data.load()
    recipe = recipe or recipe_of(name)
    arguments = _arguments(name)
    model = models.build_autoencoder(**arguments)
    result = training.train(model, dataset, recipe, checkpoint_dir=checkpoint_dir, progress=progress)
    curve = np.array_split(result.step_losses, min(40, len(result.step_losses)))
    return model, {
        "model": arguments,
        "recipe": recipe.model_dump(mode="json"),
        "history": result.history,
        "curve": [round(float(part.mean()), 5) for part in curve],
        "seconds": round(result.seconds, 1),
        "precision": result.precision,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
        "processor": processor.name(),
        **_measure(model, recipe, dataset.x_test),
        "sha256": _digest(model.get_weights()),
    }


def find_or_train(dataset: data.Dataset, recipe: training.Recipe, *, retrain: bool = False, **model: Any) -> tuple[keras.Model, float, str]:
    """Give a trained model: the reference run that was trained so, if there is one, or else one that is trained now.

    Parameters
    ----------
    dataset : data.Dataset
    recipe : training.Recipe
        Its seed is also that of the starting weights.
    retrain : bool
        Whether to train whatever ships.
    **model
        Further arguments of `models.build_autoencoder`.

    Returns
    -------
    model : keras.Model
    seconds : float
        What its training took, here or when the reference run was made.
    precision : str
        In which it was computed.

    Raises
    ------
    data.DataError, ValueError
        As `models.build_autoencoder` and `training.train` have it.

    Examples
    --------
    >>> model, seconds, precision = find_or_train(data.load(), training.RECIPES["fast_basic"], filters=[16, 8, 8])
    It ships: fast_basic/0
    """
    wanted = {"filters": list(model.pop("filters", (16, 8, 8))), **model}
    for name in () if retrain or not _is_mnist(dataset) else NAMES:
        group, seed = name.split("/")
        if RUNS[group].model == wanted and recipe_of(name) == recipe and int(seed) == recipe.seed:
            stated = record(name)
            print(f"It ships: {name}")
            return load(name), stated["seconds"], stated.get("precision", "float32")
    built = models.build_autoencoder(image_shape=data.as_images(dataset.x_train[:1]).shape[1:], seed=recipe.seed, **wanted)
    result = training.train(built, dataset, recipe)
    return built, result.seconds, result.precision


def _is_mnist(dataset):
    digits = data.load()
    return dataset.x_train.shape == digits.x_train.shape and np.array_equal(dataset.x_train, digits.x_train)


def measure_code(filters: Sequence[int], dataset: data.Dataset, recipe: training.Recipe, *, progress: bool = True) -> dict[str, Any]:
    """Train a network of the given depths, and measure it on the test images: how small can a code be?

    Parameters
    ----------
    filters : sequence of int
        As for `models.build_autoencoder`.
    dataset : data.Dataset
    recipe : training.Recipe
        Its seed is also that of the starting weights.
    progress : bool
        As for `training.train`.

    Returns
    -------
    dict
        "filters", as text, and "seed"; "numbers", the size of the code; "test_loss" and "excess" in nats per pixel, "psnr" in dB and
        "dead_maps", as `metrics.evaluate` measures them.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        As `models.build_autoencoder` and `training.train` have it.
    """
    images = data.as_images(dataset.x_test)
    model = models.build_autoencoder(filters, image_shape=images.shape[1:], seed=recipe.seed)
    training.train(model, dataset, recipe, progress=progress)
    measured = metrics.evaluate(model, images).loc[0]
    return {
        "filters": str(list(filters)),
        "seed": recipe.seed,
        "numbers": int(np.prod(model.get_layer("encoder").output.shape[1:])),
        "test_loss": float(measured["loss"]),
        "excess": float(measured["excess"]),
        "psnr": float(measured["PSNR"]),
        "dead_maps": int(measured["dead_maps"]),
    }


def measure_codes(dataset: data.Dataset, recipe: training.Recipe, seeds: Sequence[int]) -> pd.DataFrame:
    """Measure codes of every size of `CODE_FILTERS` on a dataset, beside as many principal components.

    Parameters
    ----------
    dataset, recipe
        As for `measure_code`.
    seeds : sequence of int
        A training for each, of each size.

    Returns
    -------
    DataFrame
        As `code_sizes` gives it for MNIST.

    Raises
    ------
    data.DataError, ValueError
        As `measure_code` has it.
    """
    rows = [measure_code(filters, dataset, training.recipe(recipe, seed=seed)) for filters in tables.CODE_FILTERS for seed in seeds]
    of_pca = {numbers: baselines.pca_psnr(dataset, numbers) for numbers in {row["numbers"] for row in rows}}
    return pd.DataFrame([row | {"pca_psnr": of_pca[row["numbers"]]} for row in rows])


def store(name: str, weights: list[np.ndarray], stated: dict[str, Any]) -> None:
    """Put a run's weights and record beside the others of its decoder, or of its kind.

    Killed between the two files, it leaves weights that `load` refuses, until they are made again.
    """
    arrays, records = _path(name, "npz"), _path(name, "json")
    others = {}
    if arrays.exists():
        with np.load(arrays, allow_pickle=False) as stored:
            others = {key: stored[key] for key in stored if not key.startswith(f"{name}/")}
    known = (_records(records) if records.exists() else {}) | {name: stated}
    arrays.parent.mkdir(exist_ok=True)
    with write_atomically(arrays) as file:
        np.savez(file, **others | {f"{name}/{i:03d}": array for i, array in enumerate(weights)})
    with write_atomically(records) as file:
        file.write((json.dumps({key: known[key] for key in sorted(known, key=NAMES.index)}, indent=1) + "\n").encode())


def _measure(model, recipe, clean):
    low, high = recipe.level_range
    inputs = noise.corrupt(clean, recipe.noise_kind, high if low == high else _TEST_LEVEL)
    logits = models.predict(model, inputs)
    boards = {"images": special.expit(logits), "logits": logits}
    return {
        "test": metrics.evaluate(model, clean, inputs).loc[0].to_dict(),
        "checkerboard": {what: round(float(np.median(checkerboard.checkerboard_index(of))), 4) for what, of in boards.items()},
    }


def _records(path):
    if (size := path.stat().st_size) > _RECORD_LIMIT:
        raise ValueError(f"{size:,} bytes are more than records take")
    return json.loads(path.read_text("utf-8"))


def _damaged(path, name, error):
    return ValueError(f"{path.name} is damaged, install the package again: {name}: {first_line(error)}")


def _arguments(name):
    """What builds a run's model. The name alone decides it: a damaged record may ask for a model of any size."""
    group, seed = canonical(name).split("/")
    return RUNS[group].model | {"seed": int(seed)}


def _path(name, suffix):
    apart = [kind for kind in _APART if name.startswith(kind)]
    file = apart[0] if apart else _arguments(name).get("decoder", "nearest")
    return _FOLDER / f"{file}.{suffix}"


def _digest(weights):
    return archive.digest(weights).tobytes().hex()
