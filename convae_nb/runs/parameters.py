"""The vocabulary of the chapters' parameters: the same name has the same type, range and meaning in every chapter.

A chapter takes what it needs of it, and checks that in its first cells: ``parameters.check(source=source, seed=seed)``. Neither
TensorFlow nor a notebook library is imported here, so that a mistake on the command line is answered at once.
"""

import re
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any

import pydantic
from pydantic import Field

from convae_nb import models, noise, training
from convae_nb._base.suggestions import closest
from convae_nb.errors import RefusedError

#: The parameters that are one of some names, and these.
CHOICES: dict[str, Collection[str]] = {"recipe": training.RECIPES, "decoder": models.DECODERS, "noise_kind": noise.KINDS}


def _refuse_others(value, info):
    names = CHOICES[info.field_name]
    if value not in names:
        raise ValueError(f"{info.field_name} has no value {value!r}: {closest(value, names)}")
    return value


_Choice = Annotated[str, pydantic.AfterValidator(_refuse_others)]


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
    convae_nb.errors.RefusedError: epochs must be a whole number (passes over the training digits, ...), got -1
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    source: str = Field(
        "mnist",
        min_length=1,
        description="where the images come from: mnist, the path of a .npz file or of a folder",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="what every random number of the chapter follows from, 0 to 2147483647")
    recipe: _Choice = Field("fast_basic", description="how the network is trained, a name of training.RECIPES")
    epochs: int = Field(0, ge=0, le=1000, description="passes over the training digits, 0 to 1000; 0: as many as the recipe has")
    filters: list[Annotated[int, Field(ge=1, le=512)]] = Field(
        [16, 8, 8], min_length=1, max_length=5, description="feature maps of the encoder's 1 to 5 convolutions, each 1 to 512"
    )
    decoder: _Choice = Field("nearest", description="the way back up, a name of models.DECODERS")
    kernel_size: int = Field(3, ge=1, le=9, description="side of the convolutions' square kernels in pixels, 1 to 9")
    noise_kind: _Choice = Field("gaussian", description="kind of the noise, a name of noise.KINDS")
    noise_level: float = Field(0.5, ge=0, description="strength of the noise; gaussian: standard deviation, 0 to 2")
    train_digits: int = Field(0, ge=0, le=60_000, description="training digits used, the first ones, 0 to 60000; 0: all")
    retrain: bool = Field(False, description="whether to train the long reference runs again instead of loading them")
    keep: bool = Field(False, description="whether a run has the network that it trained in a file beside its notebook")

    samples: int = Field(500, ge=50, le=5000, description="digits that each network draws with each of three seeds, 50 to 5000")
    rounds: int = Field(25, ge=2, le=1000, description="how often a digit is denoised, 2 to 1000")

    def __init__(self, **values: Any):
        for name in values:
            _refuse_unknown(name, TYPES)
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise RefusedError(_sentence(error.errors()[0], values)) from None

    @pydantic.model_validator(mode="after")
    def _level_fits_kind(self):
        largest = noise.KINDS[self.noise_kind].high
        if self.noise_level > largest:
            raise ValueError(f"noise_level must be a number, 0 to {largest:g} for noise_kind {self.noise_kind!r}, got {self.noise_level!r}")
        return self


#: The vocabulary's types, by name.
TYPES: dict[str, Any] = {name: typing.get_type_hints(Parameters)[name] for name in Parameters.model_fields}


def check(**values: Any) -> None:
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
    convae_nb.errors.RefusedError: there is no parameter 'epoch': did you mean 'epochs'? There are source, seed, ...
    """
    if Parameters(**values).source != "mnist":
        print("The words here, and what is said of reference runs, are about the digits of MNIST; all else is about your images.")


def parse(texts: Iterable[str], types: Mapping[str, Any] = TYPES) -> dict[str, Any]:
    """Read parameters as a command line gives them.

    Parameters
    ----------
    texts : iterable of str
        Each ``name=value``. An integer is an optional sign and digits; a list is ``[16,8,8]`` or ``16,8,8``; true and false are spelt in
        any usual way (yes, off, 1 …).
    types : dict of str to type
        Of the parameters that there are; those of the vocabulary if not given.

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
    return {name: _read(name, value, types) for name, value in _split(texts, types).items()}


def parse_grid(texts: Iterable[str], types: Mapping[str, Any] = TYPES) -> dict[str, list[Any]]:
    """Read the values of a sweep as a command line gives them.

    Parameters
    ----------
    texts : iterable of str
        Each ``name=value,value,…``, a value as `parse` reads it; lists stand in brackets: ``filters=[16,8,8],[16,8,4]``.
    types : dict of str to type
        As `parse` takes them.

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
    for name, value in _split(texts, types).items():
        if typing.get_origin(types[name]) is list:
            if not re.fullmatch(r"\s*\[[^][]*\]\s*(,\s*\[[^][]*\]\s*)*", value):
                raise RefusedError(f"{name} must be lists in brackets, as [16,8,8],[16,8,4], got {value!r}")
            items = re.findall(r"\[[^][]*\]", value)
        else:
            items = value.split(",")
        grid[name] = [_read(name, item, types) for item in items]
    return grid


def validate_type(name: str, value: Any, kind: Any) -> Any:
    """Give back a value of a type of `READERS`, or refuse it; an integer counts as a number, True as no integer.

    Examples
    --------
    >>> validate_type("rate", 1, float)
    1.0
    >>> validate_type("rate", "1", float)
    Traceback (most recent call last):
    convae_nb.errors.RefusedError: rate must be a number, got '1'
    """
    try:
        found = pydantic.TypeAdapter(kind, config=pydantic.ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        items = found if isinstance(found, list) else [found]
        "".join(item for item in items if isinstance(item, str)).encode()  # half a character cannot be written
    except ValueError:  # pydantic's is one, too
        raise RefusedError(refusal(name, value, {name: kind})) from None
    if any(isinstance(item, int) and not -(2**63) <= item < 2**63 for item in items):  # no column holds it
        raise RefusedError(f"{name} must be {IN_WORDS[kind]} of at most 64 bits, got {value!r}")
    return found


def refusal(name: str, value: Any, types: Mapping[str, Any] = TYPES) -> str:
    """Say in one sentence what a parameter must be; of the vocabulary also what it means."""
    meaning = f" ({Parameters.model_fields[name].description})" if name in Parameters.model_fields else ""
    return f"{name} must be {IN_WORDS[types[name]]}{meaning}, got {value!r}"


def _split(texts, types):
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RefusedError(f"a parameter is written name=value, got {text!r}")
        _refuse_unknown(name, types)
        if name in values:
            raise RefusedError(f"{name} is given twice, the second time as {value!r}")
        values[name] = value
    return values


def _read(name, text, types):
    try:
        return READERS[types[name]](text)
    except ValueError:
        raise RefusedError(refusal(name, text, types)) from None


def _whole(text):
    if not re.fullmatch(r"[+-]?[0-9]+", text):  # int() would take 1_0, spaces and other scripts' digits
        raise ValueError
    return int(text)


def _number(text):
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):  # float() would take nan, inf and 1_0
        raise ValueError
    return float(text)


def _list_of(read: Callable[[str], Any]) -> Callable[[str], list]:
    def read_list(text):
        if text[:1] == "[" and text[-1:] == "]":
            text = text[1:-1]
        return [read(item.strip()) for item in text.split(",")]

    return read_list


#: How the values of each type are read from a text; a parameter is of one of these types.
READERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: _whole,
    float: _number,
    bool: pydantic.TypeAdapter(bool).validate_python,
    list[int]: _list_of(_whole),
    list[float]: _list_of(_number),
    list[str]: _list_of(str),
}
#: Each type in words.
IN_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list[int]: "a list of whole numbers",
    list[float]: "a list of numbers",
    list[str]: "a list of texts",
}


def _refuse_unknown(name, known: Collection[str]):
    if name not in known:
        raise RefusedError(f"there is no parameter {name!r}: {closest(name, known)}")


def _sentence(error, values):
    if error["type"] == "value_error":  # a sentence of our own
        return str(error["ctx"]["error"])
    name = error["loc"][0]
    return refusal(name, values[name])
