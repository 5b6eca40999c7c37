"""How to train: recipes, and the ones that have names. A recipe is validated where it is made; none of this needs TensorFlow."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic

from convae_nb import noise
from convae_nb._base.suggestions import closest, did_you_mean


def _known_kind(value: str) -> str:
    if value not in noise.KINDS:
        raise ValueError(f"noise_kind must be one of {', '.join(noise.KINDS)}, got {value!r}: {did_you_mean(value, noise.KINDS)}")
    return value


class Recipe(pydantic.BaseModel):
    """How to train: everything but the model and the data. Frozen; `recipe` gives a variant, and ``Recipe(**…)`` reads a record's back.

    Raises
    ------
    pydantic.ValidationError
        A ValueError that names the field, the value found and what is allowed.

    Examples
    --------
    >>> Recipe(epochs=3, batch_size=50, learning_rate=0.01).noise_level
    0.0
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    epochs: Annotated[int, pydantic.Field(ge=1)] | Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        description="passes over the training images, or less than one"
    )
    batch_size: int = pydantic.Field(ge=1, description="images per step; an epoch's last step takes what is left")
    learning_rate: float = pydantic.Field(gt=0, description="Adam's step size, or the peak of its schedule")
    schedule: Literal["constant", "one_cycle"] = pydantic.Field("constant", description="how the step size goes; see `OneCycle`")
    optimizer: Literal["adam", "muon"] = pydantic.Field("adam", description="what makes a step of a gradient; see `Muon`")
    beta_1: float = pydantic.Field(0.9, ge=0, lt=1, description="decay of Adam's mean of gradients")
    beta_2: float = pydantic.Field(0.999, ge=0, lt=1, description="decay of Adam's mean of squared gradients")
    epsilon: float = pydantic.Field(1e-8, gt=0, description="what Adam adds to the root; TensorFlow 1's 1e-8, where Keras has 1e-7")
    noise_kind: Annotated[str, pydantic.AfterValidator(_known_kind)] = pydantic.Field(
        "gaussian", description="what corrupts the images that go in; the targets are clean"
    )
    noise_level: float | Annotated[tuple[float, float], pydantic.Field(strict=False)] = pydantic.Field(
        0.0, description="its level, or the ends of the range from which each image's level is drawn"
    )
    blind_spots: float = pydantic.Field(
        0.0,
        ge=0,
        lt=1,
        description="the share of pixels that are hidden from the network, and by which alone it is judged, for training on noisy images; "
        "0: none are, and all count",
    )
    start_at_mean: bool = pydantic.Field(
        False, description="start the bias of the logits, if it is still zero, at the logit of the mean training pixel; see `train`"
    )
    precision: Literal["float32", "bfloat16"] = pydantic.Field(
        "float32",
        description="in which layers compute during a step; bfloat16 only on processors that multiply in it. Weights are float32",
    )
    validation: int = pydantic.Field(0, ge=0, description="training images, the last ones, held out to choose by")
    seed: int = pydantic.Field(0, ge=0, lt=2**31, description="decides the order of the images and the noise")

    @pydantic.model_validator(mode="after")
    def _validate_levels(self) -> Self:
        kind = noise.KINDS[self.noise_kind]
        low, high = self.level_range
        if not kind.low <= low <= high <= kind.high:
            raise ValueError(
                f"noise_level of {self.noise_kind} must lie in {kind.low:g} to {kind.high:g}, a range with its lower end first"
            )
        return self

    @property
    def level_range(self) -> tuple[float, float]:
        """The ends of the range of `noise_level`, equal if it is one level."""
        return self.noise_level if isinstance(self.noise_level, tuple) else (self.noise_level, self.noise_level)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Give a validated variant: pydantic's own would not validate what is updated."""
        return type(self)(**dict(self) | dict(update or {}))


def recipe(base: str | Recipe, **changes: Any) -> Recipe:
    """Give a recipe by its name, or a variant of one, validated.

    Parameters
    ----------
    base : str or Recipe
        A key of `RECIPES`, or the recipe to vary.
    **changes
        Fields of `Recipe` that are to differ.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If there is no such recipe or field, or a value is not what the field allows: one sentence with field, value and cure.

    Examples
    --------
    >>> recipe("original_basic", epochs=3, seed=1).epochs
    3
    >>> recipe("original_basic", epochs=0)
    Traceback (most recent call last):
    ValueError: epochs of a recipe (passes over the training images, or less than one): Input should be greater than or equal to 1, got 0
    """
    if isinstance(base, str):
        if base not in RECIPES:
            raise ValueError(f"there is no recipe {base!r}: {closest(base, RECIPES)}")
        base = RECIPES[base]
    try:
        return base.model_copy(update=changes)
    except pydantic.ValidationError as error:
        raise ValueError(_one_sentence(error.errors()[0])) from None


def _one_sentence(error):
    if error["type"] == "value_error":  # a sentence of our own
        return str(error["ctx"]["error"])
    name = error["loc"][0]
    if name not in Recipe.model_fields:
        return f"a recipe has no field {name!r}: {closest(name, Recipe.model_fields)}"
    return f"{name} of a recipe ({Recipe.model_fields[name].description}): {error['msg']}, got {error['input']!r}"


# original_basic and original_denoiser are the tutorial's own, to the letter: all 60,000 digits, nothing held out. The fast ones reach
# their loss in the least time: batch size, peak and epochs were chosen on the last 5,000 training digits.
_BASIC = Recipe(epochs=20, batch_size=200, learning_rate=0.001)
_FAST = Recipe(epochs=2, batch_size=50, learning_rate=0.015, schedule="one_cycle", beta_2=0.95, start_at_mean=True)
_FAST_DENOISER = recipe(_FAST, epochs=7, learning_rate=0.008, noise_level=0.5)
# The speed runs go no further than the original's loss. Share of an epoch, epochs and peak were chosen on the same 5,000 digits. They
# alone ask for bfloat16: what comes out of it differs from one processor to another.
_SPEEDRUN = recipe(_FAST, optimizer="muon", epochs=0.45, learning_rate=0.03, precision="bfloat16")
#: Recipes by name: the tutorial's own, those that reach their loss in the least time, one for a range of noise levels, and those that
#: stop where the tutorial's loss is reached.
RECIPES: dict[str, Recipe] = {
    "original_basic": _BASIC,
    "original_denoiser": recipe(_BASIC, epochs=100, noise_level=0.5),
    "fast_basic": _FAST,
    "fast_denoiser": _FAST_DENOISER,
    "range_denoiser": recipe(_FAST_DENOISER, noise_level=(0.0, 1.0)),
    "speedrun_basic": _SPEEDRUN,
    "speedrun_denoiser": recipe(_SPEEDRUN, epochs=2, learning_rate=0.015, noise_level=0.5),
}
