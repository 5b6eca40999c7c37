"""The exercises of chapter 5: measure checkerboards."""

from collections.abc import Sequence

import numpy as np

from convae_nb.exercises.answers import WrongAnswer, call, choose, read_array, read_set
from convae_nb.exercises.catalogue import exercise, open_exercise


@exercise("5.0", asks="the strides from 1 to 6, in brackets", right="those that divide the kernel's size.")
def strides_for_a_kernel_of_6(answer):
    _compare_sets(read_set(answer), {1, 2, 3, 6}, "stride")


@exercise(
    "5.1",
    asks="two lists in brackets: the kernels up to 9 that overlap evenly, and those whose phases sum alike at random weights",
    right="counts may be even, and sums are not: only ties do that.",
)
def a_stride_of_3(answer):
    if not isinstance(answer, Sequence) or isinstance(answer, str) or len(answer) != 2:
        raise WrongAnswer("the answer must be two lists in brackets, such as ([1, 2], [2])")
    _compare_sets(read_set(answer[0], "the first list"), {3, 6, 9}, "kernel of size")
    if read_set(answer[1], "the second list"):
        raise WrongAnswer("in the second list a kernel is one too many: does phase_spread give zero for it, at random weights?")


def _compare_sets(found, right, what):
    if extra := found - right:
        raise WrongAnswer(f"a {what} {min(extra)} does not: look at the overlap in the middle")
    if right - found:
        more = len(right - found)
        raise WrongAnswer(
            f"{'those are right, and not all' if found else 'there are some'}: {'one more does' if more == 1 else f'{more} more do'}"
        )


@exercise(
    "5.2",
    asks="a function that takes a kernel (4, 4, out, in) and gives the cured one",
    right="its phases sum alike, and no change could be smaller. A good answer has, too, what became of the index and of "
    "the loss, beside a random change of the same size.",
)
def cure_without_training(answer):
    kernel = np.random.default_rng(1).normal(size=(4, 4, 3, 5))
    cured = read_array(call(answer, kernel.copy()), "what your function gives")
    if cured.shape != kernel.shape:
        raise WrongAnswer(f"to a kernel of shape {kernel.shape} your function gives one of {cured.shape}")
    sums = _sums(cured)
    rounding = 1e-4  # of sums in float32
    if np.ptp(sums, axis=(0, 1)).max() > rounding:
        if np.ptp(cured.reshape(2, 2, 2, 2, 3, 5).sum(axis=(1, 3)), axis=(0, 1)).max() < rounding:
            raise WrongAnswer("quarters of the kernel sum alike, but its phases are every second weight")
        raise WrongAnswer("the phases of what your function gives do not sum alike, for each pair of maps")
    sums = _sums(kernel)
    smallest = np.linalg.norm((sums - sums.mean(axis=(0, 1))) / 2)
    if np.linalg.norm(cured - kernel) > smallest * (1 + rounding):
        raise WrongAnswer("the phases sum alike, but the kernel was changed by more than it takes")


def _sums(kernel):
    """The sums of the four phases, (2, 2, out, in)."""
    return kernel.reshape(2, 2, 2, 2, *kernel.shape[2:]).sum(axis=(0, 2))


@exercise(
    "5.3",
    asks='"yes" or "no": is anything left of the difference after training?',
    right="neither start is ahead with every seed, by index or by loss.",
)
def subpixel_without_its_start(answer):
    wrong = {"yes": "not with every seed: is the same start ahead with three of them? (Untrained, it is.)"}
    choose(answer, wrong | {"no": ""})


open_exercise(
    "5.project",
    "a start whose phases sum alike (it shows so, by phase_spread), the usual start beside it, three seeds of each, and for both the loss "
    "and the answer to a flat code after training. It names which of the two differences is larger than that between seeds.",
)
