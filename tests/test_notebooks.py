"""What the stored notebooks promise: read as files here, executed with small parameters and without a network. nbval, called by
`make test`, compares their marked outputs with fresh ones."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import bs4
import numpy as np
import pytest
from markdown_it import MarkdownIt

from convae_nb import data, models, runs

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTERS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted(NOTEBOOKS.glob("solutions/*.ipynb"))
WITH_SOURCE = [path for path in CHAPTERS if '"source: str' in path.read_text("utf-8")]
SIDE = sorted(set(NOTEBOOKS.glob("*.ipynb")) - set(CHAPTERS))
SMALL = {
    "01_data": {"noise_level": 0.25, "noise_kind": "speckle", "seed": 1},
    "02_architecture": {"filters": [8, 4], "kernel_size": 5, "seed": 1},
    "03_training": {"train_digits": 400, "epochs": 1, "filters": [4, 2], "seed": 1, "keep": True},
    "04_denoising": {"train_digits": 400, "epochs": 1, "noise_kind": "salt_and_pepper", "noise_level": 0.25, "seed": 1, "keep": True},
    "05_checkerboard": {"train_digits": 400, "epochs": 1, "seed": 1},
    "06_code": {"train_digits": 400, "epochs": 1, "filters": [4, 2], "seed": 1, "keep": True},
    "07_around_the_code": {
        "train_digits": 400,
        "epochs": 1,
        "noise_kind": "speckle",
        "noise_level": 1.0,
        "seed": 1,
        "keep": True,
    },
}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path, kind):
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def data_of(cell):
    return [output.get("data", {}) for output in cell["outputs"]]


def texts(value):
    """Every text in outputs or metadata but pictures, whose letters are code for bytes."""
    if isinstance(value, dict):
        return [text for key, part in value.items() if not key.startswith("image/") for text in texts(part)]
    if isinstance(value, list):
        return ["".join(value)] if all(isinstance(part, str) for part in value) else [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


every_notebook = pytest.mark.parametrize("path", CHAPTERS + SOLUTIONS + SIDE, ids=lambda path: f"{path.parent.name}/{path.stem}")
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def test_there_are_chapters_and_each_has_solutions():
    assert [path.stem for path in CHAPTERS] == list(SMALL)
    assert [path.name for path in SOLUTIONS] == [path.name for path in CHAPTERS]


@every_notebook
def test_every_cell_ran_once_from_top_to_bottom(path):
    counts = [cell["execution_count"] for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_outputs_hold_no_error_warning_or_widget(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert not [text for text in texts([cell["outputs"] for cell in cells(path, "code")]) if re.search(r"Warning\b|WARNING", text)]


@every_notebook
def test_outputs_and_metadata_hold_nothing_of_one_machine(path):
    notebook = read(path)
    stored = [notebook["metadata"]] + [cell["metadata"] for cell in notebook["cells"]]
    stored += [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    own = {
        "a path": r"(?<![\w.:/])/(home|root|tmp|usr|opt|Users|var|work)\b|[A-Z]:\\\\",
        "a date": r"\b20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d\.\d",
        "an address": r"\bat 0x[0-9a-f]+|<[\w.]+ object",
        "a host": re.escape(os.uname().nodename) if hasattr(os, "uname") and len(os.uname().nodename) > 5 else "(?!)",
    }
    for text in texts(stored):
        for what, pattern in own.items():
            assert not re.search(pattern, text), f"{what}: {text[:200]}"
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert "version" not in notebook["metadata"]["language_info"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@every_notebook
def test_numbers_are_written_as_jupyterlab_saves_them(path):
    floats = []
    json.loads(path.read_text(encoding="utf-8"), parse_float=floats.append)
    assert [number for number in floats if float(number).is_integer()] == []


@every_notebook
def test_there_is_one_title_at_the_top_and_one_parameters_cell(path):
    headings = [line for cell in cells(path, "markdown") for line in source(cell).splitlines() if line.startswith("# ")]
    assert len(headings) == 1
    assert source(read(path)["cells"][0]).startswith(headings[0])
    assert [tags(cell).count("parameters") for cell in cells(path, "code")].count(1) == 1


@every_notebook
def test_every_figure_comes_from_plots_and_says_its_finding(path):
    for cell in cells(path, "code"):
        pictures = [data for data in data_of(cell) if any(kind.startswith("image/") for kind in data)]
        if pictures:
            assert any(call in source(cell) for call in ("plots.", "noise_explorer(", "drawing_pad("))
            assert len(cell["metadata"]["mystnb"]["image"]["alt"]) > 30
        assert "plt." not in source(cell)
        if "noise_explorer(" in source(cell):
            assert any("image/png" in data for data in data_of(cell)), "where no kernel runs, the explorer is a picture"


@every_chapter
def test_chapters_open_with_the_road_and_are_short(path):
    number = int(path.stem[:2])
    assert f"](images/road_{number}.png)" in source(read(path)["cells"][0]).split("\n\n")[1]
    assert len(read(path)["cells"]) <= 60


@every_notebook
def test_an_answer_is_hidden_in_the_book_and_in_jupyterlab_alike_behind_a_question(path):
    before = ""
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "code":
            hidden = "hide-output" in tags(cell)
            assert cell["metadata"].get("jupyter", {}).get("outputs_hidden", False) == hidden
            assert cell["metadata"].get("collapsed", False) == hidden, "JupyterLab would add it to a chapter that is saved"
            assert not hidden or "?" in "".join(before.split("\n\n")[-2:]), source(cell)
            if "parameters" in tags(cell) or "import " in source(cell).split("\n\n")[0].splitlines()[0]:
                assert "hide-input" in tags(cell), source(cell)
        else:
            before = source(cell)


def test_plain_keras_comes_first():
    network = [source(cell) for cell in cells(NOTEBOOKS / "02_architecture.ipynb", "code") if "# Now 28x28x16" in source(cell)]
    assert len(network) == 1
    trained = "\n".join(source(cell) for cell in cells(NOTEBOOKS / "03_training.ipynb", "code"))
    assert all(call in trained for call in ("compile(", ".fit(", ".summary("))


@every_notebook
def test_relative_links_lead_somewhere(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", source(cell)):
            assert (path.parent / target).exists(), target


@every_notebook
def test_cells_are_short(path):
    for cell in cells(path, "code"):
        assert len(source(cell).splitlines()) <= 20, source(cell)


@every_chapter
def test_at_least_five_text_outputs_are_compared(path):
    checked = [cell for cell in cells(path, "code") if "nbval-check-output" in tags(cell)]
    assert len(checked) >= 5
    for cell in checked:
        assert cell["execution_count"]
        assert texts(cell["outputs"]), source(cell)


@every_chapter
def test_chapters_close_alike(path):
    headings = [line for cell in cells(path, "markdown") for line in source(cell).splitlines() if line.startswith("## ")]
    assert headings[-3:] == ["## What we measured", "## Exercises", "## Further reading"]
    assert any(runs.RESULTS in data for cell in cells(path, "code") for data in data_of(cell))


@every_chapter
def test_prose_keeps_the_manner(path):
    prose = "\n".join(source(cell) for cell in cells(path, "markdown"))
    assert not re.findall(r"\b(?:simply|obviously|amazing(?:ly)?|of course)\b", prose, flags=re.IGNORECASE)
    unfolded = re.sub(r"<details>.*?</details>", "", prose, flags=re.DOTALL)  # hints are for those who ask for them
    assert 1200 <= len(unfolded.split()) <= 2900


@every_chapter
def test_every_exercise_has_a_folded_hint_below_it(path):
    (closing,) = (source(cell) for cell in cells(path, "markdown") if "## Exercises\n" in source(cell))
    told = closing.split("## Exercises\n")[1].split("\n## ")[0]
    page = bs4.BeautifulSoup(MarkdownIt().render(told), "html.parser")

    def inside(tag):
        return [child.name for child in tag.find_all(recursive=False)]

    # Warm-up, exercises and project, then the link to the solutions. A hint in the wrong place would begin another list.
    assert inside(page) == ["p", "details", "ol", "p", "details", "p"]
    assert [bold.get_text() for bold in page.select("p > strong:first-child")] == ["Warm-up.", "Project."]
    exercises = page.ol.find_all("li", recursive=False)
    assert re.findall(r"^(\d+)\. ", told, re.MULTILINE) == [str(number) for number in range(1, len(exercises) + 1)]
    assert [inside(exercise) for exercise in exercises] == [["p", "details"]] * len(exercises)
    for hint in page.find_all("details"):
        assert inside(hint) == ["summary", "p"]
        assert hint.summary.get_text() == "Hint"
        assert 10 <= len(hint.p.get_text().split()) <= 70


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    path, digits = tmp_path_factory.mktemp("digits") / "digits.npz", data.load()
    parts = {"train": 2000, "test": 1000}
    np.savez(path, **{f"{kind}_{part}": getattr(digits, f"{kind}_{part}")[:count] for kind in "xy" for part, count in parts.items()})
    return str(path)


def runs_with(path, values, folder):
    runs.execute(path, values, folder / "run.ipynb")
    (row,) = runs.collect(folder).to_dict("records")
    assert row["state"] == "done"
    assert {name: row[name] for name in values} == values
    # A run that keeps its network has it in a file beside its notebook, no other run has one.
    kept = folder / "run.network.npz"
    assert kept.exists() == values.get("keep", False)
    if kept.exists():
        assert models.load(kept).built_with["filters"] == values.get("filters", [32, 32, 16])  # chapter 4's network
        trained = models.about(kept)["trained"]["recipe"]
        assert {name: trained[name] for name in ("epochs", "seed")} == {name: values[name] for name in ("epochs", "seed")}


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=() if path in WITH_SOURCE else pytest.mark.slow) for path in CHAPTERS], ids=lambda path: path.stem
)
def test_a_chapter_runs_with_other_parameters(path, few_digits, tmp_path):
    # Most of a chapter's time is that of the ten thousand test digits.
    source_ = {"source": few_digits} if path in WITH_SOURCE else {}
    runs_with(path, SMALL[path.stem] | source_, tmp_path)


def test_the_shortest_notebook_keeps_its_network_too(few_digits, tmp_path):
    values = {"train_digits": 400, "epochs": 1, "filters": [4, 2], "seed": 1, "keep": True, "source": few_digits}
    runs_with(NOTEBOOKS / "code_size.ipynb", values, tmp_path)


@pytest.mark.slow
def test_the_original_runs_with_other_parameters(tmp_path):
    runs_with(NOTEBOOKS / "the_original.ipynb", {"train_digits": 400, "epochs": 1, "seed": 1}, tmp_path)


@pytest.mark.slow
def test_the_notebook_of_ones_own_images_keeps_the_network_that_learned_from_noisy_ones_alone(tmp_path):
    runs.execute(NOTEBOOKS / "your_own_images.ipynb", {"epochs": 1, "seed": 1, "keep": True}, tmp_path / "run.ipynb")
    kept = tmp_path / "run.network.npz"
    assert models.load(kept).built_with["image_shape"] == [32, 32, 1]
    recipe = models.about(kept)["trained"]["recipe"]
    assert (recipe["epochs"], recipe["noise_level"], recipe["blind_spots"] > 0) == (1, 0.0, True)


@pytest.mark.long
def test_a_chapter_whose_tables_follow_its_parameters_runs_with_others_on_all_digits(tmp_path):
    runs_with(NOTEBOOKS / "04_denoising.ipynb", SMALL["04_denoising"], tmp_path)


@pytest.mark.slow
def test_a_chapter_needs_no_network(tmp_path):
    # Loaded by every Python that starts below, kernels included: whoever asks for a name or leaves the machine fails.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*arguments, **options): raise OSError('no network')\n"
        "connect = socket.socket.connect\n"
        "local = lambda address: isinstance(address, (str, bytes)) or address[0] in ('127.0.0.1', '::1', 'localhost')\n"
        "socket.socket.connect = lambda self, address: connect(self, address) if local(address) else refuse()\n"
        "socket.getaddrinfo = refuse\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def python(*arguments):
        return subprocess.run([sys.executable, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True)

    control = python("-c", "import urllib.request; urllib.request.urlopen('https://example.org')")
    assert "no network" in control.stderr
    values = [f"-p{name}={value}" for name, value in SMALL["03_training"].items()]
    run = python("-m", "convae_nb", "run", str(CHAPTERS[2]), *values, "--output", str(tmp_path / "run.ipynb"))
    assert run.returncode == 0, run.stderr
    assert Path(tmp_path, "run.network.npz").exists() == SMALL["03_training"]["keep"]


def test_the_explorer_opens_with_the_noise_that_its_parameters_name(tmp_path):
    output = tmp_path / "explorer.ipynb"
    runs.execute(NOTEBOOKS / "noise_explorer.ipynb", {"noise_kind": "blur", "noise_level": 2.0, "seed": 3}, output)
    assert any("blur noise of level 2," in text for text in texts(data_of(cells(output, "code")[-1])))
