"""The package as a wheel: what it holds, and that it works where there is no checkout."""

import functools
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command, cwd):
    # Without PYTHONPATH, which may name the checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy, since setuptools builds inside the folder that it is given."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "convae_nb", source / "convae_nb", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    built = run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=folder)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel):
    """A Python that has the wheel, and the packages of this one but for the project itself, in a folder without a checkout."""
    environment = wheel.with_name("environment")
    venv.create(environment, with_pip=False)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    installed = run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=wheel.parent
    )
    assert installed.returncode == 0, installed.stderr
    # A path in a .pth file comes last, and the .pth files behind it, an editable installation's among them, are not read.
    (site,) = environment.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    (site / "others.pth").write_text(f"{Path(np.__file__).parents[1]}\n", encoding="utf-8")
    empty = wheel.with_name("empty")
    empty.mkdir()
    return functools.partial(run, python, cwd=empty)


def test_a_wheel_holds_the_package_its_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    package = {f"convae_nb/{path.relative_to(ROOT / 'convae_nb').as_posix()}" for path in (ROOT / "convae_nb").rglob("*") if path.is_file()}
    assert {name for name in names if ".dist-info/" not in name} == {name for name in package if "__pycache__" not in name}
    assert {"LICENSE", "convae_nb/data/LICENSE"} <= {name.split("/licenses/")[1] for name in names if "/licenses/" in name}
    assert wheel.stat().st_size < 20e6


def test_a_wheel_asks_for_the_packages_of_pyproject_and_has_its_extras(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    asked = [Requirement(line.split(": ")[1]) for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {each for each in asked if each.marker is None} == set(map(Requirement, project["dependencies"]))
    extras = {each.name for each in asked if each.marker is not None and each.marker.evaluate({"extra": "runs"})}
    assert extras == {"distributed", "filelock", "ipykernel", "papermill"}
    assert "Provides-Extra: app" in metadata


def test_an_installed_wheel_has_digits_and_trained_networks(python, wheel):
    asked = python(
        "-c",
        "import convae_nb\n"
        "from convae_nb import data, metrics, models, reference\n"
        "digits, model = data.load().x_test[:100], reference.load('fast_basic')\n"
        "print(convae_nb.__file__)\n"
        "print(metrics.psnr(digits, models.reconstruct(model, digits)).mean() > 20)\n",
    )
    assert asked.returncode == 0, asked.stderr
    place, good = asked.stdout.splitlines()
    assert Path(place).is_relative_to(wheel.with_name("environment"))
    assert good == "True"


def test_an_installed_wheel_runs_a_notebook_that_it_is_given(python, wheel):
    helped = python("-m", "convae_nb", "--help")
    assert helped.returncode == 0
    assert "execute a chapter" in helped.stdout
    lacking = python("-m", "convae_nb", "run", "1")
    assert (lacking.returncode, lacking.stdout) == (2, "")
    assert len(lacking.stderr.splitlines()) == 1
    shutil.copytree(ROOT / "notebooks", wheel.with_name("empty") / "notebooks")
    assert python("-m", "convae_nb", "run", "1", "--output", "run.ipynb").returncode == 0
    command = Path(python.args[0]).with_name("convae.exe" if os.name == "nt" else "convae")
    listed = run(command, "parameters", "1", cwd=wheel.with_name("empty"))
    assert listed.stdout.startswith("source: str = 'mnist'\n")
