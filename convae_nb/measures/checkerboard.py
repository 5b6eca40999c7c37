"""How checkered is a decoder: the overlap of its kernels, its answer to flat input, and the images that come out of it.

An upsampling by s can treat pixels unevenly with a period of s, which shows at the multiples of 1/s in the spectrum. Frequencies are
in cycles per pixel; images are finite numbers of any range, such as logits, of shape ``(batch, height, width[, channels])``.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from convae_nb._base.tensorflow import keras
from convae_nb._base.validate import first_line, is_whole_number
from convae_nb.models import layers

_BATCH = 500  # images at a time: a matter of memory alone
_CELLS = (16, 32, 64)  # a side, of a flat code: the next where the rim reaches too far
_REPEATS = 1e-4  # of the largest value: what two cells may differ by, little more than what float32 rounds
_NOTHING = 1e-12  # power, as a share of an image's variance: little more than what float32 rounds


def overlap_map(input_shape: tuple[int, ...], *, kernel_size: int | Sequence[int], stride: int | Sequence[int]) -> NDArray[np.int_]:
    """Count the products that each output pixel of a transposed convolution sums.

    Along an axis, output position ``x`` collects one product for every input index ``i`` and kernel tap ``t`` with
    ``i * stride + t == x``. In two dimensions the counts of the axes multiply: that product is the checkerboard. Away from the border
    it is flat exactly when `stride` divides `kernel_size`. Layers in a row compound what is uneven [1]_.

    Parameters
    ----------
    input_shape : tuple of int, (length,) or (height, width)
        Size of the feature map that enters the first layer, in pixels.
    kernel_size, stride : int, or list of int, one a layer
        Side of the square kernel, and distance between its placements, in output pixels. An int beside a list serves every layer.

    Returns
    -------
    ndarray of int, shape (out_length,) or (out_height, out_width)
        With ``out = (n - 1) * stride + kernel_size`` for each axis and layer: nothing is cropped. For layers in a row, the number of
        paths from the input to each output pixel.

    Raises
    ------
    ValueError
        If a size is no whole number of at least 1, `input_shape` has more than two, or the lists differ in length.

    References
    ----------
    .. [1] A. Odena et al., "Deconvolution and Checkerboard Artifacts", Distill, 2016, doi:10.23915/distill.00003.

    Examples
    --------
    >>> overlap_map((3, 3), kernel_size=3, stride=2)[2:5, 2:5]
    array([[4, 2, 4],
           [2, 1, 2],
           [4, 2, 4]])
    >>> overlap_map((5,), kernel_size=[3, 3], stride=2)[6:14]  # two layers: a period of 4
    array([3, 1, 3, 2, 3, 1, 3, 2])
    """
    given = f"got {input_shape=}, {kernel_size=}, {stride=}"
    shape, kernel_sizes, strides = map(np.atleast_1d, (input_shape, kernel_size, stride))
    for sizes in (shape, kernel_sizes, strides):
        if sizes.dtype.kind not in "iu" or sizes.ndim > 1 or sizes.size == 0 or sizes.min() < 1:
            raise ValueError(f"sizes must be whole numbers of at least 1, {given}")
    if len(shape) > 2:
        raise ValueError(f"input_shape must be (length,) or (height, width), {given}")
    if len({len(kernel_sizes), len(strides)} - {1}) > 1:
        raise ValueError(f"kernel_size and stride must be as many, one a layer, {given}")

    def count(length):
        paths = np.ones(length, dtype=int)
        for width, step in np.broadcast(kernel_sizes, strides):
            # Each input pixel, `step` after the one before, is painted `width` wide.
            placed = np.zeros((len(paths) - 1) * step + 1, dtype=int)
            placed[::step] = paths
            paths = np.convolve(placed, np.ones(width, dtype=int))
        return paths

    return functools.reduce(np.multiply.outer, map(count, shape))


def phase_response(layer: keras.layers.Layer) -> NDArray[np.float64]:
    """Compute, from its weights alone, what an upsampling layer makes of flat input: a value for each phase of its output.

    Away from the border, the output repeats s x s values, the phases, if the layer enlarges s times. For a transposed convolution each is
    the sum of every s-th tap of the kernel along both axes. Flat input stays flat exactly when all are equal, for each pair of an
    input and an output channel [1]_ [2]_. A resize hands a constant on as it is, and a convolution then sums its whole kernel at
    every pixel: equal by construction. Those of a sub-pixel convolution are equal where its sub-kernels have equal sums, as they do at
    an ICNR start [3]_.

    Parameters
    ----------
    layer : keras.layers.Conv2DTranspose, layers.UpsampleConv2D, layers.SubpixelConv2D or keras.Sequential
        Any kernel and strides. A Sequential must be a resize to a whole multiple (``UpSampling2D``, ``Resizing``) and a ``Conv2D``
        of stride 1 in one group.

    Returns
    -------
    ndarray of float64, shape (stride, stride, out, in)
        ``[p, q, j, i]`` is what rows ``p``, ``p + stride`` … and columns ``q``, ``q + stride`` … of output channel ``j`` gain from a
        constant 1 in input channel ``i``, before bias and activation. A bias adds the same to all phases.

    Raises
    ------
    ValueError
        If the layer is another, or has no weights yet.

    References
    ----------
    .. [1] Y. Sugawara, S. Shiota, H. Kiya, "Super-resolution using convolutional neural networks without any checkerboard artifacts",
       ICIP 2018, arXiv:1806.02658.
    .. [2] Y. Sugawara, S. Shiota, H. Kiya, "Checkerboard artifacts free convolutional neural networks", APSIPA Trans. 2019.
    .. [3] A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017, arXiv:1707.02937.

    Examples
    --------
    >>> layer = keras.layers.Conv2DTranspose(1, 3, strides=2, kernel_initializer="ones")
    >>> layer.build((None, 16, 16, 1))
    >>> phase_response(layer)[:, :, 0, 0]
    array([[4., 2.],
           [2., 1.]])
    """
    if type(layer) not in _RESPONSES:
        raise ValueError(f"layer must be one of {', '.join(kind.__name__ for kind in _RESPONSES)}, got {type(layer).__name__}")
    if not layer.weights:
        raise ValueError(f"layer must have weights, and {layer.name!r} has none yet: build it, or call it once")
    return _RESPONSES[type(layer)](layer)


def phase_spread(layer: keras.layers.Layer) -> float:
    """Measure how unevenly an upsampling layer answers to flat input: the scatter of its `phase_response` over the phases.

    Parameters and errors are those of `phase_response`.

    Returns
    -------
    float
        The standard deviation over the phases as a share of their root mean square, averaged over the pairs of channels: from 0, where
        flat stays flat, to 1, where the phases have the mean 0. A pair that hands nothing on counts as 0.

    Examples
    --------
    Phases of 4, 2, 2 and 1 have the mean 9/4 and the mean square 25/4, so a variance of 19/16: the spread is a tenth of the root of 19.

    >>> layer = keras.layers.Conv2DTranspose(1, 3, strides=2, kernel_initializer="ones")
    >>> layer.build((None, 16, 16, 1))
    >>> round(phase_spread(layer), 4)
    0.4359
    """
    response = phase_response(layer)
    size = np.sqrt(np.mean(response**2, axis=(0, 1)))
    return float(np.mean(np.divide(response.std(axis=(0, 1)), size, out=np.zeros_like(size), where=size > 0)))


def flat_answer(decoder: keras.Model, code: ArrayLike = 1.0) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Let a decoder draw from a code without any pattern, and measure what pattern it draws.

    The code is the same numbers in every cell, and many cells wide. Zeros beyond its rim disturb the picture's; what is measured lies so
    far inside that the picture repeats itself from cell to cell. It is flat exactly when no pattern comes from the decoder [1]_. Trained
    decoders answer to the code of their choice: give the mean of real codes.

    Parameters
    ----------
    decoder : keras.Model
        Any, from codes ``(batch, height, width, channels)`` to pictures, made of layers that take codes of any size, such as
        convolutions. Dropout and batch normalisation do what they do after training.
    code : float, or array of shape (channels,)
        What each cell holds.

    Returns
    -------
    scatter : DataFrame
        A row for each "period", the divisors of the enlargement above 1: the standard deviation of the phases' means, pixels of the same
        row and column modulo the period, "in units" of the picture, and "as a share" of their root mean square, from 0 to 1.
    picture : ndarray of float64, (height, width, channels)
        What was measured, a whole number of cells.

    Raises
    ------
    ValueError
        If the decoder is none, the code does not fit it, or the picture never repeats itself, as with attention.

    References
    ----------
    .. [1] A. Odena et al., "Deconvolution and Checkerboard Artifacts", Distill, 2016, doi:10.23915/distill.00003.

    Examples
    --------
    >>> layer = keras.layers.Conv2DTranspose(1, 3, strides=2, kernel_initializer="ones")
    >>> scatter, picture = flat_answer(keras.Sequential([keras.Input((4, 4, 1)), layer]))
    >>> scatter.round(4)
            in units  as a share
    period
    2         1.0897      0.4359
    >>> picture[:2, :2, 0]
    array([[4., 2.],
           [2., 1.]])
    """
    alone = isinstance(decoder, keras.Model) and len(decoder.inputs) == 1 == len(decoder.outputs)
    shape: tuple[Any, ...] = decoder.input_shape if alone else ()
    if len(shape) != 4 or shape[-1] is None or len(decoder.output_shape) != 4:
        raise ValueError(f"decoder must be a keras.Model from codes (batch, height, width, channels) to pictures, got {decoder!r}")
    level = np.asarray(code, dtype="float32")
    if level.shape not in ((), shape[-1:]) or not np.isfinite(level).all():
        raise ValueError(f"code must be a finite number, or one for each of the {shape[-1]} channels, got an array of shape {level.shape}")
    for cells in _CELLS:
        flat = np.broadcast_to(level, (1, cells, cells, *shape[-1:]))
        picture = np.asarray(_widened(decoder, cells)(flat, training=False), dtype="float64")[0]
        factor = round(picture.shape[0] / cells)
        if factor < 1:
            raise ValueError(f"decoder must give pictures at least as large as its codes, got {picture.shape[0]} pixels for {cells} cells")
        start, stop = cells // 4 * factor, cells // 2 * factor
        inner = picture[start:stop, start:stop]
        again = picture[start + factor : stop + factor, start:stop], picture[start:stop, start + factor : stop + factor]
        if all(np.abs(inner - other).max() <= _REPEATS * np.abs(inner).max() for other in again):
            break
    else:
        raise ValueError(f"the picture does not repeat itself from cell to cell even in the middle of {cells}x{cells} cells: {decoder!r}")
    rows = {period: _scatter(inner, period) for period in range(2, factor + 1) if factor % period == 0}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["in units", "as a share"]).rename_axis("period"), inner


def checkerboard_index(images: ArrayLike, factor: int = 2) -> NDArray[np.float64]:
    """Measure how far patterns of a period stand out in each image: their power over the power beside them in the spectrum.

    Upsampling shows as peaks at the multiples of 1 / `factor` [1]_: for 2 at (½, 0), (0, ½) and (½, ½), stripes along either axis and the
    board. Each image less its mean is weighed with Hann's window, and its Fourier power taken around each of them but (0, 0), in steps
    of 1 / height and 1 / width. The mean over the 3x3 nearest points, which hold all of a regular pattern, is divided by the
    mean over the 16 points around these. The index is the mean of these ratios of powers: a strong checkerboard made twice as
    strong is four times the index.

    White noise has a median of about 1. On the 10,000 test digits of MNIST the median is 0.91, and 90 % lie between 0.44 and 1.79.
    Below lies what leaves these frequencies out: smooth images, and those enlarged by repeating pixels. A digit has power of its
    own there, which a checkerboard adds to or cancels, depending on where it lies: judge by the median over many, which does not
    depend on that.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])
        Any finite numbers. At least 4 x `factor` pixels a side; odd sizes are measured at the same frequencies. The powers of channels
        are averaged, so that checkerboards of opposite sign in two colours do not cancel.
    factor : int
        Period of the patterns, in pixels, at least 2. A factor of 4, for two layers in a row, counts those of period 2 as well.

    Returns
    -------
    ndarray of float, shape (batch,)
        At least 0, and finite: 1e-12 of the image's variance is added to each power. Brightness and contrast of the whole image
        do not matter. A constant image has 1.

    Raises
    ------
    ValueError
        If images or factor are not as above.

    References
    ----------
    .. [1] X. Zhang, S. Karaman, S.-F. Chang, "Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019, arXiv:1907.06515.

    Examples
    --------
    One bright pixel holds all frequencies alike. A checkerboard under it stands out.

    >>> pixel = np.zeros((8, 8))
    >>> pixel[3, 4] = 1
    >>> board = (-1.0) ** np.indices((8, 8)).sum(axis=0)
    >>> checkerboard_index([pixel, pixel - 0.2 * board]).round(1)
    array([1. , 2.9])
    """
    maps = _checked(images)
    if not is_whole_number(factor, low=2):
        raise ValueError(f"factor must be a whole number of at least 2, got {factor!r}")
    height, width = maps.shape[1:3]
    if min(height, width) < 4 * factor:
        raise ValueError(f"images must have at least {4 * factor} pixels a side for {factor=}, got {height}x{width}")
    rows, columns = _waves(height, factor), _waves(width, factor)
    around_it = np.ones((5, 5), dtype=bool)
    around_it[1:4, 1:4] = False
    indices = []
    for batch in _batches(maps):
        largest = np.abs(batch).max(axis=(1, 2, 3), keepdims=True)
        batch = _centred(batch / np.where(largest > 0, largest, 1))
        power = np.mean(np.abs(rows @ batch @ columns.T) ** 2, axis=1)
        # From (batch, vertical, horizontal) to the points around each multiple of 1 / factor, (batch, multiple, 5, 5), without (0, 0).
        power = power.reshape(-1, factor, 5, factor, 5).swapaxes(2, 3).reshape(-1, factor**2, 5, 5)[:, 1:]
        floor = _NOTHING * np.mean(batch**2, axis=(1, 2, 3))[:, None]
        peak, around = (power[..., where].mean(axis=-1) + floor for where in (~around_it, around_it))
        indices.append(np.divide(peak, around, out=np.ones_like(peak), where=around > 0).mean(axis=1))
    return np.concatenate(indices)


def power_spectrum(images: ArrayLike) -> tuple[pd.DataFrame, pd.Series]:
    """Average the power spectra of a set of images: in two dimensions, and over all directions [1]_.

    Each image less its mean is weighed with Hann's window: without it, the step from one border to the opposite one would fill the
    axes. The window spreads each frequency to its neighbours.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])
        Any finite numbers; uint8 is divided by 255. The powers of channels are averaged.

    Returns
    -------
    power : DataFrame, (height, width)
        Rows are vertical and columns horizontal frequencies, from -½ up, with 0 in the middle. In squares of the pixels' unit: white
        noise has its variance at every frequency away from 0.
    azimuthal : Series
        Means of `power` over rings around 0, indexed by their radius, as far apart as the frequencies of the shorter side. They reach
        to the corners, a radius of 0.71, where the checkerboard is.

    Raises
    ------
    ValueError
        If the images are not as above.

    References
    ----------
    .. [1] R. Durall, M. Keuper, J. Keuper, "Watch your Up-Convolution", CVPR 2020, arXiv:2003.01826.

    Examples
    --------
    A checkerboard of amplitude ½, in 8x8 pixels: each axis adds up 8 pixels in step, of which the window leaves 2/3 in power.

    >>> power, azimuthal = power_spectrum(np.indices((1, 8, 8)).sum(axis=0) % 2)
    >>> print(power.loc[-0.5, -0.5].round(4), round(0.5**2 * (8 * 2 / 3) ** 2, 4))
    7.1111 7.1111
    """
    maps = _checked(images)
    height, width = maps.shape[1:3]
    window = np.outer(_window(height), _window(width))
    powers = (np.abs(np.fft.fft2(_centred(batch) * window)) ** 2 for batch in _batches(maps))
    power = np.fft.fftshift(sum(power.mean(axis=1).sum(axis=0) for power in powers)) / len(maps)
    rows, columns = (np.fft.fftshift(np.fft.fftfreq(size)) for size in (height, width))
    rings = np.rint(np.hypot.outer(rows, columns) * min(height, width)) / min(height, width)
    azimuthal = pd.Series(power.ravel(), name="power").groupby(rings.ravel()).mean().rename_axis("radius")
    return pd.DataFrame(power, index=pd.Index(rows, name="vertical"), columns=pd.Index(columns, name="horizontal")), azimuthal


def _widened(decoder, cells):
    """Copy a decoder for codes of so many cells a side; what our own layers crop, to meet a size, they do not crop there."""

    def cropping_nothing(layer):
        config = layer.get_config()
        return type(layer).from_config(config | {"target_size": None} if "target_size" in config else config)

    codes = keras.Input((cells, cells, decoder.input_shape[-1]))
    try:
        wide = keras.models.clone_model(decoder, input_tensors=codes, clone_function=cropping_nothing)
        wide.set_weights(decoder.get_weights())
    except (ValueError, TypeError) as error:
        raise ValueError(f"decoder must be made of layers that take codes of any size: {first_line(error)}") from None
    return wide


def _scatter(picture, period):
    height, width, channels = picture.shape
    phases = picture.reshape(height // period, period, width // period, period, channels).mean(axis=(0, 2))  # (period, period, channels)
    scatter, size = np.sqrt(np.mean(phases.var(axis=(0, 1)))), np.sqrt(np.mean(phases**2))
    return scatter, scatter / size if size else 0.0


def _transposed(layer):
    if layer.data_format != "channels_last":
        raise ValueError(f"a Conv2DTranspose must have its channels last, got {layer.data_format=}")
    kernel, strides = np.float64(layer.kernel), layer.strides
    # What 'same' crops from the picture of a single pixel, half of it at the top and left, shifts the phases.
    kept = layer.compute_output_shape((1, 1, 1, kernel.shape[3]))[1:3]
    top, left = (max(taps - size, 0) // 2 for taps, size in zip(layer.kernel_size, kept, strict=True))
    response = np.empty((*strides, *kernel.shape[2:]))
    for p, q in np.ndindex(strides):
        response[p, q] = kernel[(p + top) % strides[0] :: strides[0], (q + left) % strides[1] :: strides[1]].sum(axis=(0, 1))
    return response


def _resized(convolution, factors=(2, 2)):
    whole = np.float64(convolution.kernel).sum(axis=(0, 1)).T
    return np.broadcast_to(whole, (*factors, *whole.shape))


def _shuffled(layer):
    return np.float64(layer.kernel).sum(axis=(0, 1)).reshape(-1, 2, 2, layer.filters).transpose(1, 2, 3, 0)


def _resized_in_steps(pair):
    kinds = [type(step) for step in pair.layers]
    if len(kinds) != 2 or kinds[0] not in (keras.layers.UpSampling2D, keras.layers.Resizing) or kinds[1] is not keras.layers.Conv2D:
        raise ValueError(f"a Sequential must be an UpSampling2D or Resizing and a Conv2D, got {', '.join(kind.__name__ for kind in kinds)}")
    resize, convolution = pair.layers
    if convolution.strides != (1, 1) or convolution.groups != 1:
        raise ValueError(f"the Conv2D must have stride 1 and one group, got {convolution.strides=}, {convolution.groups=}")
    if kinds[0] is keras.layers.UpSampling2D:
        return _resized(convolution, resize.size)
    source, target = pair.input_shape[1:3] if pair.built else (None, None), (resize.height, resize.width)
    if None in source or any(after % before for before, after in zip(source, target, strict=True)):
        raise ValueError(f"a Resizing must go from a known size to a whole multiple of it, got {source} to {target}")
    return _resized(convolution, tuple(after // before for before, after in zip(source, target, strict=True)))


_RESPONSES = {
    keras.layers.Conv2DTranspose: _transposed,
    layers.UpsampleConv2D: _resized,
    layers.SubpixelConv2D: _shuffled,
    keras.Sequential: _resized_in_steps,
}


def _checked(images):
    images = np.asarray(images)
    if images.dtype.kind not in "buif" or images.ndim not in (3, 4) or images.size == 0:
        raise ValueError(f"images must be numbers of shape (batch, height, width[, channels]), got {images.dtype} {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError(f"images must be finite, got {np.count_nonzero(~np.isfinite(images))} values that are not")
    return images if images.ndim == 4 else images[..., None]


def _batches(images):
    """Give some images at a time, (batch, channels, height, width) in float64."""
    for start in range(0, len(images), _BATCH):
        batch = np.moveaxis(images[start : start + _BATCH], 3, 1).astype("float64")
        yield batch / 255 if images.dtype == np.uint8 else batch


def _centred(batch):
    batch = batch - batch[..., :1, :1]  # a constant becomes 0 exactly; its mean may be off by rounding
    return batch - batch.mean(axis=(2, 3), keepdims=True)


def _window(size):
    """Hann's window, symmetric, with a sum of squares of 1. It spreads a frequency to its two neighbours, 1 / size away, alone."""
    hann = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    return hann / np.sqrt(np.sum(hann**2))


def _waves(size, factor):
    """Windowed waves whose frequencies are the multiples of 1 / factor and two steps of 1 / size around, (5 * factor, size).

    They need not be among those of a discrete Fourier transform: in an odd size ½ is not.
    """
    frequencies = np.add.outer(np.arange(factor) / factor, np.arange(-2, 3) / size)
    return np.exp(-2j * np.pi * np.outer(frequencies, np.arange(size))) * _window(size)
