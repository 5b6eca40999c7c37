import ast
import inspect
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import convae_nb.runs.parameters
from convae_nb import parameters
from convae_nb.parameters import Parameters, RefusedError

CHAPTERS = sorted(Path(__file__).parents[1].joinpath("notebooks").glob("*.ipynb"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1.0),
        ("seed", True),
        ("seed", "3"),
        ("seed", -1),
        ("seed", 2**31),
        ("epochs", -1),
        ("epochs", 1001),
        ("filters", []),
        ("filters", [8] * 6),
        ("filters", [16, 0]),
        ("filters", [513]),
        ("filters", [16, True]),
        ("filters", (16, 8)),
        ("kernel_size", 0),
        ("kernel_size", 10),
        ("noise_level", -0.1),
        ("noise_level", 2.1),
        ("noise_level", float("nan")),
        ("noise_level", float("inf")),
        ("noise_level", True),
        ("train_digits", 60001),
        ("retrain", 1),
        ("source", ""),
        ("decoder", "nearst"),
        ("recipe", None),
    ],
)
def test_a_value_outside_the_vocabulary_is_refused_in_one_sentence_with_its_name(name, value):
    with pytest.raises(RefusedError, match=rf"^{name} .*{re.escape(repr(value))}.*$"):
        parameters.check(**{name: value})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", [0, 2**31 - 1]),
        ("epochs", [0, 1000]),
        ("filters", [[1], [512] * 5]),
        ("kernel_size", [1, 2, 9]),
        ("noise_level", [0, 2, 0.5]),
        ("train_digits", [0, 60000]),
    ],
)
def test_the_ends_of_a_range_belong_to_it(name, values):
    for value in values:
        assert getattr(Parameters(**{name: value}), name) == value


def test_an_unknown_name_is_answered_with_the_closest():
    with pytest.raises(RefusedError, match=r"no parameter 'noise_lvel': did you mean 'noise_level'\?"):
        parameters.check(noise_lvel=0.5)


def test_an_unknown_choice_is_answered_with_the_closest():
    with pytest.raises(RefusedError, match=r"noise_kind has no value 'salt': did you mean 'salt_and_pepper'\?"):
        parameters.check(noise_kind="salt")


def test_the_level_is_limited_by_the_kind_that_it_comes_with():
    parameters.check(noise_kind="blur", noise_level=5)
    parameters.check(noise_kind="salt_and_pepper", noise_level=1)
    with pytest.raises(RefusedError, match=r"noise_level must be a number, 0 to 1 for noise_kind 'salt_and_pepper', got 1\.1"):
        parameters.check(noise_kind="salt_and_pepper", noise_level=1.1)


def test_whoever_brings_other_images_is_told_once_that_the_words_are_about_digits(capsys):
    parameters.check(source="mnist", seed=3)
    parameters.check(seed=3)
    assert capsys.readouterr().out == ""
    parameters.check(source="photos", seed=3)
    (sentence,) = capsys.readouterr().out.splitlines()
    assert "MNIST" in sentence
    assert sentence.endswith("your images.")


def test_parameters_do_not_change_once_made():
    with pytest.raises(ValueError, match="frozen"):
        Parameters().seed = 1


def test_every_default_is_allowed():
    parameters.check(**Parameters().model_dump())


def test_a_meaning_states_the_range_that_is_checked():
    for name in ("seed", "epochs", "kernel_size", "train_digits"):
        field = Parameters.model_fields[name]
        low, high = (getattr(limit, end) for end, limit in zip(("ge", "le"), field.metadata, strict=True))
        assert f"{low} to {high}" in field.description


def test_the_names_are_those_of_the_tables_that_explain_them():
    from convae_nb import models, noise, training

    for recipe in training.RECIPES:
        parameters.check(recipe=recipe)
    for decoder in models.DECODERS:
        parameters.check(decoder=decoder)
    for name, kind in noise.KINDS.items():
        parameters.check(noise_kind=name, noise_level=kind.high)
        with pytest.raises(RefusedError, match=rf"noise_level must be a number, 0 to {kind.high:g} for noise_kind '{name}'"):
            parameters.check(noise_kind=name, noise_level=kind.high + 0.01)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=7", 7),
        ("seed=+7", 7),
        ("epochs=007", 7),
        ("noise_level=.5", 0.5),
        ("noise_level=5e-1", 0.5),
        ("noise_level=1", 1.0),
        ("filters=[16,8,8]", [16, 8, 8]),
        ("filters=16, 8, 8", [16, 8, 8]),
        ("filters=16", [16]),
        *((f"retrain={yes}", True) for yes in ("true", "True", "yes", "on", "1")),
        *((f"retrain={no}", False) for no in ("false", "FALSE", "no", "off", "0")),
        ("source='; import os #", "'; import os #"),
        ("source=a=b", "a=b"),
    ],
)
def test_a_text_is_read_as_the_type_of_its_parameter(text, value):
    (read,) = parameters.parse([text]).values()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [f"seed={text}" for text in ("1e1", "1_0", "1.0", "true", "", " 1", "٣", "nan", "9" * 5000)]
    + [f"noise_level={text}" for text in ("nan", "inf", "-Infinity", "1_0", "", "half", "1,5")]
    + [f"filters={text}" for text in ("", "[]", "[16", "16,8,", "16 8", "[[16]]", "1.0")]
    + [f"retrain={text}" for text in ("", "maybe", "2")],
)
def test_a_text_that_is_not_of_its_type_is_refused_with_name_and_text(text):
    name, _, value = text.partition("=")
    with pytest.raises(RefusedError, match=rf"^{name} must be .*, got {re.escape(repr(value))}$"):
        parameters.parse([text])


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(RefusedError, match="noise_level must be a number"):
        parameters.check(**parameters.parse(["noise_level=1e999"]))


def test_a_parameter_without_a_value_or_given_twice_or_unknown_is_refused():
    with pytest.raises(RefusedError, match="written name=value, got 'seed'"):
        parameters.parse(["seed"])
    with pytest.raises(RefusedError, match="seed is given twice"):
        parameters.parse(["seed=1", "seed=2"])
    with pytest.raises(RefusedError, match="no parameter 'sed': did you mean 'seed'"):
        parameters.parse(["sed=1"])


def test_importing_the_vocabulary_and_the_runs_imports_no_tensorflow_and_no_notebook_library():
    heavy = {"tensorflow", "keras", "papermill", "nbformat", "nbclient", "pandas", "jupyter_client", "dask", "distributed", "filelock"}
    command = f"import sys, convae_nb.parameters, convae_nb.runs; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapters_parameters_are_those_of_the_vocabulary(chapter):
    import papermill

    types = typing.get_type_hints(Parameters)
    found = papermill.inspect_notebook(chapter).values()
    for parameter in found:
        assert parameter["help"] == Parameters.model_fields[parameter["name"]].description
        assert parameter["inferred_type_name"] == inspect.formatannotation(types[parameter["name"]])
    parameters.check(**{parameter["name"]: ast.literal_eval(parameter["default"]) for parameter in found})


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_checks_its_own_parameters_first_so_that_plain_papermill_is_safe(chapter):
    sources = [("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in json.loads(chapter.read_text("utf-8"))["cells"]]
    (place,) = (i for i, (_, tags) in enumerate(sources) if "parameters" in tags)
    names = {node.target.id for node in ast.parse(sources[place][0]).body}
    following = next(source for source, _ in sources[place + 1 :] if "parameters.check(" in source)
    checked = set()
    for statement in ast.parse(following).body:
        call = getattr(statement, "value", None)
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "parameters.check"):
            break
        assert all(keyword.arg == ast.unparse(keyword.value) for keyword in call.keywords)
        checked |= {keyword.arg for keyword in call.keywords}
    assert checked == names


def test_the_values_of_a_grid_are_read_one_by_one():
    assert parameters.parse_grid(["noise_level=0,.5,1", "filters= [16, 8] ,[4]", "retrain=yes,no", "decoder=nearest,subpixel"]) == {
        "noise_level": [0.0, 0.5, 1.0],
        "filters": [[16, 8], [4]],
        "retrain": [True, False],
        "decoder": ["nearest", "subpixel"],
    }


@pytest.mark.parametrize("text", ["filters=16,8,8", "filters=[16,8],8", "filters=[16,8][4]", "filters=[[16]]", "filters=", "filters=[16"])
def test_lists_of_a_grid_stand_in_brackets(text):
    with pytest.raises(RefusedError, match=r"filters must be lists in brackets, as \[16,8,8\],\[16,8,4\], got"):
        parameters.parse_grid([text])


@pytest.mark.parametrize("text", ["seed=1e1", "seed=1,1_0", "seed=1,", "noise_level=nan,1", "filters=[],[4]", "retrain=maybe"])
def test_a_value_of_a_grid_that_is_not_of_its_type_is_refused(text):
    name = text.partition("=")[0]
    with pytest.raises(RefusedError, match=f"^{name} must be "):
        parameters.parse_grid([text])


OWN = {"rate": float, "names": list[str], "sizes": list[int], "levels": list[float], "word": str, "steps": int, "fast": bool}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rate=1e-3", 0.001),
        ("names=a, b c", ["a", "b c"]),
        ("names=[a]", ["a"]),
        ("sizes=[1,-2]", [1, -2]),
        ("levels=.5,1", [0.5, 1.0]),
        ("word=[a]", "[a]"),
        ("steps=-3", -3),
        ("fast=no", False),
    ],
)
def test_a_parameter_outside_the_vocabulary_is_read_as_its_type(text, value):
    (read,) = parameters.parse([text], OWN).values()
    assert read == value
    assert repr(read) == repr(value), "the same types"


def test_a_grid_of_texts_has_its_lists_in_brackets_too():
    assert parameters.parse_grid(["names=[a,b],[c]", "rate=1,.5", "word=a,b"], OWN) == {
        "names": [["a", "b"], ["c"]],
        "rate": [1.0, 0.5],
        "word": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rate", "0.1", "a number"),
        ("rate", True, "a number"),
        ("rate", float("nan"), "a number"),
        ("names", "a", "a list of texts"),
        ("names", ["a", 1], "a list of texts"),
        ("names", ("a",), "a list of texts"),
        ("sizes", [1.0], "a list of whole numbers"),
        ("sizes", [2**63], "a list of whole numbers of at most 64 bits"),
        ("levels", [1, "2"], "a list of numbers"),
        ("word", 1, "a text"),
        ("word", "\ud800", "a text"),
        ("steps", 1.0, "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", -(2**63) - 1, "a whole number of at most 64 bits"),
        ("fast", 1, "true or false"),
    ],
)
def test_a_value_outside_the_vocabulary_is_of_its_type(name, value, words):
    with pytest.raises(RefusedError, match=rf"^{name} must be {words}, got {re.escape(repr(value))}$"):
        convae_nb.runs.parameters.validate_type(name, value, OWN[name])


def test_a_whole_number_where_a_number_is_wanted_becomes_one():
    for value, kind, expected in ((1, float, "1.0"), ([1, 0.5], list[float], "[1.0, 0.5]"), (2**63 - 1, int, "9223372036854775807")):
        assert repr(convae_nb.runs.parameters.validate_type("rate", value, kind)) == expected
