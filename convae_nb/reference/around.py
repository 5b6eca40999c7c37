"""Networks whose feature maps pass around the code, and trainings without clean images, measured once, for `make`."""

import functools
import gc
import os
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from convae_nb import data, metrics, models, noise, training
from convae_nb._base.files import write_table
from convae_nb._base.tensorflow import keras
from convae_nb.measures import denoisers
from convae_nb.measures.levels import LEVELS
from convae_nb.reference import controls, names, networks, tables
from convae_nb.reference.resumable import ship_table

_SEEDS = (0, 1)
#: Every level of gaussian noise, and the ends of what chapter 4 has of each other kind.
_NOISES = [(kind, level) for kind, levels in LEVELS.items() for level in (levels if kind == "gaussian" else (levels[0], levels[-1]))]
_ROUNDS = 3
_HALF_WIDTH = 1.96  # standard errors on each side of a 95 % interval
_NOISE_SEEDS = {"x_train": 2**31 + 2, "another": 2**31 + 3, "x_test": 0}  # recipes and chapters take seeds below 2**31
_BLIND_SPOTS = 0.1
#: What passes around the code of the networks whose seconds are taken, and how.
_TIMED = {"bottleneck": "none", "added": "add", "side by side": "concatenate"}
_BLOTCH = 1.0  # pixels: the sigma of the filter that makes blotches of gaussian noise
_CLIPPED = ("gaussian", "blotches")  # whose mean noisy value is that of gaussian noise of the level, clipped
_LENGTHS: dict[str, dict[str, Any]] = {"digits": {"epochs": 1}, "photographs": {"epochs": 6}}
_MODELS: dict[str, dict[str, Any]] = {
    "digits": {"filters": [32, 32, 16], "skips": "add"},
    "photographs": {"filters": [32, 32, 16], "skips": "add", "image_shape": [32, 32, 1]},
}
#: Images, noise, level and seeds: where the methods serve, then where one or both do not.
_TRIALS = (
    ("digits", "gaussian", 0.5, _SEEDS),
    ("photographs", "gaussian", 0.2, _SEEDS),
    ("digits", "blotches", 0.5, (0,)),
    ("digits", "occlusion", 0.5, (0,)),
    ("digits", "blur", 2.0, (0,)),
)


def measure_skips(checkpoints: str | os.PathLike) -> None:
    """Train a network with skips for each noise, and write `reference.skips` into the package; takes half an hour.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    clean = data.as_images(digits.x_test)

    def rivals(kind, level, noisy):
        yield "bottleneck", models.reconstruct(networks.load(names.own_denoiser(kind, level)), noisy)
        if level:  # without noise there is nothing to denoise
            yield "ridge", denoisers.DENOISERS["ridge regression"](noisy, kind=kind, level=level)

    def measure(kind, level):
        recipe = training.recipe("fast_denoiser", epochs=2, noise_kind=kind, noise_level=level)
        model = _trained({"filters": [32, 32, 16], "skips": "add"}, digits, recipe)
        noisy = noise.corrupt(clean, kind, level)
        reached = metrics.psnr(clean, models.reconstruct(model, noisy))
        row = {"PSNR": reached.mean(), "without code": metrics.psnr(clean, models.reconstruct(without_code(model), noisy)).mean()}
        for rival, images in rivals(kind, level, noisy):
            over = reached - metrics.psnr(clean, images)
            row |= {f"over {rival}": over.mean(), f"{rival} half-width": _HALF_WIDTH * stats.sem(over)}
        return [{column: round(float(value), 4) for column, value in row.items()}]

    conditions = [("gaussian", 0.0), *_NOISES]
    points = [{"kind": kind, "level": level} for kind, level in conditions]
    own = [networks.record(names.own_denoiser(*condition))["sha256"] for condition in conditions]
    ship_table("skips", [own, denoisers.tuned_parameters()["ridge regression"]], points, measure, checkpoints)


def without_code(model: keras.Model) -> keras.Model:
    """Build an autoencoder with skips whose decoder gets a code of zeros, whatever goes in.

    Parameters
    ----------
    model : keras.Model
        As `models.build_autoencoder` gives it, with skips.

    Returns
    -------
    keras.Model
        Of the same weights, from images to logits.
    """
    images = keras.Input(model.input_shape[1:])
    code, *around = model.get_layer("encoder")(images)
    return keras.Model(images, model.get_layer("decoder")([keras.ops.zeros_like(code), *around]))


def measure_skip_seconds() -> None:
    """Time the steps of networks with and without skips, in turns, and write `reference.skip_seconds` into the package."""
    rows = []
    for number in range(_ROUNDS):
        for network, skips in _TIMED.items():
            seconds = controls.epoch_seconds(models.build_autoencoder((32, 32, 16), skips=skips), training.RECIPES["fast_denoiser"])
            rows.append({"network": network, "round": number, "seconds": round(seconds, 3)})
    write_table(pd.DataFrame(rows), tables.FILES / "skip_seconds.csv")


def measure_targets(checkpoints: str | os.PathLike) -> None:
    """Train with and without clean images, and write `reference.targets` into the package; takes an hour.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    of = {"digits": data.load(), "photographs": data.photograph_patches()}

    def measure(images, kind, level, target, seed):
        clean = of[images]
        shown = {part: _noisy(getattr(clean, part), kind, level, _NOISE_SEEDS[part]) for part in ("x_train", "x_test")}
        given, blind_spots = shown["x_train"], 0.0
        wanted = data.as_images(clean.x_train)
        if target == "another copy":
            wanted = _noisy(clean.x_train, kind, level, _NOISE_SEEDS["another"])
        elif target == "itself":
            wanted, blind_spots = given, _BLIND_SPOTS
        recipe = training.recipe("fast_denoiser", noise_level=0.0, blind_spots=blind_spots, seed=seed, **_LENGTHS[images])
        dataset = data.Dataset(wanted, None, clean.x_test, None)
        model = _trained(_MODELS[images], dataset, recipe, inputs=given)
        images_ = data.as_images(clean.x_test)
        drawn = models.reconstruct(model, shown["x_test"])
        row = {"noisy": shown["x_test"], "PSNR": drawn}
        if kind in _CLIPPED:
            row["corrected"] = denoisers.without_bias(drawn, "gaussian", level).astype("float32")
        return [{column: round(float(metrics.psnr(images_, stack).mean()), 4) for column, stack in row.items()}]

    points = [
        {"images": images, "kind": kind, "level": level, "target": target, "seed": seed}
        for images, kind, level, seeds in _TRIALS
        for seed in seeds
        for target in tables.TARGETS
    ]
    rests_on = [_LENGTHS, _MODELS, _BLIND_SPOTS, _BLOTCH, training.RECIPES["fast_denoiser"].model_dump(mode="json")]
    ship_table("targets", rests_on, points, measure, checkpoints)


def _noisy(images, kind, level, seed):
    """Corrupt as `noise.corrupt` does, or by gaussian noise of the same strength that neighbouring pixels share: blotches."""
    if kind != "blotches":
        return noise.corrupt(images, kind, level, seed)
    images = data.as_images(images)
    noisy = np.empty_like(images)
    for part in np.array_split(np.arange(len(images)), max(1, len(images) // 1000)):
        field = np.random.default_rng((seed, int(part[0]))).standard_normal((len(part), *images.shape[1:]), dtype="float32")
        field = ndimage.gaussian_filter(field, _BLOTCH, axes=(1, 2), mode="wrap")
        noisy[part] = np.clip(images[part] + level * field / _blotch_scale(images.shape[1:3]), 0, 1)
    return noisy


@functools.cache
def _blotch_scale(size):
    """Give the standard deviation that the filter leaves of a field's 1."""
    point = np.zeros(size)
    point[0, 0] = 1
    return float(np.sqrt(np.square(ndimage.gaussian_filter(point, _BLOTCH, mode="wrap")).sum()))


def _trained(arguments: dict, dataset: data.Dataset, recipe: training.Recipe, **options) -> keras.Model:
    keras.backend.clear_session()  # dozens of trainings in one process would keep all of their graphs
    gc.collect()
    model = models.build_autoencoder(**arguments, seed=recipe.seed)
    training.train(model, dataset, recipe, progress=False, **options)
    return model
