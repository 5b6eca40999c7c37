"""Probes: what do pictures, or codes, tell a classifier about the classes of the images that they stand for?

Classifiers are those of scikit-learn. Where a dataset has no labels, or but one class, nobody can say what is right: tables then have
no rows, their means are NaN, and a printed sentence says so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import lazy_loader
import numpy as np
import threadpoolctl

from convae_nb import data

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy_loader.load("pandas")  # half of what importing this module would take


def classify(
    classifiers: Mapping[str, Any], dataset: data.Dataset, pictures: Mapping[str, np.ndarray], *, count: int
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Let classifiers that have learned from clean training images read other pictures of the test images.

    Parameters
    ----------
    classifiers : dict of str to classifier
        By name; they are fitted.
    dataset : data.Dataset
    pictures : dict of str to array, shape (n, height, width, channels)
        By name, in [0, 1], as many of each; picture i stands for test image i.
    count : int
        Of the training images, how many they learn from, the first ones.

    Returns
    -------
    read, right : DataFrame
        What they read, and whether that is right; a row a picture, a column for each reader and name.
    """
    known, truth = _labels(dataset, count)
    if known is None:
        names = pd.MultiIndex.from_product([classifiers, pictures])
        return pd.DataFrame(columns=names, dtype=object), pd.DataFrame(columns=names, dtype=bool)
    pixels = _flat(dataset.x_train[:count] / 255)
    answers: dict[tuple[str, str], np.ndarray] = {}
    for name, reader in classifiers.items():
        reader.fit(pixels, known)
        answers |= {(name, shown): reader.predict(_flat(images)) for shown, images in pictures.items()}
    read = pd.DataFrame(answers)
    return read, read.eq(truth[: len(read)], axis=0)


def probe(
    candidates: Sequence[Any], dataset: data.Dataset, descriptions: Mapping[str, Callable[[np.ndarray], np.ndarray]], *, count: int
) -> "pd.DataFrame":
    """Let the best of some classifiers read test images from descriptions of them, such as codes.

    Parameters
    ----------
    candidates : sequence of classifier
        Each is fitted to the descriptions of the first training images; the one that reads the last training images best is taken.
    dataset : data.Dataset
    descriptions : dict of str to callable
        By name, from images as the dataset holds them to an array whose first axis is theirs.
    count : int
        How many images they learn from, and how many others they are chosen by; at most half of the training images.

    Returns
    -------
    DataFrame of bool
        Whether a test image is read right; a row for each image, a column for each description.
    """
    count = min(count, len(dataset.x_train) // 2)
    known, truth = _labels(dataset, count)
    if known is None:
        return pd.DataFrame(columns=list(descriptions), dtype=bool)
    chosen_by = data.labels(dataset)["training"][-count:]
    right = {}
    for name, describe in descriptions.items():
        parts = dataset.x_train[:count], dataset.x_train[-count:], dataset.x_test
        seen, held_out, test = (_flat(describe(images)) for images in parts)
        with threadpoolctl.threadpool_limits(1):  # for matrices as small as these, threads wait longer than they work
            scores = [classifier.fit(seen, known).score(held_out, chosen_by) for classifier in candidates]
            right[name] = candidates[int(np.argmax(scores))].predict(test) == truth
    return pd.DataFrame(right)


def _flat(arrays):
    return np.reshape(arrays, (len(arrays), -1))


def _labels(dataset, count):
    """The labels of the first training images and those of the test images; None for both if there is nothing to tell apart."""
    known = data.labels(dataset)["training"][:count]
    if dataset.y_train is None or dataset.y_test is None or len(np.unique(known)) < 2:
        print("These images have no labels of two classes or more: nobody can say what is read right.")
        return None, None
    return known, data.labels(dataset)["test"]
