"""What decoders make of other pictures than digits, measured once, for `make`: planted checkerboards, photographs, colours."""

import os

import numpy as np
from scipy import special
from skimage import color

from convae_nb import checkerboard, data, models, training
from convae_nb.reference.resumable import ship_table

_SEEDS = (0, 1, 2, 3, 4)
_WITH_BOARDS = 6000  # training digits
_DECODERS = ("transposed_3x3", "transposed_2x2", "nearest")
_SATURATIONS = (0.0, 0.5, 1.0, 2.0)
_EVEN = 4  # one patch in so many counts as even, those of the least contrast


def measure_planted(checkpoints: str | os.PathLike) -> None:
    """Train decoders on digits with a checkerboard, and write `reference.planted` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    signs = (-1.0) ** np.indices((28, 28)).sum(axis=0)
    parts = digits.x_train[:_WITH_BOARDS], digits.x_test[:500]
    seen, shown = (np.rint(0.8 * images + 25.5 * (1 + signs)).astype("uint8") for images in parts)
    boards, targets = data.Dataset(seen, None, shown, None), data.as_images(shown)

    def measure(decoder, output_convolution, seed):
        model = models.build_autoencoder(decoder=decoder, output_convolution=output_convolution, seed=seed)
        training.train(model, boards, training.recipe("fast_basic", seed=seed), progress=False)
        code = models.predict(model.get_layer("encoder"), targets[:100]).mean(axis=(0, 1, 2))
        _, flat = checkerboard.flat_answer(model.get_layer("decoder"), code)
        drawn = {"digits": models.reconstruct(model, targets), "flat code": special.expit(flat)[None]}
        return [{where: round(float(_amplitude(images) / _amplitude(targets)), 4) for where, images in drawn.items()}]

    ways = (("transposed_4x4", True), ("nearest", True), ("bilinear", True), ("nearest", False))
    points = [{"decoder": way, "output_convolution": convolved, "seed": seed} for seed in _SEEDS for way, convolved in ways]
    rests_on = training.RECIPES["fast_basic"].model_dump(mode="json")
    ship_table("planted", rests_on, points, measure, checkpoints)


def _amplitude(images):
    signs = (-1.0) ** np.indices(images.shape[1:3]).sum(axis=0)
    return np.mean(images[..., 0] * signs)


def measure_photographs(checkpoints: str | os.PathLike) -> None:
    """Train decoders on patches of photographs, and write `reference.photographs` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    patches = data.photograph_patches()
    natural = data.as_images(patches.x_test)
    parts = {"all": slice(None), "even": _even(natural)}

    def measure(decoder, seed):
        images = natural if decoder == "original" else models.reconstruct(_trained(patches, decoder, seed), natural)
        indices = {
            f"{part}_{period}": np.median(checkerboard.checkerboard_index(images[chosen], period))
            for part, chosen in parts.items()
            for period in (2, 8)
        }
        return [{name: round(float(index), 3) for name, index in indices.items()}]

    rests_on = _recipe().model_dump(mode="json")
    ship_table("photographs", rests_on, _points(), measure, checkpoints)


def measure_colours(checkpoints: str | os.PathLike) -> None:
    """Train decoders on patches whose colours were made weaker or stronger, and write `reference.colours` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    patches = data.photograph_patches(colour=True)
    drawn = np.random.default_rng(0).uniform(0, max(_SATURATIONS), len(patches.x_train))
    seen = data.Dataset(_coloured(patches.x_train, drawn), None, patches.x_test, None)
    even = patches.x_test[_even(data.as_images(patches.x_test))]

    def measure(decoder, seed):
        model = None if decoder == "original" else _trained(seen, decoder, seed)
        rows = []
        for saturation in _SATURATIONS:
            shown = data.as_images(_coloured(even, np.full(len(even), saturation)))
            images = models.reconstruct(model, shown) if model else shown
            index = np.median(checkerboard.checkerboard_index(images))
            rows.append({"saturation": saturation, "index": round(float(index), 3), "pattern": round(float(_pattern(images)), 6)})
        return rows

    rests_on = [_recipe().model_dump(mode="json"), _SATURATIONS]
    ship_table("colours", rests_on, _points(), measure, checkpoints)


def _recipe(seed=0):
    return training.recipe("fast_basic", learning_rate=0.01, seed=seed)


def _points():
    return [{"decoder": "original", "seed": 0}] + [{"decoder": decoder, "seed": seed} for seed in _SEEDS for decoder in _DECODERS]


def _trained(patches, decoder, seed):
    model = models.build_autoencoder((16, 16, 16), decoder, image_shape=data.as_images(patches.x_test[:1]).shape[1:], seed=seed)
    training.train(model, patches, _recipe(seed), progress=False)
    return model


def _even(images):
    """Give the places of the images of the least contrast."""
    contrast = images.std(axis=(1, 2)).mean(axis=-1)
    return np.argsort(contrast)[: len(contrast) // _EVEN]


def _coloured(patches, saturations):
    """Move each patch away from its own greys, or towards them: 0 leaves the greys, 1 the colours as they are."""
    grey = color.rgb2gray(patches)[..., None] * 255
    return np.uint8(np.clip(np.rint(grey + saturations[:, None, None, None] * (patches - grey)), 0, 255))


def _pattern(images):
    """Give the root mean square of what checkerboards and stripes of period 2 add to pixels."""
    rows, columns = np.indices(images.shape[1:3]) % 2
    patterns = ((-1.0) ** sign for sign in (rows, columns, rows + columns))
    return np.sqrt(sum(np.mean(np.mean(images * pattern[..., None], axis=(1, 2)) ** 2) for pattern in patterns))
