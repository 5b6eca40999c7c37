"""Load a dataset: the digits of MNIST, a .npz file of one's own, or a folder of pictures; validate what comes in.

The digits ship with the package: nothing is downloaded.
"""

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convae_nb._base import archive
from convae_nb._base.validate import is_whole_number
from convae_nb.data import folder, split
from convae_nb.data.dataset import Dataset, describe
from convae_nb.data.images import validate_shape, validate_values
from convae_nb.errors import DataError

_DIGITS = Path(__file__).with_name("mnist.npz")
_RESTORE = "the package's own digits are damaged: install it again, or git checkout convae_nb/data/mnist.npz"

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
    limit: int = 2_000_000_000,
    progress: bool = True,
) -> Dataset:
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
    size = _validate_options(colour, size, fit, limit)
    if not isinstance(source, str | os.PathLike):
        raise _unknown(source)
    path = _DIGITS if isinstance(source, str) and source == "mnist" else Path(source)
    if os.path.isdir(path):  # False, where Path's own raises for a name that is too long
        return _load_folder(path, colour=colour, size=size, fit=fit, limit=limit, progress=progress)
    if path.suffix.lower() != ".npz":
        raise _unknown(source)
    if (colour, size) != (None, None):
        raise DataError(
            f"colour and size are for folders of pictures, got {colour=} and {size=} with source={str(source)!r}: leave them out"
        )
    label = "/".join(path.parts[-3:])
    if path is _DIGITS:
        arrays = _read(path, label, limit, _RESTORE, "x_train", "x_test")
        for name, array in arrays.items():
            _verify(label, name, array)
    else:
        arrays = _read(path, label, limit, "copy it anew, or save arrays of uint8 with np.savez(…, x_train=…, x_test=…)", "x_train")
        arrays = _validated(label, arrays)
    return Dataset(**arrays)


def _unknown(source):
    return DataError(f'source={str(source)!r} is not known: give "mnist", the path of a .npz file, or that of a folder of pictures')


def _validate_options(colour, size, fit, limit):
    """Validate the options, and give the size as (height, width) or None."""
    if not any(colour is value for value in (None, True, False)):
        raise DataError(f"colour must be True, False or None, got {colour!r}: None looks at the pixels")
    if fit not in list(folder.FITS):
        raise DataError(f"fit must be one of {', '.join(folder.FITS)}, got {fit!r}")
    if not is_whole_number(limit):
        raise DataError(f"limit must be a whole number of bytes, at least 1, got {limit!r}")
    sides = (size, size) if is_whole_number(size) else size
    if sides is not None and not (isinstance(sides, (tuple, list)) and len(sides) == 2 and all(map(is_whole_number, sides))):
        raise DataError(f"size must be (height, width) in pixels, or one number for both, got {size!r}")
    return None if sides is None else tuple(map(int, sides))


def _load_folder(path, **options):
    found = folder.read(path, **options)
    for array in (found.images, found.labels):
        if array is not None:
            array.setflags(write=False)
    parts = slice(None, found.training), slice(found.training, None)
    x_train, x_test = (found.images[part] for part in parts)
    y_train, y_test = (None if found.labels is None else found.labels[part] for part in parts)
    return Dataset(x_train, y_train, x_test, y_test, found.classes, found.skipped)


def _read(path, label, limit, cure, *needed) -> dict[str, Any]:
    if not os.path.isfile(path):
        raise DataError(f"{label} is not there: {_RESTORE if path == _DIGITS else f'check the path, {str(path)!r}'}")
    found = archive.read_arrays(path, label=label, wanted=_ORIGINAL.__contains__, needed=needed, limit=limit, cure=cure)
    return {name: found.get(name) for name in _ORIGINAL}


def _validated(file, arrays):
    """Validate the arrays of one's own file, bring images to uint8, and split off what to test with if it has not been."""
    rounded = []
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        images, labels = arrays[x], arrays[y]
        if images is None:
            if labels is not None:
                raise DataError(f"{file} holds {y} without {x}: save both, or neither")
            continue
        validate_shape(images.shape, f"{file}: {x}")
        validate_values(images, f"{file}: {x}")
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
        tested = split.in_test(split.keys(map(str, range(len(arrays["x_train"])))))
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
    found = same[0] if same else f"{describe(array)} with SHA-256 {digest}"
    raise DataError(f"{file}: {name} should be uint8 {shape} with SHA-256 {expected} as an IDX file, found {found}: {_RESTORE}")


def _idx_sha256(array):
    if array is None or array.dtype != np.uint8:
        return None  # not what an IDX file of unsigned bytes holds
    # Two zeros, 8 for unsigned bytes, the number of axes; then the sizes as big-endian 32-bit numbers; then the bytes.
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes())
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
