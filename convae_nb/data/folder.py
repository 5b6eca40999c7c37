"""A folder of pictures as one array of uint8: which files count, in which order, of what class, and grey or colour.

Nothing in the folder is trusted: a file that is no whole picture of a known kind is skipped, with the reason, and one picture is
decoded at a time.
"""

import math
import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from convae_nb._base.progress import progress_bar
from convae_nb._base.validate import first_line
from convae_nb.data import split
from convae_nb.errors import DataError

# Told by their content. Pillow knows more kinds, some of which start other programs (EPS).
_KINDS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_MOST_PIXELS = 50_000_000  # of one picture: 200 MB while it is decoded
_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"}  # left in folders by Windows, macOS and Synology
_PARTS = {"train", "test"}
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # of TIFF


class Folder(NamedTuple):
    """What was read: images and labels, those for training first, how many of these there are, and what the labels mean."""

    images: np.ndarray
    labels: np.ndarray | None
    training: int
    classes: tuple | None
    skipped: dict


def read(folder, *, colour, size, fit, limit, progress):
    """Read the pictures of a folder. Parameters and errors are those of `data.load`, with `size` as (height, width) or None."""
    skipped, classes = {}, []
    names = files(folder, skipped)
    if not names:
        raise DataError(f"{_shown(folder)} holds no files to read{_reason(skipped)}: give a folder of pictures")
    given = {name.split("/")[0] for name in names} == _PARTS
    # Training images first, each part in the order of its names' hashes: whoever takes the first ones has some of every class.
    keys = split.keys(names)
    second = np.array([name.startswith("test/") for name in names]) if given else np.zeros(len(names), bool)
    order = np.lexsort((-keys, second))
    stack = _Stack(folder, names, colour, limit)
    kept = []
    for i in progress_bar([int(i) for i in order], desc="reading pictures", unit="", delay=2, leave=False, progress=progress):
        name = names[i]
        try:
            picture = _decode(Path(folder, name), colour, size, fit)
        except Exception as error:  # Pillow has a dozen errors for damaged bytes
            skipped[name] = _why(error)
            continue
        inner = name.split("/")[given:-1]
        classes.append(inner[0] if inner else None)
        if (classes[0] is None) != (classes[-1] is None):
            loose = name if not inner else names[kept[0]]
            raise DataError(
                f"{_shown(folder)} holds pictures in subfolders, which are labels, and others beside these, such as {loose!r}: "
                "move them into a subfolder too"
            )
        stack.add(picture, name)
        kept.append(i)
    if not kept:
        raise DataError(f"{_shown(folder)} holds no picture that can be read{_reason(skipped)}: give PNG, JPEG, BMP, GIF, TIFF or WebP")
    training = int(np.count_nonzero(~(second[kept] if given else split.in_test(keys[kept]))))
    if not 0 < training < len(kept):
        raise DataError(f"{_shown(folder)} must hold a picture to train on and one to test with, found {len(kept)}: add some")
    images, labels, found = stack.array(), None, None
    if classes[0] is not None:
        found, labels = np.unique(np.array(classes, dtype=object), return_inverse=True)
        found = tuple(found)
    return Folder(images, labels, training, found, dict(sorted(skipped.items())))


def files(folder, skipped):
    """List the files that may be pictures, relative and with slashes, in all subfolders; why others are none goes into `skipped`."""
    names = []

    def refuse(error):
        if Path(error.filename) == Path(folder):
            raise DataError(f"{_shown(folder)} cannot be read ({error.strerror}): check its permissions") from None
        skipped[Path(error.filename).relative_to(folder).as_posix()] = f"a folder that cannot be read ({error.strerror})"

    for parent, folders, files in os.walk(folder, onerror=refuse):
        base = Path(parent).relative_to(folder)
        entered = []
        for name in sorted(folders + files):
            path, relative = Path(parent, name), (base / name).as_posix()
            if name.startswith("."):
                skipped[relative] = "hidden"
            elif name.lower() in _BY_SYSTEMS:
                skipped[relative] = "thumbnails or settings of a file manager"
            elif name in folders:
                if path.is_symlink():
                    skipped[relative] = "a link to a folder, which is not followed"
                else:
                    entered.append(name)
            elif not os.path.isfile(path):
                skipped[relative] = "no regular file"
            else:
                names.append(relative)
        folders[:] = entered
    return names


class _Stack:
    """Pictures of one size in one array, grey until the first that has colours."""

    def __init__(self, folder, names, colour, limit):
        self._folder, self._names, self._limit = folder, names, limit
        self._most = len(names)
        self._colour, self._images, self._count = bool(colour), None, 0

    def add(self, picture, name):
        if self._images is None:
            self._first, self._size = name, picture.shape[:2]
            self._images = self._allocate()
        if picture.shape[:2] != self._size:
            height, width = self._size
            raise DataError(
                f"{_shown(self._folder)}: pictures must be of one size, found {height}x{width} ({self._first}) and "
                f"{picture.shape[0]}x{picture.shape[1]} ({name}): give size=({height}, {width}) to fit them to it"
            )
        if picture.ndim == 3 and self._images.ndim == 3:
            self._colour, grey = True, self._images
            self._images = self._allocate()
            self._images[: self._count] = grey[: self._count, ..., None]
        self._images[self._count] = picture if picture.ndim == self._images.ndim - 1 else picture[..., None]
        self._count += 1

    def array(self):
        return self._images[: self._count]

    def _allocate(self):
        shape = (*self._size, *([3] if self._colour else []))
        size = math.prod(shape)  # bytes of one picture
        if self._most * size > self._limit:  # then files that are no pictures count, and are left out
            self._most = sum(_has_signature(Path(self._folder, name)) for name in self._names)
        if (wanted := self._most * size) > self._limit:
            raise DataError(
                f"{_shown(self._folder)}: {self._most} pictures of {self._size[0]}x{self._size[1]} take {wanted:,} bytes, more than "
                f"limit={self._limit:,}: give a smaller size, or a higher limit if you have the memory"
            )
        return np.empty((self._most, *shape), np.uint8)


def _has_signature(path):
    """Say whether a file begins as a picture of a known kind does."""
    try:
        with open(path, "rb") as file:
            prefix = file.read(16)  # what Pillow itself looks at
    except OSError:
        return False
    Image.init()
    return any(Image.OPEN[kind][1](prefix) is True for kind in _KINDS)


def _decode(path, colour, size, fit):
    """Read one picture as uint8, (height, width), or (height, width, 3) if it has colours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd in a file but does no harm
        with Image.open(path, formats=_KINDS) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError(f"{picture.width}x{picture.height} are more than {_MOST_PIXELS:,} pixels")
            if picture.format == "PNG":
                _verify(path)
            ImageOps.exif_transpose(picture, in_place=True)
            image = _eight_bits(picture)
            if size is not None:
                image = FITS[fit](image, *size)
            if colour is not None:
                image = image.convert("RGB" if colour else "L")
            pixels = np.asarray(image)
    return pixels[..., 0] if colour is None and pixels.ndim == 3 and (pixels == pixels[..., :1]).all() else pixels


def _verify(path):
    # Decoding alone does not compare the checksums of the pixels.
    with Image.open(path, formats=_KINDS) as picture:
        picture.verify()


def _eight_bits(picture):
    """Bring a picture to mode L or RGB; what is transparent shows white."""
    if picture.mode.startswith("I;16"):
        return _scaled(picture)
    if picture.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits, or with a sign, do not say what white is: save it with 8 or 16 bits")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    if picture.mode == "L":
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _scaled(picture):
    pixels = np.asarray(picture).astype(np.uint32)
    tags = getattr(picture, "tag_v2", {})
    white = 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1
    if pixels.max() > white:
        raise ValueError(f"pixels of {pixels.max()} are whiter than white, {white}")
    scaled = ((pixels * 255 + white // 2) // white).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero
        scaled = 255 - scaled
    if "transparency" in picture.info:
        scaled[pixels == picture.info["transparency"]] = 255
    return Image.fromarray(scaled)


def _resize(picture, height, width):
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _crop(picture, height, width):
    if picture.height < height or picture.width < width:
        raise ValueError(f"{picture.height}x{picture.width} is smaller than {height}x{width}, to which it should be cropped")
    top, left = (picture.height - height) // 2, (picture.width - width) // 2
    return picture.crop((left, top, left + width, top + height))


FITS = {"resize": _resize, "crop": _crop}  # how a picture comes to a size


def _why(error):
    if isinstance(error, Image.UnidentifiedImageError):
        return "no PNG, JPEG, BMP, GIF, TIFF or WebP picture"
    return str(error) if type(error) is ValueError else f"damaged, {type(error).__name__}: {first_line(error)}"


def _reason(skipped):
    for name, reason in skipped.items():
        return f" ({len(skipped)} skipped, such as {name!r}: {reason})"
    return ""


def _shown(folder):
    return "/".join(Path(folder).parts[-3:])
