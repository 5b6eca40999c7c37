"""One picture file as an array of uint8, pixel for pixel what the file says, or the reason why it is not read.

The file's own header decides what its samples mean, not the mode in which Pillow hands them over: some modes do not keep that.
"""

import contextlib
import io
import math
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from convae_nb._base.validate import first_line
from convae_nb.errors import DataError

#: Told by their content. Pillow knows more kinds, some of which start other programs (EPS).
KINDS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
NAMES = "PNG, JPEG, BMP, GIF, TIFF or WebP"
#: How many of a file's first bytes say of what kind it is.
PREFIX = 16
_MOST_PIXELS = 50_000_000  # of one picture: 200 MB while it is decoded

# Kinds that people have and that are not read, by how their files begin.
_FOREIGN = {
    "HEIC": rb"....ftyp(he|mif1|msf1)",
    "AVIF": rb"....ftypavi",
    "PBM": rb"P[14]\s+[#\d]",
    "PGM": rb"P[25]\s+[#\d]",
    "PPM": rb"P[36]\s+[#\d]",
    "JPEG 2000": rb"\x00\x00\x00\x0cjP  |\xffO\xffQ",
    "JPEG XL": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "Photoshop": rb"8BPS",
}
# What Pillow says of a whole file that it knows and cannot decode; all else that it refuses is damaged.
_NOT_DECODED = re.compile(
    r"unknown|unsupported|not support|cannot handle|samples per pixel|string index|not identified|codec configuration|^'?\d+'?$",
    re.IGNORECASE,
)

# Tags of TIFF 6.0, and what is meant where a tag is missing.
_SUBFILE, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _MAX_SAMPLE_VALUE, _PLANES, _COLOUR_MAP = 254, 258, 259, 262, 281, 284, 320
_SAMPLE_FORMAT, _SUBSAMPLING, _DNG_VERSION = 339, 530, 50706
_UNCOMPRESSED, _IN_PLANES, _UNSIGNED = 1, 2, {1, 4}
_WHITE_IS_ZERO, _PALETTE, _YCBCR, _CIELAB = 0, 3, 6, 8
_REDUCED_OR_MASK = 1 | 4  # bits of a subfile's type
_PNG_COLOUR, _PNG_PALETTE = 2, 3
_BMP_BITFIELDS = 3
ORIENTATION = 0x0112  # tag of EXIF and TIFF: how the stored picture is to be turned
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class SkippedError(ValueError):
    """A whole file that is not read; the message says why."""


class Opened(NamedTuple):
    """A file whose samples are known: as Pillow opens it, the bits of a sample, and what the file states to be white."""

    picture: Image.Image
    bits: int
    white: int


class Picture(NamedTuple):
    """A decoded file: its pixels; the bits of its samples and what was white in them; the brightest of its values, of 255."""

    pixels: np.ndarray
    depth: tuple
    brightest: int


def kind(prefix: bytes) -> str | None:
    """Say of what kind a file is that begins with these bytes; None if it is none of `KINDS`."""
    Image.init()
    if prefix[:2] == b"BM" and prefix[6:10] != bytes(4):  # a text may begin so, too: these four are reserved in a BMP file
        return None
    accepts = {kind: Image.OPEN[kind][1] for kind in KINDS}
    return next((kind for kind, accept in accepts.items() if accept and accept(prefix[:PREFIX]) is True), None)


def foreign(prefix: bytes) -> str:
    """Say why a file that begins with these bytes is not read."""
    for name, begins in _FOREIGN.items():
        if re.match(begins, prefix, re.DOTALL):
            return f"a picture of the kind {name}, which is not read: save it as PNG"
    return f"no {NAMES} picture"


def why(error: Exception) -> str:
    """Give the reason to skip a file whose decoding failed."""
    if isinstance(error, SkippedError | DataError):
        return str(error)
    if isinstance(error, OSError) and error.errno and error.strerror:
        return f"a file that cannot be opened ({error.strerror})"
    if _NOT_DECODED.search(str(error)):
        return f"samples that are not read ({first_line(error)}): save it as PNG with 8 bits"
    return f"damaged, {type(error).__name__}: {first_line(error)}"


def decode(path: Path, *, colour: bool | None, size: tuple[int, int] | None, fit: str, white: float | str | None) -> Picture:
    """Decode one picture file. Parameters are those of `data.load`.

    Returns
    -------
    Picture
        With pixels of uint8, shape (height, width), or (height, width, 3) if it has colours. How bright it is was seen before it was
        brought to a size or to grey.

    Raises
    ------
    SkippedError
        If the file is whole and its pixels would not be right. Pillow has a dozen errors more, for damaged bytes.
    DataError
        If a pixel is whiter than `white`.
    """
    with opened(path) as (picture, bits, stated):
        if picture.mode.startswith("I;16"):
            samples, white = deep_grey(picture, bits, stated, white)
            image = _scaled(samples, white)
        else:
            white = _chosen(white, stated, bits)
            image = _eight_bits(turned(picture), bits, white)
        extrema = image.getextrema()
        brightest = max(high for _, high in extrema) if image.mode == "RGB" else extrema[1]
        if size is not None:
            image = FITS[fit](image, *size)
        if colour is not None:
            image = image.convert("RGB" if colour else "L")
        pixels = np.asarray(image)
    return Picture(pixels if colour else without_idle_colours(pixels), (bits, white), int(brightest))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a picture file; errors are those of `decode`."""
    with warnings.catch_warnings(), open(path, "rb") as file:
        warnings.simplefilter("ignore")  # what is odd in a file but does no harm
        header = file.read(70)
        with _open(file, kind(header)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise SkippedError(f"{picture.width}x{picture.height} are more than {_MOST_PIXELS:,} pixels")
            yield Opened(picture, *_samples(picture, header))


def without_idle_colours(pixels: np.ndarray) -> np.ndarray:
    """Give grey, shape (height, width), if there are channels and they are alike."""
    return pixels[..., 0] if pixels.ndim == 3 and (pixels == pixels[..., :1]).all() else pixels


def turned(picture: Image.Image) -> Image.Image:
    """Load a picture's pixels, and turn it as EXIF says."""
    turn = turn_of(picture)
    return picture if turn is None else picture.transpose(turn)


def turn_of(picture: Image.Image) -> Image.Transpose | None:
    """Load a picture's pixels, and say how they are to be turned; what EXIF does not say, or XMP alone says, does not count."""
    for name in ("xmp", "XML:com.adobe.xmp"):  # where Pillow looks, too
        picture.info.pop(name, None)
    picture.load()  # which turns a TIFF file itself
    try:
        return TURNS.get(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata say nothing
        return None


def _open(file, kind):
    try:
        if kind == "PNG":
            _verify(file)
        return Image.open(file, formats=[kind])
    except Image.DecompressionBombError:
        raise
    except Exception as error:
        if kind == "PNG":  # metadata that is damaged or too long does not matter
            with contextlib.suppress(Exception):
                file = io.BytesIO(without_texts(file))
                _verify(file)
                return Image.open(file, formats=[kind])
        if isinstance(error, Image.UnidentifiedImageError):
            raise _reason(file, kind) from None
        raise


def _verify(file):
    # Decoding alone does not compare the checksums of the pixels.
    file.seek(0)
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            picture.verify()
    except Image.UnidentifiedImageError:
        raise _reason(file, "PNG") from None
    file.seek(0)


def _reason(file, kind):
    """Ask Pillow's decoder of this kind for its own reason, which `Image.open` does not tell."""
    file.seek(0)
    try:
        Image.OPEN[kind][0](file, "")
    except Exception as error:
        return error
    return SyntaxError(f"no {kind} picture")


def without_texts(file: BinaryIO) -> bytes:
    """Leave of a PNG only what makes its pixels: chunks that a reader must know, transparency, orientation (ImageMagick's is a text)."""
    file.seek(0)
    content = file.read()
    kept, start = [content[:8]], 8
    while start < len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        end = start + 12 + length
        if name[:1].isupper() or name in (b"tRNS", b"eXIf") or content[start + 8 : end].startswith(b"Raw profile type exif\0"):
            kept.append(content[start:end])
        if name == b"IEND":
            break
        start = end
    return b"".join(kept)


def _samples(picture, header):
    """Give the bits of a sample, and which value is white; refuse what Pillow is known to hand over with other values."""
    if picture.format == "PNG":
        return _samples_of_png(picture, bits=header[24], colour_type=header[25])
    if picture.format == "TIFF":
        return _samples_of_tiff(picture.tag_v2)
    if picture.format == "BMP":
        _validate_bmp(picture, header)
    return 8, 255


def _samples_of_png(picture, bits, colour_type):
    clear = picture.info.get("transparency")
    if colour_type == _PNG_PALETTE:  # whose colours have 8 bits
        return 8, 255
    if clear is not None and colour_type == _PNG_COLOUR and bits == 16:
        raise SkippedError("one colour of 16 bits is transparent, and only 8 bits of it are read: save it with 8 bits")
    if isinstance(clear, int) and picture.mode == "L":  # as stored, where the pixels are scaled to 8 bits
        picture.info["transparency"] = clear * 255 // (2**bits - 1)
    return bits, 2**bits - 1


def _samples_of_tiff(tags):
    bits_of_samples = tags.get(_BITS_PER_SAMPLE, (1,))
    bits, kind = max(bits_of_samples), tags.get(_PHOTOMETRIC)
    if tags.get(_SUBFILE, 0) & _REDUCED_OR_MASK or _DNG_VERSION in tags:
        raise SkippedError("its first picture is a preview or a mask, as in raw data of a camera: save it as PNG or TIFF")
    if not _UNSIGNED.issuperset(tags.get(_SAMPLE_FORMAT, (1,))) or bits > 16:
        raise SkippedError("pixels of 32 bits, or with a sign, do not say what white is: save it with 8 or 16 bits")
    is_packed = tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    if tags.get(_PLANES) == _IN_PLANES and (len(bits_of_samples) == 2 or (bits > 8 and not is_packed)):
        raise SkippedError("samples in planes are not read if they have 16 bits, or are grey with alpha: save it as PNG")
    if kind in (None, _CIELAB) or (kind == _YCBCR and not is_packed and tags.get(_SUBSAMPLING) != (1, 1)):
        raise SkippedError("its colours are stored in a way that is not read: save it as PNG")
    if kind == _PALETTE:
        if max(tags.get(_COLOUR_MAP, (0,))) < 256:
            raise SkippedError("its palette has 8 bits, where 16 are read: save it as PNG")
        return 8, 255
    white = 2**bits - 1
    stated = tags.get(_MAX_SAMPLE_VALUE, white)
    stated = max(stated) if isinstance(stated, tuple) else stated
    # Some programs write here the largest value that occurs, which says nothing. That of fewer bits is what a camera's white is.
    if not (bits > 8 and 255 <= stated < white and math.log2(stated + 1).is_integer()):
        return bits, white
    if len(bits_of_samples) > 1:
        raise SkippedError(f"its white is {stated}, and only the upper 8 of 16 bits are read of colours: save it with 8 bits")
    return bits, stated


def _validate_bmp(picture, header):
    size, bits = int.from_bytes(header[14:18], "little"), int.from_bytes(header[28:30], "little")
    if size < 40:  # of OS/2
        return
    if (picture.mode == "1" and bits != 1) or (picture.mode == "L" and bits != 8):
        raise SkippedError("its palette is not read rightly: save it as PNG")
    if bits == 16 and int.from_bytes(header[30:34], "little") == _BMP_BITFIELDS and size >= 56 and any(header[66:70]):
        raise SkippedError("colours of 5 bits with alpha are not read: save it as PNG")


def _eight_bits(picture, bits, white):
    """Bring a picture to mode L or RGB, so that `white` is 255; what is transparent shows white."""
    if picture.mode in ("I", "F"):
        raise SkippedError("pixels of 32 bits, or with a sign, do not say what white is: save it with 8 or 16 bits")
    full = 2**bits - 1
    if bits < 8 and white == 255:  # what every reader shows is 255
        white = full
    if white != full and bits > 8:
        raise SkippedError(f"white={white:g} is for grey, or colours of 8 bits, and these have {bits}: save it with 8 bits")
    if white > full:
        raise SkippedError(f"white={white:g} is more than its {bits} bits hold")
    has_alpha = picture.has_transparency_data
    if picture.mode == "La":
        picture = picture.convert("LA")
    picture = picture.convert("RGBA" if has_alpha else "L" if picture.mode in ("1", "L") else "RGB")
    if white != full:
        picture = _brightened(picture, full, white)
    if not has_alpha:
        return picture
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _brightened(picture, full, white):
    *colours, alpha = picture.split() if picture.mode == "RGBA" else (*picture.split(), None)
    _refuse_whiter(max(band.getextrema()[1] for band in colours) * full // 255, white)
    levels = [min(255, round(value * full / white)) for value in range(256)]
    return Image.merge(picture.mode, [band.point(levels) for band in colours] + ([alpha] if alpha else []))


def _refuse_whiter(brightest, white):
    if brightest > white:
        raise DataError(f"has a pixel of {brightest}, which is more than white={white:g}: give the value that is white in all pictures")


def deep_grey(picture: Image.Image, bits: int, stated: int, white: float | str | None = None) -> tuple[np.ndarray, float]:
    """Give the samples of what Pillow opens as grey of 9 to 16 bits, turned, black 0, and what is white in them."""
    is_inverted = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    picture = turned(picture)
    samples = np.asarray(picture).astype(np.int64)
    brightest = int(samples.max())
    if brightest > 2**bits - 1:
        raise SkippedError(f"pixels of {brightest} are more than its {bits} bits hold")
    # What is less than the brightest pixel is no statement about white.
    its_white = _chosen(white, stated if brightest <= stated else 2**bits - 1, bits)
    _refuse_whiter(brightest, its_white)
    shown = its_white - samples if is_inverted else samples
    if "transparency" in picture.info:
        shown[samples == picture.info["transparency"]] = its_white
    return shown, its_white


def _scaled(samples, white):
    return Image.fromarray(np.floor(samples * 255 / white + 0.5).astype(np.uint8))


def _chosen(white, stated, bits):
    return stated if white is None else 2**bits - 1 if white == "full" else white


def _resize(picture, height, width):
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _crop(picture, height, width):
    if picture.height < height or picture.width < width:
        raise SkippedError(f"{picture.height}x{picture.width} is smaller than {height}x{width}, to which it should be cropped")
    top, left = (picture.height - height) // 2, (picture.width - width) // 2
    return picture.crop((left, top, left + width, top + height))


FITS = {"resize": _resize, "crop": _crop}  # how a picture comes to a size
