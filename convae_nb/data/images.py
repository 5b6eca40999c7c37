"""The one form of images, and the validation of what an array must be to count as images.

The form is float32 ``(N, height, width, channels)`` in [0, 1].
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convae_nb.errors import DataError

_NEARLY_BLACK = 16


def as_images(array: ArrayLike) -> NDArray[np.float32]:
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

    Warns
    -----
    UserWarning
        If no pixel of uint8 images is brighter than 16, so that white is hardly 255 in them.

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
    validate_shape(array.shape)
    validate_values(array)
    if array.dtype == np.uint8 and 0 < (brightest := int(array.max())) <= _NEARLY_BLACK:
        warnings.warn(f"images of uint8 are nearly black, their brightest pixel is {brightest} of 255: {_divided(brightest)}", stacklevel=2)
    images = np.array(array if array.ndim == 4 else array[..., None], dtype=np.float32, order="C")
    if array.dtype == np.uint8:
        images /= 255
    else:
        np.clip(images, 0, 1, out=images)
    return images


def validate_shape(shape: tuple[int, ...], name: str = "images") -> None:
    """Validate that a shape is one of images; `name` is what the error calls them."""
    rank = len(shape)
    if 0 in shape:
        cure = "give at least one picture of at least one pixel"
    elif (rank == 3 and shape[-1] not in (1, 3)) or (rank == 4 and shape[-1] in (1, 3)):
        return
    elif rank == 2:
        cure = "a single picture is images[None], flat ones are images.reshape(-1, height, width)"
    elif rank == 3:
        cure = "a single picture with channels is images[None]"
    elif rank == 4 and shape[2] in (1, 3):
        cure = "put the images first with np.moveaxis(images, -1, 0)"
    elif rank == 4 and shape[1] in (1, 3):
        cure = "put the channels last with np.moveaxis(images, 1, -1)"
    elif rank == 4:
        cure = "keep three channels with images[..., :3] or one with images[..., :1]"
    else:
        cure = "use images.reshape(-1, height, width, channels)"
    raise DataError(
        f"{name} must have shape (N, height, width), or (N, height, width, channels) with 1 or 3 channels, found {shape}: {cure}"
    )


def _divided(brightest, with_white=False):
    cure = "images > 0 if white is 1" if brightest <= 1 else f"divide by what white is, images / {brightest:.7g} if it is that"
    return f"{cure}, or give white= to data.load" if with_white else cure


def validate_values(array: np.ndarray, name: str = "images", *, with_white: bool = False) -> None:
    """Validate that type and range are those of images; `with_white` names `data.load`'s argument among the cures."""
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f'{name} must be uint8, bool or float, found {array.dtype}: convert them, as with images.astype("float32")')
    if array.dtype in (np.uint8, np.bool_):
        return
    low, high = float(array.min()), float(array.max())
    found = f"found {array.dtype} from {low:.7g} to {high:.7g}"
    if not np.isfinite([low, high]).all():
        finite = array[np.isfinite(array)].astype(float)
        low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
        count = array.size - finite.size
        cure = (
            f"np.nan_to_num(images, nan={low:.7g}, posinf={high:.7g}, neginf={low:.7g}) puts the least and the largest of the others there"
        )
        raise DataError(f"{name} must be finite, {found}, with NaN or infinity in {count} places: {cure}")
    if kind == "f" and low >= -1e-6 and high <= 1 + 1e-6:  # where float32's rounding leads
        return
    stretched = f'(images.astype("float64") {"+" if low < 0 else "-"} {abs(low):.9g}) / {high - low or 1:.9g} stretches them'
    if low >= 0 and high < 128:
        cure = _divided(high, with_white)
    elif low >= 0 and high <= 255:
        cure = 'images.astype("uint8") if white is 255'
        if kind == "f":
            cure = 'images / 255 if white is 255, or images.astype("uint8") where they are whole numbers'
    elif low >= 0:
        cure = _divided(high, with_white)
    elif kind == "f" and low > -0.1 and high <= 1.1:
        cure = "np.clip(images, 0, 1) if black is 0 and white is 1"
    elif kind == "f" and -1 <= low < -0.5 and high <= 1:
        cure = "(images + 1) / 2 if black is -1"
    else:
        cure = stretched if high > low else "they are all the same"
    demanded = "of whole numbers must be uint8" if kind in "iu" else "of floats must lie in [0, 1]"
    raise DataError(f"{name} {demanded}, {found}: {cure}")
