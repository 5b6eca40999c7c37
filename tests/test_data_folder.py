"""Folders of pictures, written with Pillow and read with `data.load`: what they hold, pixel for pixel, and what is skipped."""

import hashlib
import io
import os
import shutil
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from convae_nb import data
from convae_nb._base import progress

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 11)).astype("uint8")
COLOUR = RNG.integers(0, 256, (9, 11, 3)).astype("uint8")
ALPHA = RNG.integers(0, 256, (9, 11)).astype("uint8")
GREY_OVER_WHITE = np.rint(GREY * (ALPHA / 255) + 255 - ALPHA)
DEEP = RNG.integers(0, 2**16, (9, 11)).astype("uint16")
OVER_WHITE = np.rint(COLOUR * (ALPHA[..., None] / 255) + 255 - ALPHA[..., None]).astype("uint8")


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)


def key(name):
    return int.from_bytes(hashlib.sha256(unicodedata.normalize("NFC", name).encode()).digest()) / 2**256


#: Of pictures that are dark on purpose.
DARK = {"white": "full"}


def all_of(dataset):
    return np.concatenate([dataset.x_train, dataset.x_test])


def in_order(names):
    """What comes first is tested here by another path than the module's: whole digests, compared as integers."""
    return sorted(names, key=key, reverse=True)


@pytest.fixture
def twice(tmp_path):
    """Write one picture under two names, so that there is one to train on and one to test with, and read it."""

    def load(name, pixels, loading=None, **options):
        write(tmp_path / name, pixels, **options)
        shutil.copy(tmp_path / name, tmp_path / f"again {name}")
        dataset = data.load(tmp_path, **(loading or {}))
        np.testing.assert_array_equal(dataset.x_train, dataset.x_test)
        return dataset.x_test[0]

    return load


def palette(levels):
    picture = Image.fromarray(GREY % len(levels))
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette(np.array(levels, "uint8").tobytes())
    return picture


def translucent():
    return Image.merge("RGBA", [*Image.fromarray(COLOUR).split(), Image.fromarray(ALPHA)])


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif.tobytes()}


LEVELS = np.array([[200, 10, 30], [0, 90, 255], [7, 7, 7]])


def decoded(pixels, kind, **options):
    """What a lossy kind makes of a picture, by Pillow itself."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return np.asarray(Image.open(file))


# One of each kind: the file's name, what is written, how, and what is to be read.
FILES = [
    ("grey.png", GREY, {}, GREY),
    ("colour.png", COLOUR, {}, COLOUR),
    ("grey.bmp", GREY, {}, GREY),
    ("colour.bmp", COLOUR, {}, COLOUR),
    ("grey.tif", GREY, {}, GREY),
    ("packed.tiff", COLOUR, {"compression": "tiff_lzw"}, COLOUR),
    ("grey.gif", GREY, {}, GREY),
    ("colour.webp", COLOUR, {"lossless": True}, COLOUR),
    ("lossy.webp", COLOUR, {}, decoded(COLOUR, "webp")),
    ("grey.jpg", GREY, {}, decoded(GREY, "jpeg")),
    ("colour.JPEG", COLOUR, {}, decoded(COLOUR, "jpeg")),
    ("grey as colour.png", np.repeat(GREY[..., None], 3, axis=-1), {}, GREY),
    ("16 bits.png", DEEP, {}, np.rint(DEEP / 257).astype("uint8")),
    ("16 bits.tif", DEEP, {}, np.rint(DEEP / 257).astype("uint8")),
    ("16 bits, big-endian.tif", Image.frombytes("I;16B", (11, 9), DEEP.astype(">u2").tobytes()), {}, np.rint(DEEP / 257).astype("uint8")),
    ("1 bit.png", GREY > 99, {}, np.where(GREY > 99, 255, 0)),
    ("1 bit.tif", GREY > 99, {"compression": "group4"}, np.where(GREY > 99, 255, 0)),
    ("palette.png", palette(LEVELS), {}, LEVELS[GREY % 3]),
    ("palette.gif", palette(LEVELS), {}, LEVELS[GREY % 3]),
    ("transparent palette.png", palette(LEVELS), {"transparency": 1}, np.where(GREY[..., None] % 3 == 1, 255, LEVELS[GREY % 3])),
    ("transparent palette.gif", palette(LEVELS), {"transparency": 1}, np.where(GREY[..., None] % 3 == 1, 255, LEVELS[GREY % 3])),
    ("transparent grey.png", GREY, {"transparency": int(GREY[0, 0])}, np.where(GREY[0, 0] == GREY, 255, GREY)),
    ("transparent 16 bits.png", DEEP, {"transparency": int(DEEP[0, 0])}, np.where(DEEP[0, 0] == DEEP, 255, np.rint(DEEP / 257))),
    ("alpha.png", translucent(), {}, OVER_WHITE),
    ("alpha.tif", translucent(), {}, OVER_WHITE),
    (
        "grey and alpha.png",
        Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]),
        {},
        np.rint(GREY * (ALPHA / 255) + 255 - ALPHA),
    ),
    ("inks.tif", Image.fromarray(COLOUR).convert("CMYK"), {}, COLOUR),
    ("turned.png", COLOUR, turned(6), np.rot90(COLOUR, -1)),
    ("turned.tif", COLOUR, turned(6), np.rot90(COLOUR, -1)),
    ("turned 16 bits.png", DEEP, turned(3), np.rot90(np.rint(DEEP / 257), 2)),
    ("turned.webp", COLOUR, {"lossless": True} | turned(8), np.rot90(COLOUR)),
    ("mirrored.jpg", COLOUR, turned(2), decoded(COLOUR, "jpeg")[:, ::-1]),
    ("two frames.gif", GREY, {"save_all": True, "append_images": [Image.fromarray(255 - GREY)]}, GREY),
    ("two frames.png", COLOUR, {"save_all": True, "append_images": [Image.fromarray(255 - COLOUR)]}, COLOUR),
    ("two pages.tif", COLOUR, {"save_all": True, "append_images": [Image.fromarray(255 - COLOUR)]}, COLOUR),
    ("two frames.webp", COLOUR, {"lossless": True, "save_all": True, "append_images": [Image.fromarray(255 - COLOUR)]}, COLOUR),
]


@pytest.mark.parametrize(("name", "pixels", "options", "expected"), FILES, ids=[name for name, *_ in FILES])
def test_a_picture_of_every_kind_is_read_pixel_for_pixel(twice, name, pixels, options, expected):
    found = twice(name, pixels, **options)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_a_folder_of_all_kinds_is_one_array_in_colour_and_lists_what_it_skipped(tmp_path):
    written = {}
    for name, pixels, options, expected in FILES:
        if expected.shape[:2] == (9, 11):
            write(tmp_path / name, pixels, **options)
            written[name] = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=-1)
    for name in ("смотри.PNG", "写真 1.png", "صورة.png", "e\u0301te\u0301.png", "no suffix", "really a png.jpg"):
        write(tmp_path / name, COLOUR, format="png")
        written[name] = COLOUR
    (tmp_path / "Thumbs.db").write_bytes(b"thumbnails")
    (tmp_path / ".DS_Store").write_bytes(b"settings")
    write(tmp_path / "._grey.png", GREY)
    write(tmp_path / ".thumbnails/grey.png", GREY)
    write(tmp_path / "@eaDir/grey.png", GREY)
    write(tmp_path / "__MACOSX/grey.png", GREY)
    (tmp_path / "notes.txt").write_text("which is which")
    (tmp_path / "empty.png").touch()
    whole = (tmp_path / "colour.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "colour.JPEG").read_bytes()[:-100])
    (tmp_path / "flipped.png").write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    write(tmp_path / "signed.tif", Image.fromarray(GREY.astype("int32")))
    write(tmp_path / "float.tif", Image.fromarray(GREY.astype("float32")))
    (tmp_path / "page.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 11 9\n%%EndComments\nshowpage\n")

    dataset = data.load(tmp_path)
    names = in_order(written)
    assert len(dataset.x_test) == sum(key(name) < 0.2 for name in names) > 0
    for name, pixels in zip(names, all_of(dataset), strict=True):
        np.testing.assert_array_equal(pixels, written[name], err_msg=name)
    assert dataset.y_train is dataset.y_test is dataset.classes is None
    expected = {
        ".DS_Store": "hidden",
        "._grey.png": "hidden",
        ".thumbnails": "hidden",
        "@eaDir": "thumbnails, settings",
        "Thumbs.db": "thumbnails, settings",
        "__MACOSX": "thumbnails, settings",
        "cut.jpg": "damaged, OSError: image file is truncated",
        "cut.png": "damaged, ",
        "empty.png": "no PNG, JPEG, BMP, GIF, TIFF or WebP picture",
        "flipped.png": "damaged, SyntaxError: broken PNG file (bad header checksum in b'IDAT')",
        "float.tif": "pixels of 32 bits",
        "notes.txt": "no PNG, JPEG",
        "page.eps": "no PNG, JPEG",
        "signed.tif": "pixels of 32 bits",
    }
    assert list(dataset.skipped) == list(expected)
    for name, reason in expected.items():
        assert dataset.skipped[name].startswith(reason), dataset.skipped[name]
    assert repr(dataset).endswith("y_test: none, skipped: 14)")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_orientation_says(twice, orientation):
    # What the first row and column stand for, in the words of Exif 2.32, 4.6.4 A: rows are undone first.
    undo = {
        1: lambda seen: seen,
        2: lambda seen: seen[:, ::-1],
        3: lambda seen: seen[::-1, ::-1],
        4: lambda seen: seen[::-1],
        5: lambda seen: seen.swapaxes(0, 1),
        6: lambda seen: np.rot90(seen),
        7: lambda seen: np.rot90(seen, 2).swapaxes(0, 1),
        8: lambda seen: np.rot90(seen, -1),
    }
    np.testing.assert_array_equal(twice("a.png", undo[orientation](COLOUR).copy(), **turned(orientation)), COLOUR)


def test_sixteen_bits_whose_white_is_zero_are_inverted(twice, tmp_path):
    write(tmp_path / "a.tif", DEEP)
    whole = (tmp_path / "a.tif").read_bytes()
    entry = np.array([262, 3], "<u2").tobytes() + np.array([1, 1], "<u4").tobytes()  # black is zero
    assert whole.count(entry) == 1
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(whole.replace(entry, entry[:8] + bytes(4)))
    np.testing.assert_array_equal(data.load(tmp_path).x_train[0], 255 - np.rint(DEEP / 257))


def test_twelve_bits_are_scaled_by_what_their_white_is(tmp_path):
    levels = RNG.integers(0, 2**12, (6, 10))
    write(tmp_path / "a.tif", levels.astype("uint16"))
    whole = (tmp_path / "a.tif").read_bytes()
    # Two pixels in three bytes, where the picture of 16 bits had four.
    packed = bytes.fromhex("".join(f"{level:03x}" for level in levels.ravel()))
    entry = np.array([258, 3], "<u2").tobytes() + np.array([1, 16], "<u4").tobytes()
    pixels = levels.astype("<u2").tobytes()
    assert whole.count(entry) == whole.count(pixels) == 1
    whole = whole.replace(entry, entry[:8] + bytes([12, 0, 0, 0])).replace(pixels, packed.ljust(len(pixels), b"\0"))
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(whole)
    np.testing.assert_array_equal(data.load(tmp_path).x_train[0], np.rint(levels * 255 / 4095))


@pytest.mark.parametrize(
    ("colour", "pixels", "expected"),
    [
        (True, GREY, np.repeat(GREY[..., None], 3, axis=-1)),
        (True, COLOUR, COLOUR),
        (False, GREY, GREY),
        (False, COLOUR, np.asarray(Image.fromarray(COLOUR).convert("L"))),
        (False, GREY > 99, np.where(GREY > 99, 255, 0)),
    ],
)
def test_grey_or_colour_can_be_demanded(twice, colour, pixels, expected):
    np.testing.assert_array_equal(twice("a.png", pixels, {"colour": colour}), expected)


def test_grey_of_colour_is_luma(twice):
    weights = [0.299, 0.587, 0.114]  # ITU-R 601
    assert np.abs(twice("a.png", COLOUR, {"colour": False}) - COLOUR @ weights).max() <= 0.51


@pytest.mark.parametrize("coloured", range(5))
def test_one_picture_with_a_colour_makes_the_folder_colour(tmp_path, coloured):
    grey = np.full((4, 4, 3), 7, "uint8")
    for i in range(5):
        grey[0, 0, 0] = 8 if i == coloured else 7
        write(tmp_path / f"{i}.png", grey)
    found = all_of(data.load(tmp_path, **DARK))
    assert found.shape == (5, 4, 4, 3)
    assert found.sum() == 5 * 48 * 7 + 1


def test_subfolders_are_classes_by_name(tmp_path):
    written = {}
    for label, name in enumerate(["cat", "dog", "犬"]):
        for i in range(12):
            path = f"{name}/deeper/{i}.png" if i % 2 else f"{name}/{i}.png"
            write(tmp_path / path, np.full((4, 4), 20 * label + i, "uint8"))
            written[path] = 20 * label + i
    (tmp_path / "none" / "here").mkdir(parents=True)
    (tmp_path / "README.txt").write_text("beside the classes")
    dataset = data.load(tmp_path, **DARK)
    assert dataset.classes == ("cat", "dog", "犬")
    assert [int(pixels[0, 0]) for pixels in all_of(dataset)] == [written[name] for name in in_order(written)]
    np.testing.assert_array_equal(np.concatenate([dataset.y_train, dataset.y_test]), all_of(dataset)[:, 0, 0] // 20)
    assert set(dataset.y_train[:10]) == {0, 1, 2}
    assert list(dataset.skipped) == ["README.txt"]
    assert repr(dataset).endswith("classes: 3, skipped: 1)")


def test_folders_named_train_and_test_are_the_parts(tmp_path):
    for i in range(8):
        write(tmp_path / ("test" if i < 5 else "train") / "ab"[i % 2] / f"{i}.png", np.full((4, 4), i, "uint8"))
    dataset = data.load(tmp_path, **DARK)
    assert sorted(dataset.x_train[:, 0, 0]) == [5, 6, 7]
    assert sorted(dataset.x_test[:, 0, 0]) == [0, 1, 2, 3, 4]
    assert dataset.classes == ("a", "b")
    np.testing.assert_array_equal(dataset.y_test, dataset.x_test[:, 0, 0] % 2)


def test_a_picture_stays_in_its_part_when_others_come(tmp_path):
    def tested(count):
        for i in range(count):
            write(tmp_path / f"{i}.png", np.full((2, 2), i, "uint8"))
        return {int(pixels[0, 0]) for pixels in data.load(tmp_path, **DARK).x_test}

    few = tested(60)
    assert few == {i for i in tested(200) if i < 60} == {i for i in range(60) if key(f"{i}.png") < 0.2}


def test_accents_in_one_letter_or_two_are_the_same_name(tmp_path):
    def order(form):
        for i in range(20):
            write(tmp_path / form / unicodedata.normalize(form, f"é{i}.png"), np.full((2, 2), i, "uint8"))
        return all_of(data.load(tmp_path / form, **DARK)).tolist()

    assert order("NFC") == order("NFD")


@pytest.mark.parametrize("source", [Path("mnist"), Path("./mnist"), "./mnist"])
def test_a_path_called_mnist_is_a_path(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write(tmp_path / "mnist" / f"{name}.png", GREY)
    np.testing.assert_array_equal(all_of(data.load(source)), [GREY, GREY])
    assert len(data.load("mnist").x_train) == 60_000


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_pictures_are_split_into_two_parts_too(tmp_path, count):
    for i in range(count):
        write(tmp_path / f"{i}.png", GREY)
    assert min(len(data.load(tmp_path).x_train), len(data.load(tmp_path).x_test)) >= 1


def test_pictures_of_several_sizes_are_refused_by_name_and_fitted_on_demand(tmp_path):
    write(tmp_path / "a.png", GREY)
    write(tmp_path / "b.png", COLOUR[:7])
    with pytest.raises(data.DataError, match=r"found [79]x11 \([ab]\.png\) and [79]x11 \([ab]\.png\): give size=\([79], 11\) to fit"):
        data.load(tmp_path)
    assert all_of(data.load(tmp_path, size=(8, 5))).shape == (2, 8, 5, 3)
    assert all_of(data.load(tmp_path, size=8, colour=False)).shape == (2, 8, 8)


def test_resizing_keeps_what_is_flat_and_averages_what_is_fine(twice):
    board = np.indices((40, 60)).sum(axis=0) % 2 * 200
    board[:, 30:] = 37
    found = twice("a.png", board.astype("uint8"), {"size": (10, 15)} | DARK)
    assert np.abs(found[:, :5] - 100.0).max() <= 1
    assert (found[:, 10:] == 37).all()


def test_a_crop_is_the_middle_and_what_is_smaller_is_skipped(twice, tmp_path):
    write(tmp_path / "low.png", COLOUR[:5])
    np.testing.assert_array_equal(twice("a.png", COLOUR, {"size": (6, 7), "fit": "crop"}), COLOUR[1:7, 2:9])
    assert data.load(tmp_path, size=6, fit="crop").skipped == {"low.png": "5x11 is smaller than 6x6, to which it should be cropped"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"pictures holds no picture: give a folder of PNG, JPEG"),
        ({".hidden.png": b""}, r"pictures holds no picture \(1 skipped, such as '\.hidden\.png': hidden\)"),
        ({"a.png": b"GIF89a", "b.txt": b""}, r"pictures holds no picture that is read \(2 skipped, such as '[ab]\.\w+': no PNG"),
        ({"a.png": None}, r"pictures must hold a picture to train on and one to test with, found [01] and [01]: add some"),
        (
            {"a.png": None, "b.png": b""},
            r"pictures must hold a picture to train on and one to test with, found [01] and [01] \(1 skipped, such as",
        ),
        (
            {"train/a.png": None, "test/b.png": b""},
            r"pictures must hold a picture to train on and one to test with, found [01] and [01] \(1 skipped, such as",
        ),
        ({"a.png": None, "b.png": None, "dog/c.png": None}, r"subfolders, which are labels, and others beside these, such as '[ab]\.png'"),
    ],
)
def test_a_folder_that_gives_no_dataset_is_refused(tmp_path, files, message):
    (tmp_path / "pictures").mkdir()
    for name, content in files.items():
        write(tmp_path / "pictures" / name, GREY, format="png")
        if content is not None:
            (tmp_path / "pictures" / name).write_bytes(content)
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path / "pictures")


def test_a_folder_beyond_the_limit_is_refused_before_memory_is_taken(tmp_path):
    for i in range(40):
        write(tmp_path / f"{i}.png", np.zeros((100, 100), "uint8"))
    with pytest.raises(data.DataError, match=r"40 pictures of 100x100 take 400,000 bytes, more than limit=399,999: give a smaller size"):
        data.load(tmp_path, limit=399_999)
    assert all_of(data.load(tmp_path, limit=400_000, **DARK)).shape == (40, 100, 100)


def test_files_that_are_no_pictures_count_nothing_against_the_limit(tmp_path):
    for i in range(4):
        write(tmp_path / f"{i}.png", GREY)
    for i in range(10_000):
        (tmp_path / f"{i}.txt").touch()
    dataset = data.load(tmp_path, limit=4 * GREY.size)
    assert all_of(dataset).shape == (4, *GREY.shape)
    assert len(dataset.skipped) == 10_000
    with pytest.raises(data.DataError, match=r"4 pictures of 9x11 take 396 bytes, more than limit=395"):
        data.load(tmp_path, limit=395)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "gif", "tiff", "webp"])
def test_beside_files_that_are_no_pictures_every_kind_of_picture_counts(tmp_path, kind):
    for name in "abc":
        write(tmp_path / name, GREY, format=kind)
    (tmp_path / "notes.txt").write_text("which is which")
    size = data.load(tmp_path).x_train[0].size
    with pytest.raises(data.DataError, match=rf"3 pictures of 9x11 take {3 * size} bytes, more than limit={3 * size - 1}"):
        data.load(tmp_path, limit=3 * size - 1)


def test_reading_holds_the_pictures_once(tmp_path):
    for i in range(50):
        write(tmp_path / f"{i}.png", RNG.integers(0, 256, (200, 200, 3)).astype("uint8"))
    data.load(tmp_path)
    tracemalloc.start()
    images = data.load(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The pictures, and some decoded ones; a grey array is reserved before the first colour is seen.
    assert peak < 1.6 * (images.x_train.nbytes + images.x_test.nbytes)


def test_the_arrays_are_read_only(twice):
    with pytest.raises(ValueError, match="read-only"):
        twice("a.png", GREY)[0] = 0


def test_a_picture_of_too_many_pixels_is_skipped_without_being_decoded(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", GREY)
    write(tmp_path / "vast.png", Image.new("1", (25_000, 20_001)))
    write(tmp_path / "large.png", Image.new("1", (10_000, 5_001)))
    tracemalloc.start()
    skipped = data.load(tmp_path).skipped
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert skipped["large.png"] == "10000x5001 are more than 50,000,000 pixels"
    assert skipped["vast.png"].startswith("damaged, DecompressionBombError")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files on this system")
def test_links_in_circles_and_pipes_do_not_hang(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", GREY)
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "broken.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.png")
    assert data.load(tmp_path).skipped == {
        "broken.png": "no regular file",
        "circle": "a link to a folder, which is not followed",
        "pipe.png": "no regular file",
    }


def test_a_linked_picture_counts_as_one_here(tmp_path):
    write(tmp_path / "elsewhere/a.png", GREY)
    (tmp_path / "here").mkdir()
    for name in "ab":
        (tmp_path / "here" / f"{name}.png").symlink_to(tmp_path / "elsewhere/a.png")
    np.testing.assert_array_equal(data.load(tmp_path / "here").x_test[0], GREY)


def test_a_long_reading_shows_a_bar_and_a_short_one_nothing(tmp_path, capsys, monkeypatch):
    for name in "ab":
        write(tmp_path / f"{name}.png", GREY)
    data.load(tmp_path)
    assert capsys.readouterr() == ("", "")
    options = {}
    monkeypatch.setattr(progress, "tqdm", lambda names, **given: options.update(given) or names)
    data.load(tmp_path, progress=False)
    assert options["disable"]
    assert options["delay"] == 2


def test_colour_profiles_and_odd_metadata_give_no_warning(twice):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(twice("a.png", COLOUR, icc_profile=profile), COLOUR)
