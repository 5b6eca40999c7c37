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
#: What `ablation` changes one after the other, from the original's recipe to the fast one: fields of the recipe by a label.
ABLATION = {
    "original, two epochs": ("epochs",),
    "batches of 50": ("batch_size",),
    "one-cycle, peak 0.015": ("schedule", "learning_rate"),
    "beta_2 of 0.95": ("beta_2",),
    "start at the mean": ("start_at_mean",),
}
#: What `probes` reads digits from, and how many seeds of each.
PROBED = {"pixels": 1, "pixels, unscaled": 1, "PCA": 1, "PCA, unscaled": 1, "code, untrained": 8, "code": 5}

#: What `targets` trains towards: the clean images, another noisy copy of each, or the noisy images themselves, with blind spots.
TARGETS = ("clean images", "another copy", "itself")


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
        nats per pixel, on the other 5,000.
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


def own_denoisers() -> pd.DataFrame:
    """Tell what a network reaches that was trained on the very noise, as chapter 4 trains one.

    Returns
    -------
    DataFrame
        A row a training: "kind", "level" and "seed"; "PSNR" in dB on the 10,000 test digits; "over ridge", the mean by which that is
        more than ridge regression reaches which was fitted to the same noise; "half-width", of its 95 % interval over the digits, for the
        network that ships, of seed 0.
    """
    return pd.read_csv(FILES / "own_denoisers.csv")


def skips() -> pd.DataFrame:
    """Tell what a network reaches whose maps pass around the code, trained on the very noise for two epochs, as chapter 4's is.

    Returns
    -------
    DataFrame
        A row a training, of seed 0: "kind" and "level"; "PSNR" in dB on the 10,000 test digits, and "without code", with zeros in its
        place; "over bottleneck" and "over ridge", the mean by which that is more than the network ``own_denoiser`` and ridge regression
        reach that learned the same noise, and "bottleneck half-width" and "ridge half-width", of the 95 % intervals over the digits.
        Skips are added, so that both networks have as many weights. Gaussian noise of level 0 is none, and has no ridge.
    """
    return pd.read_csv(FILES / "skips.csv")


def skip_seconds() -> pd.DataFrame:
    """Tell how long a network takes whose maps pass around the code.

    Returns
    -------
    DataFrame
        A row a training of the denoiser: "network", what passes and how; "round"; and "seconds", for the steps of an epoch of 60,000
        digits in batches of 50, compilation left out. The networks took turns in every round, on two cores of one machine; take the
        median, since what else a machine does makes single ones far too long.
    """
    return pd.read_csv(FILES / "skip_seconds.csv")


def targets() -> pd.DataFrame:
    """Tell what training reaches with clean images, with pairs of noisy ones, and with single noisy ones.

    Returns
    -------
    DataFrame
        A row a training: "images", digits or patches of photographs; "kind" and "level" of the noise, where "blotches" are gaussian noise
        that was smoothed and scaled back to its standard deviation; "target", one of `TARGETS`; "seed"; "noisy", the PSNR in dB of
        what goes in, on the test images; "PSNR", that of what comes out; "corrected", the same after `baselines.without_bias`, where the
        noise is gaussian in each pixel.
    """
    return pd.read_csv(FILES / "targets.csv")


def ablation() -> pd.DataFrame:
    """Tell what each of the changes brings that lead from the recipe "original_basic" to "fast_basic".

    Returns
    -------
    DataFrame
        A row a training: "change", a label of `ABLATION`, made in addition to those before it; "seed"; "first_epoch" and "test_loss", the
        test loss after each of the two epochs, in nats per pixel; "PSNR" in dB and "dead_maps" at the end; "seconds" per epoch, without
        compilation, timed apart from these trainings, in turns and on fewer digits.
    """
    return pd.read_csv(FILES / "ablation.csv")


def linear() -> pd.DataFrame:
    """Tell what the basic network reaches if it is linear: without ReLU, and with the mean of four pixels instead of the largest.

    Returns
    -------
    DataFrame
        A row a training by the recipe "fast_basic": "learning_rate" (the peak) and "seed"; "validation_loss" on 5,000 training digits
        held out, by which the peak was chosen; or, of five more seeds, "test_loss", "PSNR" in dB and "SSIM" on the test digits.
    """
    return pd.read_csv(FILES / "linear.csv")


def wide_decoders() -> pd.DataFrame:
    """Tell what small codes reach with a decoder of 8, 8 and 16 maps; those of `code_sizes` have one that mirrors the encoder.

    Returns
    -------
    DataFrame
        A row for each training by the recipe "fast_basic": "seed"; "numbers" in the code; "test_loss", "psnr" in dB and "dead_maps" on
        the test digits.
    """
    return pd.read_csv(FILES / "wide_decoders.csv")


def turned() -> pd.DataFrame:
    """Tell how well digits come back that were mirrored or turned: strokes as those of the training digits, and yet no such digits.

    Returns
    -------
    DataFrame
        A row for each way to turn and each method: "shown"; "method", the five basic networks of the fast recipe or PCA with 128 numbers;
        "PSNR" in dB, the mean over the test digits but for 0, 1 and 8, which a mirror leaves what they are.
    """
    return pd.read_csv(FILES / "turned.csv")


def probes() -> pd.DataFrame:
    """Tell how well a linear classifier reads digits from several descriptions of them.

    Returns
    -------
    DataFrame
        A row a description and seed: "description", a key of `PROBED`, "seed", and "read right", a share of the 10,000 test digits.
        Each is read by logistic regression that learned from 5,000 training digits, with the penalty that reads 5,000 others best. All
        features were scaled to variance 1 first, but for those that are called unscaled.
    """
    return pd.read_csv(FILES / "probes.csv")


def shifts() -> pd.DataFrame:
    """Tell how far a reconstruction moves with its digit.

    Returns
    -------
    DataFrame
        A row a network, seed and shift: "network", a key of `models.DECODERS` as `NAMES` has it, or "blurred pooling", `nearest` with a
        blur before each subsampling, trained alike; "seed"; "shift" in pixels to the right; "agreement", the PSNR in dB between the
        reconstruction, shifted, and that of the shifted digit, over 200 test digits in the middle of 64x64 pixels.
    """
    return pd.read_csv(FILES / "shifts.csv")


def kernels() -> pd.DataFrame:
    """Tell what large transposed kernels bring, alone and beside a small one.

    Returns
    -------
    DataFrame
        A row a training by the recipe "fast_basic": "kernels", the sides of the kernels whose results are summed in each way up, as
        text; "learning_rate" (the peak) and "seed"; "validation_loss" on 5,000 training digits held out, by which the peak was chosen;
        or, of other seeds, "weights", "test_loss", and the medians "index_of_logits" and "index_of_images" over test digits. "flat_2",
        "flat_4" and "flat_8" are what `checkerboard.flat_answer` finds at these periods for the mean code, in logits.
    """
    return pd.read_csv(FILES / "kernels.csv")


def neighbours() -> pd.DataFrame:
    """Tell how often the differences of neighbouring pixels give away which of six decoders drew a digit.

    Returns
    -------
    DataFrame
        A row for each seed and decoder: "left_out", the seed whose networks are judged by what was learned from those of the others;
        "decoder"; "told", the share of its test digits that are told to be its.
    """
    return pd.read_csv(FILES / "neighbours.csv")


def along() -> pd.DataFrame:
    """Tell how checkered decoders are along a training of ten epochs, with Adam and a learning rate of 0.001.

    Returns
    -------
    DataFrame
        A row a "decoder", "seed" and "epoch", 0 before training: "spread", the `checkerboard.phase_spread` of the last way up, and the
        rest as in `kernels`.
    """
    return pd.read_csv(FILES / "along.csv")


def spectra() -> pd.DataFrame:
    """Tell how well decoders can be fitted to one picture of noise.

    Returns
    -------
    DataFrame
        A row a fit: "decoder"; "exponent", -1 for amplitudes that fall with the frequency, 0 for white noise, 1 for such that rise;
        "seed"; "error", what is left of the variance; "high_dB", by how much the power of the fit at frequencies of 0.35 and more is
        above that of the picture.
    """
    return pd.read_csv(FILES / "spectra.csv")


def planted() -> pd.DataFrame:
    """Tell how much decoders draw of a checkerboard that was in all digits they were trained on.

    Returns
    -------
    DataFrame
        A row a training on 6,000 digits for two epochs: "decoder", "output_convolution" and "seed"; and the share of the checkerboard's
        amplitude that comes back on test digits with the checkerboard, "digits", and from the mean of their codes, "flat code".
    """
    return pd.read_csv(FILES / "planted.csv")


def photographs() -> pd.DataFrame:
    """Tell how checkered photographs come back.

    Returns
    -------
    DataFrame
        A row a training on `data.photograph_patches` for two epochs: "decoder" and "seed", and the median of
        `checkerboard.checkerboard_index` over "all" patches to test, or over the quarter of them with the least contrast, "even", for the
        periods 2 and 8. The decoder "original" is the patches themselves.
    """
    return pd.read_csv(FILES / "photographs.csv")


def colours() -> pd.DataFrame:
    """Tell whether strong colours make a pattern stronger.

    Returns
    -------
    DataFrame
        A row a network and saturation: "decoder" and "seed", trained on `data.photograph_patches` with their colours made weaker and
        stronger; "saturation", 0 for grey and 1 for the colours as they are; over the even patches to test, the median "index", and
        "pattern", the root mean square of what checkerboards and stripes of period 2 add to pixels, white being 1. The decoder
        "original" is the patches themselves.
    """
    return pd.read_csv(FILES / "colours.csv")


def photo_denoiser() -> pd.DataFrame:
    """Tell how well the network ``photo_denoiser`` and filters denoise photographs that were held out.

    Returns
    -------
    DataFrame
        A row for each photograph, noise and method: "photograph", its name in scikit-image; "part", the "right half" of one whose left
        half the network has learned from, or the "whole" of one that it has never seen; "sigma", the standard deviation of gaussian
        noise, of 255 greys, before clipping; "method", the network or a filter; "PSNR" in dB and "SSIM", as `metrics.scores` gives them,
        on the middle of the picture, at most 256x256 pixels. Filters are told the noise and have the "parameters" that are best for it
        on the left halves, as JSON, where weight and h count in standard deviations; "at_end" lists those that lie at an end of what
        was tried.
    """
    return pd.read_csv(FILES / "photo_denoiser.csv")
