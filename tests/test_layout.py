import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convae_nb

PUBLIC = sorted({*convae_nb.__all__} - {"keras", "tf"})
LIGHT = ["data", "errors", "metrics", "models", "noise", "parameters", "reference", "runs", "training"]  # without TensorFlow
ROOT = Path(__file__).parent.parent


def python(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, env=os.environ | environment, check=False)


def linted(path, text):
    """What ruff, with the project's settings, says of a text that would lie at a path."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", f"--stdin-filename={path}", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=200, cwd=ROOT, check=False).stdout


def public_functions(module):
    """Every function and method that a public module offers, by its name."""
    face = importlib.import_module(f"convae_nb.{module}")
    for name in getattr(face, "__all__", [name for name in vars(face) if not name.startswith("_")]):
        value = getattr(face, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and value.__module__.startswith("convae_nb"):
            methods = {method: function for method, function in vars(value).items() if inspect.isfunction(function)}
            for method, function in methods.items():
                written = function.__module__ == value.__module__ and "__create_fn__" not in function.__qualname__
                if written and (method in ("__init__", "__call__") or not method.startswith("_")):
                    yield f"{name}.{method}", function


def test_chapters_import_by_these_words():
    words = "data noise models layers training metrics checkerboard baselines reference plots explorer runs parameters errors exercises"
    assert sorted(PUBLIC) == sorted(words.split())


def test_keras_and_tensorflow_come_in_silently_by_the_package_s_name():
    asked = python("from convae_nb import keras, tf; import tensorflow; print(tf is tensorflow, keras.__name__)")
    assert (asked.stdout, asked.stderr) == ("True keras\n", "")


FACE = "import convae_nb.{} as face\n[getattr(face, name) for name in dir(face)]\nassert face.__doc__\n"


def test_faces_offer_what_they_name():
    asked = python("".join(map(FACE.format, PUBLIC)))
    assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("module", PUBLIC)
def test_a_face_needs_no_other_imported_before(module):
    asked = python(FACE.format(module))
    assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.parametrize("module", PUBLIC)
def test_public_functions_are_annotated(module):
    lacking = []
    for name, function in public_functions(module):
        signature = inspect.signature(function)
        lacking += [f"{name}({parameter})" for parameter in signature.parameters.values() if parameter.annotation is parameter.empty]
        if signature.return_annotation is signature.empty and not name.endswith("__init__"):
            lacking.append(f"{name} ->")
    assert [entry for entry in lacking if "(self)" not in entry] == []


def test_types_travel_with_the_package():
    assert (ROOT / "convae_nb/py.typed").exists()


def test_an_import_upward_breaks_the_contract_of_layers(tmp_path):
    """The contract itself runs in `make test`; here a copy of the package is spoiled."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.json", "*.csv")
    shutil.copytree(ROOT / "convae_nb", tmp_path / "convae_nb", ignore=ignored)
    with (tmp_path / "convae_nb/noise/kinds.py").open("a") as file:
        file.write("\n\ndef spoiled():\n    from convae_nb.training import recipes\n\n    return recipes\n")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]
    checked = subprocess.run(
        command, capture_output=True, text=True, timeout=400, cwd=tmp_path, env=os.environ | {"PYTHONPATH": "."}, check=False
    )
    assert checked.returncode == 1
    assert "convae_nb.noise is not allowed to import convae_nb.training" in checked.stdout


@pytest.mark.parametrize("line", ["import keras", "import tensorflow as tf", "from keras import layers", "from tensorflow import nn"])
def test_tensorflow_and_keras_come_in_by_one_door(line):
    text = f"def look():\n    {line}\n"
    assert "TID251" in linted("convae_nb/models/other.py", text)
    assert "TID251" not in linted("convae_nb/_base/tensorflow.py", text)


@pytest.mark.parametrize("name", ["convae_nb", *(f"convae_nb.{module}" for module in LIGHT), "convae_nb.cli"])
def test_what_must_answer_at_once_imports_no_tensorflow(name):
    asked = python(f"import {name}, sys; print(sorted({{'tensorflow', 'keras', '{name}'}} & set(sys.modules)))")
    assert (asked.stdout, asked.stderr) == (f"['{name}']\n", "")


@pytest.mark.parametrize("names", ["models.DECODERS", "training.RECIPES", "noise.KINDS", "reference.NAMES", "reference.code_sizes()"])
def test_names_and_tables_are_at_hand_without_tensorflow(names):
    asked = python(f"import sys, convae_nb; assert len(convae_nb.{names}); print('tensorflow' in sys.modules)")
    assert (asked.stdout, asked.stderr) == ("False\n", "")


def seconds(code):
    """Processor time of a Python that runs some code: other tests keep the machine busy."""
    before = os.times()
    assert python(code).returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_the_package_is_imported_in_a_moment():
    assert min(seconds("import convae_nb") for _ in range(5)) < 0.6  # less than 0.2 on a machine of today


def test_metrics_are_imported_without_what_takes_seconds():
    assert min(seconds("import convae_nb.metrics") - seconds("pass") for _ in range(5)) < 2  # TensorFlow adds several


def test_tensorflow_comes_in_silently_and_under_keras_whatever_backend_is_asked_for():
    asked = python("from convae_nb._base.tensorflow import keras, tf; print(keras.backend.backend(), tf.__name__)", KERAS_BACKEND="jax")
    assert (asked.stdout, asked.stderr) == ("tensorflow tensorflow\n", "")


@pytest.mark.parametrize("lack", ["os.close(2)", "sys.stderr = None", "os.close(2); sys.stderr = None"])
def test_without_standard_error_tensorflow_comes_in_and_is_written_nowhere(lack, tmp_path):
    written = tmp_path / "written"
    code = f"import os, sys; {lack}; from convae_nb._base.tensorflow import tf; open({str(written)!r}, 'w').write(tf.__name__)"
    assert python(code).returncode == 0
    assert written.read_text() == "tensorflow"


@pytest.fixture
def substitutes(tmp_path):
    """A Keras that was set to another backend, and a TensorFlow that writes to stderr as the real one does."""
    (tmp_path / "keras.py").write_text("class backend:\n    def backend():\n        return 'jax'\n")
    (tmp_path / "tensorflow.py").write_text("import os\n\nos.write(2, b'oneDNN is on\\n')\n")
    return tmp_path


def test_keras_loaded_with_another_backend_is_refused_in_one_sentence(substitutes):
    asked = python("import keras, convae_nb._base.tensorflow", PYTHONPATH=str(substitutes))
    assert asked.returncode == 1
    assert asked.stderr.splitlines()[-1] == (
        "ImportError: convae_nb needs Keras on TensorFlow, but Keras is loaded already with the backend 'jax': "
        "restart Python and import convae_nb first, or set KERAS_BACKEND=tensorflow."
    )
    assert "oneDNN" not in asked.stderr


def test_what_tensorflow_wrote_is_shown_when_it_does_not_load(substitutes):
    with (substitutes / "tensorflow.py").open("a") as file:
        file.write("raise ImportError('this processor has no AVX')\n")
    asked = python("import convae_nb._base.tensorflow", PYTHONPATH=str(substitutes))
    assert asked.returncode == 1
    assert asked.stderr.startswith("oneDNN is on\n")
    assert asked.stderr.endswith("ImportError: this processor has no AVX\n")
