"""What was measured once, and ships as tables: denoisers, sizes of the code, and what a fair comparison of decoders rests on.

None of this needs TensorFlow; `make` measures the tables.
"""

from pathlib import Path

import pandas as pd

from convae_nb import models, training

#: The folder of the tables.
FILES = Path(__file__).with_name("files")
#: The encoders whose codes `code_sizes` compares, by their feature maps: codes of 16 to 256 numbers, 16 for each map of the code.
CODE_FILTERS = ([16, 8, 1], [16, 8, 2], [16, 8, 4], [16, 8, 8], [16, 8, 16])
#: Each is trained with these.
CODE_SEEDS = (0, 1, 2)


def recipe_for(decoder: str) -> training.Recipe:
    """Give the recipe "fast_basic" with the peak rate that was chosen for a decoder: the one of the lowest mean loss in `peak_rates`.

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
    >>> recipe_for("nearest").learning_rate
    0.02
    """
    if decoder not in models.DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(models.DECODERS)}, got {decoder!r}")
    losses = peak_rates().groupby(["decoder", "learning_rate"])["validation_loss"].mean()
    return training.recipe("fast_basic", learning_rate=float(losses[decoder].idxmin()))


def peak_rates() -> pd.DataFrame:
    """Tell how the peak rates were chosen.

    Returns
    -------
    DataFrame
        A row a training on the first 55,000 training digits: "decoder", "learning_rate" (the peak), "seed" and "validation_loss", in
        nats a pixel, on the other 5,000.
    """
    return pd.read_csv(FILES / "peak_rates.csv")


def epoch_seconds() -> pd.DataFrame:
    """Tell how long an epoch takes.

    Returns
    -------
    DataFrame
        A row a training: "decoder", "round", and "seconds", for the steps of an epoch of 60,000 digits in batches of 50, compilation left
        out. The decoders took turns in every round, on two cores of one machine that did nothing else.
    """
    return pd.read_csv(FILES / "decoder_seconds.csv")


def denoising() -> pd.DataFrame:
    """Tell how well everything denoises the 10,000 test digits, as it was measured.

    Returns
    -------
    DataFrame
        As `baselines.compare` gives it, at all of `baselines.LEVELS`, rounded to four digits: all of `baselines.DENOISERS` and the
        denoising networks of `reference.NAMES`, with "original_denoiser" as the reference. One more column, "tuned_for", tells two
        comparisons apart:

        - "the condition": each filter tuned to the kind and level at hand, each regression fitted to it. Networks are what they are.
        - "gaussian 0.5": all are equally ignorant, tuned to or trained on that noise alone, and measured on all others.
    """
    return pd.read_csv(FILES / "denoising.csv")


def code_sizes() -> pd.DataFrame:
    """Tell what codes of different sizes reach, as it was measured.

    Returns
    -------
    DataFrame
        A row a training of the recipe "fast_basic" on all 60,000 digits, for each of `CODE_FILTERS` and `CODE_SEEDS`: what
        `measure_code` gives on the 10,000 test digits, and "pca_psnr", as `baselines.pca_psnr` gives it for as many numbers.
    """
    return pd.read_csv(FILES / "code_sizes.csv")
