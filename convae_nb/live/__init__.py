"""What moves on a page without a kernel: scripts that compute the package's networks in a browser, and the files that they read.

The scripts are plain JavaScript that a page loads by a ``<script>`` element, from a server or from a disk; they are put together here, in
the order in which they need each other. `engine.js` computes, `worker.js` says what a page may ask of it, `page.js` is what the parts of
a page share, and the others are those parts.
"""

import base64
import inspect
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from convae_nb import data, reference
from convae_nb._base.tensorflow import keras
from convae_nb.models import arguments_of, build_autoencoder
from convae_nb.plots.frames import SHOW
from convae_nb.reference.names import RUNS, canonical
from convae_nb.reference.networks import stored_weights

_HERE = Path(__file__).parent
_SCRIPTS = ("engine", "worker", "page", "pad", "explorer", "draw", "checkerboards", "code", "generate")
_EACH = 10  # digits of a class


def write(folder: str | os.PathLike, names: Iterable[str] = reference.NAMES) -> None:
    """Write what pages load into a folder: ``convae.js``, ``live.css``, ``digits.js`` and a file for each network.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    names : iterable of str
        Of `reference.NAMES`, the networks.
    """
    digits = data.load()
    files = {"convae.js": script(), "live.css": read("live.css"), "digits.js": digits_script(digits.x_test, np.asarray(digits.y_test))}
    for name in sorted(set(map(canonical, names))):
        files[f"networks/{name.replace('/', '-')}.js"] = _network(name, _arguments(name), stored_weights(name))
    for name, text in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def script() -> str:
    """Put the scripts of a page together: the object ``convae`` and its parts.

    Returns
    -------
    str
        JavaScript. A page that loads it finds each ``<div class="convae-live" data-part="…">`` and shows that part there.
    """
    frames = f"convae.showFrame = function () {{{SHOW}}};\n"  # whose pages need no inline handlers
    return "\n".join([*(read(f"{name}.js") for name in _SCRIPTS), frames])


def pad_module() -> str:
    """Put the drawing pad together as a module for anywidget: its default export renders the pad into a notebook's page.

    Returns
    -------
    str
        JavaScript.
    """
    return "\n".join(read(f"{name}.js") for name in ("engine", "pad", "widget"))


def read(name: str) -> str:
    """Read one of the scripts, or the style sheet."""
    return (_HERE / name).read_text(encoding="utf-8")


def network_script(model: keras.Model, name: str) -> str:
    """Write a network as a script: its arguments, and its weights in float32.

    Parameters
    ----------
    model : keras.Model
        As `models.build_autoencoder` gives it.
    name : str
        By which the page's scripts know it.

    Returns
    -------
    str
        JavaScript, four bytes for three of the weights' own.

    Raises
    ------
    ValueError
        If the model is not of `models.build_autoencoder`.
    """
    return _network(name, arguments_of(model), model.get_weights())


def _arguments(name):
    """What `arguments_of` gives for the model of a reference run. To build all models for it would take a quarter of a minute."""
    build = inspect.signature(build_autoencoder).bind(**RUNS[name.split("/")[0]].model)
    build.apply_defaults()
    return {key: value for key, value in build.arguments.items() if key != "seed"}


def _network(name, arguments, weights):
    held = {"model": arguments, "shapes": [array.shape for array in weights], "weights": _text(np.concatenate(weights, axis=None))}
    return f"convae.networks[{json.dumps(name)}] = {json.dumps(held)};\n"


def digits_script(images: ArrayLike, classes: ArrayLike) -> str:
    """Write digits as a script: the first ten of each class, class by class.

    Parameters
    ----------
    images : array of uint8, shape (batch, height, width[, channels])
    classes : array of int, shape (batch,)
        From 0 to 9.

    Returns
    -------
    str
        JavaScript.
    """
    places = np.concatenate([np.flatnonzero(np.asarray(classes) == digit)[:_EACH] for digit in range(10)])
    pixels = np.rint(data.as_images(np.asarray(images)[places]) * 255)
    return f"convae.digits = {json.dumps(_text(pixels.astype('uint8')))};\n"


def _text(array):
    return base64.b64encode(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()).decode("ascii")
