"""A picture file with all bits of its samples, and a file of the same kind of samples written.

What a file means, and whether it is read, is for `picture` to say. Of colours with 16 bits Pillow keeps 8, so other decoders read these.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convae_nb.data import picture

_FULL = 2**16 - 1
_MAX_SAMPLE_VALUE, _SHORT = 281, 3  # a tag of TIFF 6.0, and the type of its value
_PNG_HEADER = 33  # bytes, of the mark and the first chunk
_PROFILE_SPACE = slice(16, 20)  # where an ICC profile says of what its colours are mixed
_MULTIPLIED, _BESIDE = 1, 2  # how TIFF names alpha: colours are multiplied by it already, or not


class Samples(NamedTuple):
    """A decoded file.

    Attributes
    ----------
    values : ndarray of float32, shape (height, width) or (height, width, 3)
        In [0, 1]; what is transparent shows white.
    bits : int
        Of a sample: 8, or 16 for more than 8.
    white : int
        Which of the file's whole numbers is 1.
    kind : str
        One of `picture.KINDS`.
    profile : bytes or None
        The ICC profile, which says what its colours look like.
    """

    values: NDArray[np.float32]
    bits: int
    white: int
    kind: str
    profile: bytes | None


def read(path: Path) -> Samples:
    """Read a picture file, turned as it says. Errors are those of `picture.decode`, and for damaged bytes those of other decoders."""
    with picture.opened(path) as (image, bits, stated):
        kind, profile = str(image.format), image.info.get("icc_profile")
        if bits > 8 and image.mode.startswith("I;16"):
            values, white = picture.deep_grey(image, bits, stated)
            return Samples((values / white).astype(np.float32), 16, int(white), kind, profile)
        if bits > 8:
            return Samples(_deep_colours(path, image), 16, _FULL, kind, profile)
    pixels = picture.decode(path, colour=None, size=None, fit="resize", white="full").pixels
    return Samples(pixels.astype(np.float32) / np.float32(255), 8, 255, kind, profile)


def encode(values: NDArray[np.float32], like: Samples) -> bytes:
    """Write values in [0, 1] as a file with the bits, the white and the profile of another: TIFF if that is one, and else PNG."""
    scaled = values * np.float32(like.white)
    scaled += 0.5  # in place: large pictures take much memory
    samples = scaled.astype(f"uint{like.bits}", order="C")
    # That of inks, say, does not fit what has become of them, and what a damaged file calls one need not be bytes.
    fits = isinstance(like.profile, bytes) and like.profile[_PROFILE_SPACE] == (b"RGB " if samples.ndim == 3 else b"GRAY")
    profile = like.profile if fits else None
    if like.kind != "TIFF":
        import imagecodecs

        content = bytes(imagecodecs.png_encode(samples))
        return content if profile is None else content[:_PNG_HEADER] + _profile_chunk(profile) + content[_PNG_HEADER:]
    import tifffile

    stated = [] if like.white == 2**like.bits - 1 else [(_MAX_SAMPLE_VALUE, _SHORT, 1, like.white, True)]
    file = io.BytesIO()
    photometric = "rgb" if samples.ndim == 3 else "minisblack"
    tifffile.imwrite(file, samples, photometric=photometric, metadata=None, extratags=stated, iccprofile=profile)
    return file.getvalue()


def _profile_chunk(profile):
    content = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _deep_colours(path, image):
    """Read samples of 16 bits that are colours, or have alpha, over white."""
    stored = (_of_png if image.format == "PNG" else _of_tiff)(path, image)
    values = stored.samples.astype(np.float32) / _FULL
    colours, alpha = np.split(values, [1 if values.shape[-1] < 3 else 3], axis=-1)
    if stored.alpha == _MULTIPLIED:
        colours = np.minimum(colours + 1 - alpha[..., :1], 1)
    elif stored.alpha == _BESIDE:
        colours = colours * alpha[..., :1] + 1 - alpha[..., :1]
    return picture.without_idle_colours(_turned(colours, stored.turn))


class _Stored(NamedTuple):
    samples: np.ndarray  # (height, width, channels) of uint16
    alpha: int  # how TIFF names it; 0 if the last channel is none
    turn: Image.Transpose | None


def _of_png(path, image):
    import imagecodecs

    turn = picture.turn_of(image)
    with open(path, "rb") as file:
        samples = imagecodecs.png_decode(picture.without_texts(file))
    return _Stored(samples, _BESIDE if samples.shape[-1] in (2, 4) else 0, turn)


def _of_tiff(path, image):
    import tifffile

    image.load()  # what Pillow finds damaged is not read
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        # A depth, or another number of samples than Pillow has seen, would ask for any amount of memory.
        if page.photometric != tifffile.PHOTOMETRIC.RGB or page.size != image.width * image.height * page.samplesperpixel:
            raise picture.SkippedError("its colours of 16 bits are stored in a way that is not read: save it as PNG")
        samples = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            samples = np.moveaxis(samples, 0, -1)
        return _Stored(samples, next(iter(page.extrasamples), 0), picture.TURNS.get(page.tags.valueof(picture.ORIENTATION)))


def _turned(values, turn):
    if turn is None:
        return values
    channels = [np.asarray(Image.fromarray(channel).transpose(turn)) for channel in np.moveaxis(values, -1, 0)]
    return np.stack(channels, axis=-1)
