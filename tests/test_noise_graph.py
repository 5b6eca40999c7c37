import numpy as np
import pytest
from scipy import ndimage, stats

from convae_nb import data, noise
from convae_nb._base.tensorflow import tf
from convae_nb.noise import graph

LEVELS = {"gaussian": 0.5, "speckle": 0.7, "salt_and_pepper": 0.3, "poisson": 0.4, "occlusion": 0.4}


def draw(images, kind, low, high=None, seed=(0, 0)):
    return graph.corrupt(tf.constant(images), kind, low, low if high is None else high, seed).numpy()


@pytest.fixture(scope="module")
def digits():
    return data.as_images(data.load().x_test[:400])


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_pixels_have_the_distribution_of_corrupt(kind, grey):
    flat = np.full((300, 12, 16, 1), grey, dtype="float32")
    here, there = draw(flat, kind, LEVELS[kind]), noise.corrupt(flat, kind, LEVELS[kind], seed=0)
    if kind == "occlusion":  # a square's pixels hang together: compare where squares lie, which depends on nothing else
        np.testing.assert_allclose((here == 0).mean(axis=0), (there == 0).mean(axis=0), atol=0.15)
        np.testing.assert_array_equal((here == 0).sum(axis=(1, 2, 3)), (there == 0).sum(axis=(1, 2, 3)))
    else:
        assert stats.ks_2samp(here.ravel().round(4), there.ravel().round(4)).statistic < 0.02


@pytest.mark.parametrize(("level", "side"), [(0.01, 0), (0.25, 5), (0.5, 10), (1.0, 20)])
def test_occlusion_is_one_black_square_with_a_share_of_the_shorter_side(level, side):
    for image in draw(np.ones((20, 20, 31, 3), "float32"), "occlusion", level):
        rows, columns, _ = np.nonzero(image == 0)
        assert (image == 0).sum() == 3 * side**2
        if side:
            assert (np.ptp(rows), np.ptp(columns)) == (side - 1, side - 1)


def test_occlusion_is_anywhere_alike_and_flush_with_the_border_too():
    black = draw(np.ones((6000, 8, 10, 1), "float32"), "occlusion", 0.5)[..., 0] == 0
    tops, lefts = black.any(axis=2).argmax(axis=1), black.any(axis=1).argmax(axis=1)
    places = np.bincount(tops * 7 + lefts, minlength=35)  # of a square of 4: 5 rows and 7 columns to begin at
    assert len(places) == 35
    assert stats.chisquare(places).pvalue > 1e-3


@pytest.mark.parametrize("level", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 31, 3)])
def test_blur_is_scipys(level, shape):
    images = np.random.default_rng(0).uniform(size=(3, *shape)).astype("float32")
    expected = ndimage.gaussian_filter(images, level, mode="reflect", axes=(1, 2))
    np.testing.assert_allclose(draw(images, "blur", level), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [*LEVELS, "blur"])
def test_the_seed_decides_and_values_stay_in_range(digits, kind):
    level = LEVELS.get(kind, 1.5)
    first = draw(digits, kind, level, seed=(3, 4))
    np.testing.assert_array_equal(first, draw(digits, kind, level, seed=(3, 4)))
    assert np.array_equal(first, draw(digits, kind, level, seed=(3, 5))) == (kind == "blur")
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize("kind", [*LEVELS, "blur"])
def test_level_zero_in_a_range_changes_nothing_to_speak_of(digits, kind):
    np.testing.assert_allclose(draw(digits, kind, 0.0, 1e-9), digits, atol=2 / 255)


def test_a_range_gives_each_image_a_level_of_its_own():
    grey = np.full((500, 20, 20, 1), 0.5, dtype="float32")
    spread = draw(grey, "gaussian", 0.0, 0.2).std(axis=(1, 2, 3))
    assert stats.kstest(spread, stats.uniform(0, 0.2).cdf).statistic < 0.08


def test_hidden_pixels_show_one_of_their_neighbours_and_the_others_stay():
    places = np.arange(12 * 9, dtype="float32").reshape(1, 12, 9, 1)  # each pixel says where it is
    images = np.tile(places, (4000, 1, 1, 1))
    shown, hidden = (tensor.numpy() for tensor in graph.hide(tf.constant(images), 0.1, (3, 5)))
    assert set(np.unique(hidden)) == {0, 1}
    assert hidden.mean() == pytest.approx(0.1, abs=0.005)
    np.testing.assert_array_equal(shown[hidden == 0], images[hidden == 0])
    _, row, column, _ = np.nonzero(hidden)
    there = shown[hidden == 1].astype(int)
    down, right = there // 9 - row, there % 9 - column
    assert max(np.abs(down).max(), np.abs(right).max()) == 2
    inside = (row >= 2) & (row < 10) & (column >= 2) & (column < 7)
    steps = np.histogram2d(down[inside], right[inside], bins=[np.arange(-2.5, 3)] * 2)[0]
    assert steps[2, 2] == 0, "its own value is what must not be seen"
    assert stats.chisquare(steps.ravel()[np.arange(25) != 12]).pvalue > 1e-3


def test_colours_are_hidden_together_and_the_seed_decides():
    images = tf.constant(np.random.default_rng(0).random((50, 8, 8, 3), dtype="float32"))
    shown, hidden = graph.hide(images, 0.3, (1, 2))
    assert hidden.shape == (50, 8, 8, 1)
    changed = (shown != images).numpy()
    assert (changed.all(axis=-1) == changed.any(axis=-1)).all()
    np.testing.assert_array_equal(shown, graph.hide(images, 0.3, (1, 2))[0])
    assert (shown != graph.hide(images, 0.3, (1, 3))[0]).numpy().any()
