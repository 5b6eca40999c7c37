"""README.md, CONTRIBUTING.md and the pages of book/: links and commands exist, code runs, and what is said of the chapters holds."""

import contextlib
import doctest
import functools
import importlib
import inspect
import io
import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

import convae_nb
from convae_nb import cli, data, noise, parameters, runs
from convae_nb.data import picture
from convae_nb.runs import engine

ROOT = Path(__file__).parents[1]
FOLDERS = ["benchmarks", "book", "convae_nb", "images", "tests"]
BOOK = sorted(path for path in ROOT.glob("book/**/*.md") if not path.is_relative_to(ROOT / "book/zh"))
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(path.relative_to(ROOT).as_posix() for path in BOOK)]
CHAPTERS = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
# How the chapters say their minutes, and how tables do.
MINUTES = {"a quarter of a minute": "¼", "fifteen seconds": "¼", "half a minute": "½", "a minute": "1", "a minute and a half": "1½"}
every_page = pytest.mark.parametrize("page", PAGES)
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@functools.cache
def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page):
    """The fenced blocks of a page, each with its language."""
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```$", read(page), re.MULTILINE | re.DOTALL)


def prose(page):
    return re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


@functools.cache
def cells(chapter):
    return json.loads(chapter.read_text(encoding="utf-8"))["cells"]


@functools.cache
def told(chapter):
    """All words of a notebook."""
    return "\n\n".join("".join(cell["source"]) for cell in cells(chapter) if cell["cell_type"] == "markdown")


def parameters_of(chapter):
    (cell,) = (cell for cell in cells(chapter) if "parameters" in cell["metadata"].get("tags", []))
    return re.findall(r"^(\w+):", "".join(cell["source"]), re.MULTILINE)


# --- form


def test_the_readme_is_a_front_page():
    assert len(read("README.md").splitlines()) < 150


@every_page
def test_prose_is_wrapped(page):
    wide = [line for line in prose(page).splitlines() if len(line) > 120 and not re.match(r"\||!\[| *(- )?\[[^]]*\]\(", line)]
    assert not wide


@every_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", read(page)):
        path, _, fragment = target.partition("#")
        path = (ROOT / page).parent / path if path else ROOT / page
        assert path.exists(), target
        if fragment:
            text = told(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert fragment.lower() in [re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings], target


@every_page
def test_names_of_the_package_exist(page):
    for module, name in re.findall(r"`([a-z_]+)\.(\w+)", prose(page)):
        if module in convae_nb.__all__ and name not in ("py", "md"):
            assert hasattr(importlib.import_module(f"convae_nb.{module}"), name), f"{module}.{name}"


@every_page
def test_files_that_are_named_are_there(page):
    files = [f"/{path.relative_to(ROOT).as_posix()}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    for named in re.findall(r"`([\w/]+\.(?:pyi?|csv|json|npz))`", prose(page)):
        assert any(path.endswith(f"/{named}") for path in files), named


# --- commands and code


@every_page
def test_commands_are_such_that_can_be_given(page):
    targets = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[1].split()
    lines = [line for language, code in blocks(page) if language == "sh" for line in code.splitlines()]
    lines += re.findall(r"`((?:make|uv run|\.venv/bin/\w+) [^`]+)`", prose(page))
    for line in lines:
        line = re.sub("^uv run (--extra dev )?(?=convae |jupyter |pytest )", ".venv/bin/", line)
        program, *words = shlex.split(line.replace("NAME", "nearest").replace("python -m convae_nb", "convae"), comments=True)
        if program == "make":
            assert words[0] in targets, line
        elif program == ".venv/bin/convae":
            options, further = cli._parser().parse_known_args(words)
            assert not further or options.command is cli._lab, line
            parameters.check(**parameters.parse(getattr(options, "parameter", [])))
            for name, values in parameters.parse_grid(getattr(options, "grid", [])).items():
                for value in values:
                    parameters.check(**{name: value})
            for chapter in [options.chapter] if "chapter" in options else getattr(options, "chapters", []):
                assert chapter in ("all", "NN") or runs.find(chapter).exists()
        elif words[:1] == ["-c"]:
            imported = {}
            exec(words[1].partition(";")[0], imported)
            for module, name in re.findall(r"\b([a-z_]+)\.([a-z_]+)\(", words[1]):
                assert hasattr(imported[module], name), line
        else:
            programs = ("python -m", "python book/translation.py zh", "lint-imports", "dask", "jupyter lab", "pytest")
            known = (*(f".venv/bin/{program} " for program in programs), "python3 -m venv .venv")
            assert line.strip().startswith(known), line


@pytest.fixture
def holiday(tmp_path, monkeypatch):
    """The folder of which own_images.md and denoise.md in book/howto speak, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for place, first in (("beach", 1), ("hills", 101)):
        folder = Path("holiday", place)
        folder.mkdir(parents=True)
        for number in range(first, first + 40):
            Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype="uint8")).save(folder / f"IMG_{number:04}.jpg")
    Path("holiday/hills/notes.txt").write_text("rain")


@pytest.fixture
def large(tmp_path):
    """The file of which book/howto/scale.md speaks: somewhat more than the hundred million bytes that its limit allows."""
    np.savez(tmp_path / "large.npz", x_train=np.full((130_000, 28, 28), 255, "uint8"), x_test=np.full((10, 28, 28), 255, "uint8"))


@pytest.fixture
def short_chapter(tmp_path, monkeypatch):
    """A chapter 3 of one line in the working directory, which is looked for there first: what sweeps.md does takes seconds with it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "notebooks").mkdir()
    own = "seed: int = 0  # seed\nfilters: list[int] = [16, 8, 8]  # filters\ntrain_digits: int = 0  # digits"
    notebook = [
        nbformat.v4.new_code_cell(own, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("from convae_nb import runs\nruns.record(psnr=20 + seed + filters[-1])"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=notebook), tmp_path / "notebooks/03_short.ipynb")


@pytest.mark.slow
@pytest.mark.usefixtures("holiday", "large", "short_chapter")
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # Keras 3.15 with NumPy 2, on export
@pytest.mark.parametrize("name", ["own_images", "denoise", "sweeps", "export", "scale"])
def test_the_code_of_a_page_does_what_the_page_says(name):
    there, parts = {}, blocks(f"book/howto/{name}.md")
    assert [code for language, code in parts if language == "python"]
    for (language, code), (following, expected) in zip(parts, [*parts[1:], ("", "")], strict=True):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as written:
                exec(code, there)
            if following == "text":
                assert doctest.OutputChecker().check_output(expected, written.getvalue(), 0), written.getvalue()


def test_what_the_pages_say_of_the_package_holds():
    own = read("book/howto/own_images.md")
    kinds = re.search(r"^Put (.*?) files into a folder", own, re.MULTILINE)[1]
    assert {kind.upper() for kind in re.split(r", | or ", kinds)} == set(picture.KINDS)
    assert "two billion bytes" in own
    assert inspect.signature(data.load).parameters["limit"].default == 2_000_000_000
    with_source = [int(chapter.stem[:2]) for chapter in CHAPTERS if "source" in parameters_of(chapter)]
    said = f"Chapters {', '.join(map(str, with_source[:-1]))} and {with_source[-1]} "
    assert f"{said}take a `source`" in own
    assert f"{said}run on [pictures of your own]" in " ".join(read("book/teachers.md").split())
    sweeps = " ".join(read("book/howto/sweeps.md").split())
    assert "is tried three times" in sweeps
    assert engine.ATTEMPTS == 3
    assert f"no worker for {engine.WORKER_TIMEOUT} seconds" in sweeps


# --- the chapters


@every_chapter
def test_the_readme_and_the_teachers_page_have_every_chapter_with_its_own_minutes_and_words(chapter):
    (said,) = re.findall(r"hapter takes (?:about )?(.*?) on two cores", told(chapter))
    link = rf"\| \[{int(chapter.stem[:2])} [^]]+"
    in_readme = re.findall(rf"^{link}\]\(notebooks/{chapter.name}\) \| .* \| (\S+) \|$", read("README.md"), re.MULTILINE)
    for_teachers = re.findall(rf"^{link}\]\(../notebooks/{chapter.name}\) \| (\S+) \| (\S+) \|", read("book/teachers.md"), re.MULTILINE)
    assert in_readme == [MINUTES[said]]
    ((minutes, words),) = for_teachers
    assert minutes == MINUTES[said]
    assert int(words.replace(",", "")) == pytest.approx(len(told(chapter).split()), abs=100)


@every_chapter
def test_teachers_find_a_chapters_parameters_exercises_and_solutions(chapter):
    (section,) = re.findall(rf"^## Chapter {int(chapter.stem[:2])}: (.*?)(?=^## |\Z)", read("book/teachers.md"), re.MULTILINE | re.DOTALL)
    listed = re.search(r"^Parameters: (.*?)\.$", section, re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"`(\w+)`", listed) == parameters_of(chapter)
    exercises = told(chapter).split("## Exercises")[1].split("\n## ")[0]
    assert re.findall(r"^(\d)\. ", section, re.MULTILINE) == re.findall(r"^(\d)\. ", exercises, re.MULTILINE)
    assert f"[Solutions](../notebooks/solutions/{chapter.name})" in section


# --- the glossary


def entries():
    """Terms and definition of each entry."""
    (block,) = (code for language, code in re.findall(r"^```\{(\w+)\}\n(.*?)^```$", read("book/glossary.md"), re.MULTILINE | re.DOTALL))
    for entry in block.strip().split("\n\n"):
        lines = entry.split("\n")
        yield [line for line in lines if not line.startswith("  ")], " ".join(line.strip() for line in lines if line.startswith("  "))


def is_chinese(term):
    return re.search(r"[\u4e00-\u9fff]", term)


def test_the_glossary_has_each_term_once_in_order_and_in_both_languages():
    terms = [terms for terms, _ in entries()]
    english = [[term for term in each if not is_chinese(term)] for each in terms]
    assert all(len(some) < len(each) for some, each in zip(english, terms, strict=True))
    assert all(definition for _, definition in entries())
    firsts = [each[0].lower() for each in english]
    assert firsts == sorted(firsts)
    names = [term for each in terms for term in each]
    assert len(names) == len(set(names)) > 100


def test_a_term_is_met_in_the_chapter_to_which_it_is_linked():
    for terms, definition in entries():
        chapter = re.findall(r"\[Chapter (\d)\]\(../notebooks/(0\1_\w+\.ipynb)\)\.$", definition)[-1][1]
        words = re.sub(r"[*`]", "", told(ROOT / "notebooks" / chapter)).lower()
        assert any(term.lower() in words for term in terms if not is_chinese(term)), terms


@every_page
def test_a_page_uses_only_terms_that_the_glossary_has(page):
    known = {term for terms, _ in entries() for term in terms}
    used = re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", " ".join(read(page).split()))
    assert set(used) <= known


def test_the_glossary_names_every_kind_of_noise():
    (definition,) = (definition for terms, definition in entries() if terms[0] == "noise")
    for kind in noise.KINDS:
        assert kind.replace("_", " ") in definition.lower()


# --- versions


def test_version_and_date_are_the_same_everywhere():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    version, date = re.search(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.MULTILINE).groups()
    assert project["version"] == convae_nb.__version__ == version
    assert re.search(r"^version: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == version
    assert re.search(r"^date-released: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == date
