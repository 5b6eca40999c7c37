"""Patches of photographs: pictures with even regions and fine detail, where digits have neither."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from skimage import color, data, util

from convae_nb.data.dataset import Dataset

#: Those that `photograph_patches` cuts up, by their names in scikit-image, which brings them without a download.
NAMES = ("astronaut", "camera", "chelsea", "coffee", "rocket")
_SIDE = 32
_STEPS = {"left": 8, "right": 32}  # pixels from one patch to the next


def photograph_patches(*, colour: bool = False) -> Dataset:
    """Cut patches out of photographs that scikit-image brings [1]_: those to train on from their left halves, to test from the right.

    Parameters
    ----------
    colour : bool
        Whether the patches are red, green and blue. One of the five photographs is grey; it is left out then.

    Returns
    -------
    Dataset
        uint8 patches of 32x32 pixels, ``(N, 32, 32)`` or ``(N, 32, 32, 3)``, without labels. Those to test do not overlap.

    References
    ----------
    .. [1] S. van der Walt et al., "scikit-image: image processing in Python", PeerJ, 2014, doi:10.7717/peerj.453.

    Examples
    --------
    >>> photograph_patches()
    Dataset(x_train: uint8 (7836, 32, 32), y_train: none, x_test: uint8 (557, 32, 32), y_test: none)
    """
    coloured = (getattr(data, name)() for name in NAMES)
    photographs = [picture for picture in coloured if picture.ndim == 3] if colour else [grey(name) for name in NAMES]
    left, right = (np.concatenate([_patches(picture, half) for picture in photographs]) for half in ("left", "right"))
    return Dataset(left, None, right, None)


def grey(name: str) -> NDArray[np.uint8]:
    """Give a photograph of scikit-image in grey, shape (height, width), by its name there; of a pair the left one."""
    picture = getattr(data, name)()
    picture = picture[0] if isinstance(picture, tuple) else picture
    return util.img_as_ubyte(color.rgb2gray(picture)) if picture.ndim == 3 else picture


def half_of(picture: NDArray, side: str) -> NDArray:
    """Give the half of a picture that is to train on, "left", or the one that is to test on, "right"; no pixel is in both."""
    middle = picture.shape[1] // 2
    return picture[:, :middle] if side == "left" else picture[:, middle:]


def _patches(picture, half):
    step = _STEPS[half]
    windows = np.lib.stride_tricks.sliding_window_view(half_of(picture, half), (_SIDE, _SIDE), axis=cast(Any, (0, 1)))[::step, ::step]
    if picture.ndim == 3:
        windows = np.moveaxis(windows, 2, -1)
    return windows.reshape(-1, _SIDE, _SIDE, *picture.shape[2:])
