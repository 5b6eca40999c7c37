"""The exercises of chapter 3: train the autoencoder."""

import functools
import math

import numpy as np
from sklearn.metrics import roc_auc_score

from convae_nb import data, models, reference, training
from convae_nb.exercises.answers import WrongAnswer, choose, compare, read_number, read_numbers
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("3.0", asks="a number of steps", right="digits by batch size, times epochs.")
def steps_of_a_training(answer):
    fast, original = training.RECIPES["fast_basic"], training.RECIPES["original_basic"]
    in_one_epoch = 60_000 // fast.batch_size
    mistakes = {
        in_one_epoch: "that is one epoch",
        original.epochs * (60_000 // original.batch_size): "that is the original's recipe: look at this chapter's",
        60_000 // original.batch_size * fast.epochs: "that is with batches of 200",
        fast.epochs * 60_000: "that is how many digits were seen: a step takes a batch of them",
    }
    compare(read_number(answer), fast.epochs * in_one_epoch, 0, mistakes)


@exercise(
    "3.1",
    asks='one of "larger" and "smaller": the difference between seeds, beside what the second epoch brings',
    right="so early. In the long reference runs it is the other way round.",
)
def seeds_against_epochs(answer):
    wrong = {
        "larger": "not in this training: set the range of three seeds' losses against the fall of one loss from the first "
        "epoch to the second"
    }
    choose(answer, wrong | {"smaller": ""})


@exercise(
    "3.2",
    asks="three numbers: how many the code has with [16, 8, 4], with [32, 16, 8] and with [16, 8]",
    right="a pooling less matters most for the code. What each does to PSNR a training of yours has to say, of more than one seed.",
)
def sizes_of_codes(answer):
    sizes = read_numbers(answer, 3)
    for size, filters in zip(sizes, ([16, 8, 4], [32, 16, 8], [16, 8]), strict=True):
        shape = models.build_autoencoder(filters).get_layer("encoder").output.shape[1:]
        mistakes = {
            math.prod(shape[:2]): f"with {filters} each place of the code has several numbers",
            shape[-1]: f"with {filters} that is how many maps the code has: how many places has each?",
            4 * 4 * filters[-1]: f"with {filters} there is one pooling less",
        }
        compare(size, math.prod(shape), 0, mistakes, f"the number for {filters}")


@exercise(
    "3.3",
    asks='one of "squared error", "cross-entropy" and "neither"',
    right="as far as twenty steps can tell. The factor would matter where the network is certain and wrong.",
)
def which_loss(answer):
    wrong = {
        "cross-entropy": "by PSNR on test digits it is not, after twenty steps from the same start: did you compare the losses themselves?",
        "neither": "for the first ten steps, yes, and with some seeds for twenty: look at the twentieth with seed 0, and at another seed",
    }
    choose(
        answer, wrong | {"squared error": ""}, also={"mse": "squared error", "ce": "cross-entropy", "the squared error": "squared error"}
    )


KINDS = ("mirrored", "turned", "inverted", "shuffled", "blank", "half")


@exercise(
    "3.4",
    asks=f"six areas under the ROC curve, in a dict with the keys {', '.join(KINDS)}",
    right="what has more and other strokes is found, what has fewer is taken for better than a digit.",
)
def does_it_know_a_stranger(answer):
    if not hasattr(answer, "keys") or set(answer.keys()) != set(KINDS):
        raise WrongAnswer(f"the answer must be a dict with the keys {', '.join(KINDS)}")
    for kind, right in _areas().items():
        area = read_number(answer[kind], f"the area of {kind}")
        if not 0 <= area <= 1:
            raise WrongAnswer(f"the area of {kind} must lie between 0 and 1")
        # The networks of five seeds, and all test digits instead of the first 1,000, lie within a twentieth.
        if abs(area - right) > 0.05:
            upside_down = abs(1 - area - right) <= 0.05 and abs(right - 0.5) > 0.05
            reason = (
                "the score and the labels go opposite ways: a stranger is a 1"
                if upside_down
                else "is the score the squared error of each picture, and are all digits compared with all strangers?"
            )
            raise WrongAnswer(f"the area of {kind} is too {'large' if area > right else 'small'}: {reason}")


@functools.cache
def _areas():
    x = data.as_images(data.load().x_test[:1000])
    rng = np.random.default_rng(0)
    strangers = [x[:, :, ::-1], np.rot90(x, axes=(1, 2)), 1 - x, rng.permuted(x.reshape(len(x), -1), axis=1).reshape(x.shape)]
    strangers += [np.zeros_like(x), np.where(np.arange(28)[:, None] < 14, x, 0)]
    model = reference.load("fast_basic")

    def error(images):
        return ((models.reconstruct(model, images) - images) ** 2).sum(axis=(1, 2, 3))

    truth, known = np.repeat([0, 1], len(x)), error(x)
    return {kind: roc_auc_score(truth, np.concatenate([known, error(images)])) for kind, images in zip(KINDS, strangers, strict=True)}


open_exercise(
    "3.project",
    "for both ways a choice of the learning rate, made on digits held out; then at least two seeds of each, losses and seconds side by "
    "side, and the number of weights, which is the same. If the best rate lies at the end of those tried, it says so.",
)
