"""Images and labels, to train on and to test with, kept as they are stored: uint8 ``(N, height, width[, channels])``."""

import dataclasses

import numpy as np

from convae_nb._base.validate import is_whole_number


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, to train on and to test with.

    Attributes
    ----------
    x_train, x_test : ndarray of uint8, shape (N, height, width) or (N, height, width, channels)
    y_train, y_test : ndarray, shape (N,), or None
        Labels, where there are some.
    classes : tuple of str, or None
        Of a folder with subfolders: their names. A label is a place in it.
    skipped : dict of str to str
        Of a folder: what was not read, by its name in the folder, and why.

    Examples
    --------
    ``dataclasses.replace`` cuts a dataset:

    >>> from convae_nb.data import load
    >>> dataclasses.replace(load(), x_train=load().x_train[:500], y_train=load().y_train[:500])
    Dataset(x_train: uint8 (500, 28, 28), y_train: uint8 (500,), x_test: uint8 (10000, 28, 28), y_test: uint8 (10000,))
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    classes: tuple[str, ...] | None = None
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [f"{name}: {describe(getattr(self, name))}" for name in ("x_train", "y_train", "x_test", "y_test")]
        parts += [f"{name}: {len(getattr(self, name))}" for name in ("classes", "skipped") if getattr(self, name)]
        return f"Dataset({', '.join(parts)})"


def first(dataset: Dataset, count: int) -> Dataset:
    """Keep the first training images alone, with their labels, and everything else.

    Parameters
    ----------
    dataset : Dataset
    count : int
        At least 0; 0 keeps all, and so does a number larger than there are.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If `count` is no whole number of at least 0.

    Examples
    --------
    >>> from convae_nb.data import load
    >>> first(load(), 500)
    Dataset(x_train: uint8 (500, 28, 28), y_train: uint8 (500,), x_test: uint8 (10000, 28, 28), y_test: uint8 (10000,))
    """
    if not is_whole_number(count, low=0):
        raise ValueError(f"count must be a whole number of at least 0, where 0 keeps all, got {count!r}")
    kept = slice(count or None)
    return dataclasses.replace(dataset, x_train=dataset.x_train[kept], y_train=None if dataset.y_train is None else dataset.y_train[kept])


def labels(dataset: Dataset) -> dict[str, np.ndarray]:
    """Give the label of every image, in words where the classes have names.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict of str to ndarray, shape (N,)
        For "training" and "test". Images without labels are all of one class, "no label"; where one part has none, the other's are
        text, too.

    Examples
    --------
    >>> pictures = np.zeros((3, 8, 8), "uint8")
    >>> labels(Dataset(pictures, np.array([1, 0, 1]), pictures[:1], None, classes=("cat", "dog")))
    {'training': array(['dog', 'cat', 'dog'], dtype='<U3'), 'test': array(['no label'], dtype='<U8')}
    """
    found = {}
    # A classifier would take a number such as 0.5 for a quantity.
    numbers = [known for known in (dataset.y_train, dataset.y_test) if known is not None and known.dtype.kind == "f"]
    whole = all(np.array_equal(known, np.rint(known)) for known in numbers)
    for part, images, known in (("training", dataset.x_train, dataset.y_train), ("test", dataset.x_test, dataset.y_test)):
        if known is None:
            known = np.full(len(images), "no label")
        elif dataset.classes:
            known = np.array(dataset.classes)[known]
        elif not whole and known.dtype.kind in "buif":
            known = known.astype(float).astype(str)
        elif known.dtype.kind == "f":
            known = known.astype(int)
        if (dataset.y_train is None) != (dataset.y_test is None):
            known = known.astype(str)  # so that both parts can be told apart, sorted and counted together
        found[part] = known
    return found


def describe(array: np.ndarray | None) -> str:
    """Give type and shape of an array, for messages."""
    return "none" if array is None else f"{array.dtype} {array.shape}"
