"""How to train: recipes, the ones that have names, and the learning rate that rises and falls."""

from typing import Literal

import pydantic

from convae_nb import noise
from convae_nb._tensorflow import keras, tf


class Recipe(pydantic.BaseModel):
    """How to train: everything but the model and the data. Frozen; ``model_copy(update={"epochs": 3})`` gives a variant.

    Raises
    ------
    pydantic.ValidationError
        A ValueError that names the field, the value found and what is allowed.

    Examples
    --------
    >>> RECIPES["original_basic"].model_copy(update={"epochs": 3}).epochs
    3
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    epochs: int = pydantic.Field(ge=1, description="passes over the training images")
    batch_size: int = pydantic.Field(ge=1, description="images a step; an epoch's last step takes what is left")
    learning_rate: float = pydantic.Field(gt=0, description="Adam's step size, or the peak of its schedule")
    schedule: Literal["constant", "one_cycle"] = pydantic.Field("constant", description="how the step size goes; see `OneCycle`")
    beta_1: float = pydantic.Field(0.9, ge=0, lt=1, description="decay of Adam's mean of gradients")
    beta_2: float = pydantic.Field(0.999, ge=0, lt=1, description="decay of Adam's mean of squared gradients")
    epsilon: float = pydantic.Field(1e-8, gt=0, description="what Adam adds to the root; TensorFlow 1's 1e-8, where Keras has 1e-7")
    noise_kind: Literal[*noise.KINDS] = pydantic.Field("gaussian", description="what corrupts the images that go in; the targets are clean")
    noise_level: float | tuple[float, float] = pydantic.Field(
        0.0, description="its level, or the ends of the range from which each image's level is drawn"
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
    def _levels_fit_the_kind(self):
        kind = noise.KINDS[self.noise_kind]
        low, high = self.level_range
        if not kind.low <= low <= high <= kind.high:
            raise ValueError(
                f"noise_level of {self.noise_kind} must lie in {kind.low:g} to {kind.high:g}, a range with its lower end first"
            )
        return self

    @property
    def level_range(self):
        """The ends of the range of `noise_level`, equal if it is one level."""
        return self.noise_level if isinstance(self.noise_level, tuple) else (self.noise_level, self.noise_level)


# original_basic and original_denoiser are the tutorial's own, to the letter: all 60,000 digits, nothing held out. The fast ones reach
# their loss in the least time: batch size, peak and epochs were chosen on the last 5,000 training digits.
_BASIC = Recipe(epochs=20, batch_size=200, learning_rate=0.001)
_FAST = Recipe(epochs=2, batch_size=50, learning_rate=0.015, schedule="one_cycle", beta_2=0.95, start_at_mean=True, precision="bfloat16")
_FAST_DENOISER = _FAST.model_copy(update={"epochs": 7, "learning_rate": 0.008, "noise_level": 0.5})
RECIPES = {
    "original_basic": _BASIC,
    "original_denoiser": _BASIC.model_copy(update={"epochs": 100, "noise_level": 0.5}),
    "fast_basic": _FAST,
    "fast_denoiser": _FAST_DENOISER,
    "range_denoiser": _FAST_DENOISER.model_copy(update={"noise_level": (0.0, 1.0)}),
}


@keras.saving.register_keras_serializable(package="convae_nb")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a straight line over the first 30 % of the steps and falls to 0 over the rest [1]_.

    Parameters
    ----------
    peak : float
        The highest learning rate.
    steps : int
        Steps of the whole run.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018,
       arXiv:1708.07120.

    Examples
    --------
    >>> schedule = OneCycle(peak=0.01, steps=10)
    >>> [round(float(schedule(step)), 4) for step in (0, 2, 3, 9)]
    [0.0017, 0.0083, 0.0093, 0.0007]
    """

    def __init__(self, peak, steps):
        self.peak = peak
        self.steps = steps

    def __call__(self, step):
        done = (tf.cast(step, tf.float32) + 0.5) / self.steps
        return self.peak * tf.minimum(done / 0.3, (1 - done) / 0.7)

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps}
