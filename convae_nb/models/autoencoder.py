"""The convolutional autoencoder: one builder for every depth, image size and way up, and what passes images through it.

Images are ``(batch, height, width, channels)`` in [0, 1]; models return logits, whose sigmoid is the image. The model is that of
Udacity's deep-learning repository, ``autoencoder/Convolutional_Autoencoder``, 2018.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from convae_nb import data
from convae_nb._base.suggestions import did_you_mean
from convae_nb._base.tensorflow import keras, tf
from convae_nb._base.validate import is_whole_number
from convae_nb.models import layers
from convae_nb.models.ways_up import DECODERS, SAME

_JOINTS = {"concatenate": keras.layers.Concatenate, "add": keras.layers.Add}
_SKIPS = ("none", *_JOINTS)


def build_autoencoder(
    filters: Sequence[int] = (16, 8, 8),
    decoder: str = "nearest",
    image_shape: tuple[int, int, int] = (28, 28, 1),
    kernel_size: int = 3,
    seed: int = 0,
    output_convolution: bool = True,
    skips: str = "none",
) -> keras.Model:
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
    skips : str
        Whether feature maps pass around the code: "none", as in 2018; or the encoder's maps of each size, before their pooling, join
        the decoder's of the same size, which they are laid beside, "concatenate" [3]_, or added to, "add" [4]_. Logits are joined by
        nothing: without output convolution the maps of the image's own size do not pass.

    Returns
    -------
    keras.Model
        From images ``(batch, *image_shape)`` to logits of the same shape. Its layers "encoder" (images to code) and "decoder"
        (code to logits) are models of their own. With skips the encoder also gives the maps that pass, the largest first, and the
        decoder takes them; `encode` gives the code of either.

    Raises
    ------
    ValueError
        If an argument is outside what is listed above.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    .. [2] A. Odena et al., "Deconvolution and Checkerboard Artifacts", Distill, 2016, doi:10.23915/distill.00003.
    .. [3] O. Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, arXiv:1505.04597.
    .. [4] X.-J. Mao et al., "Image Restoration Using Very Deep Convolutional Encoder-Decoder Networks with Symmetric Skip
       Connections", NIPS 2016, arXiv:1603.09056.

    Examples
    --------
    >>> model = build_autoencoder()
    >>> model.get_layer("encoder").output.shape, model.output.shape, model.count_params()
    ((None, 4, 4, 8), (None, 28, 28, 1), 4385)
    """
    _validate(filters, decoder, image_shape, kernel_size, seed, skips)
    depths = len(filters)
    sizes = [tuple(image_shape[:2])]
    for _ in filters:
        sizes.append(tuple((size + 1) // 2 for size in sizes[-1]))
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * depths + 1))

    def options(name, activation="relu"):
        initializer = keras.initializers.GlorotUniform(seed=int(next(seeds)))
        return {"name": name, "activation": activation, "kernel_initializer": initializer}

    images = maps = keras.Input(image_shape, name="images", dtype="float32")
    levels = []
    for i, depth in enumerate(filters, start=1):
        maps = keras.layers.Conv2D(depth, kernel_size, **SAME, **options(f"conv{i}"))(maps)
        levels.append(maps)
        maps = keras.layers.MaxPooling2D(2, **SAME, name=f"pool{i}")(maps)
    passing = [] if skips == "none" else levels if output_convolution else levels[1:]  # from the largest on
    encoder = keras.Model(images, [maps, *passing] if passing else maps, name="encoder")

    code = maps = keras.Input(maps.shape[1:], name="code", dtype="float32")
    around = [keras.Input(level.shape[1:], name=f"around{i}", dtype="float32") for i, level in enumerate(passing, start=1)]
    joined = dict(enumerate(reversed(around), start=1))
    steps = list(zip(reversed(filters), reversed(sizes[:-1]), strict=True))
    for i, (depth, size) in enumerate(steps, start=1):
        bare = i == depths and not output_convolution
        settings = options("logits", None) if bare else options(f"up{i}")
        maps = DECODERS[decoder](maps, image_shape[2] if bare else depth, kernel_size, size, **settings)
        if i in joined:
            maps = _JOINTS[skips](name=f"skip{i}", dtype="float32")([maps, joined[i]])
    if output_convolution:
        maps = _to_logits(image_shape[2], kernel_size, **options("logits", None))(maps)
    decoder_model = keras.Model([code, *around] if around else code, maps, name="decoder")

    images = keras.Input(image_shape, name="images", dtype="float32")
    model = keras.Model(images, decoder_model(encoder(images)), name="autoencoder")
    model.built_with = {
        "filters": list(filters),
        "decoder": decoder,
        "image_shape": list(image_shape),
        "kernel_size": kernel_size,
        "output_convolution": output_convolution,
        "skips": skips,
    }
    return model


def arguments_of(model: keras.Model) -> dict[str, Any]:
    """Give the arguments that `build_autoencoder` builds a model anew from, but for the seed, or refuse one that it has not built.

    Raises
    ------
    ValueError
        If the model is not of `build_autoencoder`.

    Examples
    --------
    >>> arguments_of(build_autoencoder((4, 2)))["filters"]
    [4, 2]
    """
    if not hasattr(model, "built_with"):
        raise ValueError(f"the model must be of models.build_autoencoder, got {type(model).__name__} {getattr(model, 'name', '')!r}")
    return dict(model.built_with)


def _to_logits(channels, kernel_size, **options):
    if channels == 1:
        return layers.SingleMapConv2D(kernel_size, **options)
    return keras.layers.Conv2D(channels, kernel_size, **SAME, **options)


def _validate(filters, decoder, image_shape, kernel_size, seed, skips):
    def sequence(value, lengths):
        return isinstance(value, (tuple, list)) and len(value) in lengths and all(map(is_whole_number, value))

    if not sequence(filters, range(1, 6)):
        raise ValueError(f"filters must be 1 to 5 whole numbers of at least 1, a depth each, got {filters!r}")
    if not isinstance(decoder, str) or decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}: {did_you_mean(decoder, DECODERS)}")
    if not sequence(image_shape, [3]) or min(image_shape[:2]) < 8 or image_shape[2] not in (1, 3):
        raise ValueError(
            f"image_shape must be (height, width, channels) with at least 8 pixels a side and 1 or 3 channels, got {image_shape!r}"
        )
    if not is_whole_number(kernel_size):
        raise ValueError(f"kernel_size must be a whole number of at least 1, got {kernel_size!r}")
    if not is_whole_number(seed, low=0):
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    if not isinstance(skips, str) or skips not in _SKIPS:
        raise ValueError(f"skips must be one of {', '.join(_SKIPS)}, got {skips!r}: {did_you_mean(skips, _SKIPS)}")


def predict(model: keras.Model, images: ArrayLike, batch_size: int = 500) -> NDArray[np.float32]:
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


def encode(model: keras.Model, images: ArrayLike, batch_size: int = 500) -> NDArray[np.float32]:
    """Give the code of images, and not what passes around it. Parameters and errors are those of `predict`; the model is an autoencoder.

    Returns
    -------
    ndarray of float32, shape (batch, height, width, maps)
    """
    encoder = model.get_layer("encoder")
    if len(encoder.outputs) > 1:
        encoder = keras.Model(encoder.inputs, encoder.outputs[0])
    return predict(encoder, images, batch_size)


def reconstruct(model: keras.Model, images: ArrayLike, batch_size: int = 500) -> NDArray[np.float32]:
    """Pass images through an autoencoder and take the sigmoid of its logits. Parameters and errors are those of `predict`.

    Returns
    -------
    ndarray of float32, shape (batch, height, width, channels)
        Images in [0, 1].
    """
    return special.expit(predict(model, images, batch_size))


def as_denoiser(model: keras.Model) -> Callable[..., NDArray[np.float32]]:
    """Make of a model a denoiser that stands beside those of `baselines.DENOISERS`.

    Parameters
    ----------
    model : keras.Model
        From images to logits.

    Returns
    -------
    callable
        ``denoise(noisy, *, kind, level)``, which gives `reconstruct` whatever kind and level: a network has learned one task.
    """

    def denoise(noisy, *, kind, level):
        return reconstruct(model, noisy)

    return denoise
