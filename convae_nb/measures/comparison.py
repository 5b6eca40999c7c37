"""Every denoiser on the same noise fields: PSNR and SSIM, and how sure the differences between two methods are.

A denoiser is a function ``(noisy, *, kind, level)`` from images to images, as in `baselines.DENOISERS`; `models.as_denoiser` makes one
of a model. Images are whatever `data.as_images` takes.
"""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from convae_nb import data, noise
from convae_nb._base.suggestions import did_you_mean
from convae_nb.measures import metrics

_BATCH = 500  # images at a time: a matter of memory alone


def compare(
    denoisers: Mapping[str, Callable],
    images: ArrayLike,
    conditions: Iterable[tuple[str, float]],
    *,
    seed: int = 0,
    reference: str | None = None,
) -> pd.DataFrame:
    """Measure denoisers on the same noisy images, condition by condition.

    Differences are paired: that of two methods is taken image by image, and its interval is far narrower than those of the two means.

    Parameters
    ----------
    denoisers : dict of str to callable
        ``denoise(noisy, *, kind, level)`` by name.
    images : array, shape (n, height, width[, channels])
        Clean.
    conditions : iterable of (kind, level)
        As in `noise.corrupt`.
    seed : int
        Of the noise, which is drawn once a condition.
    reference : str, optional
        The denoiser that the others are compared with.

    Returns
    -------
    DataFrame
        A row for each condition and denoiser, in their order: "kind", "level", "method", "PSNR" in dB and "SSIM", the means over the
        images, and "n", how many these are. With a reference also, for each of the two, "PSNR difference", the mean of the method's
        minus the reference's (above 0, the method is better), and "PSNR half-width", that of the difference's 95 % confidence
        interval: 1.96 standard errors, as the normal distribution has it, so let n be some dozens. It is NaN for one image, and
        SSIM is for images of fewer than 11 pixels a side.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If there is nothing to compare, a condition is not one of `noise.corrupt`, the reference is none of the denoisers, or a
        denoiser gives images of another shape.

    Examples
    --------
    Half as bright is an error of a half in every white pixel, 6.02 dB. Nothing is nearer here than the image itself, an error
    that counts as 58.92 dB (`metrics.psnr`).

    >>> import numpy as np
    >>> halve = lambda noisy, *, kind, level: noisy / 2
    >>> leave = lambda noisy, *, kind, level: noisy
    >>> white = np.ones((3, 11, 11))
    >>> compare({"halve": halve, "leave": leave}, white, [("gaussian", 0)], reference="leave")["PSNR difference"].round(1).tolist()
    [-52.9, 0.0]
    """
    images = data.as_images(images)
    conditions = list(conditions)
    if not denoisers or not conditions:
        raise ValueError(f"compare needs at least one denoiser and one condition, got {len(denoisers)} and {len(conditions)}")
    if reference is not None and reference not in denoisers:
        raise ValueError(
            f"reference must be one of the denoisers, {', '.join(denoisers)}, got {reference!r}: {did_you_mean(reference, denoisers)}"
        )
    for condition in conditions:
        if not isinstance(condition, (tuple, list)) or len(condition) != 2:
            raise ValueError(f'conditions must be pairs of a kind and a level, such as ("gaussian", 0.5), got {condition!r}')
        noise.corrupt(images[:1], *condition, seed)  # refuses now what would be refused after minutes
    tables = [_compare_at(kind, level, denoisers, images, seed, reference) for kind, level in conditions]
    return pd.concat(tables, ignore_index=True)


def _compare_at(kind, level, denoisers, images, seed, reference):
    noisy = noise.corrupt(images, kind, level, seed)
    scores = {name: _scores(denoise, images, noisy, kind, level) for name, denoise in denoisers.items()}
    rows = []
    for name, score in scores.items():
        row = {"kind": kind, "level": level, "method": name, **score.mean()}
        if reference is not None:
            difference = score - scores[reference]
            half_width = stats.norm.ppf(0.975) * difference.sem()
            for measure in score:
                row |= {f"{measure} difference": difference[measure].mean(), f"{measure} half-width": half_width[measure]}
        rows.append(row | {"n": len(images)})
    return pd.DataFrame(rows)


def _scores(denoise, images, noisy, kind, level):
    """Measure one method, a row for each image."""
    tables = []
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        # A copy: whatever a method does to it, the next one gets the same noise.
        clean, denoised = images[part], denoise(noisy[part].copy(), kind=kind, level=level)
        tables.append(metrics.scores(clean, denoised))
    return pd.concat(tables, ignore_index=True)
