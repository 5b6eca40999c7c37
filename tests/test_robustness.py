"""Whatever goes in: the right answer or one clear error, the input as it was, and nothing that is not finite out of what is.

Hypothesis looks for what breaks that, over shapes, types, layouts and ranges, and prints the smallest example. The examples are the same
in every run; `make test-all` tries many more.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convae_nb import baselines, checkerboard, data, metrics, models, noise

ALWAYS = {"derandomize": True, "deadline": None, "database": None}
few, some, many = (settings(max_examples=count, **ALWAYS) for count in (15, 60, 200))
HIGHEST = -10 * math.log10(1 / (12 * 255**2))  # dB, of an error like that of rounding to 256 levels

TYPES = ["u1", "?", "f2", "f4", ">f4", "f8", ">f8", "g"]
OTHERS = ["i1", "<i2", ">u2", "i4", "i8", "u8", "c8", "c16", "U3", "S2", "M8[s]", "m8[ms]", "O", "V2"]


def layouts(array, layout):
    """The same values as another kind of view, with other strides or flags."""
    if layout == "Fortran":
        return np.asfortranarray(array)
    if layout == "reversed":
        return array[::-1].copy()[::-1] if array.ndim else array
    if layout == "every other":
        return np.repeat(array, 2, axis=0)[::2] if array.ndim else array
    if layout == "read-only":
        array = array.copy()
        array.setflags(write=False)
    if layout == "broadcast" and array.ndim and len(array):
        return np.broadcast_to(array[:1], array.shape)
    return array


LAYOUTS = st.sampled_from(["C", "Fortran", "reversed", "every other", "read-only", "broadcast"])

pytestmark = pytest.mark.filterwarnings("ignore:images of uint8 are nearly black")


@st.composite
def anything(draw):
    """Any array: mostly of a type and shape that are none of images."""
    dtype = np.dtype(draw(st.sampled_from(TYPES * 2 + OTHERS)))
    sides = st.integers(0, 4)
    images = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)).flatmap(
        lambda shape: st.sampled_from([shape, (*shape, 1), (*shape, 3)])
    )
    shape = draw(images | st.lists(sides, max_size=5).map(tuple))
    if dtype.kind == "f":
        low, high = draw(st.sampled_from([(0, 1), (-1, 1), (0, 255), (None, None)]))
        width = {"f2": 16, "f4": 32}.get(dtype.str[1:], 64)
        elements = st.floats(low, high, width=width, allow_subnormal=True).map(dtype.type)
    elif dtype.kind in "OV":
        return layouts(np.empty(shape, dtype), draw(LAYOUTS))
    else:
        elements = arrays.from_dtype(dtype)
    return layouts(draw(arrays.arrays(dtype, shape, elements=elements)), draw(LAYOUTS))


@st.composite
def images(draw, least=1, most=9, channels=(1, 3), dtypes=TYPES, count=3):
    """Images that are to be taken as they are."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(st.tuples(st.integers(1, count), st.integers(least, most), st.integers(least, most)))
    depth = draw(st.sampled_from(channels))
    if depth != 1 or shape[2] in (1, 3) or draw(st.booleans()):
        shape = (*shape, depth)
    elements = st.floats(0, 1, width=32 if dtype.itemsize >= 4 else 16) if dtype.kind == "f" else arrays.from_dtype(dtype)
    return layouts(draw(arrays.arrays(dtype, shape, elements=elements, fill=elements)), draw(LAYOUTS))


def told(error):
    """The message of an error that a reader can act on: one sentence, not too long."""
    text = str(error)
    assert 20 < len(text) < 400, text
    assert "\n" not in text
    return text


def is_refused(call, kind=ValueError):
    with pytest.raises(kind) as caught:
        call()
    told(caught.value)


class Unchanged:
    """Holds an array's values, to tell at the end that nobody has written to it."""

    def __init__(self, *given):
        self.given, self.before = given, [(array.tobytes(), array.dtype, array.shape, array.strides) for array in given]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert [(array.tobytes(), array.dtype, array.shape, array.strides) for array in self.given] == self.before


def expected_images(array):
    """What the contract of `as_images` makes of an array, in other steps than its own; None where it refuses."""
    is_set = array.ndim == 3 and array.shape[2] not in (1, 3)
    is_set_with_channels = array.ndim == 4 and array.shape[3] in (1, 3)
    if array.size == 0 or not (is_set or is_set_with_channels):
        return None
    if array.dtype.name == "uint8":
        values = [value / 255 for value in array.ravel().tolist()]
    elif array.dtype.name == "bool" or array.dtype.kind == "f":
        values = [float(value) for value in array.ravel().tolist()]
        if not all(-1e-6 <= value <= 1 + 1e-6 for value in values):
            return None
        values = [min(max(value, 0.0), 1.0) for value in values]
    else:
        return None
    return np.float32(values).reshape(array.shape if is_set_with_channels else (*array.shape, 1))


@many
@given(anything())
def test_an_array_becomes_images_or_is_refused_in_a_sentence(array):
    expected = expected_images(array)
    with Unchanged(array) if array.dtype.kind != "O" else Unchanged():
        if expected is None:
            is_refused(lambda: data.as_images(array), data.DataError)
            return
        found = data.as_images(array)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=0)
    assert (found.dtype, found.flags.c_contiguous, found.flags.writeable) == (np.float32, True, True)
    assert not np.shares_memory(found, array)


@some
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3))
)
def test_what_is_no_array_becomes_images_or_is_refused_in_a_sentence(value):
    try:
        found = data.as_images(value)
    except data.DataError as error:
        told(error)
    else:
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.max() <= 1


KIND_AND_LEVEL = st.sampled_from(sorted(noise.KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.floats(noise.KINDS[kind].low, noise.KINDS[kind].high))
)


@some
@given(images(), KIND_AND_LEVEL, st.integers(0, 2**64))
def test_noise_stays_in_range_and_falls_on_an_image_whatever_comes_after_it(array, kind_and_level, seed):
    kind, level = kind_and_level
    with Unchanged(array):
        noisy = noise.corrupt(array, kind, level, seed)
        np.testing.assert_array_equal(noise.corrupt(array[:1], kind, level, seed), noisy[:1])
        np.testing.assert_array_equal(noise.corrupt(array, kind, 0, seed), data.as_images(array))
    assert noisy.dtype == np.float32
    assert noisy.shape == data.as_images(array).shape
    assert np.isfinite(noisy).all()
    assert noisy.min() >= 0
    assert noisy.max() <= 1


NO_NUMBER = st.none() | st.text(max_size=3) | st.booleans() | st.complex_numbers() | st.lists(st.integers(), max_size=2)
OUTSIDE = st.floats(max_value=-1e-300) | st.floats(min_value=5.001) | st.just(math.nan) | st.integers(max_value=-1) | NO_NUMBER


@some
@given(st.sampled_from(sorted(noise.KINDS)), OUTSIDE)
def test_a_level_outside_its_range_is_refused_in_a_sentence(kind, level):
    is_refused(lambda: noise.corrupt(np.zeros((1, 2, 2)), kind, level))


@some
@given(NO_NUMBER | st.integers(max_value=-1) | st.floats())
def test_a_seed_that_is_none_is_refused_in_a_sentence(seed):
    is_refused(lambda: noise.corrupt(np.zeros((1, 2, 2)), "blur", 1.0, seed))


@some
@given(st.text(max_size=20) | NO_NUMBER)
def test_a_kind_that_is_none_is_refused_in_a_sentence(kind):
    assume(kind not in noise.KINDS if isinstance(kind, str) else True)
    is_refused(lambda: noise.corrupt(np.zeros((1, 2, 2)), kind))


@st.composite
def pairs(draw, least=1):
    """Two sets of images of one shape, whose types and layouts may differ."""
    one = draw(images(least=least, most=least + 4))
    other = draw(images(dtypes=["u1", "f4"], least=1, most=1))
    values = draw(arrays.arrays(other.dtype, one.shape, elements=st.integers(0, 255) if other.dtype == "u1" else st.floats(0, 1, width=32)))
    return one, values


@some
@given(pairs())
def test_psnr_is_finite_and_symmetric(pair):
    with Unchanged(*pair):
        found = metrics.psnr(*pair)
    assert found.shape == pair[0].shape[:1]
    assert (found >= 0).all()
    assert (found <= HIGHEST + 1e-9).all()
    np.testing.assert_array_equal(found, metrics.psnr(*pair[::-1]))
    np.testing.assert_allclose(metrics.psnr(pair[0], pair[0]), HIGHEST)


@some
@given(pairs(least=11))
def test_ssim_is_finite_symmetric_and_1_for_equals_alone(pair):
    with Unchanged(*pair):
        found = metrics.ssim(*pair)
    assert found.shape == pair[0].shape[:1]
    assert (np.abs(found) <= 1 + 1e-9).all()
    np.testing.assert_allclose(found, metrics.ssim(*pair[::-1]), atol=1e-9)
    np.testing.assert_allclose(metrics.ssim(pair[0], pair[0]), 1)


@few
@given(images(most=10))
def test_ssim_of_images_too_small_for_its_window_is_refused_in_a_sentence(array):
    is_refused(lambda: metrics.ssim(array, array))


@some
@given(images(), st.data())
def test_no_loss_is_below_the_floor(array, more):
    dtype = more.draw(st.sampled_from(["f4", "f8", "f2", "i4"]))
    finite = {"allow_nan": False, "allow_infinity": False}
    elements = arrays.from_dtype(np.dtype(dtype), **(finite if dtype != "i4" else {}))
    logits = more.draw(arrays.arrays(dtype, array.shape, elements=elements))
    with Unchanged(array, logits):
        floor = metrics.entropy_floor(array)
        if dtype == "f8" and np.abs(logits).max() > 1.0000001 * float(np.finfo("f4").max):
            is_refused(lambda: metrics.binary_cross_entropy(array, logits))
            return
        loss = metrics.binary_cross_entropy(array, logits)
    assert math.isfinite(loss)
    assert 0 <= floor <= math.log(2) + 1e-6
    assert loss >= floor - 1e-6


@some
@given(images())
def test_trivial_predictors_are_finite_and_the_mean_image_is_the_best_of_those_that_are_constant(array):
    with Unchanged(array):
        table = metrics.trivial_predictors(array)
    assert np.isfinite(table.to_numpy()).all()
    assert table["excess"].min() > -1e-5
    assert table["loss"].idxmin() in ("mean image", "mean pixel", "black", "half grey")
    assert table.loc["mean image", "loss"] <= table["loss"].min() + 1e-5


@few
@given(anything(), anything())
def test_metrics_refuse_what_is_no_pair_of_images(one, other):
    fits = [expected_images(array) is not None for array in (one, other)]
    assume(not all(fits) or one.shape[1:3] != other.shape[1:3])
    for metric in (metrics.psnr, metrics.ssim):
        is_refused(lambda metric=metric: metric(one, other))


@pytest.fixture(scope="module")
def small_model():
    return models.build_autoencoder((2,), image_shape=(12, 12, 1))


@few
@given(images(least=12, most=12, channels=[1]))
def test_an_evaluation_is_finite(small_model, array):
    with Unchanged(array):
        (row,) = metrics.evaluate(small_model, array).to_dict("records")
    assert all(math.isfinite(row[name]) for name in ("loss", "excess", "PSNR", "SSIM", "dead_maps"))


def denoised_alike(name, array, kind, level):
    denoise = baselines.DENOISERS[name]
    with Unchanged(array):
        found = denoise(array, kind=kind, level=level)
        alone = denoise(array[-1:], kind=kind, level=level)
    assert found.dtype == np.float32
    assert found.shape == data.as_images(array).shape
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert not np.shares_memory(found, array)
    np.testing.assert_allclose(found[-1:], alone, atol=1e-6)


FITTED = ["ridge regression", "PCA"]
FILTERS = [name for name in baselines.DENOISERS if name not in FITTED]


@pytest.mark.parametrize("name", FILTERS)
@few
@given(images(most=8), KIND_AND_LEVEL)
def test_a_filter_takes_images_of_any_size_and_each_as_if_it_were_alone(name, array, kind_and_level):
    denoised_alike(name, array, *kind_and_level)


@pytest.mark.parametrize("name", FITTED)
@few
@given(images(least=28, most=28, channels=[1], count=2))
def test_what_is_fitted_to_digits_takes_any_image_of_their_size(name, array):
    denoised_alike(name, array, "gaussian", 0.5)


@pytest.mark.parametrize("name", FITTED)
@few
@given(images(most=5))
def test_what_is_fitted_to_digits_refuses_other_sizes_in_a_sentence(name, array):
    is_refused(lambda: baselines.DENOISERS[name](array, kind="gaussian", level=0.5))


@pytest.mark.parametrize("name", baselines.DENOISERS)
@few
@given(anything())
def test_denoisers_refuse_what_is_no_image_in_a_sentence(name, array):
    assume(expected_images(array) is None)
    is_refused(lambda: baselines.DENOISERS[name](array, kind="gaussian", level=0.5), data.DataError)


@some
@given(st.data(), st.sampled_from(["f4", "f8", "f2", ">f8", "g", "u1", "?", "i8", "u8"]), LAYOUTS, st.integers(2, 4))
def test_the_checkerboard_index_is_finite_for_any_numbers(more, dtype, layout, factor):
    dtype = np.dtype(dtype)
    side = st.integers(4 * factor, 4 * factor + 3)
    shape = more.draw(st.tuples(st.integers(1, 2), side, side) | st.tuples(st.integers(1, 2), side, side, st.integers(1, 4)))
    finite = {"allow_nan": False, "allow_infinity": False}
    elements = arrays.from_dtype(dtype, **finite) if dtype.kind == "f" else arrays.from_dtype(dtype)
    array = layouts(more.draw(arrays.arrays(dtype, shape, elements=elements)), layout)
    with Unchanged(array):
        found = checkerboard.checkerboard_index(array, factor)
    assert found.shape == shape[:1]
    assert np.isfinite(found).all()
    assert (found >= 0).all()


@some
@given(anything(), st.integers(-1, 3) | NO_NUMBER)
def test_the_checkerboard_index_refuses_what_it_cannot_measure_in_a_sentence(array, factor):
    # No side of these arrays has the 8 pixels that a factor of 2 needs.
    is_refused(lambda: checkerboard.checkerboard_index(array, factor))


WHOLE = st.integers(1, 3) | st.integers(1, 3).map(np.int64)
GOOD = {
    "filters": st.lists(WHOLE, min_size=1, max_size=5) | st.lists(WHOLE, min_size=1, max_size=5).map(tuple),
    "decoder": st.sampled_from(sorted(models.DECODERS)),
    "image_shape": st.tuples(st.integers(8, 19), st.integers(8, 19), st.sampled_from([1, 3])),
    "kernel_size": st.integers(1, 9),
    "seed": st.integers(0, 2**70),
    "output_convolution": st.booleans(),
}
NONE_WHOLE = NO_NUMBER | st.floats() | st.integers(max_value=-1)
BAD = {
    "filters": NONE_WHOLE | st.lists(st.integers(max_value=0) | st.floats() | st.none(), min_size=1, max_size=3) | st.just([2] * 6),
    "decoder": st.text(max_size=15) | NONE_WHOLE,
    "image_shape": st.lists(st.integers(-1, 7) | st.floats(), max_size=5) | NONE_WHOLE | st.just((28, 28)) | st.just((28, 28, 2)),
    "kernel_size": NONE_WHOLE | st.just(0),
    "seed": NONE_WHOLE,
}


@few
@given(st.fixed_dictionaries({}, optional=GOOD), st.data())
def test_an_autoencoder_gives_finite_images_of_the_shape_that_came_in(arguments, more):
    model = models.build_autoencoder(**arguments)
    shape = arguments.get("image_shape", (28, 28, 1))
    logits = model(more.draw(arrays.arrays("f4", (1, *shape), elements=st.floats(0, 1, width=32)))).numpy()
    assert logits.shape == (1, *shape)
    assert np.isfinite(logits).all()
    assert 1 <= len(model.get_layer("encoder").output.shape) <= 4


@pytest.mark.parametrize("name", BAD)
@few
@given(st.data())
def test_an_autoencoder_with_an_argument_out_of_range_is_refused_in_a_sentence(name, more):
    value = more.draw(BAD[name])
    assume(not (name == "decoder" and value in list(models.DECODERS)))
    assume(not (name == "filters" and isinstance(value, list) and value and value[0] in range(1, 99)))
    is_refused(lambda: models.build_autoencoder(**{name: value}))
