"""The names of the reference runs, and what each was trained from; none of this needs TensorFlow."""

from typing import Any

from convae_nb import models
from convae_nb._base.suggestions import did_you_mean

_BASIC, _DENOISER = {"filters": [16, 8, 8]}, {"filters": [32, 32, 16]}
#: What builds the model, and with how many seeds it was trained; all on all 60,000 digits.
RUNS: dict[str, tuple[dict[str, Any], int]] = {
    "original_basic": (_BASIC, 5),
    "fast_basic": (_BASIC, 5),
    "original_denoiser": (_DENOISER, 3),
    "fast_denoiser": (_DENOISER, 5),
    "range_denoiser": (_DENOISER, 1),
    "speedrun_basic": (_BASIC, 5),
    "speedrun_denoiser": (_DENOISER, 3),
}
for _decoder in models.DECODERS:
    RUNS[f"fast_basic-{_decoder}"] = (_BASIC | {"decoder": _decoder}, 5)
    RUNS[f"fast_basic-{_decoder}-bare"] = (_BASIC | {"decoder": _decoder, "output_convolution": False}, 5)
for _decoder, _seeds in (("nearest", 5), ("transposed_3x3", 3), ("transposed_2x2", 3)):
    RUNS[f"fast_denoiser-{_decoder}"] = (_DENOISER | {"decoder": _decoder}, _seeds)
# The decoder of the recipe itself is "nearest": one run by two names.
_SAME = {"fast_denoiser-nearest": "fast_denoiser"}

#: The reference runs, as ``recipe/seed``: of `training.RECIPES`, and for the comparison of decoders ``fast_basic-DECODER``,
#: ``fast_basic-DECODER-bare``, without output convolution, and ``fast_denoiser-DECODER``.
NAMES = tuple(f"{recipe}/{seed}" for recipe, (_, seeds) in RUNS.items() for seed in range(seeds))


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
