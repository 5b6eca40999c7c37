"""Corruption of images, by kind and level: what a denoiser learns to undo.

Every kind is a function of one image, a level and a generator of its own, which draws the same field whatever the level: as a
slider moves, noise grows and shrinks in place. Images are float32 ``(batch, height, width, channels)`` in [0, 1].
"""

import numbers
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convae_nb import data
from convae_nb._base.suggestions import did_you_mean
from convae_nb._base.validate import is_whole_number


class Kind(NamedTuple):
    """A kind of noise: what its level means, in which unit, from `low` to `high`, and the function that applies it."""

    meaning: str
    unit: str
    low: float
    high: float
    function: Callable  # (image, level, generator) -> the noisy image, not yet clipped


def corrupt(images: ArrayLike, kind: str = "gaussian", level: float = 0.5, seed: int = 0) -> NDArray[np.float32]:
    """Corrupt images with noise, and clip them to [0, 1].

    Clipping is part of the noise: it hides half of what falls on black and on white, and so brightens the one and darkens the
    other. A level is what acts before it.

    Parameters
    ----------
    images : array_like
        Whatever `data.as_images` takes.
    kind : str
        A key of `KINDS`.
    level : float
        How much, in the unit and range of ``KINDS[kind]``. At 0 the images come back as they are.
    seed : int
        At least 0. The noise of image ``i`` depends on ``(seed, i)`` alone, so that the first ten of many are corrupted as ten
        alone would be.

    Returns
    -------
    ndarray of float32, shape (N, height, width, channels)
        In [0, 1], and always a new array.

    Raises
    ------
    data.DataError
        If the images are not images.
    ValueError
        If kind, level or seed are not as above.

    Examples
    --------
    A square of half the side blackens a quarter of a white picture:

    >>> corrupt(np.ones((1, 8, 8)), kind="occlusion", level=0.5).mean()
    np.float32(0.75)
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}: {did_you_mean(kind, KINDS)}")
    meaning, unit, low, high, function = KINDS[kind]
    if not isinstance(level, numbers.Real) or isinstance(level, bool) or not low <= level <= high:
        raise ValueError(f"level of {kind} must be a number from {low:g} to {high:g}, the {meaning} ({unit}), got {level!r}")
    if not is_whole_number(seed, low=0):
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    images = data.as_images(images)
    for i, image in enumerate(images):
        images[i] = function(image, float(level), np.random.default_rng((seed, i)))
    return np.clip(images, 0, 1, out=images)


def _gaussian(image, level, rng):
    return image + level * rng.standard_normal(image.shape, dtype=np.float32)


def _speckle(image, level, rng):
    return image + level * image * rng.standard_normal(image.shape, dtype=np.float32)


def _salt_and_pepper(image, level, rng):
    # A pixel is hit as a whole, all channels alike.
    hit, white = rng.random((2, *image.shape[:2], 1))
    return np.where(hit < level, white < 0.5, image)


def _poisson(image, level, rng):
    from scipy import special  # a quarter of a second, which the command line does not wait for

    # The quantiles of one normal field: NumPy's sampler would draw another pattern at every level.
    field = rng.standard_normal(image.shape)
    noisy = image + level * np.sqrt(image) * field
    # From 10,000 expected photons up, that differs from a count by less than a tenth of one of 255 greys, and counting is slow.
    # Black has nothing to count.
    few = (image > 0) & (image < 10_000 * level**2)
    noisy[few] = level**2 * np.ceil(special.pdtrik(special.ndtr(field[few]), image[few] / level**2))
    return noisy


def _blur(image, level, rng):
    from scipy import ndimage

    # Mirrored at the border, edge pixels repeated, which keeps the mean brightness.
    return ndimage.gaussian_filter(image, level, mode="reflect", axes=(0, 1))


def _occlusion(image, level, rng):
    side = round(level * min(image.shape[:2]))
    top, left = (int(place * (size - side + 1)) for place, size in zip(rng.random(2), image.shape, strict=False))
    occluded = image.copy()
    occluded[top : top + side, left : left + side] = 0
    return occluded


#: What the level of each kind means, its unit and its range, by the kind's name: a `Kind` each.
KINDS = {
    "gaussian": Kind("standard deviation of what is added, before clipping", "white = 1", 0.0, 2.0, _gaussian),
    "speckle": Kind("standard deviation of what is added, before clipping", "the pixel's own brightness = 1", 0.0, 2.0, _speckle),
    "salt_and_pepper": Kind(
        "probability of each pixel to turn white or black, half of them each", "share of pixels", 0.0, 1.0, _salt_and_pepper
    ),
    "poisson": Kind(
        "standard deviation of a white pixel, before clipping: its 1/level² expected photons are counted", "white = 1", 0.0, 2.0, _poisson
    ),
    "blur": Kind("standard deviation of the Gaussian that smooths height and width, mirrored at the border", "pixels", 0.0, 5.0, _blur),
    "occlusion": Kind("side of a black square, placed at random", "share of the shorter side", 0.0, 1.0, _occlusion),
}
