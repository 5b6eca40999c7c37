"""A trained network on pictures of any size: convolutions do not ask how large a picture is."""

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convae_nb import data
from convae_nb._base.progress import progress_bar
from convae_nb._base.tensorflow import keras
from convae_nb.errors import DataError, RefusedError
from convae_nb.models.autoencoder import arguments_of, build_autoencoder, reconstruct
from convae_nb.models.cost import layer_table

_LEAST = 8  # pixels a side
_STEP = 64  # pixels: the sides of small pictures count as multiples of it, so that a folder of many sizes needs few networks


def denoise(model: keras.Model, picture: ArrayLike, *, tile: int = 256, progress: bool = False) -> NDArray[np.float32]:
    """Pass a picture of any size through a network, in tiles, so that the network's maps take no more memory for a larger picture.

    Each tile gets as much of its surroundings as its pixels can depend on, and what comes out of these is cut off. So there are no
    seams: the result is that of the network on the whole picture, which goes on beyond its sides as in a mirror.

    Parameters
    ----------
    model : keras.Model
        Of `build_autoencoder`, whatever its image size. One for grey takes the colours of a picture one by one; one for colours takes a
        grey picture as red, green and blue, and gives their mean.
    picture : array, shape (height, width) or (height, width, channels)
        At least 8 pixels a side; values as `data.as_images` takes them.
    tile : int
        Side of the tiles in pixels, without their surroundings. Larger ones take less time in all, and more memory.
    progress : bool
        Show a live line, tile by tile.

    Returns
    -------
    ndarray of float32
        In [0, 1], of the picture's shape.

    Raises
    ------
    data.DataError
        If it is no picture, or a side has fewer than 8 pixels.
    RefusedError
        If the network's weights are no numbers.
    ValueError
        If the model is not of `build_autoencoder`, or `tile` is less than 8.
    """
    validate_network(model)
    if tile < _LEAST:
        raise ValueError(f"tile must be at least {_LEAST} pixels, got {tile!r}")
    pixels = data.as_images(np.asarray(picture)[None])[0]  # (height, width, channels)
    height, width = pixels.shape[:2]
    if min(height, width) < _LEAST:
        raise DataError(f"pictures must have at least {_LEAST} pixels a side, got {height}x{width}")
    unit, margin = _grid(model)
    sides = [math.ceil(min(tile, math.ceil(size / _STEP) * _STEP) / unit) * unit for size in (height, width)]
    counts = [math.ceil(size / side) for size, side in zip((height, width), sides, strict=True)]
    frame = [(margin, margin + count * side - size) for size, side, count in zip((height, width), sides, counts, strict=True)]
    network = _of_size(model, *(side + 2 * margin for side in sides))
    network.set_weights(model.get_weights())
    one_by_one = model.input_shape[-1] == 1
    passes = [slice(i, i + 1) for i in range(pixels.shape[-1])] if one_by_one else [slice(None)]
    tiles = [(row * sides[0], column * sides[1]) for row, column in np.ndindex(*counts)]
    with progress_bar(total=len(passes) * len(tiles), desc="denoising", unit=" tiles", leave=False, progress=progress) as bar:
        for layer in passes:
            # A copy: what comes out takes the place of what went in, since large pictures take much memory.
            framed = np.pad(pixels[..., layer], [*frame, (0, 0)], mode="symmetric")
            for top, left in tiles:
                given = framed[top : top + sides[0] + 2 * margin, left : left + sides[1] + 2 * margin]
                given = np.broadcast_to(given, (*given.shape[:2], model.input_shape[-1]))
                place = pixels[top : top + sides[0], left : left + sides[1], layer]
                inner = reconstruct(network, given[None])[0, margin : margin + place.shape[0], margin : margin + place.shape[1]]
                place[...] = inner if inner.shape == place.shape else inner.mean(axis=-1, keepdims=True)
                bar.update()
    return pixels.reshape(np.shape(picture))


def validate_network(model: keras.Model) -> None:
    """Refuse a model that cannot be built anew for other sizes, or that makes no picture of any.

    Raises
    ------
    RefusedError
        If the network's weights are no numbers.
    ValueError
        If the model is not of `build_autoencoder`.
    """
    arguments_of(model)
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise RefusedError("the network must have finite weights, found NaN or infinity, as after a training that diverged: train it again")


def _grid(model):
    """Give the pixels between two cells of the code, and how many pixels around a tile can matter to it, a multiple of them."""
    table = layer_table(model)
    unit = 2 ** sum(table.index.str.startswith("pool"))
    # Depending on where it lies in its cell, a pixel sees further to one side than to the other, by up to a cell.
    reach = table["sees"].iloc[-1] / 2 + unit
    return unit, math.ceil(reach / unit) * unit


@functools.lru_cache(maxsize=8)
def _of_size(model, height, width):
    return build_autoencoder(**arguments_of(model) | {"image_shape": [height, width, model.input_shape[-1]]})
