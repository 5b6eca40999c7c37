"""What a fair comparison of decoders rests on: a peak learning rate chosen for each, and the seconds that each takes for an epoch.

Both were measured once, and ship as tables. The model is the basic one, the recipe "fast_basic" but for its peak.
"""

import dataclasses
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from convae_nb import data, models, training
from convae_nb._whole import write_table

_FILES = Path(__file__).with_name("files")
_PEAKS = (0.015, 0.02, 0.03, 0.045, 0.06)
_SEEDS = (5, 6)  # none of those of the reference runs, whose losses are reported
_ROUNDS = 3
_TIMED = 12_000  # digits


def recipe(decoder):
    """Give the recipe "fast_basic" with the peak rate that was chosen for a decoder: the one of the lowest mean loss in `rate_table`.

    Parameters
    ----------
    decoder : str
        A key of `models.DECODERS`.

    Returns
    -------
    training.Recipe

    Raises
    ------
    ValueError
        If there is no such decoder.

    Examples
    --------
    >>> recipe("nearest").learning_rate
    0.02
    """
    if decoder not in models.DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(models.DECODERS)}, got {decoder!r}")
    losses = rate_table().groupby(["decoder", "learning_rate"])["validation_loss"].mean()
    return training.RECIPES["fast_basic"].model_copy(update={"learning_rate": float(losses[decoder].idxmin())})


def rate_table():
    """Tell how the peak rates were chosen.

    Returns
    -------
    DataFrame
        A row a training on the first 55,000 training digits: "decoder", "learning_rate" (the peak), "seed" and "validation_loss", in
        nats a pixel, on the other 5,000.
    """
    return pd.read_csv(_FILES / "peak_rates.csv")


def speed_table():
    """Tell how long an epoch takes.

    Returns
    -------
    DataFrame
        A row a training: "decoder", "round", and "seconds", for the steps of an epoch of 60,000 digits in batches of 50, compilation left
        out. The decoders took turns in every round, on two cores of one machine that did nothing else.
    """
    return pd.read_csv(_FILES / "decoder_seconds.csv")


def choose_rates(checkpoints):
    """Train every decoder at several peak rates and write the `rate_table` into the package; takes some 25 minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each loss once it is measured; to have been killed costs no more than one of them.
    """
    digits, path = data.load(), Path(checkpoints, "peak_rates.csv")
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["decoder", "learning_rate", "seed", "validation_loss"])
    finished = set(done[["decoder", "learning_rate", "seed"]].itertuples(index=False, name=None))
    trials = [(decoder, rate, seed) for seed in _SEEDS for rate in _PEAKS for decoder in models.DECODERS]
    for decoder, rate, seed in tqdm([trial for trial in trials if trial not in finished], desc="choosing peak rates", dynamic_ncols=True):
        model = models.build_autoencoder(decoder=decoder, seed=seed)
        chosen = training.RECIPES["fast_basic"].model_copy(update={"learning_rate": rate, "validation": 5000, "seed": seed})
        loss = training.train(model, digits, chosen, progress=False).history["validation_loss"][-1]
        done.loc[len(done)] = [decoder, rate, seed, round(loss, 5)]
        write_table(done, path)
    write_table(done, _FILES / path.name)


def time_epochs():
    """Measure how long the decoders take, in turns, and write the `speed_table` into the package; takes some two minutes."""
    digits, rows = data.load(), []
    digits = dataclasses.replace(digits, x_train=digits.x_train[:_TIMED], y_train=digits.y_train[:_TIMED])
    turns = [(number, decoder) for number in range(_ROUNDS) for decoder in models.DECODERS]
    for number, decoder in tqdm(turns, desc="timing decoders", dynamic_ncols=True):
        chosen = training.RECIPES["fast_basic"].model_copy(update={"epochs": 1})
        result = training.train(models.build_autoencoder(decoder=decoder), digits, chosen, progress=False)
        rows.append((decoder, number, round((result.seconds - result.compile_seconds) * 60_000 / _TIMED, 3)))
    write_table(pd.DataFrame(rows, columns=["decoder", "round", "seconds"]), _FILES / "decoder_seconds.csv")
