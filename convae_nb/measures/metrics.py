"""How good is a reconstruction: the loss above its floor, PSNR and SSIM, beside what predictors that look at no image reach.

Images are whatever `data.as_images` takes; shape ``(batch, height, width, channels)``, in [0, 1]. That range is the one against which
PSNR and SSIM are taken: it is never guessed from the images, so a reconstruction with half the contrast counts as wrong.
"""

import math
from typing import TYPE_CHECKING

import lazy_loader
import numpy as np
import scipy.ndimage
import scipy.special
from numpy.typing import ArrayLike, NDArray

from convae_nb import data
from convae_nb.data.images import validate_shape

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy_loader.load("pandas")  # half of what importing this module would take

_BATCH = 500  # images at a time: a matter of memory alone
_ROUNDING = 1 / (12 * 255**2)  # mean squared error of rounding to 256 levels
_WINDOW = 11  # pixels: side of the window of SSIM


def binary_cross_entropy(images: ArrayLike, logits: ArrayLike) -> float:
    """Compute the loss that the models are trained on: the mean sigmoid cross-entropy over all pixels.

    Lower is better, down to the `entropy_floor`. A logit that is not finite gives a loss that is not.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])
        The targets.
    logits : array, shape as the images'
        Their sigmoid is the prediction.

    Returns
    -------
    float
        In nats per pixel.

    Raises
    ------
    ValueError
        If the shapes differ, a logit is beyond the range of float32, or the images are none (`data.DataError`).

    Examples
    --------
    A logit of 0 says one half: the loss is log 2, whatever the image.

    >>> round(binary_cross_entropy(np.ones((1, 2, 2)), np.zeros((1, 2, 2))), 4)
    0.6931
    """
    pixels = data.as_images(images)
    try:
        with np.errstate(over="raise"):
            logits = np.asarray(logits).astype("float32", copy=False)
    except FloatingPointError:
        raise ValueError(f"logits must fit float32, got {np.abs(logits).max():.3g} among them: scale them down") from None
    if logits.shape not in (pixels.shape, np.shape(images)):
        raise ValueError(f"logits must have the shape of the images, {pixels.shape}, got {logits.shape}")
    logits, total = logits.reshape(pixels.shape), 0.0
    for start in range(0, len(pixels), _BATCH):
        x, z = pixels[start : start + _BATCH], logits[start : start + _BATCH].astype("float64")
        with np.errstate(invalid="ignore"):  # of what is not finite
            # -x log p - (1 - x) log(1 - p) of p = sigmoid(z), in a form that neither overflows nor cancels.
            total += np.sum(np.logaddexp(0, z) - x * z)
    return float(total / pixels.size)


def entropy_floor(images: ArrayLike) -> float:
    """Compute the `binary_cross_entropy` of a perfect prediction: the mean of ``-x log x - (1 - x) log(1 - x)``.

    A grey pixel costs something even when predicted exactly; a model can be blamed for the excess of its loss over this alone.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])

    Returns
    -------
    float
        In nats per pixel, from 0 (black and white alone) to log 2; 0.0581 for the test digits of MNIST.

    Raises
    ------
    data.DataError
        A ValueError, if the images are none.

    Examples
    --------
    >>> round(entropy_floor(np.array([[[0.0, 1.0], [0.5, 0.5]]])), 4)  # log(2) / 2
    0.3466
    """
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:  # of which there are 256 values, however many pixels
        validate_shape(images.shape)
        parts = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        counts = sum(np.bincount(np.ravel(part), minlength=256) for part in parts)
        return float(np.average(_entropy(np.arange(256) / 255), weights=counts))
    return float(np.mean(_entropy(data.as_images(images)), dtype="float64"))


def _entropy(pixels):
    return scipy.special.entr(pixels) + scipy.special.entr(1 - pixels)


def psnr(images: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Compute the peak signal-to-noise ratio of each image: ``-10 log10`` of the mean squared error, for a peak of 1.

    Equal images have no error, and one infinite value would spoil the mean of a set. So an error below that of rounding to
    256 levels, a variance of 1 / (12 · 255²), counts as that: no image gets more than 58.92 dB.

    Parameters
    ----------
    images, others : array, shape (batch, height, width[, channels])

    Returns
    -------
    ndarray of float, shape (batch,)
        In dB, from 0 (black for white) to 58.92; higher is better. A set's figure is the mean.

    Raises
    ------
    ValueError
        If the shapes differ, or either are no images (`data.DataError`).

    Examples
    --------
    An error of a tenth everywhere is 20 dB.

    >>> psnr(np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.1)).round(2)
    array([20.])
    """
    images, others = pair_of_images(images, others)
    errors = np.mean((images - others) ** 2, axis=(1, 2, 3), dtype="float64")
    return -10 * np.log10(np.maximum(errors, _ROUNDING))


def ssim(images: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Compute the structural similarity of each image [1]_, with its authors' settings.

    That is a Gaussian window of sigma 1.5 in 11x11 pixels, K1 = 0.01, K2 = 0.03 and a data range of 1, averaged over the
    window's places inside the image, and over channels.

    Parameters
    ----------
    images, others : array, shape (batch, height, width[, channels])
        At least 11 pixels a side.

    Returns
    -------
    ndarray of float, shape (batch,)
        At most 1, which is equal; 0 is unlike, below 0 inverted. A set's figure is the mean.

    Raises
    ------
    ValueError
        If the shapes differ, a side has fewer than 11 pixels, or either are no images (`data.DataError`).

    References
    ----------
    .. [1] Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on Image
       Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.

    Examples
    --------
    Flat images differ in brightness alone: (2 · 0.5 · 1 + K1²) / (0.5² + 1² + K1²).

    >>> ssim(np.full((1, 11, 11), 0.5), np.ones((1, 11, 11))).round(4)
    array([0.8])
    """
    images, others = pair_of_images(images, others)
    if min(images.shape[1:3]) < _WINDOW:
        raise ValueError(f"SSIM needs images of at least {_WINDOW} pixels a side, got {images.shape[1]}x{images.shape[2]}: use PSNR")
    rim = _WINDOW // 2
    starts = range(0, len(images), _BATCH)
    maps = (_similarity(images[start : start + _BATCH], others[start : start + _BATCH]) for start in starts)
    return np.concatenate([batch[:, rim:-rim, rim:-rim].mean(axis=(1, 2, 3)) for batch in maps])


def ssim_map(images: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Compute the structural similarity around each pixel; `ssim` is its mean over the places at which the window is inside.

    Parameters
    ----------
    images, others : array, shape (batch, height, width[, channels])
        Where the window sticks out, they are continued as in a mirror.

    Returns
    -------
    ndarray of float, shape (batch, height, width, channels)
        At most 1, which is equal; 0 is unlike, below 0 inverted.

    Raises
    ------
    ValueError
        If the shapes differ, or either are no images (`data.DataError`).

    Examples
    --------
    >>> ssim_map(np.full((1, 2, 2), 0.5), np.ones((1, 2, 2))).ravel().round(4)
    array([0.8, 0.8, 0.8, 0.8])
    """
    return _similarity(*pair_of_images(images, others))


def _similarity(images, others):
    # In float64: in float32, TensorFlow's own is off by 1e-3 where bright images are flat, a small difference of large numbers.
    x, y = images.astype("float64"), others.astype("float64")
    blurred = scipy.ndimage.gaussian_filter(np.stack([x, y, x * x + y * y, x * y]), 1.5, radius=_WINDOW // 2, axes=(2, 3))
    mean_x, mean_y, squares, products = blurred
    c1, c2 = 0.01**2, 0.03**2
    brightness = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * (products - mean_x * mean_y) + c2) / (squares - mean_x**2 - mean_y**2 + c2)
    return brightness * structure


def scores(images: ArrayLike, others: ArrayLike) -> "pd.DataFrame":
    """Compute `psnr` and `ssim` of each image side by side.

    Parameters
    ----------
    images, others : array, shape (batch, height, width[, channels])

    Returns
    -------
    DataFrame
        A row for each image, and the columns "PSNR" in dB and "SSIM", which is NaN for images of fewer than 11 pixels a side.

    Raises
    ------
    ValueError
        If the shapes differ, or either are no images (`data.DataError`).

    Examples
    --------
    >>> scores(np.full((1, 11, 11), 0.5), np.ones((1, 11, 11))).loc[0].round(2).to_dict()
    {'PSNR': 6.02, 'SSIM': 0.8}
    """
    images, others = pair_of_images(images, others)
    similarities = ssim(images, others) if min(images.shape[1:3]) >= _WINDOW else math.nan
    return pd.DataFrame({"PSNR": psnr(images, others), "SSIM": similarities})


def pair_of_images(images: ArrayLike, others: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring two sets of images to one form, and validate that they have one shape."""
    images, others = data.as_images(images), data.as_images(others)
    if images.shape != others.shape:
        raise ValueError(f"the two sets of images must have the same shape, got {images.shape} and {others.shape}")
    return images, others


def trivial_predictors(images: ArrayLike, fit_on: ArrayLike | None = None) -> "pd.DataFrame":
    """Compute the losses of predicting the same for every image: what a model must beat to have learned anything.

    Probabilities are clipped to 1e-7 from 0 and 1, where a wrong prediction would cost infinitely much.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])
        What is to be predicted.
    fit_on : array, shape (n, height, width[, channels]), optional
        The images that the means come from; None takes `images` themselves.

    Returns
    -------
    DataFrame
        Rows "black", "half grey", "mean pixel" (one value for all pixels) and "mean image" (one for each pixel); columns "loss", as
        `binary_cross_entropy`, and "excess" over the `entropy_floor`, both in nats per pixel.

    Raises
    ------
    ValueError
        If the two differ in height, width or channels, or either are no images (`data.DataError`).

    Examples
    --------
    Two pixels, of which the left is white in every second image; the mean image knows that the right is black: log(2) / 2.

    >>> trivial_predictors(np.array([[[0.0, 0.0]], [[1.0, 0.0]]]))["loss"].round(3).tolist()
    [4.03, 0.693, 0.562, 0.347]
    """
    images = data.as_images(images)
    fit_on = images if fit_on is None else data.as_images(fit_on)
    if fit_on.shape[1:] != images.shape[1:]:
        raise ValueError(f"fit_on must hold images of the same shape, {images.shape[1:]}, got {fit_on.shape[1:]}")
    # For a fixed prediction the loss is linear in the image: that of the images' mean is the mean of their losses.
    target, mean = (stack.mean(axis=0, dtype="float64") for stack in (images, fit_on))
    losses = {}
    for name, prediction in {"black": 0.0, "half grey": 0.5, "mean pixel": mean.mean(), "mean image": mean}.items():
        clipped = np.clip(prediction, 1e-7, 1 - 1e-7)
        losses[name] = -np.mean(target * np.log(clipped) + (1 - target) * np.log1p(-clipped))
    loss = pd.Series(losses).rename_axis("predictor")
    return pd.DataFrame({"loss": loss, "excess": loss - entropy_floor(images)})
