import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "convae_nb"
# Foundations first: a module imports only from those before it.
ORDER = [
    *("_names", "_whole", "_progress", "_checks", "_split", "_archive", "_pictures", "data"),
    *("_tensorflow", "noise", "layers", "models", "metrics", "checkerboard", "baselines"),
    *("_checkpoint", "_graph_noise", "_recipes", "_processor", "training", "decoders", "pretrained", "comparison", "code_sizes"),
    "reading",
    *("_figure_style", "_figures_of_pictures", "_figures_of_networks", "_figures_of_numbers", "plots", "frames"),
    *("_explorer_pictures", "explorer", "parameters"),
    *("_notebook", "_source", "_execution", "_records", "_comparing", "_cluster", "_engine", "_chapters", "runs", "__main__"),
]
LIGHT = ["data", "parameters", "runs"]  # must answer at once: they import no TensorFlow
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imported(module):
    """Every name that a module imports, wherever in its text, with the modules of the package by their full names."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "convae_nb" if node.level else ""
            path = ".".join(part for part in (base, node.module) if part)
            yield from (f"{path}.{alias.name}" for alias in node.names)


def python(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment, check=False)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_modules_before_it(module):
    before = ORDER[: ORDER.index(module)]
    siblings = {name.split(".")[1] for name in imported(module) if name.startswith("convae_nb.")}
    assert siblings & set(MODULES) <= set(before)


@pytest.mark.parametrize("module", [module for module in MODULES if module != "_tensorflow"])
def test_tensorflow_and_keras_come_in_by_one_door(module):
    assert not {name.split(".")[0] for name in imported(module)} & {"tensorflow", "keras"}


@pytest.mark.parametrize("name", ["convae_nb", *(f"convae_nb.{module}" for module in LIGHT if module in MODULES)])
def test_what_must_answer_at_once_imports_no_tensorflow(name):
    asked = python(f"import {name}, sys; print(sorted({{'tensorflow', 'keras', '{name}'}} & set(sys.modules)))")
    assert (asked.stdout, asked.stderr) == (f"['{name}']\n", "")


def test_the_package_is_imported_in_a_fifth_of_a_second():
    def seconds():
        start = time.perf_counter()
        assert python("import convae_nb").returncode == 0
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.2  # the best of five: other tests keep the machine busy


def test_tensorflow_comes_in_silently_and_under_keras_whatever_backend_is_asked_for():
    asked = python("from convae_nb._tensorflow import keras, tf; print(keras.backend.backend(), tf.__name__)", KERAS_BACKEND="jax")
    assert (asked.stdout, asked.stderr) == ("tensorflow tensorflow\n", "")


@pytest.fixture
def substitutes(tmp_path):
    """A Keras that was set to another backend, and a TensorFlow that writes to stderr as the real one does."""
    (tmp_path / "keras.py").write_text("class backend:\n    def backend():\n        return 'jax'\n")
    (tmp_path / "tensorflow.py").write_text("import os\n\nos.write(2, b'oneDNN is on\\n')\n")
    return tmp_path


def test_keras_loaded_with_another_backend_is_refused_in_one_sentence(substitutes):
    asked = python("import keras, convae_nb._tensorflow", PYTHONPATH=str(substitutes))
    assert asked.returncode == 1
    assert asked.stderr.splitlines()[-1] == (
        "ImportError: convae_nb needs Keras on TensorFlow, but Keras is loaded already with the backend 'jax': "
        "restart Python and import convae_nb first, or set KERAS_BACKEND=tensorflow."
    )
    assert "oneDNN" not in asked.stderr


def test_what_tensorflow_wrote_is_shown_when_it_does_not_load(substitutes):
    with (substitutes / "tensorflow.py").open("a") as file:
        file.write("raise ImportError('this processor has no AVX')\n")
    asked = python("import convae_nb._tensorflow", PYTHONPATH=str(substitutes))
    assert asked.returncode == 1
    assert asked.stderr.startswith("oneDNN is on\n")
    assert asked.stderr.endswith("ImportError: this processor has no AVX\n")
