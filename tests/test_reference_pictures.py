"""Decoders on other pictures than digits: how that is measured, and the tables that ship."""

import numpy as np
import pytest
from skimage import data as photographs

from convae_nb import checkerboard, data, models, reference, training
from convae_nb.reference import pictures, tables


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Networks that are not trained, two seeds, and a folder to write into instead of the package's."""
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    monkeypatch.setattr(pictures, "_SEEDS", (0, 1))
    monkeypatch.setattr(training, "train", lambda *arguments, **options: None)


def test_patches_to_train_come_from_left_halves_and_those_to_test_from_right_ones():
    for colour, names in (
        (False, ("astronaut", "camera", "chelsea", "coffee", "rocket")),
        (True, ("astronaut", "chelsea", "coffee", "rocket")),
    ):
        patches = data.photograph_patches(colour=colour)
        sizes = [getattr(photographs, name)().shape[:2] for name in names]
        halves = [((height, width // 2), (height, width - width // 2)) for height, width in sizes]
        for images, side, step in ((patches.x_train, 0, 8), (patches.x_test, 1, 32)):
            assert len(images) == sum(((half[side][0] - 32) // step + 1) * ((half[side][1] - 32) // step + 1) for half in halves)
            assert images.shape[1:] == ((32, 32, 3) if colour else (32, 32))
            assert images.dtype == np.uint8
    astronaut = photographs.astronaut()
    np.testing.assert_array_equal(patches.x_train[0], astronaut[:32, :32])
    np.testing.assert_array_equal(patches.x_train[1], astronaut[:32, 8:40])
    np.testing.assert_array_equal(patches.x_test[0], astronaut[:32, 256:288])


def test_a_saturation_moves_colours_from_their_grey():
    patches = np.array([[[[200, 100, 50], [90, 90, 90]]]], dtype=np.uint8)  # (1, 1, 2, 3)
    grey = 0.2125 * 200 + 0.7154 * 100 + 0.0721 * 50
    as_grey, as_is, stronger = (pictures._coloured(patches, np.array([saturation])) for saturation in (0.0, 1.0, 1.25))
    np.testing.assert_array_equal(as_grey[0, 0], [[round(grey)] * 3, [90] * 3])
    np.testing.assert_array_equal(as_is, patches)
    np.testing.assert_array_equal(stronger[0, 0, 0], np.rint(grey + 1.25 * (patches[0, 0, 0] - grey)))
    assert pictures._coloured(patches, np.array([9.0]))[0, 0, 0].tolist() == [255, 0, 0]  # clipped


def test_a_pattern_has_its_amplitude_and_what_is_slower_has_none():
    rows, columns = np.indices((32, 32))
    board = (-1.0) ** (rows + columns)
    slow = np.cos(2 * np.pi * rows / 8)
    for picture, amplitude in ((0.5 + 0.1 * board, 0.1), (0.2 * (-1.0) ** rows + slow, 0.2), (slow, 0), (np.full((32, 32), 0.7), 0)):
        assert pictures._pattern(np.tile(picture[None, :, :, None], (3, 1, 1, 2))) == pytest.approx(amplitude, abs=1e-12)


def test_of_a_planted_board_that_share_is_told_that_comes_back(quick, tmp_path, monkeypatch):
    digits = data.load()
    monkeypatch.setattr(data, "load", lambda: data.Dataset(digits.x_train[:50], None, digits.x_test[:40], None))
    monkeypatch.setattr(models, "reconstruct", lambda model, images: 0.4 * images + 0.1)
    pictures.measure_planted(tmp_path)
    table = reference.planted()
    assert table["digits"].tolist() == pytest.approx([0.4] * 8)
    tied = table[(table["decoder"] != "transposed_4x4") & table["output_convolution"]]
    assert tied["flat code"].tolist() == pytest.approx([0] * 4, abs=1e-4)
    assert (table[table["decoder"] == "transposed_4x4"]["flat code"] != 0).all()


def test_photographs_are_measured_all_together_and_the_even_ones(quick, tmp_path, monkeypatch):
    drawn = 128 + (np.random.default_rng(0).random((40, 32, 32)) - 0.5) * np.linspace(10, 250, 40)[:, None, None]
    patches = data.Dataset(drawn[:8].astype(np.uint8), None, np.uint8(drawn), None)
    monkeypatch.setattr(data, "photograph_patches", lambda **options: patches)
    pictures.measure_photographs(tmp_path)
    table = reference.photographs().set_index(["decoder", "seed"])
    index = checkerboard.checkerboard_index(data.as_images(patches.x_test))
    assert table.loc[("original", 0), "all_2"] == pytest.approx(np.median(index), abs=1e-3)
    assert table.loc[("original", 0), "even_2"] == pytest.approx(np.median(index[:10]), abs=1e-3)
    assert len(table) == 1 + 2 * 3


def test_colours_are_measured_at_each_saturation(quick, tmp_path, monkeypatch):
    whole = data.photograph_patches(colour=True)
    monkeypatch.setattr(data, "photograph_patches", lambda **options: data.Dataset(whole.x_train[:8], None, whole.x_test[:16], None))
    pictures.measure_colours(tmp_path)
    table = reference.colours()
    assert len(table) == (1 + 2 * 3) * len(pictures._SATURATIONS)
    grey = data.as_images(whole.x_test[:16])
    even = whole.x_test[:16][np.argsort(grey.std(axis=(1, 2)).mean(axis=-1))[:4]]
    own = table[(table["decoder"] == "original") & (table["saturation"] == 1)]
    assert own["index"].item() == pytest.approx(np.median(checkerboard.checkerboard_index(data.as_images(even))), abs=1e-3)


def test_all_pictures_ship_with_all_their_seeds():
    assert reference.planted().groupby(["decoder", "output_convolution"])["seed"].apply(set).tolist() == [set(pictures._SEEDS)] * 4
    for table in (reference.photographs(), reference.colours()):
        trained = table[table["decoder"] != "original"].groupby("decoder")["seed"].apply(set)
        assert trained.to_dict() == {decoder: set(pictures._SEEDS) for decoder in pictures._DECODERS}
        assert table.notna().all(axis=None)
