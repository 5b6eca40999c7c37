"""Patches of photographs: pictures with even regions and fine detail, where digits have neither."""

from typing import Any, cast

import numpy as np
from skimage import color, data, util

from convae_nb.data.dataset import Dataset

_NAMES = ("astronaut", "camera", "chelsea", "coffee", "rocket")  # those that scikit-image brings, without a download
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
    photographs = [picture for name in _NAMES if (picture := getattr(data, name)()).ndim == 3 or not colour]
    if not colour:
        photographs = [util.img_as_ubyte(color.rgb2gray(picture)) if picture.ndim == 3 else picture for picture in photographs]
    left, right = (np.concatenate([_patches(picture, half) for picture in photographs]) for half in ("left", "right"))
    return Dataset(left, None, right, None)


def _patches(picture, half):
    middle, step = picture.shape[1] // 2, _STEPS[half]
    half_picture = picture[:, :middle] if half == "left" else picture[:, middle:]
    windows = np.lib.stride_tricks.sliding_window_view(half_picture, (_SIDE, _SIDE), axis=cast(Any, (0, 1)))[::step, ::step]
    if picture.ndim == 3:
        windows = np.moveaxis(windows, 2, -1)
    return windows.reshape(-1, _SIDE, _SIDE, *picture.shape[2:])
