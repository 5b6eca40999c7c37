"""Networks in files, and on pictures of any size."""

import json
import zipfile

import numpy as np
import pytest

from convae_nb import data, errors, models
from convae_nb._base import archive
from convae_nb.models.ways_up import DECODERS

TRAINED = {"recipe": {"epochs": 2, "noise_kind": "gaussian", "noise_level": [0.0, 0.25]}, "images": "photographs"}


def unlike_its_start(*args, **options):
    """A network with weights of its own, biases included."""
    model = models.build_autoencoder(*args, **options)
    rng = np.random.default_rng(0)
    model.set_weights([weight + rng.normal(0, 0.2, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({}, (28, 28, 1)),
        ({"filters": (4, 3), "decoder": "subpixel", "image_shape": (17, 22, 3), "kernel_size": 2, "skips": "concatenate"}, (17, 22, 3)),
        ({"filters": (4, 3), "decoder": "bilinear", "output_convolution": False, "skips": "add"}, (28, 28, 1)),
    ],
)
def test_a_network_comes_back_from_its_file_with_what_was_said_of_it(tmp_path, arguments, shape):
    model = unlike_its_start(**arguments)
    models.save(model, tmp_path / "network.npz", trained=TRAINED)
    again = models.load(tmp_path / "network.npz")
    images = np.random.default_rng(1).random((3, *shape), dtype="float32")
    np.testing.assert_array_equal(models.predict(again, images), models.predict(model, images))
    about = models.about(tmp_path / "network.npz")
    assert about["trained"] == TRAINED
    assert about["model"] == model.built_with
    assert about["model"].items() >= {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}.items()
    assert set(about["versions"]) == {"tensorflow", "keras"}
    # And from there into the next file.
    models.save(again, tmp_path / "again.npz")
    assert models.about(tmp_path / "again.npz")["trained"] == {}
    with np.load(tmp_path / "network.npz", allow_pickle=False) as stored:
        assert {array.dtype.kind for array in stored.values()} == {"f", "u"}


def test_what_is_no_network_of_ours_is_not_saved(tmp_path):
    encoder = models.build_autoencoder().get_layer("encoder")
    with pytest.raises(ValueError, match=r"the model must be of models\.build_autoencoder, got Functional 'encoder'"):
        models.save(encoder, tmp_path / "network.npz")
    with pytest.raises(ValueError, match=r"trained must be what JSON can hold, got .*set"):
        models.save(models.build_autoencoder(), tmp_path / "network.npz", trained={"images": {1}})
    assert not list(tmp_path.iterdir())


def rewritten(path, **changes):
    """Write a file anew with other arrays or another record, and a digest that fits."""
    with np.load(path) as stored:
        arrays = dict(stored)
    record = json.loads(arrays.pop("record").tobytes())
    arrays.pop("digest")
    record["model"] |= changes.pop("model", {})
    arrays |= changes
    text = np.frombuffer(json.dumps(record).encode(), np.uint8)
    weights = [arrays[name] for name in sorted(arrays)]
    np.savez(path, **arrays, record=text, digest=archive.digest([*weights, text]))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"filters": [10**9, 8, 8]}},
        {"model": {"filters": [512] * 5}},
        {"model": {"filters": [8, 8, 8]}},
        {"model": {"kernel_size": 10**9}},
        {"model": {"image_shape": [10**400, 28, 1]}},
        {"model": {"skips": "concatenate"}},
        {"model": {"decoder": "__import__"}},
        {"model": {"anything": 1}},
        {"000": np.zeros((3, 3, 1, 15), "float32")},
    ],
)
def test_a_file_that_states_another_network_than_it_holds_is_refused_in_one_sentence(tmp_path, changes):
    path = tmp_path / "network.npz"
    models.save(models.build_autoencoder(), path)
    rewritten(path, **changes)
    with pytest.raises(data.DataError, match=r"network\.npz holds no network .*: it is no whole file of models\.save") as error:
        models.load(path)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    models.save(models.build_autoencoder(), path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1000], whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:]):
        path.write_bytes(damaged)
        with pytest.raises(data.DataError):
            models.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("record.npy", b"no array")
    with pytest.raises(data.DataError):
        models.about(path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "network.npz"
    models.save(models.build_autoencoder(), path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        models.save(models.build_autoencoder(seed=1), path)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("filters", "kernel_size", "skips"), [((6, 4, 3), 3, "none"), ((4, 3), 2, "concatenate")])
def test_tiles_leave_no_seams(decoder, filters, kernel_size, skips):
    model = unlike_its_start(filters, decoder, kernel_size=kernel_size, skips=skips)
    picture = np.random.default_rng(1).random((90, 131), dtype="float32")
    # A network for the whole picture, which goes on as in a mirror on all sides.
    around = np.pad(picture, ((64, 64 + 6), (64, 64 + 5)), mode="symmetric")
    large = models.build_autoencoder(filters, decoder, (*around.shape, 1), kernel_size, skips=skips)
    large.set_weights(model.get_weights())
    expected = models.reconstruct(large, around[None])[0, 64:154, 64:195, 0]
    for tile in (24, 64, 512):
        np.testing.assert_allclose(models.denoise(model, picture, tile=tile), expected, atol=1e-5)


def test_a_network_for_grey_takes_colours_one_by_one_and_one_for_colours_takes_grey():
    grey, coloured = unlike_its_start((4, 3)), unlike_its_start((4, 3), image_shape=(16, 16, 3))
    picture = np.random.default_rng(1).random((20, 31, 3), dtype="float32")
    expected = np.stack([models.denoise(grey, picture[..., i]) for i in range(3)], axis=-1)
    np.testing.assert_array_equal(models.denoise(grey, picture), expected)
    assert models.denoise(coloured, picture).shape == (20, 31, 3)
    alike = np.repeat(picture[..., :1], 3, axis=-1)
    expected = models.denoise(coloured, alike).mean(axis=-1)
    np.testing.assert_allclose(models.denoise(coloured, picture[..., 0]), expected, atol=1e-6)
    assert models.denoise(grey, picture[..., :1]).shape == (20, 31, 1)


def test_bytes_are_taken_as_255ths_and_the_network_as_it_is_now():
    model, picture = unlike_its_start((4,)), np.random.default_rng(1).integers(0, 256, (9, 8), dtype=np.uint8)
    first = models.denoise(model, picture)
    np.testing.assert_array_equal(first, models.denoise(model, picture / 255))
    model.set_weights([0 * weight for weight in model.get_weights()])
    np.testing.assert_array_equal(models.denoise(model, picture), np.full((9, 8), 0.5))


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        (np.zeros((1, 30)), {}, "pictures must have at least 8 pixels a side, got 1x30"),
        (np.zeros((30, 30, 4)), {}, "images must have shape"),
        (np.zeros(30), {}, "images must have shape"),
        (np.full((30, 30), 2.0), {}, r"images of floats must lie in \[0, 1\]"),
        (np.full((30, 30), np.nan), {}, "images must be finite"),
        (np.zeros((30, 30)), {"tile": 0}, "tile must be at least 8 pixels, got 0"),
    ],
)
def test_what_cannot_be_denoised_is_refused_in_one_sentence(picture, options, message):
    with pytest.raises(ValueError, match=message):
        models.denoise(models.build_autoencoder((2,)), picture, **options)


def test_only_networks_that_can_be_built_anew_know_other_sizes():
    encoder = models.build_autoencoder((2,)).get_layer("encoder")
    with pytest.raises(ValueError, match=r"the model must be of models\.build_autoencoder, got Functional 'encoder'"):
        models.denoise(encoder, np.zeros((30, 30)))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_network_whose_training_diverged_denoises_no_picture(broken):
    model = models.build_autoencoder((2,))
    *weights, last = model.get_weights()
    model.set_weights([*weights, last + broken])
    with pytest.raises(errors.RefusedError, match=r"the network must have finite weights, found NaN or infinity, .*: train it again"):
        models.denoise(model, np.zeros((30, 30)))
