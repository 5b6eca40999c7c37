import numpy as np
import pytest

from convae_nb import baselines, data, metrics


@pytest.fixture(scope="module")
def digits():
    return data.as_images(data.load().x_train[:1000])[:, 6:22, 6:22]  # where the ink is


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


# More images than values, and fewer: scikit-learn's solver differs.
@pytest.mark.parametrize("shape", [(100, 5, 4, 3), (40, 9, 8, 1)])
@pytest.mark.parametrize("numbers", [1, 7, 30])
def test_pca_is_the_truncated_singular_value_decomposition(shape, numbers):
    images, unseen = 0.4 + 0.2 * random_images(*shape), 0.4 + 0.2 * random_images(6, *shape[1:], seed=1)
    flat = images.reshape(len(images), -1).astype("float64")
    axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:numbers]
    projected = (unseen.reshape(6, -1) - flat.mean(axis=0)) @ axes.T @ axes + flat.mean(axis=0)

    codec = baselines.pca_codec(images, numbers)
    codes = codec.encode(unseen)
    decoded = codec.decode(codes)
    assert codes.shape == (6, numbers)
    assert decoded.dtype == "float32"
    np.testing.assert_allclose(decoded, projected.reshape(unseen.shape), atol=1e-6)


def test_the_error_on_the_training_digits_is_what_the_singular_values_leave(digits):
    flat = digits.reshape(len(digits), -1).astype("float64")
    left = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[128:]
    codec = baselines.pca_codec(digits, 128)
    decoded = codec.pca.inverse_transform(codec.encode(digits))
    assert np.sum((decoded - flat) ** 2) == pytest.approx(np.sum(left**2), rel=1e-4)
    # Pixels are never beyond black and white, so the clipped images are nearer still.
    assert np.sum((codec.decode(codec.encode(digits)) - digits) ** 2) < np.sum(left**2)


def test_as_many_numbers_as_values_lose_nothing():
    images, unseen = random_images(30, 4, 5), random_images(6, 4, 5, seed=1)
    codec = baselines.pca_codec(images, 20)
    assert codec.weights == 20 * 20 + 20
    np.testing.assert_allclose(codec.decode(codec.encode(unseen))[..., 0], unseen, atol=1e-6)


def test_decoded_images_stay_in_range():
    codec = baselines.pca_codec(random_images(30, 4, 5), 3)
    decoded = codec.decode([[100.0, -100.0, 100.0]])
    assert (decoded.min(), decoded.max()) == (0, 1)


def test_two_fits_are_the_same_bits(digits):
    first, second = (baselines.pca_codec(digits, np.int64(16)).encode(digits[:50]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_uint8_and_float_images_give_the_same_code():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 5), "uint8")
    codec = baselines.pca_codec(pixels, 3)
    np.testing.assert_allclose(codec.encode(pixels), baselines.pca_codec(pixels / 255, 3).encode(pixels / 255), atol=1e-6)


@pytest.mark.parametrize("numbers", [0, -1, 21, 2.0, True, "mle", None])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ValueError, match=rf"numbers must be a whole number from 1 to 20, for 30 images of 20 values, got {numbers!r}"):
        baselines.pca_codec(random_images(30, 4, 5), numbers)


def test_there_are_no_more_numbers_than_images():
    with pytest.raises(ValueError, match="from 1 to 6, for 6 images of 20 values, got 7"):
        baselines.pca_codec(random_images(6, 4, 5), 7)


def test_images_and_codes_of_another_size_are_refused():
    codec = baselines.pca_codec(random_images(30, 4, 5), 3)
    with pytest.raises(ValueError, match=r"fitted to images of shape \(4, 5, 1\), got \(5, 4, 1\)"):
        codec.encode(random_images(2, 5, 4))
    for codes in (np.zeros((2, 4)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"codes must have the shape \(batch, 3\), got"):
            codec.decode(codes)


# Principal components of patches


def by_hand(images, cells, maps, shared):
    """Reconstruct patch by patch, by the singular value decomposition of all patches or of those of one cell."""
    height, width = images.shape[1] // cells[0], images.shape[2] // cells[1]
    places = [(slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width)) for i, j in np.ndindex(cells)]
    patches = [images[:, *place].reshape(len(images), -1) for place in places]
    drawn = np.empty_like(images)
    for place, own in zip(places, patches, strict=True):
        known = np.concatenate(patches) if shared else own
        axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][:maps]
        restored = (own - known.mean(axis=0)) @ axes.T @ axes + known.mean(axis=0)
        drawn[:, *place] = restored.clip(0, 1).reshape(len(images), height, width, -1)
    return drawn


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("shape", "cells"), [((8, 12, 1), (2, 3)), ((6, 4, 3), (3, 1))])
def test_patches_are_coded_by_their_components(shape, cells, shared):
    images = random_images(40, *shape)
    codec = baselines.patch_pca_codec(images, (*cells, 2), shared=shared)
    codes = codec.encode(images)
    assert codes.shape == (40, *cells, 2)
    np.testing.assert_allclose(codec.decode(codes), by_hand(images, cells, 2, shared), atol=1e-5)
    values = np.prod(shape) // np.prod(cells)
    assert codec.weights == 3 * values * (1 if shared else np.prod(cells))


def test_cells_that_do_not_divide_an_image_lose_none_of_it():
    images = random_images(200, 7, 5)
    codec = baselines.patch_pca_codec(images, (2, 2, 12), shared=False)
    np.testing.assert_allclose(codec.decode(codec.encode(images)), images[..., None], atol=1e-5)


def test_patches_know_less_than_the_whole_and_more_where_each_cell_has_its_own(digits):
    codecs = [baselines.patch_pca_codec(digits, (4, 4, 8), shared=shared) for shared in (True, False)]
    codecs.append(baselines.pca_codec(digits, 128))
    psnr = [metrics.psnr(digits, codec.decode(codec.encode(digits))).mean() for codec in codecs]
    assert psnr == sorted(psnr)
    assert [codec.weights for codec in codecs[:2]] == [16 * 9, 16 * 16 * 9]


def test_more_maps_than_a_patch_has_values_are_as_many_as_it_has():
    images = random_images(30, 8, 8)
    codec = baselines.patch_pca_codec(images, (4, 4, 9), shared=True)
    assert codec.encode(images).shape == (30, 4, 4, 4)
    np.testing.assert_allclose(codec.decode(codec.encode(images)), images[..., None], atol=1e-5)


@pytest.mark.parametrize(
    ("code_shape", "message"),
    [
        ((9, 2, 1), r"code_shape must have no more cells a side than the images have pixels, \(8, 8\), got \(9, 2, 1\)"),
        ((4, 4, 0), "numbers must be a whole number from 1 to 4"),
    ],
)
def test_codes_that_no_patches_have_are_refused(code_shape, message):
    with pytest.raises(ValueError, match=message):
        baselines.patch_pca_codec(random_images(30, 8, 8), code_shape, shared=True)


def test_images_and_codes_of_other_shapes_than_the_patches_are_refused():
    codec = baselines.patch_pca_codec(random_images(30, 8, 8), (2, 2, 3), shared=True)
    with pytest.raises(ValueError, match=r"the code is fitted to images of shape \(8, 8, 1\), got \(8, 9, 1\)"):
        codec.encode(random_images(1, 8, 9))
    with pytest.raises(ValueError, match=r"codes must have the shape \(batch, 2, 2, 3\), got \(1, 2, 3, 2\)"):
        codec.decode(np.zeros((1, 2, 3, 2)))
