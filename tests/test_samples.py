"""Samples of 8 and 16 bits are read as they were planted, and written as decoders other than the package's read them."""

import io
import struct
import zlib

import corpus
import imagecodecs
import numpy as np
import png
import pytest
from PIL import Image, ImageCms

from convae_nb.data import picture, samples

# How a stored picture looks once it is turned.
TURNS = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(stored[::-1, ::-1], 0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "picture").write_bytes(content)
        return samples.read(tmp_path / "picture")

    return read


def over_white(values):
    """Planted samples of 16 bits, the last channel alpha, over white."""
    colours, alpha = values[..., :-1] / 65535, values[..., -1:] / 65535
    return np.squeeze(colours * alpha + 1 - alpha)


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
def test_png_files_of_16_bits_keep_all_of_them(read, channels, interlace):
    values = corpus.samples(*channels, bits=16)
    found = read(corpus.write_png(values, bits=16, interlace=interlace))
    np.testing.assert_allclose(found.values, over_white(values) if channels in [(2,), (4,)] else values / 65535, atol=1e-6)
    assert (found.values.dtype, *found[1:]) == (np.float32, 16, 65535, "PNG", None)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("packing", [{}, {"compression": "zlib", "predictor": True}, {"compression": "lzw"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_tiff_files_of_16_bits_keep_all_of_them(read, channels, packing, order):
    values = corpus.samples(*channels, bits=16)
    found = read(corpus.write_tiff(values, byteorder=order, photometric="rgb" if channels else "minisblack", **packing))
    np.testing.assert_allclose(found.values, values / 65535, atol=1e-7)
    assert found[1:] == (16, 65535, "TIFF", None)


def test_planes_that_are_packed_are_read(read):
    values = corpus.samples(3, bits=16)
    planes = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    found = read(corpus.write_tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib"))
    np.testing.assert_allclose(found.values, values / 65535, atol=1e-7)


def test_transparency_of_tiff_files_shows_white_however_it_is_stored(read):
    values = corpus.samples(4, bits=16)
    options = {"photometric": "rgb", "planarconfig": "contig"}
    found = read(corpus.write_tiff(values, extrasamples=["unassalpha"], **options)).values
    np.testing.assert_allclose(found, over_white(values), atol=1e-6)
    multiplied = corpus.premultiplied(values, 16)
    found = read(corpus.write_tiff(multiplied, extrasamples=["assocalpha"], **options)).values
    np.testing.assert_allclose(found, over_white(values), atol=2 / 65535)  # alpha was multiplied in whole numbers
    found = read(corpus.write_tiff(values, extrasamples=["unspecified"], **options)).values
    np.testing.assert_allclose(found, values[..., :3] / 65535, atol=1e-6)


def test_what_a_file_states_to_be_white_is_white_and_black_may_be_the_largest_number(read):
    values = corpus.samples(bits=12)
    stated = [(281, 3, 1, 4095, True)]
    found = read(corpus.write_tiff(values, extratags=stated))
    np.testing.assert_allclose(found.values, values / 4095, atol=1e-6)
    assert found[1:] == (16, 4095, "TIFF", None)
    found = read(corpus.write_tiff(values, extratags=stated, photometric="miniswhite"))
    np.testing.assert_allclose(found.values, 1 - values / 4095, atol=1e-6)
    values[0, 0] = 4096
    assert read(corpus.write_tiff(values, extratags=stated)).white == 65535


def test_one_grey_may_be_transparent(read):
    values = corpus.samples(bits=16)
    values[1, 2:4] = 12_345
    expected = np.where(values == 12_345, 1, values / 65535)
    np.testing.assert_allclose(read(corpus.write_png(values, bits=16, transparent=12_345)).values, expected, atol=1e-6)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pictures_of_16_bits_are_turned_as_they_say(read, channels, orientation):
    values = corpus.samples(*channels, bits=16)
    expected = TURNS[orientation](values / 65535)
    tags = [(picture.ORIENTATION, 3, 1, orientation, True)]
    found = read(corpus.write_tiff(values, photometric="rgb" if channels else "minisblack", extratags=tags)).values
    np.testing.assert_allclose(found, expected, atol=1e-6)
    exif = Image.Exif()
    exif[picture.ORIENTATION] = orientation
    content = corpus.after_header(corpus.write_png(values, bits=16), corpus.chunk(b"eXIf", exif.tobytes()[6:]))
    np.testing.assert_allclose(read(content).values, expected, atol=1e-6)


def test_texts_of_a_png_that_are_damaged_do_no_harm_and_damaged_pixels_do(read):
    values = corpus.samples(3, bits=16)
    whole = corpus.write_png(values, bits=16)
    found = read(corpus.after_header(whole, corpus.chunk(b"tEXt", b"a\0b", right=False))).values
    np.testing.assert_allclose(found, values / 65535, atol=1e-6)
    with pytest.raises(SyntaxError, match="broken PNG file"):
        read(whole.replace(b"IDAT", b"IDAU"))


def test_colours_that_are_alike_are_grey(read):
    values = corpus.samples(bits=16)
    found = read(corpus.write_png(np.repeat(values[..., None], 3, axis=-1), bits=16))
    np.testing.assert_allclose(found.values, values / 65535, atol=1e-7)


COLOURS = corpus.samples(3, bits=16)
DEEP = corpus.write_tiff(COLOURS, photometric="rgb")
SOFTWARE = struct.pack("<HH", 305, 2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dict(corpus.tiffs())["inks of 16 bits.tif"], "its colours of 16 bits are stored in a way that is not read: save it as PNG"),
        (
            # The entry of the writing program becomes one that says how many pictures lie behind each other.
            DEEP.replace(DEEP[DEEP.index(SOFTWARE) :][:12], struct.pack("<HHII", 32997, 4, 1, 2**31)),
            "its colours of 16 bits are stored in a way that is not read",
        ),
        (corpus.write_tiff(COLOURS, photometric="rgb", subfiletype=1), "its first picture is a preview or a mask"),
        (dict(corpus.tiffs())["u4, <.tif"], "pixels of 32 bits"),
        (dict(corpus.tiffs())["colour of 16 bits, >, plain, separate.tif"], "samples in planes are not read"),
    ],
)
def test_what_is_not_read_with_8_bits_is_not_read_with_16(read, content, reason):
    with pytest.raises(picture.SkippedError, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("kind", "cases"), [("JPEG", corpus.others), ("WEBP", corpus.others), ("GIF", corpus.others), ("BMP", corpus.bmps)]
)
def test_files_of_8_bits_are_read_as_other_decoders_read_them(read, kind, cases):
    contents = [(content, expected) for _, content, expected in cases() if picture.kind(content) == kind and expected is not None]
    for content, expected in contents:
        found = read(content)
        np.testing.assert_allclose(found.values, picture.without_idle_colours(expected) / 255, atol=1e-6)
        assert found[1:] == (8, 255, kind, None)
    assert contents


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_what_is_written_is_what_other_decoders_read(read, channels, bits):
    planted = corpus.samples(*channels, bits=bits)
    full = 2**bits - 1
    values = (planted / full).astype(np.float32)
    like = samples.Samples(values, bits, full, "JPEG", None)
    width, height, rows, about = png.Reader(bytes=samples.encode(values, like)).read()
    np.testing.assert_array_equal(np.array([list(row) for row in rows]).reshape(height, width, *channels), planted)
    assert (about["bitdepth"], about["planes"]) == (bits, 3 if channels else 1)
    content = samples.encode(values, like._replace(kind="TIFF"))
    found = imagecodecs.tiff_decode(content)
    np.testing.assert_array_equal(found, planted)
    assert found.dtype == planted.dtype
    with Image.open(io.BytesIO(content)) as opened:
        assert 281 not in opened.tag_v2
    np.testing.assert_array_equal(read(content).values, values)


def test_the_white_of_a_file_is_stated_in_what_is_written(read):
    values = corpus.samples(bits=12)
    found = read(corpus.write_tiff(values, extratags=[(281, 3, 1, 4095, True)]))
    content = samples.encode(found.values, found)
    np.testing.assert_array_equal(imagecodecs.tiff_decode(content), values)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.tag_v2[281] == (4095,)


RGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_profile_of_colours_comes_along_where_there_are_colours(read, bits, kind):
    for channels in ((3,), ()):
        values = corpus.samples(*channels, bits=bits)
        content = imagecodecs.png_encode(values)
        content = corpus.after_header(content, corpus.chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(RGB)))
        if kind == "TIFF":
            content = corpus.write_tiff(values, photometric="rgb" if channels else "minisblack", iccprofile=RGB)
        found = read(content)
        assert found.profile == RGB
        again = read(samples.encode(found.values, found))  # which compares the checksums of a PNG
        assert again.profile == (RGB if channels else None)
        np.testing.assert_array_equal(again.values, found.values)
