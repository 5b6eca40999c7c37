"""A folder of pictures as one array of uint8: which files count, in which order, of what class, and grey or colour.

Nothing in the folder is trusted: a file that is no whole picture of a known kind is skipped, with the reason, and one picture is
decoded at a time.
"""

import contextlib
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convae_nb._base.progress import progress_bar
from convae_nb.data import layout, picture, split
from convae_nb.errors import DataError

# Left in folders by Windows, macOS and Synology.
_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "#recycle", "system volume information"}
# These begin with a small preview, and may lie beside a JPEG of the same.
_RAW = (".3fr", ".arw", ".cr2", ".dng", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".srw")


class Folder(NamedTuple):
    """What was read.

    Images and labels, those for training first; how many of these there are; whether training and test images have labels; what
    the labels mean; of each picture its brightest value, by parts that may differ in it; what was skipped, and why; what there is to
    tell about the folder.
    """

    images: np.ndarray
    labels: np.ndarray | None
    training: int
    labelled: tuple[bool, bool]
    classes: tuple | None
    brightest: list[np.ndarray]
    skipped: dict
    told: list


def read(folder, *, colour, size, fit, white, limit, progress):
    """Read the pictures of a folder. Parameters and errors are those of `data.load`, with `size` as (height, width) or None."""
    skipped = {}
    names = pictures(folder, skipped)
    if not names:
        raise DataError(f"{shorten(folder)} holds no picture{such_as(skipped)}: give a folder of {picture.NAMES} files")
    names, found = _arranged(folder, list(names), skipped)
    # Training images first, each part in the order of its names' hashes: whoever takes the first ones has some of every class.
    keys = split.keys(names)
    part = np.array([layout.PARTS.index(part or "training") for part in found.parts])
    order = np.lexsort((-keys, part))
    stack = _Stack(folder, len(names), colour, size, limit)
    kept, brightest, whites = [], [], {}
    for i in progress_bar([int(i) for i in order], desc="reading pictures", unit="", delay=2, leave=False, progress=progress):
        try:
            decoded = picture.decode(Path(folder, names[i]), colour=colour, size=size, fit=fit, white=white)
        except DataError as error:
            raise DataError(f"{shorten(folder)}: {names[i]} {error}") from None
        except Exception as error:  # Pillow has a dozen errors for damaged bytes
            skipped[names[i]] = picture.why(error)
            continue
        stack.add(decoded.pixels, names[i])
        kept.append(i)
        brightest.append(decoded.brightest)
        bits, its_white = decoded.depth
        if whites.setdefault(bits, (its_white, names[i]))[0] != its_white:
            raise DataError(
                f"{shorten(folder)}: white is {its_white} in {names[i]}, and {whites[bits][0]} in {whites[bits][1]}, as the files say: "
                "give white=, the value that is white in all of them"
            )
    if not kept:
        raise DataError(f"{shorten(folder)} holds no picture that is read{such_as(skipped)}")
    tested = _tested([found.parts[i] for i in kept], keys[kept], found.told)
    training = int(np.count_nonzero(~tested))
    if not 0 < training < len(kept):
        raise DataError(
            f"{shorten(folder)} must hold a picture to train on and one to test with, found {training} and {len(kept) - training}"
            f"{such_as(skipped)}: add some"
        )
    # The split by hash is in the order of the hashes already.
    classes = tuple(sorted({name for name in (found.classes[i] for i in kept) if name is not None}))
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers.get(found.classes[i], -1) for i in kept])
    labelled = bool((labels[:training] >= 0).all()), bool((labels[training:] >= 0).all())
    # Parts that folders say may come from different hands; those by hash are alike.
    parts = np.split(np.array(brightest), [training]) if found.named > {"training"} else [np.array(brightest)]
    return Folder(
        stack.array(),
        labels if any(labelled) else None,
        training,
        labelled,
        classes or None,
        parts,
        dict(sorted(skipped.items())),
        found.told,
    )


def _arranged(folder, names, skipped):
    """Give the pictures and what their folders mean. Where that is in doubt, damaged pictures are left out first: they mean nothing."""
    with contextlib.suppress(DataError):
        found = layout.arrange(names, shorten(folder))
        if not found.told:
            return names, _with_missing(found, skipped)
    whole = []
    for name in names:
        try:
            picture.decode(Path(folder, name), colour=None, size=None, fit="resize", white="full")
            whole.append(name)
        except Exception as error:
            skipped[name] = picture.why(error)
    if not whole:
        raise DataError(f"{shorten(folder)} holds no picture that is read{such_as(skipped)}")
    return whole, _with_missing(layout.arrange(whole, shorten(folder)), skipped)


def _with_missing(found, skipped):
    if name := layout.missing(skipped, found.named):
        found.told.append(f"no picture is read from {name!r}: {skipped[name]}")
    return found


def _tested(parts, keys, told):
    """Say of each picture whether it is to test with, where the folders do not say it by its key."""
    if None in parts:
        return split.in_test(keys)
    count = parts.count("validation")
    serving = "test" if "test" in parts else "validation"
    if count:
        told.append(
            f"the {count} validation pictures are the last training images: a recipe with validation={count} holds them out"
            if serving == "test"
            else f"there is no test part, the {count} validation pictures are to test with"
        )
    return np.array([part == serving for part in parts])


def pictures(folder: str | os.PathLike, skipped: dict[str, str]) -> dict[str, str]:
    """Tell the kinds of the pictures in all subfolders, by names, relative and with slashes; why others are none goes into `skipped`."""
    kinds = {}
    for name in _files(folder, skipped):
        try:
            kinds[name] = kind(Path(folder, name))
        except (OSError, picture.SkippedError) as error:
            skipped[name] = picture.why(error)
    return kinds


def kind(path: Path) -> str:
    """Tell of what kind a picture file is, one of `picture.KINDS`; SkippedError says why it is none of them."""
    if path.name.lower().endswith(_RAW):
        raise picture.SkippedError("raw data of a camera, which is not read: save it as PNG or TIFF")
    with open(path, "rb") as file:
        prefix = file.read(picture.PREFIX)
    if (found := picture.kind(prefix)) is None:
        raise picture.SkippedError(picture.foreign(prefix))
    return found


def _files(folder, skipped):
    """List all regular files that no system has put there."""
    names, waiting = [], [""]
    while waiting:  # os.walk of Python 3.11 calls itself for each level, and folders may be nested more deeply than that goes
        base = waiting.pop()
        try:
            with os.scandir(Path(folder, base)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not base:
                raise DataError(f"{shorten(folder)} cannot be read ({error.strerror}): check its permissions") from None
            skipped[base] = f"a folder that cannot be read ({error.strerror})"
            continue
        entered = []
        for entry in entries:
            relative = f"{base}/{entry.name}" if base else entry.name
            if entry.name.startswith("."):
                skipped[relative] = "hidden"
            elif entry.name.lower() in _BY_SYSTEMS:
                skipped[relative] = "thumbnails, settings or the bin of a file manager"
            elif entry.is_dir():
                if entry.is_symlink():
                    skipped[relative] = "a link to a folder, which is not followed"
                else:
                    entered.append(relative)
            elif not entry.is_file():
                skipped[relative] = "no regular file"
            else:
                names.append(relative)
        waiting += reversed(entered)
    return names


class _Stack:
    """Pictures of one size in one array, grey until the first that has colours."""

    def __init__(self, folder, most, colour, size, limit):
        self._folder, self._most, self._limit = folder, most, limit
        self._colour, self._images, self._count = bool(colour), None, 0
        if size is not None:  # before the first is brought to it
            self._size = size
            self._validate_limit()

    def add(self, pixels, name):
        if self._images is None:
            self._first, self._size = name, pixels.shape[:2]
            self._images = self._allocate()
        if pixels.shape[:2] != self._size:
            height, width = self._size
            raise DataError(
                f"{shorten(self._folder)}: pictures must be of one size, found {height}x{width} ({self._first}) and "
                f"{pixels.shape[0]}x{pixels.shape[1]} ({name}): give size=({height}, {width}) to fit them to it"
            )
        if pixels.ndim == 3 and self._images.ndim == 3:
            self._colour, grey = True, self._images
            self._images = self._allocate()
            self._images[: self._count] = grey[: self._count, ..., None]
        self._images[self._count] = pixels if pixels.ndim == self._images.ndim - 1 else pixels[..., None]
        self._count += 1

    def array(self):
        return self._images[: self._count]

    def _shape(self):
        return self._most, *self._size, *([3] if self._colour else [])

    def _validate_limit(self):
        if (wanted := math.prod(self._shape())) > self._limit:
            raise DataError(
                f"{shorten(self._folder)}: {self._most} pictures of {self._size[0]}x{self._size[1]} take {wanted:,} bytes, more than "
                f"limit={self._limit:,}: give a smaller size, or a higher limit if you have the memory"
            )

    def _allocate(self):
        self._validate_limit()
        return np.empty(self._shape(), np.uint8)


def such_as(skipped: dict[str, str]) -> str:
    """Give how many files were skipped and the first reason, for messages that say that there is no picture."""
    for name, reason in skipped.items():
        return f" ({len(skipped)} skipped, such as {name!r}: {reason})"
    return ""


def shorten(path: str | os.PathLike) -> str:
    """Give the end of a path, for messages."""
    return "/".join(Path(path).parts[-3:])
