"""The reference runs: trainings done once, whose weights and records ship with the package.

A name is that of a recipe and a seed, "original_basic/0": the seed of the starting weights and of the recipe alike. Weights are plain
arrays, read without pickles and only if their checksum fits the record.
"""

import difflib
import hashlib
import io
import json
import platform
import re
from pathlib import Path

import numpy as np

from convae_nb import data, metrics, models, noise, training
from convae_nb._tensorflow import keras, tf

_FOLDER = Path(__file__).with_name("weights")
_BASIC, _DENOISER = [16, 8, 8], [32, 32, 16]
# The model's filters, and with how many seeds it was trained; all on all 60,000 digits.
_RUNS = {
    "original_basic": (_BASIC, 3),
    "fast_basic": (_BASIC, 5),
    "original_denoiser": (_DENOISER, 1),
    "fast_denoiser": (_DENOISER, 5),
    "range_denoiser": (_DENOISER, 1),
}
# What a model that learned on noisy digits is measured on, whatever levels it saw.
_TEST_LEVEL = 0.5

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
    about = record(name)
    content = _path(name, "npz").read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != about["sha256"]:
        raise ValueError(f"{_path(name, 'npz').name} should have SHA-256 {about['sha256']}, found {digest}: install the package again")
    model = models.build_autoencoder(**about["model"])
    with np.load(io.BytesIO(content), allow_pickle=False) as weights:
        model.set_weights([weights[key] for key in sorted(weights)])
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
        digits, for a denoiser with gaussian noise of level 0.5 in (`noise.corrupt`, seed 0); "sha256", of the file of weights.

    Raises
    ------
    ValueError
        If there is no such run.

    Examples
    --------
    >>> len(record("original_basic/1")["history"]["loss"])
    20
    """
    return json.loads(_path(name, "json").read_text("utf-8"))


def make(name, checkpoints):
    """Train a reference run, or go on with it, and write its weights and its record into the package.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    checkpoints : str or Path
        The folder under which a run keeps its checkpoint; to have been killed costs no more than some seconds.
    """
    recipe, seed = name.split("/")
    arguments = {"filters": _RUNS[recipe][0], "seed": int(seed)}
    model, digits = models.build_autoencoder(**arguments), data.load()
    chosen = training.RECIPES[recipe].model_copy(update={"seed": int(seed)})
    result = training.train(model, digits, chosen, checkpoint_dir=Path(checkpoints, recipe, seed))
    weights = io.BytesIO()
    np.savez(weights, **{f"{i:03d}": array for i, array in enumerate(model.get_weights())})
    about = {
        "model": arguments,
        "recipe": chosen.model_dump(mode="json"),
        "history": result.history,
        "seconds": round(result.seconds, 1),
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
        "processor": _processor(),
        "test": _measure(model, chosen),
        "sha256": hashlib.sha256(weights.getvalue()).hexdigest(),
    }
    _FOLDER.mkdir(exist_ok=True)
    _path(name, "npz").write_bytes(weights.getvalue())
    _path(name, "json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def _measure(model, recipe):
    clean = data.load().x_test
    noisy = noise.corrupt(clean, recipe.noise_kind, _TEST_LEVEL if recipe.level_range[1] else 0)
    return metrics.evaluate(model, clean, noisy).loc[0].to_dict()


def _path(name, suffix):
    full = name if "/" in str(name) else f"{name}/0"
    if full not in NAMES:
        closest = difflib.get_close_matches(full, NAMES, n=1, cutoff=0)[0]
        raise ValueError(f"there is no reference run {name!r}: did you mean {closest!r}? There are {', '.join(NAMES)}")
    return _FOLDER / f"{full.replace('/', '-')}.{suffix}"


def _processor():
    about = Path("/proc/cpuinfo")  # Linux, whose platform.processor() is empty
    found = about.exists() and re.search(r"model name\s*: (.+)", about.read_text())
    return found[1] if found else platform.processor()
