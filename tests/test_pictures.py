"""Some 260 picture files, made without Pillow, are read as decoders other than Pillow read them, or skipped with a true reason."""

import os
import re

import corpus
import numpy as np
import pytest
from PIL import Image

from convae_nb import data
from convae_nb._base import archive
from convae_nb.data import folder, picture

CASES = [pytest.param(*case, id=case[0]) for case in corpus.cases()]
# Whole files that other decoders read, and that may be skipped; everything else has to be read.
MAY_BE_SKIPPED = re.compile(
    r"(1 and|unspecified|assocalpha|of 16 bits).*in planes|colour of 16 bits.*plain, separate|16 bits, >.*miniswhite|\d bands"
    r"|3 channels of 16 bits.*one clear|1 and \w+ of 16 bits"
)
NOT_READ = re.compile("samples? that are not read|save it (as PNG|with 8)")


@pytest.fixture
def read(tmp_path):
    def read(name, content, **options):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"again {name}").write_bytes(content)
        dataset = data.load(tmp_path, **options)
        np.testing.assert_array_equal(dataset.x_train, dataset.x_test)
        return dataset.x_test[0]

    return read


@pytest.mark.filterwarnings("ignore:More samples per pixel")
@pytest.mark.parametrize(("name", "content", "expected"), CASES)
def test_pixels_are_those_that_an_independent_decoder_reads(read, name, content, expected):
    if expected is None or MAY_BE_SKIPPED.search(name):
        with pytest.raises(data.DataError) as refused:
            read(name, content)
        assert NOT_READ.search(str(refused.value))
        return
    found = read(name, content)
    if expected.ndim == 3 and (expected == expected[..., :1]).all():
        expected = expected[..., 0]
    slack = "assocalpha" in name  # there and back between colours multiplied by alpha and not
    np.testing.assert_allclose(found, expected, rtol=0, atol=slack)


def test_the_corpus_has_files_of_every_kind_and_most_are_read():
    assert len(CASES) > 200
    assert {picture.kind(case.values[1]) for case in CASES} == set(picture.KINDS)
    assert sum(not MAY_BE_SKIPPED.search(case.values[0]) and case.values[2] is not None for case in CASES) > 170


GREY = corpus.samples()


def reason_to_skip(folder, name, content):
    """Load the file beside two whole pictures, and give the reason why it was skipped."""
    for other in "ab":
        (folder / f"{other}.png").write_bytes(corpus.write_png(GREY))
    (folder / name).write_bytes(content)
    skipped = data.load(folder).skipped
    assert list(skipped) == [name]
    return skipped[name]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "a picture of the kind HEIC, which is not read: save it as PNG"),
        ("a.avif", b"\0\0\0\x18ftypavif\0\0\0\0", "a picture of the kind AVIF, which is not read: save it as PNG"),
        ("a.pgm", b"P5\n2 2\n255\n1234", "a picture of the kind PGM, which is not read: save it as PNG"),
        ("a.ppm", b"P3 1 1 255 1 2 3", "a picture of the kind PPM, which is not read: save it as PNG"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "a picture of the kind JPEG 2000, which is not read: save it as PNG"),
        ("a.txt", b"P5 is a format", "no PNG, JPEG, BMP, GIF, TIFF or WebP picture"),
        ("notes.png", b"notes", "no PNG, JPEG, BMP, GIF, TIFF or WebP picture"),
        (
            "12 bits.jpg",
            corpus.others_by_name()["12 bits.jpg"],
            "samples that are not read (cannot handle 12-bit layers): save it as PNG with 8 bits",
        ),
        (
            "double.tif",
            corpus.write_tiff(GREY.astype("float64")),
            "samples that are not read (unknown pixel mode): save it as PNG with 8 bits",
        ),
        ("bands.tif", corpus.write_tiff(corpus.samples(4), planarconfig="contig"), "samples that are not read (unknown pixel mode)"),
        ("cut.png", corpus.write_png(GREY)[:90], "damaged, "),
        ("flipped.png", corpus.write_png(GREY).replace(b"IDAT", b"IDAU"), "damaged, "),
    ],
)
def test_known_unknown_and_damaged_files_are_told_apart(tmp_path, name, content, reason):
    assert reason_to_skip(tmp_path, name, content).startswith(reason)


def test_a_file_that_may_not_be_read_is_no_damaged_one(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(corpus.write_png(GREY))
    np.savez(tmp_path / "own.npz", x_train=np.stack([GREY, GREY]))

    def refuse(path, *args, **kwargs):
        if str(path).endswith(("c.png", "own.npz")):
            raise PermissionError(13, "Permission denied", str(path))
        return open(path, *args, **kwargs)

    monkeypatch.setattr(folder, "open", refuse, raising=False)
    assert data.load(tmp_path).skipped["c.png"] == "a file that cannot be opened (Permission denied)"
    monkeypatch.setattr(archive, "open", refuse, raising=False)
    with pytest.raises(data.DataError, match=r"own\.npz cannot be opened \(Permission denied\): check its permissions"):
        data.load(tmp_path / "own.npz")


def test_a_size_beyond_the_limit_is_refused_before_a_picture_is_brought_to_it(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(corpus.write_png(GREY))
    monkeypatch.setattr(picture, "decode", None)
    with pytest.raises(data.DataError, match=r"2 pictures of 30000x30000 take 1,800,000,000 bytes, more than limit=1,000"):
        data.load(tmp_path, size=30_000, limit=1000)


def twelve_bits(largest=4095):
    values = corpus.samples(bits=12)
    values[0, 2] = largest
    return np.minimum(values, largest)


def scaled(values, white):
    return np.rint(values / white * 255)


@pytest.mark.parametrize("order", "<>")
def test_white_may_be_given_or_stated_by_the_file(read, order):
    values = twelve_bits()
    expected = scaled(values, 4095)
    np.testing.assert_array_equal(read("given.tif", corpus.write_tiff(values, byteorder=order), white=4095), expected)
    stated = corpus.write_tiff(values, byteorder=order, extratags=[(281, 3, 1, 4095, True)])
    np.testing.assert_array_equal(read("given.tif", stated), expected)


def test_white_may_be_given_for_png_of_8_and_16_bits_in_grey_and_colour(read, tmp_path):
    values = twelve_bits()
    np.testing.assert_array_equal(read("a.png", corpus.write_png(values, bits=16), white=4095), scaled(values, 4095))
    mask = corpus.samples(bits=1)
    np.testing.assert_array_equal(read("a.png", corpus.write_png(mask), white=1), 255 * mask)
    colour = corpus.samples(3, bits=4)
    np.testing.assert_array_equal(read("a.png", corpus.write_png(colour), white=15), 17 * colour)
    alpha = np.concatenate([colour, corpus.samples(1)], axis=-1)
    expected = corpus.over_white(17 * colour.astype(int), alpha[..., 3])
    np.testing.assert_allclose(read("a.png", corpus.write_png(alpha), white=15), expected, atol=1)


@pytest.mark.parametrize("largest", [3000, 4096, 255])
def test_a_stated_largest_value_that_is_no_depth_is_not_taken_for_white(read, largest):
    values = corpus.samples(bits=16)
    content = corpus.write_tiff(np.minimum(values, largest), extratags=[(281, 3, 1, largest, True)])
    if largest == 255:
        np.testing.assert_array_equal(read("a.tif", content), np.minimum(values, 255))
    else:
        np.testing.assert_array_equal(read("a.tif", content, white="full"), scaled(np.minimum(values, largest), 65535))


def test_dark_pictures_are_refused_and_white_is_the_cure(read):
    values = twelve_bits()
    with pytest.raises(data.DataError, match=r"the brightest pixel would be 16 of 255, nearly black: give white=, the value"):
        read("a.png", corpus.write_png(values, bits=16))
    np.testing.assert_array_equal(read("a.png", corpus.write_png(values, bits=16), white="full"), scaled(values, 65535))


@pytest.mark.parametrize(
    ("content", "white", "message"),
    [
        (corpus.write_png(twelve_bits(), bits=16), 1023, r"a\.png has a pixel of 4095, which is more than white=1023: give the value"),
        (corpus.write_png(GREY), 254, r"a\.png has a pixel of 255, which is more than white=254"),
        (corpus.write_png(GREY), 4095, r"skipped, such as .*: white=4095 is more than its 8 bits hold"),
        (
            corpus.write_png(corpus.samples(3, bits=16), bits=16),
            4095,
            r"white=4095 is for grey, or colours of 8 bits, and these have 16: save it",
        ),
        (corpus.write_png(corpus.samples(bits=2), bits=2), 1, r"a\.png has a pixel of 3, which is more than white=1"),
        (corpus.write_png(corpus.samples(bits=2), bits=2), 15, r"white=15 is more than its 2 bits hold"),
    ],
)
def test_a_white_that_does_not_fit_is_refused(read, content, white, message):
    with pytest.raises(data.DataError, match=message):
        read("a.png", content, white=white)


def test_folders_nested_more_deeply_than_paths_may_be_are_skipped(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(corpus.write_png(GREY))
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        os.mkdir("nest")
        os.chdir("nest")
    try:
        assert list(data.load(tmp_path).skipped.values()) == ["a folder that cannot be read (File name too long)"]
    finally:  # by hand: shutil.rmtree calls itself for each level
        for _ in range(1100):
            os.chdir("..")
            os.rmdir("nest")


def test_an_orientation_counts_where_the_texts_beside_it_are_damaged(read):
    exif = Image.Exif()
    exif[0x0112] = 3
    content = corpus.after_header(
        corpus.write_png(GREY), corpus.chunk(b"eXIf", exif.tobytes()[6:]), corpus.chunk(b"tEXt", b"a\0b", right=False)
    )
    np.testing.assert_array_equal(read("a.png", content), GREY[::-1, ::-1])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("preview.tif", corpus.write_tiff(GREY, subfiletype=1), "its first picture is a preview or a mask"),
        ("raw.tif", corpus.write_tiff(GREY, extratags=[(50706, 1, 4, (1, 4, 0, 0), True)]), "its first picture is a preview or a mask"),
        ("planes.tif", dict(corpus.tiffs())["1 and unassalpha of 8 bits, <, in planes.tif"], "samples in planes are not read"),
        (
            "packed planes.tif",
            corpus.write_tiff(np.stack([GREY, GREY]), planarconfig="separate", extrasamples=["unassalpha"], compression="zlib"),
            "samples in planes are not read",
        ),
        (
            "deep.tif",
            corpus.write_tiff(corpus.samples(3, bits=12), photometric="rgb", extratags=[(281, 3, 3, (4095,) * 3, True)]),
            "its white is 4095, and only the upper 8 of 16 bits are read of colours",
        ),
        (
            "mask.bmp",
            corpus.bmp(8, corpus.padded(corpus.samples(bits=1)), palette=b"\0\0\0\0\xff\xff\xff\0"),
            "its palette is not read rightly",
        ),
        ("packed.tif", corpus.write_tiff(GREY, compression="jpegxl"), "samples that are not read"),
    ],
)
def test_what_pillow_would_misread_is_skipped(tmp_path, name, content, reason):
    assert reason_to_skip(tmp_path, name, content).startswith(reason)


def test_files_of_one_depth_that_state_different_whites_are_refused(tmp_path):
    for name, stated in (("a", [(281, 3, 1, 4095, True)]), ("b", [])):
        (tmp_path / f"{name}.tif").write_bytes(corpus.write_tiff(twelve_bits(), extratags=stated))
    with pytest.raises(data.DataError, match=r"white is \d+ in [ab]\.tif, and \d+ in [ab]\.tif, as the files say: give white=, the value"):
        data.load(tmp_path)
    assert data.load(tmp_path, white=4095).x_train.max() == 255


def test_a_palette_of_few_colours_is_brightened_as_its_colours_are(read):
    mask = corpus.samples(bits=1)
    content = corpus.write_png(mask, bits=1, palette=[(0, 0, 0), (1, 1, 1)])
    np.testing.assert_array_equal(read("a.png", content, white=1), 255 * mask)


def test_an_orientation_in_xmp_alone_does_not_count_and_odd_exif_does_no_harm(read):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    text = corpus.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    np.testing.assert_array_equal(read("a.png", corpus.after_header(corpus.write_png(GREY), text)), GREY)
    exif = Image.Exif()
    exif[0x0112], exif[306] = 3, "abc"
    content = corpus.after_header(corpus.write_png(GREY), corpus.chunk(b"eXIf", exif.tobytes()[6:]))
    np.testing.assert_array_equal(read("a.png", content), GREY[::-1, ::-1])
    garbage = corpus.after_header(corpus.write_png(GREY), corpus.chunk(b"eXIf", b"garbage"))
    np.testing.assert_array_equal(read("a.png", garbage), GREY)
