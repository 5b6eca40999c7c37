"""The exercises of chapter 6: find out what the code holds."""

import functools
import math
import zlib

import numpy as np

from convae_nb import data, models, reference
from convae_nb.exercises.answers import WrongAnswer, choose, compare, read_number, read_numbers
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("6.0", asks="a number of codes", right="nearly all of them belong to no digit that anybody ever wrote.")
def how_many_codes(answer):
    number = read_number(answer)
    if number <= 0:
        raise WrongAnswer("there are more than none")
    log, right = math.log10(number), 128 * math.log10(4)
    mistakes = {
        128 * math.log10(2): "two bits make more than two values",
        math.log10(2 * 128): "that is how many bits a code has: how many ways are there to set them?",
        math.log10(4 * 128): "the numbers are chosen independently: their ways multiply",
        4 * math.log10(128): "it is the other way round: each of the numbers is one of some values",
        right: "that is the exponent: give the number itself",
    }
    if abs(10 ** min(log, 300) - right) < 0.5:
        raise WrongAnswer(mistakes[right])
    # A power of ten that was rounded to its first digit is right.
    compare(log, right, 0.1, mistakes, "the number of codes")


@exercise(
    "6.1",
    asks='one of "shuffled" (each number from another digit), "normal" (mean and covariance) and "neither"',
    right="much of what makes a digit is in how pairs of numbers go together, and not all of it.",
)
def codes_at_random(answer):
    wrong = {
        "shuffled": "look again at ten of each: which strokes hang together?",
        "neither": "neither gives digits only, but one of them gives some",
    }
    choose(answer, wrong | {"normal": ""}, also={"gaussian": "normal"})


@exercise(
    "6.2",
    asks="two numbers: bytes per digit of the codes at eight bits, and of the pixels, each packed in one piece",
    right="the codes take less than their eight bits, and the verdict on PCA does not change.",
)
def packed_in_one_piece(answer):
    codes, pixels = read_numbers(answer, 2)
    of_codes, of_pixels, alone = _bytes()
    mistakes = {
        128: "zlib saves something on the codes: that is 8 bits for each of the 128 numbers",
        784: "that is one byte for each pixel: pack them",
    }
    if abs(codes - of_pixels) < 2 and abs(pixels - of_codes) < 0.1 * of_codes:
        raise WrongAnswer("the codes come first, and then the pixels")
    if 0 < abs(pixels - of_pixels) < 0.3 * of_pixels and abs(codes - of_codes) < 0.1 * of_codes and abs(pixels - alone) > 2:
        raise WrongAnswer("the second number is not that of the pixels as they are, in uint8")
    if codes > 10_000:
        raise WrongAnswer("that is for all digits together: divide by their number")
    # Where the eight bits begin and end, and which of the trained networks it is, moves it by a tenth.
    compare(pixels, of_pixels, 0.03 * of_pixels, mistakes | {alone: "that is each digit alone: pack all in one piece"}, "the second number")
    compare(codes, of_codes, 0.1 * of_codes, mistakes, "the first number")


@functools.cache
def _bytes():
    pixels = data.load().x_test[:2000]
    code = models.predict(reference.load("fast_basic").get_layer("encoder"), data.as_images(pixels))
    rounded = np.round(code / code.max(axis=(0, 1, 2)).clip(1e-9) * 255).astype("uint8")
    together = (len(zlib.compress(numbers.tobytes(), 9)) / len(numbers) for numbers in (rounded, pixels))
    return *together, float(np.mean([len(zlib.compress(image.tobytes(), 9)) for image in pixels]))


@exercise("6.3", asks="a share of the distance to PCA, from 0 to 1", right="some of it. One seed of each width would not have told.")
def a_wider_network(answer):
    share = read_number(answer)
    # The sweep is short, and its seeds differ: whatever lies between nothing and half is what it can say.
    if share > 1:
        raise WrongAnswer("a share lies between 0 and 1: this may be percent, or the gain in dB, to be divided by the distance")
    if share <= 0:
        raise WrongAnswer("the widest network of the three is ahead of the narrowest: which of the two is subtracted from which?")
    if share > 0.5:
        raise WrongAnswer("that is too large: the distance is from the narrowest network to PCA with 128 numbers from as many digits")


open_exercise(
    "6.project",
    "the divergence in the loss, weighed against the other part (it says how), the same grid of decoded points before and after, and what "
    "became of the gaps and of the loss of reconstruction, with more than one seed if it says that one is better.",
)
