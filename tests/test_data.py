import dataclasses
import hashlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from convae_nb import data
from convae_nb.data import loading

NAMES = ["x_train", "y_train", "x_test", "y_test"]


@pytest.fixture(scope="module")
def digits():
    return data.load()


@pytest.fixture
def load_altered(digits, tmp_path, monkeypatch):
    """Load MNIST from a file that holds other arrays in some places (None: none)."""

    def load(**changes):
        arrays = {name: getattr(digits, name) for name in NAMES} | changes
        monkeypatch.setattr(loading, "_DIGITS", tmp_path / "mnist.npz")
        np.savez(tmp_path / "mnist.npz", **{name: array for name, array in arrays.items() if array is not None})
        return data.load("mnist")

    return load


@pytest.fixture
def own_file(tmp_path):
    """Write a small file of one's own."""

    def write(**changes):
        arrays = {"x_train": pictures(6), "y_train": np.arange(6), "x_test": pictures(4), "y_test": np.arange(4)} | changes
        np.savez(tmp_path / "own.npz", **{name: array for name, array in arrays.items() if array is not None})
        return tmp_path / "own.npz"

    return write


def pictures(*shape, dtype="uint8"):
    shape = shape if len(shape) > 1 else (*shape, 5, 7)
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


# MD5 of the original distribution's uncompressed IDX files; the module itself relies on their SHA-256.
@pytest.mark.parametrize(
    ("name", "magic", "md5"),
    [
        ("x_train", 2051, "6bbc9ace898e44ae57da46a324031adb"),
        ("y_train", 2049, "a25bea736e30d166cdddb491f175f624"),
        ("x_test", 2051, "2646ac647ad5339dbf082846283269ea"),
        ("y_test", 2049, "27ae3e4e09519cfbb04c329615203637"),
    ],
)
def test_the_digits_are_those_of_the_original_files(digits, name, magic, md5):
    array = getattr(digits, name)
    header = struct.pack(f">i{array.ndim}i", magic, *array.shape)
    assert hashlib.md5(header + array.tobytes()).hexdigest() == md5


def test_the_first_labels_are_the_known_ones(digits):
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert digits.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_a_dataset_is_frozen_read_only_and_short_to_print(digits):
    with pytest.raises(dataclasses.FrozenInstanceError):
        digits.x_train = None
    for name in NAMES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(digits, name)[0] = 0
    assert repr(dataclasses.replace(digits, y_test=None)) == (
        "Dataset(x_train: uint8 (60000, 28, 28), y_train: uint8 (60000,), x_test: uint8 (10000, 28, 28), y_test: none)"
    )


def test_loading_holds_the_digits_once():
    tracemalloc.start()
    dataset = data.load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * sum(getattr(dataset, name).nbytes for name in NAMES)


def test_swapped_images_and_labels_are_recognised(digits, load_altered):
    with pytest.raises(data.DataError, match=r"mnist\.npz: x_train should be uint8 \(60000, 28, 28\).* found the original's x_test"):
        load_altered(x_train=digits.x_test, x_test=digits.x_train)
    with pytest.raises(data.DataError, match=r"mnist\.npz: y_train should be uint8 \(60000,\).* found the original's y_test"):
        load_altered(y_train=digits.y_test, y_test=digits.y_train)


@pytest.mark.parametrize("name", NAMES)
def test_one_altered_byte_is_noticed(digits, load_altered, name):
    altered = getattr(digits, name).copy()
    altered.flat[-1] ^= 1
    with pytest.raises(data.DataError, match=rf"mnist\.npz: {name} should be uint8 .* with SHA-256 \w+ .* found uint8 .* with SHA-256 \w+"):
        load_altered(**{name: altered})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda images: images[:9000], r"uint8 \(9000, 28, 28\)"),
        (lambda images: images.reshape(10000, 784), r"uint8 \(10000, 784\)"),
        (lambda images: images.astype("int8"), r"int8 \(10000, 28, 28\)"),
        (lambda images: images > 127, r"bool \(10000, 28, 28\)"),
    ],
)
def test_another_shape_or_type_is_noticed(digits, load_altered, change, found):
    with pytest.raises(data.DataError, match=rf"mnist\.npz: x_test should be uint8 \(10000, 28, 28\) .* found {found}"):
        load_altered(x_test=change(digits.x_test))


def test_a_missing_array_is_named(load_altered):
    with pytest.raises(data.DataError, match=r"mnist\.npz: y_test should be uint8 \(10000,\).* found none"):
        load_altered(y_test=None)
    with pytest.raises(data.DataError, match=r"mnist\.npz should hold x_test, found \['x_train', 'y_train', 'y_test'\]"):
        load_altered(x_test=None)


def test_missing_digits_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "_DIGITS", tmp_path / "mnist.npz")
    with pytest.raises(data.DataError, match=r"mnist\.npz is not there"):
        data.load()


def test_a_file_of_ones_own_is_read_as_it_is(own_file):
    others = pictures(3, 5, 7, 1)
    dataset = data.load(own_file(x_test=others, y_test=None))
    np.testing.assert_array_equal(dataset.x_train, pictures(6))
    np.testing.assert_array_equal(dataset.y_train, np.arange(6))
    np.testing.assert_array_equal(dataset.x_test, others)
    assert dataset.y_test is None
    assert data.load(str(own_file())).y_test.tolist() == [0, 1, 2, 3]


def test_a_file_cut_anywhere_is_refused(own_file):
    path = own_file()
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(data.DataError, match=r"own\.npz should be a whole \.npz file, found \d+ bytes"):
            data.load(path)


def test_a_damaged_byte_is_refused_by_array(own_file):
    path = own_file()
    damaged = bytearray(path.read_bytes())
    damaged[damaged.rindex(pictures(4).tobytes())] ^= 1  # the last are the test images
    path.write_bytes(damaged)
    with pytest.raises(data.DataError, match=r"own\.npz: x_test cannot be read, found BadZipFile \(Bad CRC-32"):
        data.load(path)


def test_a_damaged_directory_is_refused(own_file):
    path = own_file()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\x03"))  # the mark of an entry of the zip archive's directory
    with pytest.raises(data.DataError, match=r"own\.npz: the archive cannot be read, found BadZipFile"):
        data.load(path)


class Intruder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_objects_are_never_unpickled(own_file, tmp_path):
    target = tmp_path / "unpickled"
    path = own_file(y_train=np.array([Intruder(target)] * 6, dtype=object))
    with pytest.raises(data.DataError, match=r"own\.npz: y_train cannot be read, found ValueError \(Object arrays cannot be loaded"):
        data.load(path)
    with path.open("wb") as file:
        np.save(file, np.array([Intruder(target)], dtype=object))
    with pytest.raises(data.DataError, match=r"whole \.npz file"):
        data.load(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": None}, r"own\.npz should hold x_train, found \['y_train', 'x_test', 'y_test'\]"),
        ({"x_test": None}, r"own\.npz holds y_test without x_test: save both, or neither"),
        ({"x_train": pictures(6) / 1}, r"own\.npz: x_train of floats must .* 0 to 255: images / 255 if white is 255"),
        ({"x_train": pictures(6, dtype="int64")}, r'own\.npz: x_train of whole numbers must be uint8, found int64 .*astype\("uint8"\)'),
        ({"x_train": pictures(6) * np.nan}, r"own\.npz: x_train must be finite, .* with NaN or infinity in 210 places"),
        ({"x_train": np.zeros((6, 5, 7), "M8[s]")}, r"own\.npz: x_train must be uint8, bool or float, found datetime64"),
        ({"y_train": np.zeros(6, "c16")}, r"own\.npz: y_train must hold numbers or text, found complex128"),
        ({"y_train": np.zeros((6, 10))}, r"own\.npz: y_train must hold a label for each of the 6 images of x_train, found \(6, 10\)"),
        ({"x_test": pictures(4, 3, 5, 7)}, r"own\.npz: x_test must have shape .* found \(4, 3, 5, 7\): put the channels last"),
        ({"x_test": np.uint8(3)}, r"own\.npz: x_test must have shape .* found \(\)"),
        ({"x_train": pictures(0, 5, 7), "y_train": None}, r"own\.npz: x_train must have shape .* found \(0, 5, 7\)"),
        ({"y_train": np.arange(5)}, r"own\.npz: y_train must hold a label for each of the 6 images of x_train, found \(5,\)"),
        (
            {"y_test": np.array(list("abcd"))},
            r"y_train and y_test must both hold numbers or both text, found int64 and <U1: save them alike",
        ),
        ({"y_train": np.array([0, 1, 2, 3, np.nan, np.nan])}, r"own\.npz: y_train must hold a label for each image, 2 are not finite"),
        ({"x_test": np.minimum(pictures(4), 1)}, r"own\.npz: x_test: with 255, .* as white, the brightest pixel would be 1 of 255"),
        ({"y_train": np.eye(6, 10)}, r"found \(6, 10\): y_train\.argmax\(axis=1\) if a 1 stands in each row"),
        ({"x_train": pictures(32, 32, 3, 6)}, r"put the images first with np\.moveaxis\(images, -1, 0\)"),
        ({"x_test": pictures(4, 5, 7, 3)}, r"must have the same height, width and channels, found \(6, 5, 7\) and \(4, 5, 7, 3\)"),
        ({"x_test": pictures(4, 7, 5)}, r"must have the same height, width and channels, found \(6, 5, 7\) and \(4, 7, 5\)"),
        ({"x_train": np.eye(8, dtype="uint8")[None].repeat(6, 0), "x_test": None, "y_test": None}, r"would be 1 of 255, nearly black"),
        ({"x_train": np.eye(8)[None].repeat(6, 0) / 255, "x_test": None, "y_test": None}, r"would be 1 of 255, nearly black: give white="),
        ({"y_test": np.array(1)}, r"own\.npz: y_test must hold a label for each of the 4 images of x_test, found \(\)"),
    ],
)
def test_a_file_with_other_arrays_is_refused(own_file, changes, message):
    with pytest.raises(data.DataError, match=message):
        data.load(own_file(**changes))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar10", r"source='cifar10' is not known: give \"mnist\", the path of a \.npz or \.npy file, or that of a folder of pictures"),
        (3, "source='3' is not known"),
        ("", "source='' is not known"),
        (None, "source='None' is not known"),
        ("x" * 5000 + ".npz", r"x\.npz is not there"),
        ("nul\0.npz", r"nul\0\.npz is not there"),
        ("digits.npz", r"digits\.npz is not there: check the path, 'digits\.npz'"),
        (b"mnist", r"""source="b'mnist'" is not known"""),
        (Path("mnist"), "source='mnist' is not known: give \"mnist\", the path"),
    ],
)
def test_an_unknown_source_is_refused(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(data.DataError, match=message):
        data.load(source)


@pytest.mark.parametrize("source", ["mnist", "own.npz"])
@pytest.mark.parametrize("option", [{"colour": True}, {"size": 28}])
def test_what_is_for_folders_is_refused_with_a_file(source, option):
    with pytest.raises(data.DataError, match=r"colour and size are for folders of pictures, got .*: leave them out"):
        data.load(source, **option)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"colour": "grey"}, r"colour must be True, False or None, got 'grey'"),
        ({"size": 0}, r"size must be \(height, width\) in pixels, or one number for both, got 0"),
        ({"size": (28, 28, 1)}, r"size must be .* got \(28, 28, 1\)"),
        ({"size": True}, r"size must be .* got True"),
        ({"size": 28.0}, r"size must be .* got 28\.0"),
        ({"colour": 1}, r"colour must be True, False or None, got 1"),
        ({"fit": ["crop"]}, r"fit must be one of resize, crop, got \['crop'\]"),
        ({"fit": "pad"}, r"fit must be one of resize, crop, got 'pad'"),
        ({"white": 0}, r"white must be the value that is white .*, a number above 0, or \"full\", got 0"),
        ({"white": True}, r"white must be .* got True"),
        ({"white": float("nan")}, r"white must be .* got nan"),
        ({"white": "255"}, r"white must be .* got '255'"),
        ({"limit": 0}, r"limit must be a whole number of bytes, at least 1, got 0"),
        ({"limit": 1e9}, r"limit must be a whole number .* got 1000000000\.0"),
    ],
)
def test_what_is_no_option_is_refused(tmp_path, option, message):
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path, **option)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64"])
@pytest.mark.filterwarnings("ignore:.*multiples of 1/255")
def test_scikit_learns_digits_are_read_from_a_file_once_it_is_said_what_white_is(tmp_path, dtype):
    images, labels = datasets.load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(dtype)
    np.savez_compressed(tmp_path / "digits.npz", x_train=images, y_train=labels)
    with pytest.raises(data.DataError, match=r"(the brightest pixel would be 16 of 255|from 0 to 16: divide.*), .*give white="):
        data.load(tmp_path / "digits.npz")
    dataset = data.load(tmp_path / "digits.npz", white=16)
    assert len(dataset.x_train) + len(dataset.x_test) == 1797
    images = np.rint(images / 16 * 255)
    # Which digits went where is known from the function that says so, and they keep their order.
    tested = np.array([int(hashlib.sha256(str(i).encode()).hexdigest(), 16) < 0.2 * 2**256 for i in range(1797)])
    for part, chosen in (("train", ~tested), ("test", tested)):
        np.testing.assert_array_equal(getattr(dataset, f"x_{part}"), images[chosen])
        np.testing.assert_array_equal(getattr(dataset, f"y_{part}"), labels[chosen])
    assert 0.17 < tested.mean() < 0.23


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_images_are_split_into_two_parts_too(own_file, count):
    dataset = data.load(own_file(x_train=pictures(count), y_train=None, x_test=None, y_test=None))
    assert sorted(map(bytes, [*dataset.x_train, *dataset.x_test])) == sorted(map(bytes, pictures(count)))
    assert min(len(dataset.x_train), len(dataset.x_test)) >= 1
    with pytest.raises(data.DataError, match=r"own\.npz must hold an image to train on and one to test with, found one in all"):
        data.load(own_file(x_train=pictures(1), y_train=None, x_test=None, y_test=None))


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64"])
def test_floats_are_rounded_to_256_levels_and_that_is_said_once(own_file, dtype):
    images = (pictures(6) / 255).astype(dtype)
    with pytest.warns(UserWarning, match=r"own\.npz: values are kept as multiples of 1/255: x_train and x_test$") as warned:
        dataset = data.load(own_file(x_train=images, x_test=images[:4]))
    assert len(warned) == 1
    np.testing.assert_array_equal(dataset.x_train, pictures(6))
    assert dataset.x_test.dtype == np.uint8


@pytest.mark.parametrize(
    ("dtype", "white", "scale"),
    [("uint8", 1, 255), ("uint16", 399, 255 / 399), ("uint16", "full", 255 / 65535), ("int64", 300, 0.85), ("float32", 255, 1)],
)
@pytest.mark.filterwarnings("ignore:.*multiples of 1/255")
def test_what_is_white_may_be_said(own_file, dtype, white, scale):
    top = {1: 1, "full": 65535}.get(white, 200)
    images = np.minimum(pictures(6).astype(dtype), top)
    images[0, 0, 0] = top
    dataset = data.load(own_file(x_train=images, x_test=images[:4]), white=white)
    np.testing.assert_array_equal(dataset.x_train, np.rint(images.astype(float) * scale))
    np.testing.assert_array_equal(dataset.x_test, dataset.x_train[:4])
    if white != "full":
        with pytest.raises(data.DataError, match=r"x_train must lie in 0 to white=0\.5, found"):
            data.load(own_file(x_train=images, x_test=images[:4]), white=0.5)


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 4095), ("float32", 255), ("float32", 65535)])
@pytest.mark.filterwarnings("ignore:.*multiples of 1/255")
def test_a_white_that_no_pixel_comes_near_is_refused(own_file, dtype, white):
    images = pictures(6) if dtype == "uint8" else (pictures(6) / 255).astype(dtype)
    with pytest.raises(data.DataError, match=rf"x_train: with {white} as white, the brightest pixel would be \d+ of 255, nearly black"):
        data.load(own_file(x_train=images), white=white)


def test_mostly_dark_images_are_told(own_file):
    images = np.minimum(pictures(6), 1)
    images[0, 0, 0] = 255  # a grain of dust
    with pytest.warns(UserWarning, match=r"own\.npz: x_train: 5 of 6 pictures have no pixel half as bright as white"):
        data.load(own_file(x_train=images))


def test_arrays_that_are_not_read_are_named(own_file):
    with pytest.warns(UserWarning, match=r"own\.npz: only x_train, y_train, x_test, y_test are read, not x_val, y_val$"):
        data.load(own_file(x_val=pictures(3), y_val=np.arange(3)))


def test_labels_of_the_test_images_alone_are_named(own_file):
    with pytest.warns(UserWarning, match="y_test holds labels that y_train lacks, such as 7"):
        data.load(own_file(y_test=np.array([0, 1, 7, 7])))


def test_labels_may_be_left_out_of_either_part(own_file):
    dataset = data.load(own_file(y_test=None))
    assert data.labels(dataset)["test"].tolist() == ["no label"] * 4
    assert data.labels(dataset)["training"].tolist() == list("012345")
    assert data.load(own_file(y_train=None)).y_test.tolist() == [0, 1, 2, 3]


def test_the_home_folder_may_be_written_short(own_file, monkeypatch):
    path = own_file()
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    np.testing.assert_array_equal(data.load("~/own.npz").x_train, pictures(6))


def test_nearly_black_images_of_uint8_are_named():
    for brightest, cure in ((1, "images > 0 if white is 1"), (16, "divide by what white is, images / 16")):
        with pytest.warns(UserWarning, match=rf"nearly black, their brightest pixel is {brightest} of 255: {cure}"):
            data.as_images(np.eye(8, dtype="uint8")[None] * np.uint8(brightest))
    data.as_images(np.zeros((1, 8, 8), "uint8"))
    data.as_images(np.full((1, 8, 8), 17, "uint8"))


def test_bool_is_kept_as_black_and_white(own_file):
    images = pictures(6) > 99
    np.testing.assert_array_equal(data.load(own_file(x_train=images)).x_train, np.where(images, 255, 0))


def test_any_layout_and_byte_order_is_read_as_what_it_means(own_file):
    images, labels = pictures(6, 5, 7, 3), np.arange(6)
    dataset = data.load(own_file(x_train=np.asfortranarray(images), y_train=labels.astype(">i8")[:, None], x_test=images[:4][:, ::-1]))
    np.testing.assert_array_equal(dataset.x_train, images)
    np.testing.assert_array_equal(dataset.x_test, images[:4, ::-1])
    np.testing.assert_array_equal(dataset.y_train, labels)
    assert dataset.x_train.flags.c_contiguous
    assert dataset.y_train.dtype.isnative
    assert not any(getattr(dataset, name).flags.writeable for name in NAMES)


def test_text_may_be_a_label(own_file):
    assert data.load(own_file(y_train=np.array(["犬", "cat"] * 3), y_test=None)).y_train.tolist() == ["犬", "cat"] * 3


def member(shape, content=b"", descr="|u1"):
    """An array as a file of NumPy's, with a header that may lie."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue() + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            member((10**12, 28, 28), bytes(784)),
            r"x_train cannot be read, .*uint8 .* would take 784000000000000 bytes, and 784",
        ),
        (member((2, 28, 28), bytes(784)), r"uint8 \(2, 28, 28\) would take 1568 bytes, and 784 are there"),
        (member((1, 28, 28), bytes(785)), r"uint8 \(1, 28, 28\) would take 784 bytes, and 785 are there"),
        (member((-1, -784), bytes(784)), r"x_train cannot be read, found ValueError"),
        (member((2**63, 2**63, 0)), r"x_train (cannot be read|must have shape)"),
        (
            member((1, 28, 28), bytes(784), "|O"),
            r"x_train cannot be read, .*Object arrays cannot be loaded, since that runs code",
        ),
        (b"not an array", r"x_train cannot be read, found ValueError"),
        (b"", r"x_train cannot be read, found ValueError"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, content, message):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("x_train.npy", content)
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path / "own.npz")


def test_white_is_not_for_the_digits():
    with pytest.raises(data.DataError, match="white is for pictures of your own, got white=255 with source='mnist': leave it out"):
        data.load(white=255)


def test_an_archive_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", member((128, 512, 512), bytes(2**25)))
    assert (tmp_path / "bomb.npz").stat().st_size < 2**16
    tracemalloc.start()
    with pytest.raises(data.DataError, match=r"bomb\.npz: with x_train, its arrays take 33,554,560 bytes, more than limit=30,000,000"):
        data.load(tmp_path / "bomb.npz", limit=30_000_000)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert len(data.load(tmp_path / "bomb.npz", limit=80_000_000, white="full").x_train) > 90


def test_arrays_count_together_against_the_limit(own_file):
    path = own_file(x_test=np.asfortranarray(pictures(4)))  # which cannot stay on the disk
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
    assert sizes["x_train"] == 128 + 6 * 5 * 7  # NumPy's header, and a byte a pixel
    together = sum(sizes.values())
    np.testing.assert_array_equal(data.load(path, limit=together).x_train, pictures(6))
    message = rf"own\.npz: with x_test, its arrays take {together} bytes, more than limit={together - 1}"
    with pytest.raises(data.DataError, match=message):
        data.load(path, limit=together - 1)


def test_images_beyond_the_limit_stay_on_the_disk(own_file):
    path, whole = own_file(), data.load(own_file())
    mapped = data.load(path, limit=500)  # the labels have 176 and 160 bytes
    for name in ("x_train", "x_test"):
        assert isinstance(getattr(mapped, name), np.memmap)
        assert not getattr(mapped, name).flags.writeable
        np.testing.assert_array_equal(getattr(mapped, name), getattr(whole, name))
    np.testing.assert_array_equal(mapped.y_train, whole.y_train)
    assert not isinstance(mapped.y_train, np.memmap)
    content = path.read_bytes()
    at = content.index(pictures(6).tobytes()) + 40
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(data.DataError, match=r"own\.npz: x_train cannot be read, found BadZipFile \(Bad CRC-32"):
        data.load(path, limit=500)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"x_train": pictures(6).astype("float32") / 255},
            {},
            "or save it as uint8 with np.savez, uncompressed: then it may stay on the disk",
        ),
        ({"x_train": np.asfortranarray(pictures(6))}, {}, "or save it as uint8 with np.savez"),
        ({}, {"white": 300}, "x_train is beyond the limit and stays on the disk, where white must be 255, got white=300: save it so"),
    ],
)
def test_what_cannot_stay_on_the_disk_as_it_is_is_refused_beyond_the_limit(own_file, changes, options, message):
    with pytest.raises(data.DataError, match=message):
        data.load(own_file(**changes), limit=500, **options)


def test_what_is_compressed_is_refused_beyond_the_limit(tmp_path):
    np.savez_compressed(tmp_path / "own.npz", x_train=pictures(6))
    with pytest.raises(
        data.DataError, match=r"more than limit=300: give a higher limit .* or save it as uint8 with np.savez, uncompressed"
    ):
        data.load(tmp_path / "own.npz", limit=300)


def test_images_on_the_disk_are_split_without_taking_them_into_memory(own_file):
    path = own_file(x_train=pictures(11), y_train=np.arange(11), x_test=None, y_test=None)
    with pytest.warns(UserWarning, match=r"own\.npz: without x_test, and too large to be in memory, the last fifth is kept to test with"):
        found = data.load(path, limit=300)
    assert isinstance(found.x_train, np.memmap)
    np.testing.assert_array_equal(found.x_test, pictures(11)[-2:])
    assert found.y_train.tolist() == list(range(9))


def test_an_npy_file_is_the_training_images(tmp_path):
    np.save(tmp_path / "own.npy", pictures(11))
    np.savez(tmp_path / "own.npz", x_train=pictures(11))
    found, expected = data.load(tmp_path / "own.npy"), data.load(tmp_path / "own.npz")
    np.testing.assert_array_equal(found.x_train, expected.x_train)
    np.testing.assert_array_equal(found.x_test, expected.x_test)
    with pytest.warns(UserWarning, match="the last fifth is kept"):
        mapped = data.load(tmp_path / "own.npy", limit=300)
    assert isinstance(mapped.x_train, np.memmap)
    np.testing.assert_array_equal(mapped.x_train, pictures(11)[:-2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"own\.npy is not there: check the path"),
        (b"", r"own\.npy cannot be read, found ValueError \(EOF"),
        (
            member((2, 5, 7), bytes(69)),
            r"own\.npy cannot be read, found ValueError \(uint8 \(2, 5, 7\) would take 70 bytes, and 69 are there",
        ),
        (
            member((2, 5, 7), bytes(560), "<f8"),
            r"own\.npy takes 688 bytes, more than limit=300: give a higher limit if you have the memory",
        ),
        (member((2, 5, 7), bytes(560), "|O"), "Object arrays cannot be loaded, since that runs code"),
    ],
)
def test_an_npy_file_that_is_none_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "own.npy").write_bytes(content)
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path / "own.npy", limit=300)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_does_not_write_is_refused(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "own.npz", "w", compression) as archive:
        archive.writestr("x_train.npy", member((1, 28, 28), bytes(784)))
    with pytest.raises(data.DataError, match=r"x_train cannot be read, found ValueError \(compression \d+, which NumPy does not write"):
        data.load(tmp_path / "own.npz")


def test_uint8_is_divided_by_255_whatever_its_layout():
    images = np.arange(256, dtype="uint8").reshape(2, 8, 16)
    expected = np.arange(256).reshape(2, 8, 16, 1) / 255
    for array in (images, np.asfortranarray(images), images[..., None]):
        np.testing.assert_allclose(data.as_images(array), expected, rtol=1e-7)
        assert data.as_images(array).flags.c_contiguous


def test_bool_is_black_and_white():
    np.testing.assert_array_equal(data.as_images([[[True, False]]]), [[[[1.0], [0.0]]]])


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64", "longdouble"])
def test_floats_of_any_width_keep_their_values(dtype):
    np.testing.assert_array_equal(data.as_images(np.array([[[0, 0.25, 0.5, 1]]], dtype))[0, 0, :, 0], [0, 0.25, 0.5, 1])


def test_rounding_outside_the_range_is_clipped():
    images = data.as_images(np.array([[[-9e-7, 1 + 9e-7]]]))
    assert images.min() == 0
    assert images.max() == 1


@pytest.mark.parametrize(
    "array",
    [
        pictures(2, 4, 5),
        pictures(2, 4, 5, 3),
        pictures(2, 4, 5) > 99,
        (pictures(2, 4, 5, 1) / 255).astype("float32"),
        pictures(2, 4, 5) / 255,
    ],
)
def test_the_result_is_new_float32_and_the_input_unchanged(array):
    before = array.copy()
    images = data.as_images(array)
    assert images.dtype == np.float32
    assert images.shape == (*array.shape[:3], array.shape[3] if array.ndim == 4 else 1)
    images[:] = 0.5
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([[[0.0, 255.0]]], r"must lie in \[0, 1\], found float64 from 0 to 255: images / 255"),
        ([[[0.0, 1 + 2e-6]]], r"must lie in \[0, 1\], found float64 from 0 to 1\.000002: divide by what white is, images / 1\.000002 if"),
        ([[[-1.0, 1.0]]], r"must lie in \[0, 1\], found float64 from -1 to 1: \(images \+ 1\) / 2"),
        ([[[-2e-6, 1.0]]], r"must lie in \[0, 1\], found float64 from -2e-06 to 1: np\.clip\(images, 0, 1\) if black is 0"),
        ([[[-2.5, 3.0]]], r'found float64 from -2\.5 to 3: \(images\.astype\("float64"\) \+ 2\.5\) / 5\.5 stretches them'),
        ([[[0.0, 256.0]]], r"must lie in \[0, 1\], found float64 from 0 to 256: divide by what white is, images / 256 if it is that"),
        ([[[0, 255]]], r'must be uint8, found int64 from 0 to 255: images\.astype\("uint8"\)'),
        ([[[0.0, 16.0]]], r"found float64 from 0 to 16: divide by what white is, images / 16 if it is that$"),
        ([[[0, 16]]], r"must be uint8, found int64 from 0 to 16: divide by what white is, images / 16 if it is that$"),
        ([[[0, 1]]], r"must be uint8, found int64 from 0 to 1: images > 0 if white is 1$"),
        (np.array([[[0, 65535]]], "uint16"), r"must be uint8, found uint16 from 0 to 65535: divide by what white is"),
        ([[[-1, 1]]], r'must be uint8, found int64 from -1 to 1: \(images\.astype\("float64"\) \+ 1\) / 2 stretches'),
        (
            [[[0.0, np.nan, np.nan, 1.0]]],
            r"must be finite, found float64 from nan to nan, with NaN or infinity in 2 places: np\.nan_to_num\(",
        ),
        ([[[0.0, np.inf]]], r"must be finite, found float64 from 0 to inf"),
        ([[[-np.inf, 1.0]]], r"must be finite, found float64 from -inf to 1"),
        (np.full((1, 2, 2), None), r"must be uint8, bool or float, found object"),
        (np.full((1, 2, 2), "0.5"), r"must be uint8, bool or float, found <U3"),
        (np.full((1, 2, 2), 0.5j), r"must be uint8, bool or float, found complex128"),
        ([np.zeros((5, 5)), np.zeros((5, 6))], r"found a ragged list: give all pictures the same height"),
        (np.zeros((28, 28)), r"found \(28, 28\): a single picture is images\[None\]"),
        (np.zeros((28, 28, 3)), r"found \(28, 28, 3\): a single picture with channels is images\[None\]"),
        (np.zeros((28, 28, 1)), r"found \(28, 28, 1\): a single picture with channels is images\[None\]"),
        (np.zeros((2, 1, 28, 28)), r"found \(2, 1, 28, 28\): put the channels last with np\.moveaxis\(images, 1, -1\)"),
        (np.zeros((2, 3, 28, 28)), r"found \(2, 3, 28, 28\): put the channels last with np\.moveaxis\(images, 1, -1\)"),
        (np.zeros((2, 28, 28, 4)), r"found \(2, 28, 28, 4\): keep three channels"),
        (np.zeros((2, 2, 28, 28, 1)), r"found \(2, 2, 28, 28, 1\): use images\.reshape"),
        (np.float32(0), r"found \(\): use images\.reshape"),
        ([], r"found \(0,\): give at least one picture"),
        (np.zeros((0, 28, 28)), r"found \(0, 28, 28\): give at least one picture"),
        (np.zeros((2, 0, 28)), r"found \(2, 0, 28\): give at least one picture"),
    ],
)
def test_what_would_be_misread_is_refused(array, message):
    with pytest.raises(data.DataError, match=message):
        data.as_images(array)


@pytest.mark.parametrize(
    ("array", "cure"),
    [
        (np.array([[[0, 255]]]), lambda images: images.astype("uint8")),
        (np.array([[[0, 1]]]), lambda images: images > 0),
        (np.array([[[0, 16]]]), lambda images: images / 16),
        (np.array([[[0.0, 255.0]]]), lambda images: images / 255),
        (np.array([[[-1.0, 1.0]]]), lambda images: (images + 1) / 2),
        (np.array([[[-3.0, 300.0]]]), lambda images: (images.astype("float64") + 3) / 303),
        (np.array([[[-128, 127]]], "int8"), lambda images: (images.astype("float64") + 128) / 255),
        (np.array([[[-0.01, 1.0]]]), lambda images: np.clip(images, 0, 1)),
    ],
)
def test_the_cures_give_black_and_white(array, cure):
    np.testing.assert_array_equal(data.as_images(cure(array)).ravel(), [0, 1])


def test_labels_are_names_where_classes_have_some_and_one_class_where_there_are_none():
    pictures = np.zeros((3, 8, 8), "uint8")

    def labels(y, classes=None):
        return data.labels(data.Dataset(pictures, y, pictures, y, classes))["training"].tolist()

    assert labels(np.array([1, 0, 1]), ("cat", "dog")) == ["dog", "cat", "dog"]
    assert labels(np.array(["b", "a", "b"])) == ["b", "a", "b"]
    assert labels(np.array([2.0, 0.0, 2.0])) == [2, 0, 2]
    assert labels(np.array([0.5, np.nan, 2.0])) == ["0.5", "nan", "2.0"]
    assert labels(None) == ["no label"] * 3
    mixed = data.labels(data.Dataset(pictures, np.array([0.5, 1, 2]), pictures, np.array([1, 2, 2])))
    assert (mixed["training"].tolist(), mixed["test"].tolist()) == (["0.5", "1.0", "2.0"], ["1.0", "2.0", "2.0"])


@pytest.mark.parametrize(("count", "kept"), [(0, 3), (2, 2), (5, 3)])
def test_the_first_images_are_kept_with_their_labels_if_there_are_any(count, kept):
    pictures, classes = np.arange(3 * 64, dtype="uint8").reshape(3, 8, 8), ("cat", "dog")
    first = data.first(data.Dataset(pictures, np.array([1, 0, 1]), pictures, np.array([0, 0, 1]), classes), count)
    np.testing.assert_array_equal(first.x_train, pictures[:kept])
    assert first.y_train.tolist() == [1, 0, 1][:kept]
    assert (len(first.x_test), len(first.y_test), first.classes) == (3, 3, classes)
    assert data.first(data.Dataset(pictures, None, pictures, None), count).y_train is None


@pytest.mark.parametrize("count", [-1, -60_000, 1.0, True, None, "3"])
def test_a_count_that_is_none_is_refused_in_one_sentence(digits, count):
    with pytest.raises(ValueError, match=rf"^count must be a whole number of at least 0, where 0 keeps all, got {count!r}$"):
        data.first(digits, count)
