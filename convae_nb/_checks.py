"""What an array must be to count as images, and the error that says what it is instead."""

import numpy as np


class DataError(ValueError):
    """Data that would be read or trained on wrongly. The message says what was found and what to do."""

    __module__ = "convae_nb.data"  # where it is public


def check_shape(shape, name="images"):
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


def check_values(array, name="images"):
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f'{name} must be uint8, bool or float, found {array.dtype}: convert them, as with images.astype("float32")')
    if array.dtype in (np.uint8, np.bool_):
        return
    low, high = float(array.min()), float(array.max())
    found = f"found {array.dtype} from {low:.7g} to {high:.7g}"
    if kind in "iu":
        cure = 'images.astype("uint8") if white is 255, images.astype("bool") if it is 1'
        if low < 0 or high > 255:
            cure = "divide by what white is, images / 65535 if they have 16 bits"
        raise DataError(f"{name} of whole numbers must be uint8, {found}: {cure}")
    if np.isnan(low):
        raise DataError(f"{name} must be numbers, found NaN in {np.isnan(array).sum()} places: np.nan_to_num(images) puts 0 there")
    if np.isinf([low, high]).any():
        raise DataError(f"{name} must be finite, {found}: np.clip(images, 0, 1) if the rest is right")
    if low >= -1e-6 and high <= 1 + 1e-6:  # where float32's rounding leads
        return
    if low >= 0 and high <= 255:
        cure = 'images / 255 if white is 255, or images.astype("uint8") where they are whole numbers'
    elif low >= -1 and high <= 1:
        cure = "(images + 1) / 2 if black is -1"
    else:
        cure = "(images - images.min()) / np.ptp(images) stretches them"
    raise DataError(f"{name} of floats must lie in [0, 1], {found}: {cure}")
