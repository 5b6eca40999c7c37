"""The names of the reference runs, and what each was trained from; none of this needs TensorFlow."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from convae_nb import models
from convae_nb._base.suggestions import did_you_mean
from convae_nb.measures.levels import CONDITIONS

_BASIC, _DENOISER = {"filters": [16, 8, 8]}, {"filters": [32, 32, 16]}


class Run(NamedTuple):
    """What a reference run is made from.

    Attributes
    ----------
    model : dict
        Arguments of `models.build_autoencoder`, but for the seed.
    seeds : int
        With how many it is done, from 0 on.
    recipe : str
        A name of `training.RECIPES`.
    changes : dict
        The fields in which its recipe differs from that.
    photographs : bool
        Whether it is trained on `data.photograph_patches`; all others are on all 60,000 digits of MNIST.
    """

    model: dict[str, Any]
    seeds: int
    recipe: str
    changes: Mapping[str, Any] = MappingProxyType({})
    photographs: bool = False


def own_denoiser(kind: str, level: float) -> str:
    """Name the network that was trained on a kind and level of noise, without its seed."""
    return f"own_denoiser-{kind}-{level:g}"


#: The reference runs without their seeds.
RUNS: dict[str, Run] = {
    recipe: Run(model, seeds, recipe)
    for recipe, model, seeds in (
        ("original_basic", _BASIC, 5),
        ("fast_basic", _BASIC, 5),
        ("original_denoiser", _DENOISER, 3),
        ("fast_denoiser", _DENOISER, 5),
        ("range_denoiser", _DENOISER, 1),
        ("speedrun_basic", _BASIC, 5),
        ("speedrun_denoiser", _DENOISER, 3),
    )
}
for _decoder in models.DECODERS:
    RUNS[f"fast_basic-{_decoder}"] = Run(_BASIC | {"decoder": _decoder}, 5, "fast_basic")
    RUNS[f"fast_basic-{_decoder}-bare"] = Run(_BASIC | {"decoder": _decoder, "output_convolution": False}, 5, "fast_basic")
for _decoder, _seeds in (("nearest", 5), ("transposed_3x3", 3), ("transposed_2x2", 3)):
    RUNS[f"fast_denoiser-{_decoder}"] = Run(_DENOISER | {"decoder": _decoder}, _seeds, "fast_denoiser")
# As chapter 4 trains its network: one for each noise that denoisers are compared at, and one for none.
for _kind, _level in (*CONDITIONS, ("gaussian", 0.0)):
    _changes = {"epochs": 2, "noise_kind": _kind, "noise_level": _level}
    RUNS[own_denoiser(_kind, _level)] = Run(_DENOISER, 1, "fast_denoiser", _changes)
for _decoder in ("transposed_3x3", "transposed_2x2", "nearest", "subpixel"):
    _model = {"filters": [16, 16, 16], "image_shape": [32, 32, 1], "decoder": _decoder}
    RUNS[f"photographs-{_decoder}"] = Run(_model, 3, "fast_basic", {"epochs": 20, "learning_rate": 0.01}, photographs=True)
# As chapter 7 has it: maps that pass around the code; and a network for anybody's pictures, which are less noisy than its digits.
_AROUND = _DENOISER | {"skips": "add"}
RUNS["skip_denoiser"] = Run(_AROUND, 1, "fast_denoiser")
RUNS["skip_range_denoiser"] = Run(_AROUND, 1, "range_denoiser")
_PHOTO = {"filters": [32, 32, 32], "image_shape": [32, 32, 1], "skips": "concatenate"}
RUNS["photo_denoiser"] = Run(_PHOTO, 1, "fast_denoiser", {"epochs": 20, "noise_level": (0.0, 0.25)}, photographs=True)
# The decoder of the recipe itself is "nearest": one run by two names.
_SAME = {"fast_denoiser-nearest": "fast_denoiser"}

#: The reference runs, as ``recipe/seed``: of `training.RECIPES`; for the comparison of decoders ``fast_basic-DECODER``,
#: ``fast_basic-DECODER-bare``, without output convolution, and ``fast_denoiser-DECODER``; ``own_denoiser-KIND-LEVEL``, each trained
#: for two epochs on one of `baselines.LEVELS`, or on no noise, ``own_denoiser-gaussian-0``; ``photographs-DECODER``;
#: ``skip_denoiser`` and ``skip_range_denoiser``, whose maps pass around the code; and ``photo_denoiser``, for photographs with
#: gaussian noise of levels up to 0.25.
NAMES = tuple(f"{group}/{seed}" for group, run in RUNS.items() for seed in range(run.seeds))


def canonical(name: str) -> str:
    """Validate a run's name, and give its own, recipe and seed, for whatever it may be called by.

    Raises
    ------
    ValueError
        If there is no such run.

    Examples
    --------
    >>> canonical("fast_denoiser-nearest")
    'fast_denoiser/0'
    """
    full = name if "/" in str(name) else f"{name}/0"
    if full not in NAMES:
        raise ValueError(f"there is no reference run {name!r}: {did_you_mean(full, NAMES)} reference.NAMES has them all")
    group, seed = full.split("/")
    return f"{_SAME.get(group, group)}/{seed}"
