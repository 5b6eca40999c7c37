"""Denoisers that need no network: filters, which know nothing of digits, and linear methods that are fitted to them.

Images are whatever `data.as_images` takes; shape ``(batch, height, width, channels)``, in [0, 1]. What each denoiser is tuned to was
found by `reference.make` on digits held out, and is stored beside this file.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, ndimage
from skimage import restoration

from convae_nb import data, noise
from convae_nb.measures.baselines import pca_codec
from convae_nb.measures.levels import LEVELS

#: Where the tuned parameters are stored.
TUNED = Path(__file__).with_name("denoisers.json")
_FITTED, _FITTED_SHAPE = ("ridge regression", "PCA"), (28, 28, 1)  # what is fitted to digits
# Ridge regression gains 0.14 dB from 10,000 to 20,000 digits, and 0.09 more up to 55,000 (gaussian, 0.5), for three times the time.
_FITTING_DIGITS = 20_000
_FITTING_SEED = 2**31  # recipes and chapters take seeds below: this noise is never that of a test
_COMPONENTS = (784, 512, 384, 256, 200, 150, 100, 80, 60, 50, 40, 30, 20, 10)  # all of them change nothing


@dataclasses.dataclass(frozen=True)
class Denoiser:
    """A method that removes noise, tuned to each of `LEVELS`. It is called as a function; `DENOISERS` holds one of each.

    A last step corrects the greys, before they are clipped to [0, 1]. "undo_bias" replaces each by the true one whose mean noisy value
    it is: a mean of noisy pixels that were clipped is not the true grey, but its curve can be read backwards [1]_. Then "gain" multiplies
    and "offset" is subtracted, which turns a haze into black.

    Attributes
    ----------
    name : str
        Its key in `DENOISERS`, fit for a table.
    function : callable
        ``function(images, condition, **parameters)`` with the tuned kind and level as condition; what it gives is yet to be clipped.
    grid : dict of str to sequence
        The values of each parameter of the function that the tuning tries, beside those of `LAST_STEP`.

    References
    ----------
    .. [1] A. Foi, "Clipped noisy images: Heteroskedastic modeling and practical denoising", Signal Processing, 2009.
    """

    name: str
    function: Callable
    grid: dict

    def __call__(self, noisy: ArrayLike, *, kind: str, level: float) -> NDArray[np.float32]:
        """Denoise images as suits a kind and a level of noise.

        The parameters are those of the nearest of `LEVELS`. What noise the images really have is not looked at: they may be
        denoised as if it were another. All were tuned on white strokes on black; a gain and an offset, which suit nothing else, are left
        out for images of another shape than digits.

        Parameters
        ----------
        noisy : array, shape (batch, height, width[, channels])
            Filters take any size; what is fitted to digits, ridge regression and PCA, takes 28x28 in grey alone.
        kind, level : str and float
            As in `noise.corrupt`.

        Returns
        -------
        ndarray of float32, shape (batch, height, width, channels)
            In [0, 1], and always a new array. Every image is denoised as it would be alone.

        Raises
        ------
        data.DataError
            If the images are not.
        ValueError
            If there is no such kind, its level is out of range, or the method is not for images of this shape.

        Examples
        --------
        A white pixel in the dark does not outlive a median.

        >>> image = np.zeros((1, 5, 5))
        >>> image[0, 2, 2] = 1
        >>> DENOISERS["median filter"](image, kind="salt_and_pepper", level=0.1).max()
        np.float32(0.0)
        """
        images = data.as_images(noisy)
        noise.corrupt(np.zeros((1, 1, 1, 1)), kind, level)  # refuses what is no kind of noise, or no level of it
        tuned = min(LEVELS[kind], key=lambda other: abs(other - level))
        parameters = tuned_parameters()[self.name][kind][f"{tuned:g}"]["parameters"]
        if images.shape[1:] != _FITTED_SHAPE:
            parameters = {name: value for name, value in parameters.items() if name not in ("gain", "offset")}
        return self.apply(images, (kind, tuned), parameters)

    def apply(self, images: NDArray[np.float32], condition: tuple[str, float], parameters: dict[str, Any]) -> NDArray[np.float32]:
        """Denoise with given parameters instead of the tuned ones; images must come from `data.as_images`."""
        last = {name: parameters[name] for name in LAST_STEP if name in parameters}
        own = {name: value for name, value in parameters.items() if name not in last}
        return self.finish(self.function(images, condition, **own), condition, **last)

    def finish(
        self,
        denoised: NDArray[np.floating],
        condition: tuple[str, float],
        undo_bias: bool = False,
        gain: float = 1.0,
        offset: float = 0.0,
    ) -> NDArray[np.float32]:
        """Take the last step, from what the function gave to images in [0, 1]."""
        if undo_bias:
            denoised = without_bias(denoised, *condition)
        return np.clip(gain * denoised - offset, 0, 1).astype("float32")


def without_bias(images: ArrayLike, kind: str, level: float) -> NDArray[np.float64]:
    """Replace greys by the true ones whose mean noisy value they are.

    The mean of noisy pixels that were clipped is not the true grey, but it rises with it: its curve, measured on flat images, is read
    backwards [1]_.

    Parameters
    ----------
    images : array
        Means of noisy pixels, such as what a filter gives, or a network that was trained on noisy targets.
    kind, level
        Of the noise, as `noise.corrupt` takes them.

    Returns
    -------
    ndarray of float, of the images' shape
        In [0, 1].

    References
    ----------
    .. [1] A. Foi, "Clipped noisy images: Heteroskedastic modeling and practical denoising", Signal Processing 89(12), 2009,
       doi:10.1016/j.sigpro.2009.04.035.
    """
    return np.interp(np.asarray(images), *_mean_noisy_values(kind, level))


def _nothing(images, condition):
    return images


def _gaussian(images, condition, sigma):
    return ndimage.gaussian_filter(images, sigma, axes=(1, 2))


def _median(images, condition, radius):
    # All pixels no further than the radius, the centres' distance: 5 for 1, 3x3 for 1.5, 13 for 2, 5x5 for 2.9.
    steps = np.arange(-int(radius), int(radius) + 1)
    disc = np.hypot(steps[:, None], steps) <= radius
    return ndimage.median_filter(images, footprint=disc[None, :, :, None])


def _total_variation(images, condition, weight):
    if not weight:
        return images
    # As channels of one picture: these are denoised one by one.
    stack = np.moveaxis(images, 0, 2)
    denoised = restoration.denoise_tv_chambolle(stack.reshape(*stack.shape[:2], -1), weight, channel_axis=-1)
    return np.moveaxis(denoised.reshape(stack.shape), 2, 0)


def _non_local_means(images, condition, patch_distance, h):
    if not h:
        return images
    # Patches of 5x5 are best, or next to it, for digits under every kind of noise; the default is 7x7.
    options = {"patch_size": 5, "patch_distance": patch_distance, "h": h, "channel_axis": -1}
    return np.stack([restoration.denoise_nl_means(image, **options).reshape(image.shape) for image in images])


def _ridge_regression(images, condition, alpha):
    if images.shape[1:] != _FITTED_SHAPE:
        raise ValueError(f"ridge regression is fitted to images of shape {_FITTED_SHAPE}, got {images.shape[1:]}")
    weights = _ridge(*condition, alpha)
    return (images.reshape(len(images), -1) @ weights[:-1] + weights[-1]).reshape(images.shape)


def _pca(images, condition, numbers):
    codec = _digits_codec()
    code = codec.encode(images)
    code[:, numbers:] = 0  # components come in order: those left are the codec of so many
    return codec.decode(code)


@functools.lru_cache(maxsize=20)  # as many as there are LEVELS
def _mean_noisy_values(kind, level):
    """Measure the mean noisy value of flat images, and give it with their grey, both rising."""
    greys = np.linspace(0, 1, 33)
    flat = np.broadcast_to(greys[:, None, None, None], (33, 128, 128, 1))
    return np.maximum.accumulate(noise.corrupt(flat, kind, level, _FITTING_SEED).mean(axis=(1, 2, 3))), greys


@functools.lru_cache(maxsize=20)  # as many as there are LEVELS, 5 MB each
def _ridge(kind, level, alpha):
    """Fit the weights from noisy to clean pixels, shape (785, 784); the last row is the intercept, which goes unpenalised."""
    squares, products = _moments(kind, level)
    penalty = np.diag(np.append(np.full(len(squares) - 1, alpha), 0))
    return linalg.solve(squares + penalty, products, assume_a="pos")


@functools.lru_cache(maxsize=1)
def _moments(kind, level):
    """Sum what the normal equations need over training digits: the noisy pixels and a 1 times themselves, and times the clean pixels."""
    count = 8_000 if kind == "poisson" else _FITTING_DIGITS  # photons are slow to count, 2 s for so many
    clean = data.load().x_train[:count]
    # In float64, in which blur can be undone: its weights are large and of both signs.
    noisy = np.ones((count, clean[0].size + 1))
    noisy[:, :-1] = noise.corrupt(clean, kind, level, _FITTING_SEED).reshape(count, -1)
    return noisy.T @ noisy, noisy.T @ (clean.reshape(count, -1) / 255)


@functools.cache
def _digits_codec():
    return pca_codec(data.load().x_train[:_FITTING_DIGITS], _COMPONENTS[0])


#: What the tuning tries of the last step, which all share.
LAST_STEP: dict[str, list] = {
    "undo_bias": [False, True],
    "gain": [1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0],
    "offset": [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5],
}
# Grids of filters start at what does nothing, that of ridge regression at much penalty; it ends where float64 still solves without
# loss. Patches are sought no further than 3 pixels away: 7 was best for none of `LEVELS`, for four times as many patches.
#: What denoises, by its name in tables and menus: filters, which know nothing of digits, and what is fitted to digits.
DENOISERS = {
    denoiser.name: denoiser
    for denoiser in (
        Denoiser("noisy image", _nothing, {}),
        Denoiser("Gaussian filter", _gaussian, {"sigma": [0, *np.arange(0.3, 2.01, 0.1).round(2).tolist()]}),
        Denoiser("median filter", _median, {"radius": [0, 1, 1.5, 2, 2.3, 2.9, 3, 3.2, 4]}),
        Denoiser("total variation", _total_variation, {"weight": [0, *np.geomspace(0.01, 1, 21).round(3).tolist()]}),
        Denoiser(
            "non-local means",
            _non_local_means,
            {"h": [0, *np.geomspace(0.04, 1.2, 18).round(3).tolist()], "patch_distance": [1, 3]},
        ),
        Denoiser("ridge regression", _ridge_regression, {"alpha": [10.0**power for power in range(4, -9, -1)]}),
        Denoiser("PCA", _pca, {"numbers": list(_COMPONENTS)}),
    )
}


def suited_to(images: ArrayLike) -> dict[str, Denoiser]:
    """Choose those of `DENOISERS` that take such images: filters take any, what is fitted to digits takes 28x28 in grey alone.

    Parameters
    ----------
    images : array, shape (batch, height, width[, channels])

    Returns
    -------
    dict of str to Denoiser
        By name, in the order of `DENOISERS`.

    Raises
    ------
    data.DataError
        If the images are not.

    Examples
    --------
    >>> [name for name in DENOISERS if name not in suited_to(np.zeros((1, 32, 32, 3)))]
    ['ridge regression', 'PCA']
    """
    fits = data.as_images(np.asarray(images)[:1]).shape[1:] == _FITTED_SHAPE
    return {name: denoiser for name, denoiser in DENOISERS.items() if fits or name not in _FITTED}


@functools.cache
def tuned_parameters() -> dict[str, dict]:
    """Give what is stored of the tuning, by name, kind and level; cached."""
    return json.loads(TUNED.read_text("utf-8"))
