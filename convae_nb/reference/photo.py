"""The network for photographs beside filters that are told the noise, on photographs that were held out; measured once, for `make`."""

import functools
import json
import os
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from skimage import restoration

from convae_nb import data, metrics, models, noise
from convae_nb._base.files import write_table
from convae_nb.data import photographs
from convae_nb.measures import denoisers
from convae_nb.reference import networks, tables
from convae_nb.reference.grids import at_end
from convae_nb.reference.resumable import resumable_table

_NETWORK = "photo_denoiser"
_SIGMAS = (15, 25, 50)  # of 255 greys, before clipping
# Pixels of what is measured, and of what the filters' parameters are chosen on: of more, non-local means would take hours.
_SIDE, _TUNING_SIDE = 256, 128
_SEED = 0
_TUNING_SEED = 2**31 + 4  # recipes and chapters take seeds below 2**31
#: Photographs of which the network knows nothing: those that scikit-image brings, without a download, of what is seen with bare eyes,
#: but for written pages.
_UNKNOWN = ("brick", "clock", "coins", "grass", "gravel", "moon", "stereo_motorcycle")


def measure_photo_denoiser(checkpoints: str | os.PathLike) -> None:
    """Denoise photographs that were held out, and write `reference.photo_denoiser` into the package; takes some minutes.

    What is held out are the right halves of the photographs whose left halves the network has learned from, and whole ones that it
    has never seen; of each the middle, at most 256x256 pixels. Total variation and non-local means get the parameters that are best
    for the noise at hand on the left halves, on 128x128 pixels of each, `tune`. The network is what it is, and is not told how strong
    the noise is.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    network = networks.load(_NETWORK)
    clean = {(name, part): picture for name, part, picture in held_out()}
    places = list(clean)
    grids = {name: _grid(filter_) for name, filter_ in FILTERS.items()}
    points = [{"sigma": sigma, "method": name} for sigma in _SIGMAS for name in FILTERS]
    rests_on = [grids, _TUNING_SIDE, _TUNING_SEED]
    tuned = resumable_table("photo_filters", rests_on, points, lambda sigma, method: [tune(method, sigma)], checkpoints)
    parameters = {(row.sigma, row.method): json.loads(row.parameters) for row in tuned.itertuples()}

    def measure(photograph, part, sigma, method):
        picture, level = clean[photograph, part], sigma / 255
        noisy = noise.corrupt(picture, "gaussian", level, _SEED + places.index((photograph, part)))
        if method == _NETWORK:
            denoised = models.denoise(network, noisy[0])[None]
        else:
            denoised = FILTERS[method].apply(noisy, ("gaussian", level), parameters[sigma, method])
        return metrics.scores(picture, denoised).round(4).to_dict("records")

    points = [
        {"photograph": name, "part": part, "sigma": sigma, "method": method}
        for name, part in places
        for sigma in _SIGMAS
        for method in (*FILTERS, _NETWORK)
    ]
    rests_on = [networks.record(_NETWORK)["sha256"], tuned["parameters"].tolist(), _SIDE, places]
    table = resumable_table(_NETWORK, rests_on, points, measure, checkpoints)
    write_table(table.merge(tuned.drop(columns="training_PSNR"), how="left"), tables.FILES / f"{_NETWORK}.csv")


def held_out() -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Give name, part and pixels of the photographs to test on: right halves, and whole ones that nothing was learned from.

    Yields
    ------
    (str, str, ndarray)
        The name in scikit-image; "right half" or "whole"; the middle of it, float32 (1, height, width, 1) in [0, 1].
    """
    for name in photographs.NAMES:
        yield name, "right half", _middle(photographs.half_of(photographs.grey(name), "right"), _SIDE)
    for name in _UNKNOWN:
        yield name, "whole", _middle(photographs.grey(name), _SIDE)


def to_tune_on() -> list[NDArray[np.float32]]:
    """Give the middles of the left halves, from which the network has learned."""
    return [_middle(photographs.half_of(photographs.grey(name), "left"), _TUNING_SIDE) for name in photographs.NAMES]


def _middle(picture, side):
    top, left = (max(0, size - side) // 2 for size in picture.shape)
    return data.as_images(picture[None, top : top + side, left : left + side])


def tune(method: str, sigma: float) -> dict:
    """Choose a filter's parameters for a strength of noise, by the mean PSNR on the left halves.

    From the middle of its grid on, each parameter in turn gets the best of its values while the others stay, until none changes.

    Parameters
    ----------
    method : str
        A key of `FILTERS`.
    sigma : float
        Standard deviation of the noise, of 255 greys.

    Returns
    -------
    dict
        "parameters", those of the filter and whether its last step undoes the bias of clipping, as JSON; "at_end", which of them lie at
        an end of their grid, as JSON; "training_PSNR" in dB, the mean that they reach.
    """
    filter_, condition = FILTERS[method], ("gaussian", sigma / 255)
    pairs = [(clean, noise.corrupt(clean, *condition, _TUNING_SEED + i)) for i, clean in enumerate(to_tune_on())]
    grid = _grid(filter_)

    @functools.cache
    def reached(*values):
        parameters = dict(zip(grid, values, strict=True))
        return float(np.mean([metrics.psnr(clean, filter_.apply(noisy, condition, parameters)) for clean, noisy in pairs]))

    chosen, before = {name: values[len(values) // 2] for name, values in grid.items()}, None
    while chosen != before:
        before = dict(chosen)
        for name, values in grid.items():
            means = {value: reached(*(chosen | {name: value}).values()) for value in values}
            chosen[name] = max(values, key=means.__getitem__)
    mean = reached(*chosen.values())
    return {"parameters": json.dumps(chosen), "at_end": json.dumps(at_end(chosen, grid)), "training_PSNR": round(mean, 4)}


def _grid(filter_):
    return filter_.grid | _last_step(filter_)


def _last_step(filter_):
    """Give what is tried of the last step: as of all images that are no digits, no gain and no offset; of the noisy picture nothing."""
    return {"undo_bias": denoisers.LAST_STEP["undo_bias"]} if filter_.grid else {}


def _of_one(function: Callable) -> Callable:
    """Make a function of one grey picture and a level into one of images (1, height, width, 1) and a condition."""

    @functools.wraps(function)
    def of_images(images, condition, **parameters):
        return function(images[0, ..., 0], condition[1], **parameters)[None, ..., None]

    return of_images


@_of_one
def _noisy(picture, level):
    return picture


@_of_one
def _total_variation(picture, level, weight):
    return restoration.denoise_tv_chambolle(picture, weight * level)


@_of_one
def _non_local_means(picture, level, h, patch_size, patch_distance):
    options = {"patch_size": patch_size, "patch_distance": patch_distance, "fast_mode": True}
    return restoration.denoise_nl_means(picture, h=h * level, sigma=level, **options)


#: What the network is compared with, by name. Weight and h count in standard deviations of the noise, which both filters are told.
FILTERS = {
    filter_.name: filter_
    for filter_ in (
        denoisers.Denoiser("noisy picture", _noisy, {}),
        denoisers.Denoiser("total variation", _total_variation, {"weight": np.arange(0.3, 1.51, 0.05).round(2).tolist()}),
        denoisers.Denoiser(
            "non-local means",
            _non_local_means,
            {"h": np.arange(0.2, 1.01, 0.1).round(1).tolist(), "patch_size": [3, 5, 7, 9, 11, 13], "patch_distance": [3, 5, 8, 12, 16]},
        ),
    )
}
