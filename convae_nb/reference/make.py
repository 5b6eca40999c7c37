"""Make what ships: tune the denoisers, train the reference networks, and measure the tables. Only maintainers run this.

Whatever takes minutes is resumable: to have been killed costs no more than the training or the measurement at hand.
"""

import functools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from convae_nb import data, metrics, models, noise, training
from convae_nb._base.files import write_atomically, write_table
from convae_nb.measures import baselines, comparison, denoisers
from convae_nb.measures.levels import CONDITIONS
from convae_nb.reference import around, claims, controls, names, networks, photo, pictures, tables
from convae_nb.reference.grids import at_end, combinations
from convae_nb.reference.resumable import resumable_table, ship_table

_TUNING_DIGITS = 300  # the first of the last 5,000 training digits, on which whatever is chosen is chosen
_TUNING_SEED = 2**31 + 1  # recipes and chapters take seeds below 2**31: this noise is never that of a test
_EQUAL = 0.01  # dB
_PEAKS = (0.015, 0.02, 0.03, 0.045, 0.06)
_PEAK_SEEDS = (5, 6)  # none of those of the reference runs, whose losses are reported
_ROUNDS = 3
_JUDGE = "original_denoiser"
_COMPARED = ("original_denoiser", "fast_denoiser", "range_denoiser")  # the networks whose pictures all go through the code
_TRAINED_AT = ("gaussian", 0.5)  # the one condition of Udacity's denoiser


def everything(checkpoints: str | os.PathLike) -> None:
    """Make all that ships, in the order in which one thing rests on another."""
    measure_peak_rates(checkpoints)
    measure_epoch_seconds()
    for name in names.NAMES:
        train_network(name, checkpoints)
    tune_denoisers()
    measure_denoising(checkpoints)
    controls.measure_own_denoisers(checkpoints)
    measure_code_sizes(checkpoints)
    controls.measure_ablation(checkpoints)
    controls.measure_linear(checkpoints)
    controls.measure_wide_decoders(checkpoints)
    controls.measure_turned()
    controls.measure_probes(checkpoints)
    claims.measure_shifts(checkpoints)
    claims.measure_kernels(checkpoints)
    claims.measure_neighbours(checkpoints)
    claims.measure_along(checkpoints)
    claims.measure_spectra(checkpoints)
    around.measure_skips(checkpoints)
    around.measure_skip_seconds()
    around.measure_targets(checkpoints)
    pictures.measure_planted(checkpoints)
    pictures.measure_photographs(checkpoints)
    pictures.measure_colours(checkpoints)
    photo.measure_photo_denoiser(checkpoints)


def train_network(name: str, checkpoints: str | os.PathLike) -> None:
    """Train a reference run, or go on with it, and write its weights and its record into the package.

    Parameters
    ----------
    name : str
        One of `reference.NAMES`.
    checkpoints : str or Path
        The folder under which a run keeps its checkpoint.
    """
    name = names.canonical(name)
    model, stated = networks.train(name, checkpoint_dir=Path(checkpoints, name))
    networks.store(name, model.get_weights(), stated)


def tune_denoisers() -> None:
    """Choose each denoiser's parameters for each of `baselines.LEVELS`, by PSNR on digits held out, and write them into the package.

    Every combination of `Denoiser.grid` and of the last step is tried on the same noisy digits; of those within 0.01 dB of the best the
    first is taken, the gentlest filter and the most stable regression. The noisy image itself stays as it is. The file says, by name,
    kind and level: "parameters"; "PSNR", the mean that they reach, in dB; "at_end", which of them lie at an end of their grid, where
    better ones may lie beyond. It takes half an hour.
    """
    clean = data.as_images(data.load().x_train[-5000:][:_TUNING_DIGITS])
    tuned: dict[str, dict] = {name: {kind: {} for kind in denoisers.LEVELS} for name in denoisers.DENOISERS}
    for kind, level in tqdm(CONDITIONS, desc="tuning denoisers", dynamic_ncols=True):
        noisy = noise.corrupt(clean, kind, level, _TUNING_SEED)
        for name, denoiser in denoisers.DENOISERS.items():
            grids = denoiser.grid | (denoisers.LAST_STEP if denoiser.grid else {})
            candidates, reached = [], []
            for own in combinations(denoiser.grid):
                denoised = denoiser.function(noisy, (kind, level), **own)
                for last in combinations(denoisers.LAST_STEP) if denoiser.grid else [{}]:
                    candidates.append(own | last)
                    reached.append(metrics.psnr(clean, denoiser.finish(denoised, (kind, level), **last)).mean())
            chosen = int(np.argmax(np.array(reached) > max(reached) - _EQUAL))
            tuned[name][kind][f"{level:g}"] = {
                "parameters": candidates[chosen],
                "PSNR": round(float(reached[chosen]), 3),
                "at_end": at_end(candidates[chosen], grids),
            }
    with write_atomically(denoisers.TUNED) as file:
        file.write((json.dumps(tuned, indent=1, sort_keys=True) + "\n").encode())
    denoisers.tuned_parameters.cache_clear()


def measure_peak_rates(checkpoints: str | os.PathLike, decoders: Iterable[str] = tuple(models.DECODERS)) -> None:
    """Train decoders at several peak rates, and write `reference.peak_rates` into the package; takes some 25 minutes for all.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each loss once it is measured.
    decoders : iterable of str
        Those that are measured; of others the rows stay as they ship.
    """
    digits, decoders = data.load(), list(decoders)
    base = training.recipe("fast_basic", validation=5000)

    def measure(decoder, learning_rate, seed):
        model = models.build_autoencoder(decoder=decoder, seed=seed)
        chosen = training.recipe(base, learning_rate=learning_rate, seed=seed)
        history = training.train(model, digits, chosen, progress=False).history
        return [{"validation_loss": round(history["validation_loss"][-1], 5)}]

    points = [{"decoder": decoder, "learning_rate": rate, "seed": seed} for seed in _PEAK_SEEDS for rate in _PEAKS for decoder in decoders]
    measured = resumable_table("peak_rates", base.model_dump(mode="json"), points, measure, checkpoints)
    shipped = tables.peak_rates()
    write_table(pd.concat([shipped[~shipped["decoder"].isin(decoders)], measured]), tables.FILES / "peak_rates.csv")


def measure_epoch_seconds() -> None:
    """Measure how long the decoders take, in turns, and write `reference.epoch_seconds` into the package; takes some two minutes."""
    rows = []
    turns = [(number, decoder) for number in range(_ROUNDS) for decoder in models.DECODERS]
    for number, decoder in tqdm(turns, desc="timing decoders", dynamic_ncols=True):
        model = models.build_autoencoder(decoder=decoder)
        rows.append((decoder, number, round(controls.epoch_seconds(model, training.RECIPES["fast_basic"]), 3)))
    write_table(pd.DataFrame(rows, columns=["decoder", "round", "seconds"]), tables.FILES / "decoder_seconds.csv")


def measure_denoising(checkpoints: str | os.PathLike) -> None:
    """Measure `reference.denoising` and write it into the package; takes some minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each condition once it is measured.
    """
    recipes = {name: networks.record(name) for name in _COMPARED}
    trained = {recipe: models.as_denoiser(networks.load(recipe)) for recipe in recipes}
    ignorant: dict[str, Callable] = {name: functools.partial(_as_if, method) for name, method in denoisers.DENOISERS.items()}
    for recipe, stated in recipes.items():
        if (stated["recipe"]["noise_kind"], stated["recipe"]["noise_level"]) == _TRAINED_AT:
            ignorant[recipe] = trained[recipe]
    methods = {"the condition": denoisers.DENOISERS | trained | {"own_denoiser": _own_denoiser}, "gaussian 0.5": ignorant}
    digits = data.load().x_test

    def measure(tuned_for, kind, level):
        table = comparison.compare(methods[tuned_for], digits, [(kind, level)], reference=_JUDGE).round(4)
        return table.drop(columns=["kind", "level"]).to_dict("records")

    points = [
        {"tuned_for": tuned_for, "kind": kind, "level": level}
        for tuned_for in methods
        for kind, level in CONDITIONS
        if tuned_for == "the condition" or (kind, level) != _TRAINED_AT
    ]
    own = [networks.record(names.own_denoiser(*condition))["sha256"] for condition in CONDITIONS]
    rests_on = [denoisers.TUNED.read_text("utf-8"), *(stated["sha256"] for stated in recipes.values()), *own]
    ship_table("denoising", rests_on, points, measure, checkpoints)


def measure_code_sizes(checkpoints: str | os.PathLike) -> None:
    """Measure `reference.code_sizes` and write it into the package; takes some six minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    dataset, base = data.load(), training.RECIPES["fast_basic"]
    of_pca = functools.cache(lambda numbers: baselines.pca_psnr(dataset, numbers))

    def measure(filters, seed):
        row = networks.measure_code(json.loads(filters), dataset, training.recipe(base, seed=seed), progress=False)
        return pd.DataFrame([row | {"pca_psnr": of_pca(row["numbers"])}]).drop(columns=["filters", "seed"]).round(5).to_dict("records")

    points = [{"filters": str(filters), "seed": seed} for filters in tables.CODE_FILTERS for seed in tables.CODE_SEEDS]
    ship_table("code_sizes", base.model_dump(mode="json"), points, measure, checkpoints)


@functools.lru_cache(maxsize=1)
def _own_network(kind, level):
    return models.as_denoiser(networks.load(names.own_denoiser(kind, level)))


def _own_denoiser(noisy, *, kind, level):
    return _own_network(kind, level)(noisy, kind=kind, level=level)


def _as_if(denoiser, noisy, *, kind, level):
    kind, level = _TRAINED_AT
    return denoiser(noisy, kind=kind, level=level)
