"""Trained networks in files: weights as plain arrays, and beside them the few fields that build the network anew. No pickles."""

import itertools
import json
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from convae_nb._base import archive
from convae_nb._base.files import write_atomically
from convae_nb._base.tensorflow import keras
from convae_nb._base.validate import first_line
from convae_nb.errors import DataError
from convae_nb.models.autoencoder import arguments_of, build_autoencoder

_LIMIT = 500_000_000  # bytes of a file's arrays: a hundred times the largest network of the chapters, and more
_CURE = "it is no whole file of models.save"


def save(model: keras.Model, path: str | os.PathLike, *, trained: Mapping[str, Any] | None = None) -> None:
    """Write a network into one file, from which `load` builds it again: the old file, if there is one, or the new one, whole.

    Parameters
    ----------
    model : keras.Model
        As `build_autoencoder` gives it, trained.
    path : str or Path
        In a folder that is there; the usual ending is ``.npz``.
    trained : dict, optional
        What else is to be known of it, as JSON can hold it: such as the recipe, the noise, what images it learned from.

    Raises
    ------
    ValueError
        If the model is not of `build_autoencoder`, or `trained` is nothing that JSON can hold.
    OSError
        If the file cannot be written.
    """
    record = {
        "model": arguments_of(model),
        "trained": dict(trained or {}),
        "versions": {name: metadata.version(name) for name in ("tensorflow", "keras")},
    }
    try:
        text = np.frombuffer(json.dumps(record, allow_nan=False).encode(), dtype=np.uint8)
    except (TypeError, ValueError) as error:
        raise ValueError(f"trained must be what JSON can hold, got {first_line(error)}") from None
    weights = model.get_weights()
    named: dict[str, Any] = {f"{i:03d}": array for i, array in enumerate(weights)}
    with write_atomically(Path(path)) as file:
        np.savez(file, **named, record=text, digest=archive.digest([*weights, text]))


def load(path: str | os.PathLike) -> keras.Model:
    """Build the network that `save` has written, with its weights. Nothing in the file is run, and it is no larger than what it holds.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    keras.Model
        As `build_autoencoder` gives it.

    Raises
    ------
    DataError
        If it is no file of `save`, byte for byte.
    """
    record, weights = _read(path)
    try:
        arguments = record["model"]
        # Before anything of that size is built: the encoder's kernels, which are there, say how large the network is.
        side, depths = arguments["kernel_size"], [arguments["image_shape"][2], *arguments["filters"]]
        stated = [(side, side, *pair) for pair in itertools.pairwise(depths)]
        if stated != [array.shape for array in weights[: 2 * len(stated) : 2]]:
            raise ValueError("it states another network than it has weights for")
        model = build_autoencoder(**arguments)
        model.set_weights(weights)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise DataError(f"{Path(path).name} holds no network ({first_line(error)}): {_CURE}") from None
    return model


def about(path: str | os.PathLike) -> dict[str, Any]:
    """Tell what stands beside the weights in a file of `save`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        "model", the arguments of `build_autoencoder`; "trained", as it was given to `save`; "versions", of Keras and TensorFlow.

    Raises
    ------
    DataError
        As for `load`.
    """
    return _read(path)[0]


def _read(path):
    stored = archive.read_arrays(path, label=Path(path).name, wanted=lambda _: True, needed=["record", "digest"], limit=_LIMIT, cure=_CURE)
    weights = [stored[name] for name in sorted(filter(str.isdecimal, stored))]
    if not weights or not np.array_equal(stored["digest"], archive.digest([*weights, stored["record"]])):
        raise DataError(f"{Path(path).name} is damaged (its digest does not fit its content): {_CURE}")
    try:
        record = json.loads(stored["record"].tobytes())
        return {name: dict(record[name]) for name in ("model", "trained", "versions")}, weights
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{Path(path).name} holds no network ({first_line(error)}): {_CURE}") from None
