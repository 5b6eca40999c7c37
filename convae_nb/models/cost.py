"""The shapes and the cost of a model, a row for each layer."""

import math

import pandas as pd

from convae_nb._base.tensorflow import keras
from convae_nb.models import layers


def layer_table(model: keras.Model) -> pd.DataFrame:
    """List a model's layers: what each gives, holds, costs and sees.

    Parameters
    ----------
    model : keras.Model
        An autoencoder of `build_autoencoder`.

    Returns
    -------
    DataFrame
        A row a layer, indexed by its name, and these columns: "part" (encoder or decoder); "output" (height, width, channels);
        "values", the product of these; "share", values over the image's, in percent (the code is the row before the decoder's
        first); "weights"; "multiply-adds" of one image, in the plain formulation: a resize before its convolution, zero padding counted
        as pixels, and so what a transposed convolution paints beyond its output; "sees", the side of the square of input pixels that
        one output value depends on away from the border, as far as the image goes on, by way of the code.

    Examples
    --------
    >>> from convae_nb.models import build_autoencoder
    >>> print(layer_table(build_autoencoder()).loc["pool3"].drop("part").to_string())
    output           (4, 4, 8)
    values                 128
    share            16.326531
    weights                  0
    multiply-adds            0
    sees                    22
    """
    image_values = math.prod(model.input_shape[1:])
    rows, path = {}, []
    for part in ("encoder", "decoder"):
        for layer in model.get_layer(part).layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            output = tuple(map(int, layer.output.shape[1:]))
            path.append(layer)
            rows[layer.name] = {
                "part": part,
                "output": output,
                "values": math.prod(output),
                "share": 100 * math.prod(output) / image_values,
                "weights": layer.count_params(),
                "multiply-adds": _multiply_adds(layer),
                "sees": _receptive_field(path),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer")


def _multiply_adds(layer):
    if isinstance(layer, keras.layers.UpSampling2D):
        return 4 * math.prod(layer.output.shape[1:])  # each a weighted mean of 2x2 pixels: it is bilinear
    if not layer.weights:
        return 0
    # A kernel is applied once a pixel: of the resized map, or else of what comes in.
    maps = layer.output if isinstance(layer, layers.UpsampleConv2D) else layer.input
    return math.prod(layer.kernel.shape) * math.prod(maps.shape[1:3])


def _receptive_field(path):
    side = 1
    for layer in reversed(path):
        if isinstance(layer, keras.layers.MaxPooling2D):
            side *= 2
        elif width := _painted(layer):
            side = (side + width) // 2  # so many squares of that width, 2 apart, reach into that many pixels, at most
        elif layer.weights:
            side += layer.kernel_size[0] - 1
    return side


def _painted(layer):
    """Side of the square of output pixels that one pixel reaches into, for a layer that doubles the size; None for others."""
    match layer:
        case keras.layers.UpSampling2D():  # bilinear
            return 4
        case keras.layers.Conv2DTranspose():
            return layer.kernel_size[0]
        case layers.UpsampleConv2D():
            return layer.kernel_size[0] + 1
        case layers.SubpixelConv2D():
            return 2 * layer.kernel_size[0]
