"""Images in: load a dataset, verify it, and bring any array of pictures to one form.

A `Dataset` keeps images as they are stored, uint8 ``(N, height, width[, channels])``; `as_images` makes of them what models take,
float32 ``(N, height, width, channels)`` in [0, 1]. The digits of MNIST ship with the package: nothing is downloaded.
"""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np

_DIGITS = Path(__file__).with_name("files") / "mnist.npz"
_RESTORE = "the package's own digits are damaged: install it again, or git checkout convae_nb/files/mnist.npz"

# Shape, and SHA-256 of the IDX file of this array in the original distribution, uncompressed.
_ORIGINAL = {
    "x_train": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "y_train": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "x_test": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "y_test": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


class DataError(ValueError):
    """Data that would be read or trained on wrongly. The message says what was found and what to do."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, to train on and to test with.

    Attributes
    ----------
    x_train, x_test : ndarray of uint8, shape (N, height, width) or (N, height, width, channels)
    y_train, y_test : ndarray, shape (N,), or None
        Labels, where there are some.

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

    def __repr__(self):
        arrays = ((name, getattr(self, name)) for name in _ORIGINAL)
        return f"Dataset({', '.join(f'{name}: {_describe(array)}' for name, array in arrays)})"


def load(source="mnist"):
    """Load a dataset: the digits of MNIST [1]_, or a file of your own.

    Parameters
    ----------
    source : str or path
        "mnist" for the 70,000 digits that come with the package, each array verified against the original distribution; or the
        path of a .npz file in the layout of Keras's datasets: ``x_train`` and ``x_test``, uint8, and perhaps ``y_train`` and
        ``y_test``.

    Returns
    -------
    Dataset
        Its arrays are read-only.

    Raises
    ------
    DataError
        If there is no such source, or it is damaged, altered or not in this layout.

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
    path = _DIGITS if source == "mnist" else Path(source)
    if path.is_dir():
        raise DataError(f'{source=} is a folder, and folders of pictures are not read yet: give "mnist" or the path of a .npz file')
    if path.suffix.lower() != ".npz":
        raise DataError(f'{source=} is not known: give "mnist" or the path of a .npz file')
    file = "/".join(path.parts[-3:])
    arrays = _read(path, file)
    if source == "mnist":
        for name, array in arrays.items():
            _verify(file, name, array)
    else:
        _check_part(file, arrays, "x_train", "y_train")
        _check_part(file, arrays, "x_test", "y_test")
    return Dataset(**arrays)


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
    _check_shape(array.shape)
    _check_values(array)
    images = np.array(array if array.ndim == 4 else array[..., None], dtype=np.float32, order="C")
    if array.dtype == np.uint8:
        images /= 255
    else:
        np.clip(images, 0, 1, out=images)
    return images


def _describe(array):
    return "none" if array is None else f"{array.dtype} {array.shape}"


def _read(path, file):
    """Read the arrays of a `Dataset`, read-only; None for labels that are not there."""
    cure = _RESTORE if path == _DIGITS else "copy it anew, or save arrays of uint8 with np.savez(…, x_train=…, x_test=…)"
    if not path.exists():
        raise DataError(f"{file} is not there: {_RESTORE if path == _DIGITS else f'check the path, {str(path)!r}'}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{file} should be a whole .npz file, found {path.stat().st_size} bytes without a zip archive's end: {cure}")
    arrays = dict.fromkeys(_ORIGINAL)
    name = "the archive"
    try:
        # Opened here, since np.load leaves a file open if its directory is damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = archive.files
            for name in [name for name in arrays if name in found]:
                arrays[name] = np.asarray(archive[name])
                if name.startswith("y_") and arrays[name].ndim == 2 and arrays[name].shape[1] == 1:
                    arrays[name] = arrays[name][:, 0]  # as Keras stores the labels of CIFAR-10
                arrays[name].setflags(write=False)
    except Exception as error:  # zipfile, zlib and NumPy have a dozen errors for damaged bytes
        raise DataError(f"{file}: {name} cannot be read, found {type(error).__name__} ({error}): {cure}") from error
    for name in ("x_train", "x_test"):
        if arrays[name] is None:
            raise DataError(f"{file} should hold {name}, found {found}: {cure}")
    return arrays


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


def _check_part(file, arrays, x, y):
    images, labels = arrays[x], arrays[y]
    if images.dtype != np.uint8:
        raise DataError(f"{file}: {x} must be uint8, 0 to 255, found {images.dtype}: convert it before saving")
    _check_shape(images.shape, f"{file}: {x}")
    if labels is not None and labels.shape[:1] != images.shape[:1]:
        raise DataError(
            f"{file}: {y} must hold a label for each of the {len(images)} images of {x}, found {labels.shape}: save them in pairs"
        )


def _check_shape(shape, name="images"):
    rank = len(shape)
    if 0 in shape:
        cure = "give at least one picture of at least one pixel"
    elif (rank == 3 and shape[-1] not in (1, 3)) or (rank == 4 and shape[-1] in (1, 3)):
        return
    elif rank == 2:
        cure = "a single picture is images[None], flat ones are images.reshape(-1, height, width)"
    elif rank == 3:
        cure = "a single picture with channels is images[None]"
    elif rank == 4 and shape[1] in (1, 3):
        cure = "put the channels last with np.moveaxis(images, 1, -1)"
    elif rank == 4:
        cure = "keep three channels with images[..., :3] or one with images[..., :1]"
    else:
        cure = "use images.reshape(-1, height, width, channels)"
    raise DataError(
        f"{name} must have shape (N, height, width), or (N, height, width, channels) with 1 or 3 channels, found {shape}: {cure}"
    )


def _check_values(array):
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f'images must be uint8, bool or float, found {array.dtype}: convert them, as with images.astype("float32")')
    if array.dtype in (np.uint8, np.bool_):
        return
    low, high = float(array.min()), float(array.max())
    found = f"found {array.dtype} from {low:.7g} to {high:.7g}"
    if kind in "iu":
        cure = 'images.astype("uint8") if white is 255, images.astype("bool") if it is 1'
        if low < 0 or high > 255:
            cure = "divide by what white is, images / 65535 if they have 16 bits"
        raise DataError(f"images of whole numbers must be uint8, {found}: {cure}")
    if np.isnan(low):
        raise DataError(f"images must be numbers, found NaN in {np.isnan(array).sum()} places: np.nan_to_num(images) puts 0 there")
    if np.isinf([low, high]).any():
        raise DataError(f"images must be finite, {found}: np.clip(images, 0, 1) if the rest is right")
    if low >= -1e-6 and high <= 1 + 1e-6:  # where float32's rounding leads
        return
    if low >= 0 and high <= 255:
        cure = "images / 255 if white is 255"
    elif low >= -1 and high <= 1:
        cure = "(images + 1) / 2 if black is -1"
    else:
        cure = "(images - images.min()) / np.ptp(images) stretches them"
    raise DataError(f"images of floats must lie in [0, 1], {found}: {cure}")
