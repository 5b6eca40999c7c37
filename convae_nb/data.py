"""Images in: load a dataset, verify it, and bring any array of pictures to one form.

A `Dataset` keeps images as they are stored, uint8 ``(N, height, width[, channels])``; `as_images` makes of them what models take,
float32 ``(N, height, width, channels)`` in [0, 1]. The digits of MNIST ship with the package: nothing is downloaded.
"""

import dataclasses
import hashlib
import numbers
import os
import warnings
from pathlib import Path

import numpy as np

from convae_nb import _archive, _pictures, _split
from convae_nb._checks import DataError as DataError
from convae_nb._checks import check_shape, check_values

_DIGITS = Path(__file__).with_name("files") / "mnist.npz"
_RESTORE = "the package's own digits are damaged: install it again, or git checkout convae_nb/files/mnist.npz"

# Shape, and SHA-256 of the IDX file of this array in the original distribution, uncompressed.
_ORIGINAL = {
    "x_train": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "y_train": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "x_test": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "y_test": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


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

    >>> dataclasses.replace(load(), x_train=load().x_train[:500], y_train=load().y_train[:500])
    Dataset(x_train: uint8 (500, 28, 28), y_train: uint8 (500,), x_test: uint8 (10000, 28, 28), y_test: uint8 (10000,))
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    classes: tuple[str, ...] | None = None
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def __repr__(self):
        told = [f"{name}: {_describe(getattr(self, name))}" for name in _ORIGINAL]
        told += [f"{name}: {len(getattr(self, name))}" for name in ("classes", "skipped") if getattr(self, name)]
        return f"Dataset({', '.join(told)})"


def load(source="mnist", *, colour=None, size=None, fit="resize", limit=2_000_000_000, progress=True):
    """Load a dataset: the digits of MNIST [1]_, a file of your own, or a folder of pictures.

    Parameters
    ----------
    source : str or path
        "mnist" for the 70,000 digits that come with the package, each array verified against the original distribution; the path
        of a .npz file in the layout of Keras's datasets: ``x_train``, and perhaps ``x_test``, ``y_train`` and ``y_test``; or the
        path of a folder of PNG, JPEG, BMP, GIF, TIFF and WebP files, told by their content, not by their names.
    colour : bool, optional
        Whether a folder is read in colour. None looks at the pixels: grey if red, green and blue are the same in all pictures.
    size : int or (int, int), optional
        Height and width to which a folder's pictures are brought. None leaves them as they are, all of one size.
    fit : {"resize", "crop"}
        How they are brought to `size`: "resize" stretches the whole picture, smoothed (Lanczos); "crop" cuts out its middle, pixels
        as they are, and skips what is smaller.
    limit : int
        Bytes that all arrays may take in memory, uncompressed; what is larger is refused before memory is taken.
    progress : bool
        Show a bar while a folder is read, once that takes more than two seconds.

    Returns
    -------
    Dataset
        Its arrays are read-only.

    Raises
    ------
    DataError
        If there is no such source, it is damaged, altered, too large or not in this layout, or an argument does not fit it.

    Warns
    -----
    UserWarning
        Once a file, if its images are floats: these must lie in [0, 1], and are rounded to multiples of 1/255. bool becomes 0 and 255.

    Notes
    -----
    Where the source does not say what to test with, a fifth is kept for that, by a hash of each picture's name (its path in the folder,
    letter by letter as Unicode composes them), in a file of its place. That is the same on every machine, and a picture stays where it
    was when others come. A folder whose subfolders are ``train`` and ``test`` says it; else subfolders are classes, and their sorted
    names are numbered. Pictures come in the order of their hashes, classes mixed.

    A picture's first frame serves, turned as its EXIF orientation says. 16-bit grey is scaled to 8 bits, of 16-bit colour the upper 8
    are kept. What is transparent is laid over white. Grey of colour is ITU-R 601 luma; colour profiles are not applied. Hidden files,
    thumbnails of file managers, links to folders, damaged files and what is no picture or has more than 50 million pixels is skipped:
    see `Dataset.skipped`.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proceedings of
       the IEEE 86 (1998), doi:10.1109/5.726791.

    Examples
    --------
    >>> digits = load()
    >>> digits.x_train.shape, digits.x_test.shape, digits.y_train[2]
    ((60000, 28, 28), (10000, 28, 28), np.uint8(4))
    """
    source = str(source)
    size = _check_options(source, colour, size, fit, limit)
    path = _DIGITS if source == "mnist" else Path(source)
    if os.path.isdir(path):  # False, where Path's own raises for a name that is too long
        return _load_folder(path, colour=colour, size=size, fit=fit, limit=limit, progress=progress)
    if path.suffix.lower() != ".npz":
        raise DataError(f'{source=} is not known: give "mnist", the path of a .npz file, or that of a folder of pictures')
    if (colour, size) != (None, None):
        raise DataError(f"colour and size are for folders of pictures, got {colour=} and {size=} with {source=}: leave them out")
    file = "/".join(path.parts[-3:])
    if source == "mnist":
        arrays = _read(path, file, limit, _RESTORE, "x_train", "x_test")
        for name, array in arrays.items():
            _verify(file, name, array)
    else:
        arrays = _read(path, file, limit, "copy it anew, or save arrays of uint8 with np.savez(…, x_train=…, x_test=…)", "x_train")
        arrays = _whole(file, arrays)
    return Dataset(**arrays)


def first(dataset, count):
    """Keep the first training images alone, with their labels, and everything else.

    Parameters
    ----------
    dataset : Dataset
    count : int
        At least 0; 0 keeps all, and so does a number larger than there are.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> first(load(), 500)
    Dataset(x_train: uint8 (500, 28, 28), y_train: uint8 (500,), x_test: uint8 (10000, 28, 28), y_test: uint8 (10000,))
    """
    kept = slice(count or None)
    return dataclasses.replace(dataset, x_train=dataset.x_train[kept], y_train=None if dataset.y_train is None else dataset.y_train[kept])


def labels(dataset):
    """Give the label of every image, in words where the classes have names.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict of str to ndarray, shape (N,)
        For "training" and "test". Images without labels are all of one class, "no label".

    Examples
    --------
    >>> pictures = np.zeros((3, 8, 8), "uint8")
    >>> labels(Dataset(pictures, np.array([1, 0, 1]), pictures[:1], None, classes=("cat", "dog")))
    {'training': array(['dog', 'cat', 'dog'], dtype='<U3'), 'test': array(['no label'], dtype='<U8')}
    """
    found = {}
    for part, images, known in (("training", dataset.x_train, dataset.y_train), ("test", dataset.x_test, dataset.y_test)):
        if known is None:
            known = np.full(len(images), "no label")
        elif dataset.classes:
            known = np.array(dataset.classes)[known]
        elif known.dtype.kind == "f":
            # A classifier would take a number such as 0.5 for a quantity.
            known = known.astype(int if np.array_equal(known, np.rint(known)) else str)
        found[part] = known
    return found


def as_images(array):
    """Bring pictures to the one form that models, noise and metrics take; refuse what would be misread.

    Parameters
    ----------
    array : array_like, shape (N, height, width) or (N, height, width, channels), with 1 or 3 channels
        uint8 is divided by 255, bool taken as 0 and 1. Floats must lie in [0, 1], with a slack of 1e-6 that is clipped away.

    Returns
    -------
    ndarray of float32, shape (N, height, width, channels)
        In [0, 1], and always a new array.

    Raises
    ------
    DataError
        If type, shape or range are others.

    Examples
    --------
    >>> as_images(np.array([[[0, 51], [102, 255]]], dtype="uint8"))[0, :, :, 0]
    array([[0. , 0.2],
           [0.4, 1. ]], dtype=float32)
    """
    try:
        array = np.asarray(array)
    except ValueError:
        raise DataError("images must form one array, found a ragged list: give all pictures the same height, width and channels") from None
    check_shape(array.shape)
    check_values(array)
    images = np.array(array if array.ndim == 4 else array[..., None], dtype=np.float32, order="C")
    if array.dtype == np.uint8:
        images /= 255
    else:
        np.clip(images, 0, 1, out=images)
    return images


def _describe(array):
    return "none" if array is None else f"{array.dtype} {array.shape}"


def _check_options(source, colour, size, fit, limit):
    """Refuse what is no option, and give the size as (height, width) or None."""

    def whole(value):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1

    if not any(colour is value for value in (None, True, False)):
        raise DataError(f"colour must be True, False or None, got {colour!r}: None looks at the pixels")
    if fit not in list(_pictures.FITS):
        raise DataError(f"fit must be one of {', '.join(_pictures.FITS)}, got {fit!r}")
    if not whole(limit):
        raise DataError(f"limit must be a whole number of bytes, at least 1, got {limit!r}")
    sides = (size, size) if whole(size) else size
    if sides is not None and not (isinstance(sides, (tuple, list)) and len(sides) == 2 and all(map(whole, sides))):
        raise DataError(f"size must be (height, width) in pixels, or one number for both, got {size!r}")
    return None if sides is None else tuple(map(int, sides))


def _load_folder(path, **options):
    found = _pictures.read(path, **options)
    for array in (found.images, found.labels):
        if array is not None:
            array.setflags(write=False)
    parts = slice(None, found.training), slice(found.training, None)
    x_train, x_test = (found.images[part] for part in parts)
    y_train, y_test = (None if found.labels is None else found.labels[part] for part in parts)
    return Dataset(x_train, y_train, x_test, y_test, found.classes, found.skipped)


def _read(path, file, limit, cure, *needed):
    if not os.path.isfile(path):
        raise DataError(f"{file} is not there: {_RESTORE if path == _DIGITS else f'check the path, {str(path)!r}'}")
    return _archive.read(path, file, _ORIGINAL, needed, limit, cure)


def _whole(file, arrays):
    """Check the arrays of one's own file, bring images to uint8, and split off what to test with if it has not been."""
    rounded = []
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        images, labels = arrays[x], arrays[y]
        if images is None:
            if labels is not None:
                raise DataError(f"{file} holds {y} without {x}: save both, or neither")
            continue
        check_shape(images.shape, f"{file}: {x}")
        check_values(images, f"{file}: {x}")
        if images.dtype.kind == "f":
            rounded.append(x)
        arrays[x] = _eight_bits(images)
        if labels is not None:
            arrays[y] = labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels  # as Keras stores those of CIFAR-10
            if labels.shape != images.shape[:1]:
                raise DataError(
                    f"{file}: {y} must hold a label for each of the {len(images)} images of {x}, found {labels.shape}: save them in pairs"
                )
            if labels.dtype.kind not in "buifSU":
                raise DataError(f"{file}: {y} must hold numbers or text, found {labels.dtype}: number the classes")
    if rounded:
        warnings.warn(f"{file}: floats are kept as multiples of 1/255: {' and '.join(rounded)}", stacklevel=3)
    if arrays["x_test"] is None:
        if len(arrays["x_train"]) < 2:
            raise DataError(f"{file} must hold an image to train on and one to test with, found one in all: add some")
        tested = _split.in_test(_split.keys(map(str, range(len(arrays["x_train"])))))
        for kind in "xy":
            array = arrays[f"{kind}_train"]
            if array is not None:
                arrays[f"{kind}_train"], arrays[f"{kind}_test"] = array[~tested], array[tested]
    for array in arrays.values():
        if array is not None:
            array.setflags(write=False)
    return arrays


def _eight_bits(images):
    if images.dtype == np.uint8:
        return images
    levels = np.empty(images.shape, np.uint8)
    for image, level in zip(images, levels, strict=True):  # one at a time: floats of all would take four times the memory
        level[...] = np.rint(255 * np.clip(image.astype("float32"), 0, 1))
    return levels


def _verify(file, name, array):
    """Compare an array of MNIST with the original distribution."""
    shape, expected = _ORIGINAL[name]
    digest = _idx_sha256(array)
    if digest == expected:
        return
    same = [f"the original's {other}" for other, (_, known) in _ORIGINAL.items() if known == digest]
    found = same[0] if same else f"{_describe(array)} with SHA-256 {digest}"
    raise DataError(f"{file}: {name} should be uint8 {shape} with SHA-256 {expected} as an IDX file, found {found}: {_RESTORE}")


def _idx_sha256(array):
    if array is None or array.dtype != np.uint8:
        return None  # not what an IDX file of unsigned bytes holds
    # Two zeros, 8 for unsigned bytes, the number of axes; then the sizes as big-endian 32-bit numbers; then the bytes.
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes())
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
