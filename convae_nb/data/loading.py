"""Load a dataset: the digits of MNIST, a .npz or .npy file of one's own, or a folder of pictures; validate what comes in.

The digits ship with the package: nothing is downloaded.
"""

import hashlib
import math
import numbers
import os
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convae_nb._base import archive
from convae_nb._base.validate import is_whole_number
from convae_nb.data import folder, picture, split
from convae_nb.data.dataset import Dataset, describe
from convae_nb.data.images import validate_shape, validate_values
from convae_nb.errors import DataError

_DIGITS = Path(__file__).with_name("mnist.npz")
_RESTORE = "the package's own digits are damaged: install it again, or git checkout convae_nb/data/mnist.npz"

_SAVE = "save arrays of numbers, or labels with y.astype(str), by np.savez(…, x_train=…, y_train=…)"
_SAVE_ONE = "save an array of numbers by np.save"

_HALF = 128  # of 255

# Shape, and SHA-256 of the IDX file of this array in the original distribution, uncompressed.
_ORIGINAL = {
    "x_train": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "y_train": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "x_test": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "y_test": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def load(
    source: str | os.PathLike = "mnist",
    *,
    colour: bool | None = None,
    size: int | tuple[int, int] | None = None,
    fit: Literal["resize", "crop"] = "resize",
    white: float | Literal["full"] | None = None,
    limit: int = 2_000_000_000,
    progress: bool = True,
) -> Dataset:
    """Load a dataset: the digits of MNIST [1]_, a file of your own, or a folder of pictures.

    Parameters
    ----------
    source : str or path
        "mnist" for the 70,000 digits that come with the package, each array verified against the original distribution; the path
        of a .npz file in the layout of Keras's datasets: ``x_train``, and perhaps ``x_test``, ``y_train`` and ``y_test``; of a .npy
        file, which is ``x_train`` alone; or the path of a folder of PNG, JPEG, BMP, GIF, TIFF and WebP files, told by their content,
        not by their names. ``~`` is your home.
    colour : bool, optional
        Whether a folder is read in colour. None looks at the pixels: grey if red, green and blue are the same in all pictures.
    size : int or (int, int), optional
        Height and width to which a folder's pictures are brought. None leaves them as they are, all of one size.
    fit : {"resize", "crop"}
        How they are brought to `size`: "resize" stretches the whole picture, smoothed (Lanczos); "crop" cuts out its middle, pixels
        as they are, and skips what is smaller.
    white : float or "full", optional
        What value is white in the pixels of your own pictures as they are stored, such as 1, 16 or 4095: it becomes 255. "full" is the
        largest that 8 or 16 bits hold, and 1 for floats. None is the same for pictures (or what a TIFF file says of itself), uint8, bool
        and floats. Unless it is "full", it is refused if no pixel of a part is half as bright: then it is hardly true.
    limit : int
        Bytes that all arrays may take in memory, uncompressed. What is larger is refused before memory is taken, but for images of
        uint8 as ``np.savez`` and ``np.save`` write them: they stay on the disk, and `training.train` reads them by the batch.
    progress : bool
        Show a bar while a folder is read, once that takes more than two seconds.

    Returns
    -------
    Dataset
        Its arrays are read-only.

    Raises
    ------
    DataError
        If there is no such source, it is damaged, altered, too large or not in this layout, its two parts do not fit together, its
        pictures are all dark, or an argument does not fit it.

    Warns
    -----
    UserWarning
        Once a file, if its images are floats, which must lie in [0, 1] if `white` does not say otherwise, or of more than 8 bits: they
        are rounded to multiples of 1/255. bool becomes 0 and 255. Once a source, if it has a validation part, arrays that are not read,
        subfolders whose meaning is not plain, or pictures that are mostly dark: what was done with them.

    Notes
    -----
    Where the source does not say what to test with, a fifth is kept for that, by a hash of each picture's name (its path in the folder,
    letter by letter as Unicode composes them), in a file of its place. That is the same on every machine, and a picture stays where it
    was when others come. Folders called ``train`` and ``test`` say it, in any case, with the usual endings (``Test_images``,
    ``val2017``), also inside of a folder that holds all the others. A validation part comes at the end of the training images, where
    `training.Recipe.validation` holds it out; without a test part it is that. Other subfolders are classes, and their sorted names are
    numbered; test pictures without subfolders have no labels. What lies beside the pictures changes nothing. Pictures come in the order
    of their hashes, classes mixed.

    A picture's first frame serves, turned as its EXIF orientation says. 16-bit grey is scaled to 8 bits, of 16-bit colour and grey
    with alpha the upper 8 are kept. What is transparent is laid over white. Grey of colour is ITU-R 601 luma; colour profiles are not
    applied. Hidden files, thumbnails of file managers, links to folders, damaged files, samples that are not read rightly and what is
    no picture or has more than 50 million pixels is skipped: see `Dataset.skipped`. Damage is found as far as a kind of file lets it
    be: JPEG and WebP have no checksum.

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
    size = _validate_options(colour, size, fit, white, limit)
    if not isinstance(source, str | os.PathLike) or source == "":
        raise _unknown(source)
    path = _DIGITS if isinstance(source, str) and source == "mnist" else expand(source)
    if os.path.isdir(path):  # False, where Path's own raises for a name that is too long
        return _load_folder(path, colour=colour, size=size, fit=fit, white=white, limit=limit, progress=progress)
    if path.suffix.lower() not in (".npz", ".npy"):
        raise _unknown(source)
    if (colour, size) != (None, None):
        raise DataError(
            f"colour and size are for folders of pictures, got {colour=} and {size=} with source={str(source)!r}: leave them out"
        )
    label = folder.shorten(path)
    if path is not _DIGITS:
        return Dataset(**_load_file(path, label, white, limit))
    if white is not None:
        raise DataError(f"white is for pictures of your own, got {white=} with source={str(source)!r}: leave it out")
    arrays = _read(path, label, limit, _RESTORE, "x_train", "x_test")
    for name, array in arrays.items():
        _verify(label, name, array)
    return Dataset(**arrays)


def expand(source: str | os.PathLike) -> Path:
    """Give a source's path, with the home folder that ``~`` stands for unless there is a file of that name."""
    return Path(source if os.path.exists(source) else os.path.expanduser(source))


def _unknown(source):
    return DataError(f'source={str(source)!r} is not known: give "mnist", the path of a .npz or .npy file, or that of a folder of pictures')


def _validate_options(colour, size, fit, white, limit):
    """Validate the options, and give the size as (height, width) or None."""
    if not any(colour is value for value in (None, True, False)):
        raise DataError(f"colour must be True, False or None, got {colour!r}: None looks at the pixels")
    if fit not in list(picture.FITS):
        raise DataError(f"fit must be one of {', '.join(picture.FITS)}, got {fit!r}")
    is_number = isinstance(white, numbers.Real) and not isinstance(white, bool) and 0 < white < math.inf
    if not (white is None or is_number or (isinstance(white, str) and white == "full")):
        raise DataError(f'white must be the value that is white in the pixels as stored, a number above 0, or "full", got {white!r}')
    if not is_whole_number(limit):
        raise DataError(f"limit must be a whole number of bytes, at least 1, got {limit!r}")
    sides = (size, size) if is_whole_number(size) else size
    if sides is not None and not (isinstance(sides, (tuple, list)) and len(sides) == 2 and all(map(is_whole_number, sides))):
        raise DataError(f"size must be (height, width) in pixels, or one number for both, got {size!r}")
    return None if sides is None else tuple(map(int, sides))


def _load_folder(path, **options):
    found = folder.read(path, **options)
    for message in found.told:
        warnings.warn(f"{folder.shorten(path)}: {message}", stacklevel=3)
    for array in (found.images, found.labels):
        if array is not None:
            array.setflags(write=False)
    parts = slice(None, found.training), slice(found.training, None)
    x_train, x_test = (found.images[part] for part in parts)
    y_train, y_test = (found.labels[part] if labelled else None for part, labelled in zip(parts, found.labelled, strict=True))
    for brightest in found.brightest:
        _validate_brightness(folder.shorten(path), options["white"], brightest, stacklevel=4)
    return Dataset(x_train, y_train, x_test, y_test, found.classes, found.skipped)


def _load_file(path, label, white, limit):
    others: list[str] = []
    if path.suffix.lower() == ".npy":
        arrays = dict.fromkeys(_ORIGINAL) | {"x_train": archive.read_array(_there(path, label), label=label, limit=limit, cure=_SAVE_ONE)}
    else:
        arrays = _read(path, label, limit, _SAVE, "x_train", others=others)
    arrays = _validated(label, arrays, white)
    if others:
        warnings.warn(f"{label}: only {', '.join(_ORIGINAL)} are read, not {', '.join(others[:9])}", stacklevel=3)
    return arrays


def _validate_brightness(shown, white, brightest, stacklevel):
    """Refuse pictures whose white is hardly what was taken for it: no pixel of them all is half as bright. Tell if most are so dark."""
    if white == "full":
        return
    highest, dark = int(brightest.max()), int(np.count_nonzero(brightest < _HALF))
    if highest < _HALF:
        taken = "255, or the most that the type holds" if white is None else f"{white:g}"
        raise DataError(
            f"{shown}: with {taken} as white, the brightest pixel would be {highest} of 255, nearly black: give white=, the value that is "
            'white in the pixels as they are stored (1 for masks of 0 and 1, 4095 for 12 bits), or white="full" if they are that dark'
        )
    if dark > len(brightest) / 2:
        warnings.warn(f"{shown}: {dark} of {len(brightest)} pictures have no pixel half as bright as white", stacklevel=stacklevel)


def _there(path, label):
    if not os.path.isfile(path):
        raise DataError(f"{label} is not there: {_RESTORE if path == _DIGITS else f'check the path, {str(path)!r}'}")
    return path


def _read(path, label, limit, cure, *needed, others=None) -> dict[str, Any]:
    def wanted(name):
        if name not in _ORIGINAL and others is not None:
            others.append(name)
        return name in _ORIGINAL

    options: dict[str, Any] = {"wanted": wanted, "needed": needed, "mapped": lambda name: name.startswith("x_")}
    found = archive.read_arrays(_there(path, label), label=label, **options, limit=limit, cure=cure)
    return {name: found.get(name) for name in _ORIGINAL}


def _validated(file, arrays, white):
    """Validate the arrays of one's own file, bring images to uint8, and split off what to test with if it has not been."""
    rounded = []
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        images, labels = arrays[x], arrays[y]
        if images is None:
            if labels is not None:
                raise DataError(f"{file} holds {y} without {x}: save both, or neither")
            continue
        validate_shape(images.shape, f"{file}: {x}")
        highest = _validate_white(images, f"{file}: {x}", white)
        if isinstance(images, np.memmap) and highest != 255:
            raise DataError(f"{file}: {x} is beyond the limit and stays on the disk, where white must be 255, got {white=}: save it so")
        if images.dtype not in (np.uint8, np.bool_):
            rounded.append(x)
        arrays[x] = _eight_bits(images, highest)
        if labels is not None:
            arrays[y] = labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels  # as Keras stores those of CIFAR-10
            if labels.shape != images.shape[:1]:
                cure = f"{y}.argmax(axis=1) if a 1 stands in each row" if labels.ndim == 2 else "save them in pairs"
                raise DataError(f"{file}: {y} must hold a label for each of the {len(images)} images of {x}, found {labels.shape}: {cure}")
            if labels.dtype.kind not in "buifSU":
                raise DataError(f"{file}: {y} must hold numbers or text, found {labels.dtype}: number the classes")
            if labels.dtype.kind == "f" and not np.isfinite(labels).all():
                raise DataError(
                    f"{file}: {y} must hold a label for each image, {(~np.isfinite(labels)).sum()} are not finite: give each one"
                )
    _validate_pair(file, arrays)
    for x in ("x_train", "x_test"):  # each was made by a script of its own, perhaps
        if arrays[x] is not None:
            _validate_brightness(f"{file}: {x}", white, arrays[x].max(axis=tuple(range(1, arrays[x].ndim))), stacklevel=5)
    if rounded:
        warnings.warn(f"{file}: values are kept as multiples of 1/255: {' and '.join(rounded)}", stacklevel=4)
    if arrays["x_test"] is None:
        if len(arrays["x_train"]) < 2:
            raise DataError(f"{file} must hold an image to train on and one to test with, found one in all: add some")
        count = len(arrays["x_train"])
        tested = split.in_test(split.keys(map(str, range(count))))
        training: Any = ~tested
        if isinstance(arrays["x_train"], np.memmap):  # which a piece of stays one, and what is picked does not
            training, tested = slice(count - count // 5), slice(count - count // 5, None)
            warnings.warn(f"{file}: without x_test, and too large to be in memory, the last fifth is kept to test with", stacklevel=4)
        for kind in "xy":
            array = arrays[f"{kind}_train"]
            if array is not None:
                arrays[f"{kind}_train"], arrays[f"{kind}_test"] = array[training], array[tested]
    for array in arrays.values():
        if array is not None:
            array.setflags(write=False)
    return arrays


def _validate_pair(file, arrays):
    """Validate that training and test images, and their labels, are of one kind."""
    x_train, x_test, y_train, y_test = (arrays[name] for name in ("x_train", "x_test", "y_train", "y_test"))
    if x_test is not None:
        shapes = [(*images.shape[1:3], images.shape[3] if images.ndim == 4 else 1) for images in (x_train, x_test)]
        if shapes[0] != shapes[1]:
            raise DataError(
                f"{file}: x_train and x_test must have the same height, width and channels, found {x_train.shape} and {x_test.shape}: "
                "bring them to one form"
            )
    if y_train is not None and y_test is not None:
        kinds = ["number" if labels.dtype.kind in "buif" else labels.dtype.kind for labels in (y_train, y_test)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"{file}: y_train and y_test must both hold numbers or both text, found {y_train.dtype} and {y_test.dtype}: save them alike"
            )
        if len(unknown := np.setdiff1d(y_test, y_train)):
            warnings.warn(f"{file}: y_test holds labels that y_train lacks, such as {unknown[0]}", stacklevel=5)


def _validate_white(images, name, white):
    """Validate range and type of an array, and give the value in it that is white."""
    kind = images.dtype.kind
    if white == "full" and kind in "iu" and images.dtype not in (np.uint8, np.uint16):
        raise DataError(f'{name}: white="full" is for uint8, uint16 and floats, found {images.dtype}: give the value that is white')
    if kind == "b" or white is None or (white == "full" and images.dtype != np.uint16):
        validate_values(images, name, with_white=True)
        return 255 if images.dtype == np.uint8 else 1
    white = np.iinfo(np.uint16).max if white == "full" else white
    if kind not in "uif":
        validate_values(images, name)
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= white * (1 + 1e-6)):  # NaN is neither
        raise DataError(
            f"{name} must lie in 0 to white={white:g}, found {images.dtype} from {low:.7g} to {high:.7g}: give what is white in them"
        )
    return white


def _eight_bits(images, white):
    if images.dtype == np.uint8 and white == 255:
        return images
    levels = np.empty(images.shape, np.uint8)
    for image, level in zip(images, levels, strict=True):  # one at a time: floats of all would take many times the memory
        level[...] = np.rint(255 * np.clip(image.astype("float64") / white, 0, 1))
    return levels


def _verify(file, name, array):
    """Compare an array of MNIST with the original distribution."""
    shape, expected = _ORIGINAL[name]
    digest = _idx_sha256(array)
    if digest == expected:
        return
    same = [f"the original's {other}" for other, (_, known) in _ORIGINAL.items() if known == digest]
    found = same[0] if same else f"{describe(array)} with SHA-256 {digest}"
    raise DataError(f"{file}: {name} should be uint8 {shape} with SHA-256 {expected} as an IDX file, found {found}: {_RESTORE}")


def _idx_sha256(array):
    if array is None or array.dtype != np.uint8:
        return None  # not what an IDX file of unsigned bytes holds
    # Two zeros, 8 for unsigned bytes, the number of axes; then the sizes as big-endian 32-bit numbers; then the bytes.
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes())
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
