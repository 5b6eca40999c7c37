"""What a network has to beat: the best linear code of the same size, and denoisers that need no network.

Images are whatever `data.as_images` takes; shape ``(batch, height, width, channels)``, in [0, 1]. What each denoiser is tuned to was
found by `tune` on digits held out, and is stored in files/denoisers.json.
"""

import dataclasses
import functools
import itertools
import json
import numbers as kinds
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import linalg, ndimage
from skimage import restoration
from sklearn import decomposition
from tqdm import tqdm

from convae_nb import data, noise

#: What the denoisers are tuned to and compared at, by kind of noise.
LEVELS = {
    "gaussian": (0.1, 0.25, 0.5, 1.0),
    "speckle": (0.25, 0.5, 1.0),
    "salt_and_pepper": (0.1, 0.25, 0.5),
    "poisson": (0.25, 0.5, 1.0),
    "blur": (1.0, 2.0, 3.0),
    "occlusion": (0.25, 0.5, 0.75),
}

_FILE = Path(__file__).with_name("files") / "denoisers.json"
_TUNING_DIGITS = 300  # the first of the last 5,000 training digits, on which whatever is chosen is chosen
_EQUAL = 0.01  # dB
_FITTED, _FITTED_SHAPE = ("ridge regression", "PCA, 256 numbers"), (28, 28, 1)  # what is fitted to digits
# Ridge regression gains 0.14 dB from 10,000 to 20,000 digits, and 0.09 more up to 55,000 (gaussian, 0.5), for three times the time.
_FITTING_DIGITS = 20_000
# Recipes and chapters take seeds below 2**31: this noise is never that of a test.
_FITTING_SEED, _TUNING_SEED = 2**31, 2**31 + 1


def pca_codec(train_images, numbers):
    """Fit a code of some numbers an image, their first principal components: no linear code has a lower squared error.

    The components are exact and the same in every run: scikit-learn takes them from the covariance of the pixels, in float64, or, where
    there are fewer images than pixels, from the singular values of the images. 60,000 digits take about two seconds.

    Parameters
    ----------
    train_images : array, shape (n, height, width[, channels])
        What to fit the components to.
    numbers : int
        Size of the code: from 1 to the number of images or of an image's values, whichever is less.

    Returns
    -------
    PCACodec
        With ``encode`` and ``decode``.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If `numbers` is out of range.

    Examples
    --------
    Images of two pixels that are always equal need one number.

    >>> codec = pca_codec(np.array([[[0.0, 0.0]], [[0.5, 0.5]], [[1.0, 1.0]]]), 1)
    >>> codec.decode(codec.encode(np.array([[[0.25, 0.25]]]))).round(4).tolist()
    [[[[0.25], [0.25]]]]
    """
    images = data.as_images(train_images)
    pixels = images.reshape(len(images), -1)
    most = min(pixels.shape)
    if isinstance(numbers, bool) or not isinstance(numbers, kinds.Integral) or not 1 <= numbers <= most:
        count, values = pixels.shape
        raise ValueError(f"numbers must be a whole number from 1 to {most}, for {count} images of {values} values, got {numbers!r}")
    solver = "covariance_eigh" if pixels.shape[0] >= pixels.shape[1] else "full"
    pca = decomposition.PCA(int(numbers), svd_solver=solver).fit(pixels.astype("float64"))
    return PCACodec(pca, images.shape[1:])


@dataclasses.dataclass(frozen=True)
class PCACodec:
    """A linear code, as `pca_codec` fits it.

    Attributes
    ----------
    pca : sklearn.decomposition.PCA
        Fitted on flattened images; row i of ``pca.components_`` is the picture that number i of the code weighs.
    image_shape : tuple of int, (height, width, channels)
        Of the images that it codes.
    """

    pca: decomposition.PCA
    image_shape: tuple

    def encode(self, images):
        """Turn images into codes.

        Parameters
        ----------
        images : array, shape (batch, height, width[, channels])

        Returns
        -------
        ndarray of float, shape (batch, numbers)

        Raises
        ------
        data.DataError
            If the images are not.
        ValueError
            If they have another shape than the training images.
        """
        images = data.as_images(images)
        if images.shape[1:] != self.image_shape:
            raise ValueError(f"the code is fitted to images of shape {self.image_shape}, got {images.shape[1:]}")
        return self.pca.transform(images.reshape(len(images), -1))

    def decode(self, codes):
        """Turn codes back into images.

        Parameters
        ----------
        codes : array, shape (batch, numbers)

        Returns
        -------
        ndarray of float32, shape (batch, height, width, channels)
            Clipped to [0, 1].

        Raises
        ------
        ValueError
            If the codes have another size.
        """
        numbers = self.pca.n_components_
        if np.ndim(codes) != 2 or np.shape(codes)[1] != numbers:
            raise ValueError(f"codes must have the shape (batch, {numbers}), got {np.shape(codes)}")
        images = np.clip(self.pca.inverse_transform(codes), 0, 1)
        return images.reshape(-1, *self.image_shape).astype("float32")


@dataclasses.dataclass(frozen=True)
class Denoiser:
    """A method that removes noise, tuned to each of `LEVELS`. It is called as a function; `DENOISERS` holds one of each.

    Attributes
    ----------
    name : str
        Its key in `DENOISERS`, fit for a table.
    function : callable
        ``function(images, condition, **parameters)`` with the tuned kind and level as condition; what it gives is yet to be clipped.
    grid : dict of str to sequence
        The values of each parameter that `tune` tries.
    """

    name: str
    function: Callable
    grid: dict

    def __call__(self, noisy, *, kind, level):
        """Denoise images as suits a kind and a level of noise.

        The parameters are those of the nearest of `LEVELS`. What noise the images really have is not looked at: they may be
        denoised as if it were another.

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
        return self.apply(images, (kind, tuned), _tuning()[self.name][kind][f"{tuned:g}"]["parameters"])

    def apply(self, images, condition, parameters):
        """Denoise with given parameters instead of the tuned ones; images must come from `data.as_images`."""
        return np.clip(self.function(images, condition, **parameters), 0, 1).astype("float32")


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


def _pca(images, condition):
    codec = _digits_codec()
    return codec.decode(codec.encode(images))


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
    return pca_codec(data.load().x_train[:_FITTING_DIGITS], 256)


# Grids of filters start at what does nothing, that of ridge regression at much penalty; it ends where float64 still solves without
# loss. Patches are sought no further than 7 pixels away: 11 gains a tenth of a dB or two, for three times the time.
#: What denoises, by its name in tables and menus: filters, which know nothing of digits, and what is fitted to digits.
DENOISERS = {
    denoiser.name: denoiser
    for denoiser in (
        Denoiser("noisy image", _nothing, {}),
        Denoiser("Gaussian filter", _gaussian, {"sigma": [0, *np.arange(0.3, 2.01, 0.05).round(2).tolist()]}),
        Denoiser("median filter", _median, {"radius": [0, 1, 1.5, 2, 2.3, 2.9, 3, 3.2, 4]}),
        Denoiser("total variation", _total_variation, {"weight": [0, *np.geomspace(0.01, 1, 31).round(3).tolist()]}),
        Denoiser(
            "non-local means", _non_local_means, {"h": [0, *np.geomspace(0.04, 0.6, 25).round(3).tolist()], "patch_distance": [1, 3, 7]}
        ),
        Denoiser("ridge regression", _ridge_regression, {"alpha": [10.0**power for power in range(4, -9, -1)]}),
        Denoiser("PCA, 256 numbers", _pca, {}),
    )
}


def suited_to(images):
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
    ['ridge regression', 'PCA, 256 numbers']
    """
    fits = data.as_images(images[:1]).shape[1:] == _FITTED_SHAPE
    return {name: denoiser for name, denoiser in DENOISERS.items() if fits or name not in _FITTED}


def tune():
    """Choose each denoiser's parameters for each of `LEVELS`, by PSNR on digits held out, and write them into the package.

    Every combination of `Denoiser.grid` is tried on the same noisy digits; of those within 0.01 dB of the best the first is taken, the
    gentlest filter and the most stable regression. The file says, by name, kind and level: "parameters"; "PSNR", the mean that they
    reach, in dB; "at_end", which of them lie at an end of their grid, where better ones may lie beyond. It takes some minutes.
    """
    from convae_nb import metrics  # brings TensorFlow in, which denoising does not need

    clean = data.load().x_train[-5000:][:_TUNING_DIGITS]
    conditions = [(kind, level) for kind, levels in LEVELS.items() for level in levels]
    tuned = {name: {kind: {} for kind in LEVELS} for name in DENOISERS}
    for kind, level in tqdm(conditions, desc="tuning denoisers", dynamic_ncols=True):
        noisy = noise.corrupt(clean, kind, level, _TUNING_SEED)
        for name, denoiser in DENOISERS.items():
            candidates = [dict(zip(denoiser.grid, values, strict=True)) for values in itertools.product(*denoiser.grid.values())]
            reached = np.array([metrics.psnr(clean, denoiser.apply(noisy, (kind, level), given)).mean() for given in candidates])
            chosen = int(np.argmax(reached > reached.max() - _EQUAL))
            best = candidates[chosen]
            tuned[name][kind][f"{level:g}"] = {
                "parameters": best,
                "PSNR": round(float(reached[chosen]), 3),
                "at_end": [key for key, value in best.items() if value in (denoiser.grid[key][0], denoiser.grid[key][-1])],
            }
    _FILE.write_text(json.dumps(tuned, indent=1, sort_keys=True) + "\n", "utf-8")
    _tuning.cache_clear()


@functools.cache
def _tuning():
    return json.loads(_FILE.read_text("utf-8"))
