import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SERVED = ["3.11", "3.12", "3.13"]
SYSTEMS = {
    "Linux": {"sys_platform": "linux", "platform_machine": "x86_64", "os_name": "posix"},
    "Windows": {"sys_platform": "win32", "platform_machine": "AMD64", "os_name": "nt"},
    "Apple silicon": {"sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix"},
    "Intel Mac": {"sys_platform": "darwin", "platform_machine": "x86_64", "os_name": "posix"},
}

# Stands for a Python of any version: writes down what it is asked, answers its version, and makes a .venv of itself.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
    --version*) echo "pip 24.0 from .venv (python {version})" ;;
    "-c "*) echo "{version}" ;;
    "-m venv")
        mkdir -p .venv/bin && echo "$*" >>asked && {venv}
        cp "$0" .venv/bin/python && cp "$0" .venv/bin/pip && touch .venv/pyvenv.cfg
        echo "{name}" >.venv/made-by ;;
    *) echo "$*" >>asked && test ! -e offline ;;
esac
"""
# What Debian's Python prints where the package python3-venv is missing, in short.
NO_ENSUREPIP = 'echo "The virtual environment was not created successfully because ensurepip is not"; echo "available."; exit 1'
SETUP = ["-m venv --clear .venv", "-m pip install -r requirements.txt", "-m pip install --no-deps --no-build-isolation -e ."]
RUN = "-m convae_nb run all"


def write_python(path, version, venv=":"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE_PYTHON.format(name=path.name, version=version, venv=venv))
    path.chmod(0o755)


class Checkout:
    """A folder with the project's set-up files, on a machine that has the tools named here and no Python but the fakes."""

    def __init__(self, folder):
        self.folder, self.bin, self.session = folder / "check out", folder / "bin", {}
        self.folder.mkdir()
        self.bin.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(ROOT / name, self.folder)
        for tool in ("sh", "make", "awk", "grep", "sed", "rm", "cp", "mkdir", "touch"):
            (self.bin / tool).symlink_to(shutil.which(tool))

    def make(self, *arguments):
        environment = {"PATH": str(self.bin), "LC_ALL": "C"} | self.session
        return subprocess.run(["make", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=200)

    def asked(self, *arguments):
        """What make had the Python do, once it has succeeded."""
        (self.folder / "asked").write_text("")
        finished = self.make(*arguments)
        assert (finished.returncode, finished.stderr) == (0, "")
        return (self.folder / "asked").read_text().splitlines()

    def change(self, name):
        for path in self.folder.rglob("*"):
            os.utime(path, (1e9, 1e9))
        (self.folder / name).touch()


@pytest.fixture
def checkout(tmp_path):
    if not shutil.which("make"):
        pytest.skip("no make on this system: the README gives the plain commands")
    return Checkout(tmp_path)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name):
    """The file's requirements, each with its hashes."""
    lines = [line.split(" --hash=") for line in text(name).replace("\\\n", " ").splitlines() if not line.startswith("#")]
    return [(Requirement(requirement), {each.strip() for each in hashes}) for requirement, *hashes in lines]


def asked_for(name):
    lines = (line.split("#")[0].strip() for line in text(name).splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


def chosen(requirements, python, system):
    """Name and version of the pins that pip takes on this Python and system."""
    there = {"python_version": python, "python_full_version": f"{python}.1"} | SYSTEMS[system]
    return {each.name: each.specifier for each, _ in requirements if each.marker is None or each.marker.evaluate(there)}


def test_make_alone_lists_every_target_and_does_nothing(checkout):
    targets = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)[1].split()
    listed = checkout.make().stdout
    assert re.findall(r"^make (\S+) +\w", listed, re.MULTILINE) == targets
    assert not (checkout.folder / ".venv").exists()


def test_the_first_python_that_serves_makes_the_environment_without_a_word_on_the_others(checkout):
    write_python(checkout.bin / "python3", "3.10")
    write_python(checkout.bin / "python3.12", "3.12")
    write_python(checkout.bin / "python3.11", "3.11")
    (checkout.bin / "python3.13").write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    (checkout.bin / "python3.13").chmod(0o755)
    assert checkout.asked("run") == [*SETUP, RUN]
    assert (checkout.folder / ".venv/made-by").read_text() == "python3.12\n"


def test_a_language_that_is_asked_for_is_made_first_and_run_in_its_own_folder(checkout):
    write_python(checkout.bin / "python3", "3.12")
    (checkout.folder / "build/zh").mkdir(parents=True)
    assert checkout.asked("run", "LANGUAGE=zh") == [*SETUP, "book/translation.py zh"]
    assert (checkout.folder / "build/zh/asked").read_text() == f"{RUN}\n"


def test_the_language_of_a_session_is_another_matter(checkout):
    write_python(checkout.bin / "python3", "3.12")
    checkout.session = {"LANGUAGE": "de:en"}
    assert checkout.asked("run") == [*SETUP, RUN]


def test_a_python_given_by_path_is_taken_before_the_others(checkout):
    write_python(checkout.bin / "python3", "3.11")
    write_python(checkout.folder / "own tools/snake", "3.13")
    checkout.asked("run", "PYTHON=own tools/snake")
    assert (checkout.folder / ".venv/made-by").read_text() == "snake\n"


@pytest.mark.parametrize(
    ("pythons", "arguments", "found"),
    [
        ({}, [], "none"),
        ({"python3": "3.10", "python": "2.7"}, [], "3.10"),
        ({"python3": "3.14"}, [], "3.14"),
        ({"python3": "3.11.3"}, [], "3.11.3"),
        ({"python3": "3.12", "python3.9": "3.9"}, ["PYTHON=python3.9"], "3.9"),
        ({"python3": "3.12"}, ["PYTHON=/no/such/python"], "none"),
        ({"python3": "3.12 for an Intel Mac, where TensorFlow has no wheel"}, [], "3.12 for an Intel Mac, where TensorFlow has no wheel"),
    ],
)
def test_without_a_python_that_serves_one_sentence_says_which_do(checkout, pythons, arguments, found):
    for name, version in pythons.items():
        write_python(checkout.bin / name, version)
    refused = checkout.make("run", *arguments)
    sentence, of_make = refused.stderr.splitlines()
    assert sentence == (
        f"convae needs Python 3.11, 3.12 or 3.13; found {found}: install one, or name it: make run PYTHON=/path/to/python3.12"
    )
    assert of_make.startswith("make: *** ")
    assert refused.returncode == 2
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("system", "machine", "remark"), [("Darwin", "arm64", ""), ("Linux", "x86_64", ""), ("Darwin", "x86_64", " for an Intel Mac")]
)
def test_a_python_tells_its_version_and_whether_it_is_for_an_intel_mac(checkout, monkeypatch, capsys, system, machine, remark):
    program = re.search(r"-c '(.*)' 2>", checkout.make("-n", "run").stdout)[1]
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    exec(program)
    assert capsys.readouterr().out.split(",")[0].strip() == f"{sys.version_info.major}.{sys.version_info.minor}{remark}"


@pytest.mark.parametrize(("version", "told"), [((3, 11, 3), "3.11.3"), ((3, 11, 4), "3.11"), ((3, 13, 0), "3.13")])
def test_a_python_before_the_filters_of_tarfile_is_told_in_full(checkout, monkeypatch, capsys, version, told):
    program = re.search(r"-c '(.*)' 2>", checkout.make("-n", "run").stdout)[1]
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(platform, "python_version", lambda: ".".join(map(str, version)))
    exec(program)
    assert capsys.readouterr().out.split(" ")[0].strip() == told


def test_a_python_without_its_venv_package_is_named_with_the_cure_and_leaves_nothing_behind(checkout):
    write_python(checkout.bin / "python3", "3.11", venv=NO_ENSUREPIP)
    refused = checkout.make("run")
    sentence, _ = refused.stderr.splitlines()
    assert sentence == "convae needs the venv package of Python, which python3 lacks: apt install python3-venv (or python3.11-venv)"
    assert refused.returncode == 2
    assert not (checkout.folder / ".venv").exists()


def test_another_reason_why_no_environment_can_be_made_is_shown(checkout):
    write_python(checkout.bin / "python3", "3.11", venv='echo "Error: [Errno 28] No space left on device" >&2; exit 1')
    assert checkout.make("run").stderr.splitlines()[0] == "Error: [Errno 28] No space left on device"
    assert not (checkout.folder / ".venv").exists()


def test_only_a_changed_file_installs_again(checkout):
    write_python(checkout.bin / "python3", "3.12")
    dev = "-m pip install --quiet -r requirements-dev.txt"
    assert checkout.asked(".venv/installed-dev") == [*SETUP, dev]
    assert checkout.asked(".venv/installed-dev") == []
    for changed, installs in {
        "Makefile": [],
        "requirements-dev.txt": [dev],
        "requirements.txt": [*SETUP[1:], dev],
        "pyproject.toml": [*SETUP[1:], dev],
    }.items():
        checkout.change(changed)
        assert checkout.asked(".venv/installed-dev") == installs, changed
        assert checkout.asked(".venv/installed-dev") == [], changed


def test_an_installation_that_failed_is_tried_again(checkout):
    write_python(checkout.bin / "python3", "3.12")
    (checkout.folder / "offline").touch()
    assert checkout.make("run").returncode == 2
    (checkout.folder / "offline").unlink()
    assert checkout.asked("run") == [*SETUP[1:], RUN]


@pytest.mark.parametrize("damage", ["interrupted before pip came", "its Python is gone", "its Python no longer serves"])
def test_an_environment_that_does_not_work_is_made_again(checkout, damage):
    write_python(checkout.bin / "python3", "3.12")
    checkout.asked("run")
    pip = checkout.folder / ".venv/bin/pip"
    if damage == "interrupted before pip came":
        pip.unlink()
    elif damage == "its Python is gone":
        pip.write_text(f"#!{checkout.folder}/gone/python\n")
    else:
        write_python(pip, "3.10")
    assert checkout.asked("run") == [*SETUP, RUN]
    assert checkout.asked("run") == [RUN]


def test_the_readme_gives_every_command_that_make_types_and_contributing_those_of_the_tests(checkout):
    readme = text("README.md")
    for target, pages in {"run": readme, "lab": readme, "app": readme, "test": readme + text("CONTRIBUTING.md")}.items():
        typed = [line for line in checkout.make("-n", target).stdout.splitlines() if line.startswith(".venv/bin/")]
        assert len(typed) >= 3
        for command in typed:
            assert f"\n{command}\n" in pages
    powershell = re.search(r"```powershell\n(.*?)```", readme, re.DOTALL)[1].replace("\\Scripts\\", "/bin/").replace("py -3.12", "python3")
    assert f"```sh\n{powershell}```" in readme


def test_all_tests_are_the_tests_with_another_choice(checkout):
    def pytest_line(target):
        return next(line for line in checkout.make("-n", target).stdout.splitlines() if "-m pytest" in line)

    quick = '-m "not slow and not long"'
    assert pytest_line("test-all") == pytest_line("test").replace(quick, '-m "not long"')
    assert pytest_line("test-long") == pytest_line("test").replace(quick, "-m long")


def test_ci_runs_all_tests():
    assert text(".ci/run").splitlines()[-1] == "make test-all"
    assert os.name == "nt" or os.access(ROOT / ".ci/run", os.X_OK)


def test_pyproject_readme_makefile_and_pins_agree_on_the_pythons():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    bounds = Requirement(f"python{project['requires-python']}").specifier
    assert [f"3.{minor}" for minor in range(8, 20) if f"3.{minor}.9" in bounds] == SERVED
    for name in ("Makefile", "README.md"):
        assert "Python 3.11, 3.12 or 3.13" in text(name)
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "--python-version 3.11 " in text(name).splitlines()[1]


def test_the_lists_of_pyproject_are_those_of_the_short_lists():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    chapters, tests = (set(map(str, asked_for(name))) for name in ("requirements.in", "requirements-dev.in"))
    listed = {part: {str(Requirement(each)) for each in names} for part, names in project["optional-dependencies"].items()}
    listed["dev"] -= {"convae-nb[app,lab,runs]"}
    of_chapters = set(map(str, map(Requirement, project["dependencies"]))) | listed["app"] | listed["lab"] | listed["runs"]
    assert of_chapters | {"nbval", "setuptools"} == chapters
    assert listed["dev"] == tests | {"nbval", "setuptools"}


def test_uv_run_brings_what_requirements_in_asks_for():
    project = tomllib.loads(text("pyproject.toml"))
    assert project["tool"]["uv"]["default-groups"] == ["chapters"]
    assert project["dependency-groups"]["chapters"] == ["convae-nb[app,lab,runs]", "nbval", "setuptools"]


def test_measures_and_layers_need_none_of_the_extras():
    extras = ["jupyterlab", "voila", "nbval", "papermill", "distributed", "filelock", "ipywidgets", "ipykernel", "IPython", "nbformat"]
    code = (
        f"import sys; sys.modules |= dict.fromkeys({extras})\n"
        "from convae_nb import baselines, checkerboard, data, layers, metrics, models, noise, parameters, plots, reference, training\n"
        "digits = data.load().x_test[:20]\n"
        "model = models.build_autoencoder()\n"
        "training.train(model, data.first(data.load(), 200), training.recipe('fast_basic', epochs=1), progress=False)\n"
        "print(metrics.evaluate(model, digits, noise.corrupt(digits)).shape, reference.NAMES[0])\n"
        "plots.image_rows({'digits': digits})\n"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400, check=False)
    assert (asked.stdout, asked.stderr) == ("(1, 6) original_basic/0\n", "")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_is_one_version_with_hashes_and_no_address(name):
    # Nothing but comments, pins and hashes: no option, and no place to install from.
    known = r"#[^/:]*:?|[\w.-]+(\[[\w,-]+\])?==[\w.+]+( ; [^/:]*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    assert [line for line in text(name).splitlines() if not re.fullmatch(known, line)] == []
    for requirement, hashes in pins(name):
        assert [each.operator for each in requirement.specifier] == ["=="]
        assert requirement.url is None
        assert hashes
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("python", SERVED)
@pytest.mark.parametrize("system", ["Linux", "Windows", "Apple silicon"])
def test_what_is_asked_for_is_pinned_on_every_system(python, system):
    for stem in ("requirements", "requirements-dev"):
        there = chosen(pins(f"{stem}.txt"), python, system)
        for asked in asked_for(f"{stem}.in"):
            (pin,) = there[asked.name]
            assert pin.version in asked.specifier


@pytest.mark.parametrize("python", SERVED)
def test_an_intel_mac_gets_no_pins_and_the_readme_says_why(python):
    assert chosen(pins("requirements.txt"), python, "Intel Mac") == {}
    assert "TensorFlow has no wheel for Intel Macs" in text("README.md")


@pytest.mark.parametrize("python", SERVED)
@pytest.mark.parametrize("system", ["Linux", "Windows", "Apple silicon"])
def test_the_tests_run_with_the_very_pins_of_the_chapters(python, system):
    chapters, tests = pins("requirements.txt"), pins("requirements-dev.txt")
    assert chosen(chapters, python, system).items() <= chosen(tests, python, system).items()
    files = {(requirement.name, str(requirement.specifier)): hashes for requirement, hashes in tests}
    assert all(files[requirement.name, str(requirement.specifier)] == hashes for requirement, hashes in chapters)


@pytest.mark.parametrize("python", SERVED)
@pytest.mark.parametrize("system", ["Linux", "Windows", "Apple silicon"])
def test_uv_is_bound_to_the_very_pins(python, system):
    bounds = [(Requirement(each), set()) for each in tomllib.loads(text("pyproject.toml"))["tool"]["uv"]["constraint-dependencies"]]
    pinned, bound = chosen(pins("requirements-dev.txt"), python, system), chosen(bounds, python, system)
    assert {name: bound[name] for name in pinned} == pinned
    assert {each.name for each, _ in bounds} == {each.name for each, _ in pins("requirements-dev.txt")}


def test_make_pins_frees_uv_from_the_old_pins_and_binds_it_to_the_new_ones(checkout):
    write_python(checkout.bin / "python3", "3.12")
    checkout.asked(".venv/pyvenv.cfg")
    uv = checkout.folder / ".venv/bin/uv"
    uv.write_text('#!/bin/sh\n! grep numpy== pyproject.toml && echo "uv $*" >>asked\n')
    uv.chmod(0o755)
    pinned, project = checkout.folder / "requirements-dev.txt", checkout.folder / "pyproject.toml"
    pinned.write_text(re.sub("^(numpy|tqdm)==[^ ]+", r"\g<0>.post1", pinned.read_text(), flags=re.MULTILINE))
    expected = re.sub('^    "(numpy|tqdm)==[^ "]+', r"\g<0>.post1", project.read_text(), flags=re.MULTILINE)
    assert expected.count(".post1") >= 2
    installs, *compiled = checkout.asked("pins")
    assert installs == "-m pip install uv"
    assert [re.sub(" --.*? (?=-c|req)", " ", each) for each in compiled] == [
        "uv pip compile requirements.in -o requirements.txt",
        "uv pip compile -c requirements.txt requirements-dev.in -o requirements-dev.txt",
    ]
    assert project.read_text() == expected
    assert not list(checkout.folder.glob("pyproject.toml.*"))
