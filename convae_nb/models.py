"""The convolutional autoencoder: one builder for every depth, image size and way up, and its shapes and cost as a table.

Images are ``(batch, height, width, channels)`` in [0, 1]; models return logits, whose sigmoid is the image. The model is that of
Udacity's deep-learning repository, ``autoencoder/Convolutional_Autoencoder``, 2018.
"""

import functools
import math
import numbers

import numpy as np
import pandas as pd
from scipy import special

from convae_nb import data, layers
from convae_nb._names import did_you_mean
from convae_nb._tensorflow import keras, tf

_MAPS = {"data_format": "channels_last", "dtype": "float32"}
_PLAIN = {"padding": "same", **_MAPS}


def _nearest(maps, filters, kernel_size, target_size, **options):
    return layers.UpsampleConv2D(filters, kernel_size, target_size=target_size, **options)(maps)


def _bilinear(maps, filters, kernel_size, target_size, *, name, **options):
    # Cropped before the convolution, as `_nearest` is, so that the two differ in nothing but the interpolation.
    maps = keras.layers.UpSampling2D(2, interpolation="bilinear", **_MAPS, name=f"{name}_resize")(maps)
    return keras.layers.Conv2D(filters, kernel_size, **_PLAIN, name=name, **options)(_cropped(maps, target_size, name))


def _transposed(maps, filters, kernel_size, target_size, *, side, name, **options):
    # Its kernel has a side of its own, whatever the `kernel_size` of the other convolutions.
    maps = keras.layers.Conv2DTranspose(filters, side, 2, **_PLAIN, name=name, **options)(maps)
    return _cropped(maps, target_size, name)


def _subpixel(maps, filters, kernel_size, target_size, **options):
    return layers.SubpixelConv2D(filters, kernel_size, target_size=target_size, **options)(maps)


def _cropped(maps, target_size, name):
    bottom, right = (size - target for size, target in zip(maps.shape[1:3], target_size, strict=True))
    if bottom or right:
        maps = keras.layers.Cropping2D(((0, bottom), (0, right)), **_MAPS, name=f"{name}_crop")(maps)
    return maps


#: The ways up by 2, by name. Each takes feature maps to `filters` maps of exactly ``target_size``; ``options`` are those of a Keras layer.
DECODERS = {
    "nearest": _nearest,  # nearest-neighbour resize, then convolution
    "bilinear": _bilinear,  # bilinear resize (half-pixel centres), then convolution
    "transposed_3x3": functools.partial(_transposed, side=3),  # transposed convolution of stride 2, which does not divide its kernel
    "transposed_4x4": functools.partial(_transposed, side=4),  # one whose kernel it divides
    "transposed_2x2": functools.partial(_transposed, side=2),  # one whose kernel it equals
    "subpixel": _subpixel,  # convolution to four times the maps, laid side by side
}


def build_autoencoder(filters=(16, 8, 8), decoder="nearest", image_shape=(28, 28, 1), kernel_size=3, seed=0, output_convolution=True):
    """Build a convolutional autoencoder that returns logits.

    The encoder repeats convolution, ReLU and 2x2 max-pooling once for each entry of `filters`; the decoder goes the same sizes
    back up, each step a convolution with ReLU, and ends with a convolution to the image's channels. Kernels start Glorot-uniform
    [1]_, biases at zero. The defaults are the basic model of 2018: a code of 4x4x8 = 128 numbers, 4,385 weights; the
    denoiser has ``filters=(32, 32, 16)``: 256 numbers, 30,689 weights.

    Parameters
    ----------
    filters : sequence of int
        Feature maps after each of the encoder's 1 to 5 convolutions.
    decoder : str
        The way up, a key of `DECODERS`: "nearest" (as in 2018) or "bilinear", a resize followed by a convolution; "transposed_3x3",
        "transposed_4x4" or "transposed_2x2", a transposed convolution of stride 2 [2]_; "subpixel", a `layers.SubpixelConv2D`. An odd
        size is cropped from the doubled one, bottom and right.
    image_shape : tuple of int, (height, width, channels)
        At least 8 pixels a side, and 1 or 3 channels.
    kernel_size : int
        Side of every convolution's square kernel, in pixels; the transposed ones have the side that their name says.
    seed : int
        The starting weights follow from it alone; no global random state is read or set.
    output_convolution : bool
        False leaves out the last convolution: then the last way up gives the logits itself.

    Returns
    -------
    keras.Model
        From images ``(batch, *image_shape)`` to logits of the same shape. Its layers "encoder" (images to code) and "decoder"
        (code to logits) are models of their own.

    Raises
    ------
    ValueError
        If an argument is outside what is listed above.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    .. [2] A. Odena et al., "Deconvolution and Checkerboard Artifacts", Distill, 2016, doi:10.23915/distill.00003.

    Examples
    --------
    >>> model = build_autoencoder()
    >>> model.get_layer("encoder").output.shape, model.output.shape, model.count_params()
    ((None, 4, 4, 8), (None, 28, 28, 1), 4385)
    """
    _check(filters, decoder, image_shape, kernel_size, seed)
    depths = len(filters)
    sizes = [tuple(image_shape[:2])]
    for _ in filters:
        sizes.append(tuple((size + 1) // 2 for size in sizes[-1]))
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * depths + 1))

    def options(name, activation="relu"):
        initializer = keras.initializers.GlorotUniform(seed=int(next(seeds)))
        return {"name": name, "activation": activation, "kernel_initializer": initializer}

    images = maps = keras.Input(image_shape, name="images", dtype="float32")
    for i, depth in enumerate(filters, start=1):
        maps = keras.layers.Conv2D(depth, kernel_size, **_PLAIN, **options(f"conv{i}"))(maps)
        maps = keras.layers.MaxPooling2D(2, **_PLAIN, name=f"pool{i}")(maps)
    encoder = keras.Model(images, maps, name="encoder")

    code = maps = keras.Input(encoder.output.shape[1:], name="code", dtype="float32")
    steps = list(zip(reversed(filters), reversed(sizes[:-1]), strict=True))
    for i, (depth, size) in enumerate(steps, start=1):
        bare = i == depths and not output_convolution
        settings = options("logits", None) if bare else options(f"up{i}")
        maps = DECODERS[decoder](maps, image_shape[2] if bare else depth, kernel_size, size, **settings)
    if output_convolution:
        maps = keras.layers.Conv2D(image_shape[2], kernel_size, **_PLAIN, **options("logits", None))(maps)
    decoder_model = keras.Model(code, maps, name="decoder")

    images = keras.Input(image_shape, name="images", dtype="float32")
    return keras.Model(images, decoder_model(encoder(images)), name="autoencoder")


def _check(filters, decoder, image_shape, kernel_size, seed):
    def whole(value, low=1):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= low

    def sequence(value, lengths):
        return isinstance(value, (tuple, list)) and len(value) in lengths and all(map(whole, value))

    if not sequence(filters, range(1, 6)):
        raise ValueError(f"filters must be 1 to 5 whole numbers of at least 1, a depth each, got {filters!r}")
    if not isinstance(decoder, str) or decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}: {did_you_mean(decoder, DECODERS)}")
    if not sequence(image_shape, [3]) or min(image_shape[:2]) < 8 or image_shape[2] not in (1, 3):
        raise ValueError(
            f"image_shape must be (height, width, channels) with at least 8 pixels a side and 1 or 3 channels, got {image_shape!r}"
        )
    if not whole(kernel_size):
        raise ValueError(f"kernel_size must be a whole number of at least 1, got {kernel_size!r}")
    if not whole(seed, low=0):
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")


def predict(model, images, batch_size=500):
    """Pass images through a model, or through a part of one.

    Parameters
    ----------
    model : keras.Model
        An autoencoder, which gives logits, or its layer "encoder", which gives the code.
    images : array
        Whatever `data.as_images` takes.
    batch_size : int
        Images at a time; a matter of memory alone.

    Returns
    -------
    ndarray of float32, shape (batch, …)

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If the model wants images of another shape.
    """
    images = data.as_images(images)
    if images.shape[1:] != tuple(model.input_shape[1:]):
        raise ValueError(f"the model takes images of shape {tuple(model.input_shape[1:])}, got {images.shape[1:]}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    # Compiled once a model, for any number of images, and kept with it: an explorer calls this at every move of a slider.
    if not hasattr(model, "_predict"):
        signature = tf.TensorSpec((None, *images.shape[1:]), tf.float32)
        model._predict = tf.function(lambda batch: model(batch, training=False), input_signature=[signature])
    batches = (images[start : start + batch_size] for start in range(0, len(images), batch_size))
    return np.concatenate([model._predict(batch).numpy() for batch in batches])


def reconstruct(model, images, batch_size=500):
    """Pass images through an autoencoder and take the sigmoid of its logits. Parameters and errors are those of `predict`.

    Returns
    -------
    ndarray of float32, shape (batch, height, width, channels)
        Images in [0, 1].
    """
    return special.expit(predict(model, images, batch_size))


def layer_table(model):
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
        one output value depends on away from the border, as far as the image goes on.

    Examples
    --------
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
        for layer in model.get_layer(part).layers[1:]:
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
