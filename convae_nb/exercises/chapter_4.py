"""The exercises of chapter 4: remove noise from digits."""

import functools
import math

import numpy as np

from convae_nb import data, metrics, models, noise, reference
from convae_nb.exercises.answers import WrongAnswer, choose, compare, read_number
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("4.0", asks="a PSNR in dB", right="the mean squared error is the variance of the noise.")
def noise_that_is_not_clipped(answer):
    mistakes = {
        -10 * math.log10(0.5): "a PSNR is of the mean squared error: square the standard deviation",
        -20 * math.log10(0.25): "ten times the logarithm of the squared error, or twenty times that of its root, not twenty of both",
        -10 * math.log(0.25): "the logarithm is that to the base of ten",
        0.25: "that is the mean squared error: what is it in dB?",
        _noisy_digits(): "that is what noise.corrupt gives, which clips",
    }
    # A thousand digits' noise leaves some thousandths of a decibel.
    compare(read_number(answer), -10 * math.log10(0.5**2), 0.05, mistakes)


@functools.cache
def _noisy_digits():
    x = data.as_images(data.load().x_test[:1000])
    return float(metrics.psnr(x, noise.corrupt(x)).mean())


@exercise(
    "4.1", asks="by how many dB the network trained on salt and pepper is ahead of the median filter, on test digits", right="it is ahead."
)
def against_the_median_filter(answer):
    table = reference.denoising()
    table = table[(table["kind"] == "salt_and_pepper") & (table["level"] == 0.25) & (table["tuned_for"] == "the condition")]
    psnr = table.set_index("method")["PSNR"]
    ahead = psnr["own_denoiser"] - psnr["median filter"]
    mistakes = {float(psnr[method]): "that is the PSNR of one of them: how far apart are they?" for method in psnr.index}
    # A short training on a part of the digits is worth half of what two epochs on all of them are, and a long one more.
    compare(read_number(answer), ahead, 0.6 * ahead, mistakes)


@exercise(
    "4.2",
    asks='one of "denoiser", "autoencoder" and "neither"',
    right="on clean digits it loses nothing to the autoencoder of chapter 3, and with noise it is ahead. A rival of its own size that has "
    "never seen noise wins where there is none. The shipped range_denoiser is better still at light noise.",
)
def which_to_ship(answer):
    wrong = {
        "autoencoder": "compare both at a level of 0.05 and 0.1, too: what comes in is not known",
        "neither": "of the two one is ahead at every level of noise, against a rival of the same size too",
    }
    choose(answer, wrong | {"denoiser": ""})


@exercise(
    "4.3", asks="the PSNR after the second pass minus that after the first, in dB", right="and clean digits lose by a second pass as well."
)
def denoise_twice(answer):
    once, twice = _twice()
    mistakes = {once: "that is the PSNR after one pass", twice: "that is the PSNR after both: how much did the second change?"}
    # The shipped denoisers and one of your own lose between a half and twice what original_denoiser does.
    compare(read_number(answer), twice - once, 0.75 * (once - twice), mistakes)


@functools.cache
def _twice():
    x = data.as_images(data.load().x_test[:1000])
    denoiser = reference.load("original_denoiser")
    once = models.reconstruct(denoiser, noise.corrupt(x))
    return tuple(float(metrics.psnr(x, images).mean()) for images in (once, models.reconstruct(denoiser, once)))


@exercise(
    "4.4",
    asks="a correlation, from -1 to 1",
    right="where five networks differ, each of them is off. Whether the spread foretells a misreading is another question.",
)
def how_sure(answer):
    answer = read_number(answer)
    correlation, of_digits, own_grey, signed = _spread_against_error()
    mistakes = {
        of_digits: "that is over the means of whole digits: take every pixel",
        own_grey: "that is p (1 - p) of one network: take the standard deviation of the five",
    }
    if not -1 <= answer <= 1:
        raise WrongAnswer("a correlation lies between -1 and 1")
    if abs(answer - signed) < 0.1:
        raise WrongAnswer("an error may go either way: take its size")
    # All digits or the first 1,000, and which of the networks is judged, move it by a hundredth or two.
    compare(answer, correlation, 0.02, mistakes)


@functools.cache
def _spread_against_error():
    x = data.as_images(data.load().x_test[:1000])
    noisy = noise.corrupt(x)
    drawn = np.stack([models.reconstruct(reference.load(f"fast_denoiser/{seed}"), noisy) for seed in range(5)])
    spread, error = drawn.std(axis=0), drawn[0] - x

    def correlation(a, b):
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    of_digits = correlation(spread.mean(axis=(1, 2, 3)), np.abs(error).mean(axis=(1, 2, 3)))
    own_grey = correlation(drawn[0] * (1 - drawn[0]), np.abs(error))
    return correlation(spread, np.abs(error)), of_digits, own_grey, correlation(spread, error)


open_exercise(
    "4.project",
    "a ROC curve and its area for the ones and for other digits left out, each from a training of its own; a score that knows nothing of "
    "the network beside it, such as the number of bright pixels; and the digits that are not found, named.",
)
