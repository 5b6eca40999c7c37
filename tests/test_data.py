import dataclasses
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest

from convae_nb import data

NAMES = ["x_train", "y_train", "x_test", "y_test"]


@pytest.fixture(scope="module")
def digits():
    return data.load()


@pytest.fixture
def load_altered(digits, tmp_path, monkeypatch):
    """Load MNIST from a file that holds other arrays in some places (None: none)."""

    def load(**changes):
        arrays = {name: getattr(digits, name) for name in NAMES} | changes
        monkeypatch.setattr(data, "_DIGITS", tmp_path / "mnist.npz")
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
    monkeypatch.setattr(data, "_DIGITS", tmp_path / "mnist.npz")
    with pytest.raises(data.DataError, match=r"mnist\.npz is not there"):
        data.load()


def test_a_file_of_ones_own_is_read_as_it_is(own_file):
    colour = pictures(3, 8, 9, 3)
    dataset = data.load(own_file(x_test=colour, y_test=None))
    np.testing.assert_array_equal(dataset.x_train, pictures(6))
    np.testing.assert_array_equal(dataset.y_train, np.arange(6))
    np.testing.assert_array_equal(dataset.x_test, colour)
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
        ({"x_test": None}, r"own\.npz should hold x_test, found \['x_train', 'y_train', 'y_test'\]"),
        ({"x_train": pictures(6) / 255}, r"own\.npz: x_train must be uint8, 0 to 255, found float64"),
        ({"x_test": pictures(4, 3, 5, 7)}, r"own\.npz: x_test must have shape .* found \(4, 3, 5, 7\): put the channels last"),
        ({"x_test": np.uint8(3)}, r"own\.npz: x_test must have shape .* found \(\)"),
        ({"x_train": pictures(0, 5, 7), "y_train": None}, r"own\.npz: x_train must have shape .* found \(0, 5, 7\)"),
        ({"y_train": np.arange(5)}, r"own\.npz: y_train must hold a label for each of the 6 images of x_train, found \(5,\)"),
        ({"y_test": np.array(1)}, r"own\.npz: y_test must hold a label for each of the 4 images of x_test, found \(\)"),
    ],
)
def test_a_file_with_other_arrays_is_refused(own_file, changes, message):
    with pytest.raises(data.DataError, match=message):
        data.load(own_file(**changes))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar10", r"source='cifar10' is not known: give \"mnist\" or the path of a \.npz file"),
        (3, "source='3' is not known"),
        ("digits.npz", r"digits\.npz is not there: check the path, 'digits\.npz'"),
    ],
)
def test_an_unknown_source_is_refused(source, message):
    with pytest.raises(data.DataError, match=message):
        data.load(source)


def test_a_folder_is_refused_by_name(tmp_path):
    (tmp_path / "pictures.npz").mkdir()
    with pytest.raises(data.DataError, match=r"pictures\.npz' is a folder, and folders of pictures are not read yet"):
        data.load(tmp_path / "pictures.npz")


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
        ([[[0.0, 1 + 2e-6]]], r"must lie in \[0, 1\], found float64 from 0 to 1\.000002: images / 255"),
        ([[[-1.0, 1.0]]], r"must lie in \[0, 1\], found float64 from -1 to 1: \(images \+ 1\) / 2"),
        ([[[-2e-6, 1.0]]], r"must lie in \[0, 1\], found float64 from -2e-06 to 1: \(images \+ 1\) / 2"),
        ([[[-2.5, 3.0]]], r"must lie in \[0, 1\], found float64 from -2\.5 to 3: \(images - images\.min\(\)\) / np\.ptp\(images\)"),
        ([[[0.0, 256.0]]], r"must lie in \[0, 1\], found float64 from 0 to 256: \(images - "),
        ([[[0, 255]]], r'must be uint8, found int64 from 0 to 255: images\.astype\("uint8"\)'),
        (np.array([[[0, 65535]]], "uint16"), r"must be uint8, found uint16 from 0 to 65535: divide by what white is"),
        ([[[-1, 1]]], r"must be uint8, found int64 from -1 to 1: divide"),
        ([[[0.0, np.nan, np.nan, 1.0]]], r"must be numbers, found NaN in 2 places"),
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
        (np.array([[[0, 1]]]), lambda images: images.astype("bool")),
        (np.array([[[0.0, 255.0]]]), lambda images: images / 255),
        (np.array([[[-1.0, 1.0]]]), lambda images: (images + 1) / 2),
        (np.array([[[-3.0, 300.0]]]), lambda images: (images - images.min()) / np.ptp(images)),
    ],
)
def test_the_cures_give_black_and_white(array, cure):
    np.testing.assert_array_equal(data.as_images(cure(array)).ravel(), [0, 1])
