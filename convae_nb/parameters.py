"""The vocabulary of the chapters' parameters: the same name has the same type, range and meaning in every chapter.

A chapter takes what it needs of it, and checks that in its first cells: ``parameters.check(source=source, seed=seed)``. Importing this
module imports neither TensorFlow nor a notebook library, so that a mistake on the command line is answered at once.
"""

import re
import typing
from typing import Annotated

import pydantic
from pydantic import Field

from convae_nb._names import did_you_mean

# The names that noise.KINDS, models.DECODERS and training.RECIPES explain, without importing them; a test holds them together.
#: The largest level of each kind of noise.
NOISE_LEVELS = {"gaussian": 2, "speckle": 2, "salt_and_pepper": 1, "poisson": 2, "blur": 5, "occlusion": 1}
#: The names of the ways up by 2.
DECODERS = ("nearest", "bilinear", "transposed_3x3", "transposed_4x4", "transposed_2x2", "subpixel")
#: The names of the recipes.
RECIPES = ("original_basic", "original_denoiser", "fast_basic", "fast_denoiser", "range_denoiser")


class RefusedError(ValueError):
    """What was asked for cannot be run; nothing was started."""


def _one_of(names):
    def refuse_others(value, info):
        if value not in names:
            raise ValueError(f"{info.field_name} has no value {value!r}: {closest(value, names)}")
        return value

    return pydantic.AfterValidator(refuse_others)


class Parameters(pydantic.BaseModel):
    """A chapter's parameters; what is not given has its default. Frozen.

    Types are exact: 1.0, True or "3" is no integer, though an integer is a number.

    Raises
    ------
    RefusedError
        A ValueError of one sentence with the name, the value found and what is allowed.

    Examples
    --------
    >>> Parameters(noise_level=1).noise_level
    1.0
    >>> Parameters(epochs=-1)
    Traceback (most recent call last):
    convae_nb.parameters.RefusedError: epochs must be a whole number (passes over the training digits, ...), got -1
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    source: str = Field(
        "mnist",
        min_length=1,
        description="where the images come from: mnist, or the path of a .npz file or a folder of pictures that data.load reads",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="what every random number of the chapter follows from, 0 to 2147483647")
    recipe: Annotated[str, _one_of(RECIPES)] = Field("fast_basic", description="how the network is trained, a name of training.RECIPES")
    epochs: int = Field(0, ge=0, le=1000, description="passes over the training digits, 0 to 1000; 0: as many as the recipe has")
    filters: list[Annotated[int, Field(ge=1, le=512)]] = Field(
        [16, 8, 8], min_length=1, max_length=5, description="feature maps after each of the encoder's 1 to 5 convolutions, each 1 to 512"
    )
    decoder: Annotated[str, _one_of(DECODERS)] = Field("nearest", description="the way back up, a name of models.DECODERS")
    kernel_size: int = Field(3, ge=1, le=9, description="side of the convolutions' square kernels in pixels, 1 to 9")
    noise_kind: Annotated[str, _one_of(NOISE_LEVELS)] = Field("gaussian", description="kind of the noise, a name of noise.KINDS")
    noise_level: float = Field(
        0.5, ge=0, description="strength of the noise in its kind's unit (noise.KINDS); gaussian: standard deviation, 0 to 2"
    )
    train_digits: int = Field(0, ge=0, le=60_000, description="training digits used, the first ones, 0 to 60000; 0: all")
    retrain: bool = Field(False, description="whether to train the long reference runs again instead of loading their results")

    def __init__(self, **values):
        for name in values:
            _type_of(name)
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise RefusedError(_sentence(error.errors()[0], values)) from None

    @pydantic.model_validator(mode="after")
    def _level_fits_kind(self):
        largest = NOISE_LEVELS[self.noise_kind]
        if self.noise_level > largest:
            raise ValueError(f"noise_level must be a number, 0 to {largest} for noise_kind {self.noise_kind!r}, got {self.noise_level!r}")
        return self


def check(**values):
    """Refuse parameters that are outside the vocabulary: a chapter calls it with its own.

    If these have a source other than MNIST, it prints a sentence: a chapter's words do not know of other images.

    Raises
    ------
    RefusedError
        As `Parameters` does.

    Examples
    --------
    >>> check(seed=3, epochs=10)
    >>> check(seed=3, epoch=10)
    Traceback (most recent call last):
    convae_nb.parameters.RefusedError: there is no parameter 'epoch': did you mean 'epochs'? There are source, seed, ...
    """
    if Parameters(**values).source != "mnist":
        print("The words here, and what is said of reference runs, are about the digits of MNIST; all else is about your images.")


def parse(texts):
    """Read parameters as a command line gives them.

    Parameters
    ----------
    texts : iterable of str
        Each ``name=value``. An integer is an optional sign and digits; a list is ``[16,8,8]`` or ``16,8,8``; true and false are spelt in
        any usual way (yes, off, 1 …).

    Returns
    -------
    dict
        Values of the right types, whose ranges are not checked yet.

    Raises
    ------
    RefusedError
        If a text is no ``name=value``, a name is unknown or comes twice, or a value is not of its type.

    Examples
    --------
    >>> parse(["seed=+007", "filters=[16, 8]", "retrain=no", "source=a=b"])
    {'seed': 7, 'filters': [16, 8], 'retrain': False, 'source': 'a=b'}
    """
    return {name: _read(name, value) for name, value in _split(texts).items()}


def parse_grid(texts):
    """Read the values of a sweep as a command line gives them.

    Parameters
    ----------
    texts : iterable of str
        Each ``name=value,value,…``, a value as `parse` reads it; lists stand in brackets: ``filters=[16,8,8],[16,8,4]``.

    Returns
    -------
    dict
        A list of values for each name.

    Raises
    ------
    RefusedError
        As `parse` does.

    Examples
    --------
    >>> parse_grid(["seed=0,1", "filters=[16,8,8],[16,8,4]"])
    {'seed': [0, 1], 'filters': [[16, 8, 8], [16, 8, 4]]}
    """
    grid = {}
    for name, value in _split(texts).items():
        if _type_of(name) == list[int]:
            if not re.fullmatch(r"\s*\[[^][]*\]\s*(,\s*\[[^][]*\]\s*)*", value):
                raise RefusedError(f"{name} must be lists in brackets, as [16,8,8],[16,8,4], got {value!r}")
            items = re.findall(r"\[[^][]*\]", value)
        else:
            items = value.split(",")
        grid[name] = [_read(name, item) for item in items]
    return grid


def closest(name, names):
    """Say which of some names is most like one that is not among them, and list them.

    Examples
    --------
    >>> closest("epoch", ["seed", "epochs"])
    "did you mean 'epochs'? There are seed, epochs"
    """
    return f"{did_you_mean(name, names)} There are {', '.join(names)}" if names else "there are none"


def _split(texts):
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RefusedError(f"a parameter is written name=value, got {text!r}")
        _type_of(name)
        if name in values:
            raise RefusedError(f"{name} is given twice, the second time as {value!r}")
        values[name] = value
    return values


def _read(name, text):
    try:
        return _READERS[_type_of(name)](text)
    except ValueError:
        raise RefusedError(_refusal(name, text)) from None


def _whole(text):
    if not re.fullmatch(r"[+-]?[0-9]+", text):  # int() would take 1_0, spaces and other scripts' digits
        raise ValueError
    return int(text)


def _number(text):
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):  # float() would take nan, inf and 1_0
        raise ValueError
    return float(text)


def _list(text):
    if text[:1] == "[" and text[-1:] == "]":
        text = text[1:-1]
    return [_whole(item.strip()) for item in text.split(",")]


_READERS = {str: str, int: _whole, float: _number, bool: pydantic.TypeAdapter(bool).validate_python, list[int]: _list}


_IN_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list[int]: "a list of whole numbers"}


def _type_of(name):
    if name not in Parameters.model_fields:
        raise RefusedError(f"there is no parameter {name!r}: {closest(name, Parameters.model_fields)}")
    return typing.get_type_hints(Parameters)[name]  # without what Annotated adds: plain list[int]


def _sentence(error, values):
    if error["type"] == "value_error":  # a sentence of our own
        return str(error["ctx"]["error"])
    name = error["loc"][0]
    return _refusal(name, values[name])


def _refusal(name, value):
    kind, meaning = _IN_WORDS[_type_of(name)], Parameters.model_fields[name].description
    return f"{name} must be {kind} ({meaning}), got {value!r}"
