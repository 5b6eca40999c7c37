"""The exercises of chapter 1: look at the data before the network."""

import functools

import numpy as np
import scipy.special

from convae_nb import data, metrics, noise
from convae_nb.exercises.answers import WrongAnswer, call, choose, compare, curve, read_array, read_number, read_picture
from convae_nb.exercises.catalogue import exercise


@exercise("1.0", asks='one of "higher", "lower" and "the same"', right="the entropy does not change if x and 1 - x change places.")
def floor_of_the_inverted(answer):
    formula = "write the entropy of a grey x down, then put 1 - x in the place of x"
    choices = {"higher": f"it is not higher: {formula}", "lower": f"it is not lower: {formula}", "the same": ""}
    choose(answer, choices, also=dict.fromkeys(("same", "equal", "unchanged"), "the same"))


@exercise(
    "1.1",
    asks="a function that takes a pixel's value x, from 0 to 1, and gives its mean noisy value",
    right="a straight line, flatter than x.",
)
def mean_of_salt_and_pepper(answer):
    curve(answer, lambda x: 0.8 * x + 0.1, tolerance=0.005)  # by hand it is exact; measured on some thousand copies, this close


@exercise(
    "1.2", asks="a share, from 0 (as the mean image) to 1 (the floor)", right="the rest is not which digit it is, but how it was written."
)
def share_of_the_class_means(answer):
    right, loss = _share("x_test")
    mistakes = {
        1 - right: "that is the part of the way that is left",
        loss: "that is the loss itself: how much of the way from the mean image's loss to the floor is it?",
        _share("x_train")[0]: "you compared on training digits: predict the test digits",
    }
    # Rounded to two digits it is right.
    compare(read_number(answer), right, 0.004, mistakes)


@functools.cache
def _share(on):
    """How much of the way from the mean image's loss to the floor the classes' mean images are on test or training digits; their loss."""
    digits = data.load()
    means = np.stack([digits.x_train[digits.y_train == digit].mean(axis=0) / 255 for digit in range(10)])
    x, labels = data.as_images(getattr(digits, on)), getattr(digits, on.replace("x", "y"))
    loss = metrics.binary_cross_entropy(x, scipy.special.logit(np.clip(means[labels][..., None], 1e-7, 1 - 1e-7)))
    mean_image = metrics.trivial_predictors(x, fit_on=digits.x_train).loc["mean image", "loss"]
    return (mean_image - loss) / (mean_image - metrics.entropy_floor(x)), loss


@exercise("1.3", asks="the mean of the 500 copies after it was sent back through the curve, 28x28", right="the haze is gone.")
def curve_read_backwards(answer):
    picture = read_picture(answer, (28, 28))
    four = data.load().x_train[2] / 255
    if picture.min() < -0.01 or picture.max() > 1.01:
        raise WrongAnswer("the picture must lie between 0 and 1")
    turned = (four.T, four[::-1], four[:, ::-1], four[::-1, ::-1], np.rot90(four), np.rot90(four, 3))
    if max(_likeness(picture, other) for other in turned) > _likeness(picture, four):
        raise WrongAnswer("this is not the 4 of the chapter, the third training digit, or it is turned")
    black, white = picture[four == 0].mean(), picture[four > 0.95].mean()
    # The chance of 500 copies leaves a grain of some hundredths, and the mean of what is cut at 0 a haze of as much.
    if picture[four == 0].std() > 0.1:
        raise WrongAnswer("there is grain on it: take the mean of the 500 copies first, and then the curve")
    if black > 0.3 or white < 0.75:
        raise WrongAnswer("there is more haze than before: the curve was read forwards")
    if black > 0.06:
        raise WrongAnswer("haze is still there: what was black is not black; the mean comes first, and then the curve")
    light = (four > 0.8) & (four < 0.95)  # where the curves of other levels differ most
    if abs((picture - four)[light].mean()) > 0.06:
        raise WrongAnswer("black and white are right, but not the greys between: is the curve that of this noise, at this level?")


def _likeness(a, b):
    return np.sum((a - a.mean()) * (b - b.mean())) / b.std()


@exercise(
    "1.project",
    asks="a function that takes noisy digits (N, 28, 28, 1) and gives N levels",
    right="the levels 0.1, 0.25 and 0.5 are found. A good answer says, too, how far off single digits are, and why it fails "
    "at strong noise.",
)
def strength_of_the_noise(answer):
    x = data.as_images(data.load().x_test[:500])
    for level in (0.1, 0.25, 0.5):
        found = read_array(call(answer, noise.corrupt(x, level=level, seed=1)), "what your function gives")
        if found.size != len(x):
            raise WrongAnswer(f"for {len(x)} digits your function gives {found.size} values")
        # The rim of some digits is not black, which alone makes a fifth at light noise.
        if abs(np.median(found) - level) > 0.25 * level:
            direction = "high" if np.median(found) > level else "low"
            raise WrongAnswer(f"on digits with a level of {level:g} the median of what your function gives is too {direction}")
        if found.std() > 0.5 * level:
            raise WrongAnswer(f"on digits with a level of {level:g} what your function gives scatters by more than half of it")
