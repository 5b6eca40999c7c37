"""Single runs, in real kernels: what is refused, what is recorded, and what fails; and notebooks that are stored."""

import errno
import importlib.metadata
import json
import platform
import re
import sys
import tempfile
import time
from pathlib import Path

import nbconvert
import nbformat
import numpy as np
import papermill
import pytest
from executed import outputs
from PIL import Image

import convae_nb
from convae_nb import cli, models, runs
from convae_nb.errors import RunError
from convae_nb.parameters import RefusedError
from convae_nb.runs import execution


def test_a_source_is_sought_where_the_command_is_given_and_a_missing_one_is_refused_at_once(write):
    write("01_small.ipynb", "source: str = 'mnist'  # which", "1")
    with pytest.raises(RefusedError, match=r"source must be mnist, the path of .* a folder of pictures, got 'digits.npz': no such file"):
        runs.execute(1, {"source": "digits.npz"}, "out/run.ipynb")


def test_a_source_may_be_a_folder_and_the_record_has_its_whole_path(write, tmp_path):
    write(
        "01_small.ipynb", "source: str = 'mnist'  # which", "from convae_nb import data, runs\nruns.record(found=repr(data.load(source)))"
    )
    Path("photos").mkdir()
    for i in range(10):
        Image.new("RGB", (9, 8), (10 * i, 0, 200)).save(f"photos/{i}.png")
    runs.execute(1, {"source": "photos"}, "out/run.ipynb")
    row = runs.collect("out").loc["run.ipynb"]
    assert row["source"] == str(tmp_path / "photos")
    assert re.fullmatch(r"Dataset\(x_train: uint8 \(\d, 8, 9, 3\), .*\)", row["found"])


def test_the_surroundings_of_a_user_change_no_record(write, monkeypatch, tmp_path):
    write(
        "01_small.ipynb",
        "seed: int = 0  # seed",
        "import os\nimport matplotlib.pyplot as plt\nimport pandas as pd\nfrom convae_nb import keras, runs",
        "runs.record(floats=keras.config.floatx(), width=plt.rcParams['figure.figsize'][0], columns=pd.options.display.max_columns)",
        "plt.plot([1, 2])\nplt.show()\n'started' in globals()",
    )
    (tmp_path / "rc").write_text("figure.figsize: 99, 3")
    (tmp_path / "ipython/profile_default/startup").mkdir(parents=True)
    (tmp_path / "ipython/profile_default/startup/00.py").write_text("import pandas\npandas.options.display.max_columns = 3\nstarted = True")
    (tmp_path / "start.py").write_text("started = True")
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras/keras.json").write_text('{"floatx": "float64", "backend": "jax"}')
    for name, value in {
        "MPLBACKEND": "agg",
        "MATPLOTLIBRC": tmp_path / "rc",
        "IPYTHONDIR": tmp_path / "ipython",
        "PYTHONSTARTUP": tmp_path / "start.py",
        "KERAS_HOME": tmp_path / "keras",
        "COLUMNS": "20",
    }.items():
        monkeypatch.setenv(name, str(value))
    runs.execute(1, {}, "out/run.ipynb")
    row = runs.collect("out").loc["run.ipynb"]
    assert (row["floats"], row["width"], row["columns"]) == ("float32", 6.4, 20)
    found = outputs("out/run.ipynb")
    assert any("image/png" in output.get("data", {}) for output in found)
    assert any(output.get("data", {}).get("text/plain") == "False" for output in found)


def test_figures_have_the_alternative_text_of_their_cell(write):
    path = write("01_small.ipynb", "seed: int = 0  # seed", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    stored = nbformat.read(path, as_version=4)
    stored.cells[-1].metadata["mystnb"] = {"image": {"alt": "a line that rises"}}
    nbformat.write(stored, path)
    runs.execute(1, {}, "out/run.ipynb")
    runs.store([1])
    for written in ("out/run.ipynb", path):
        (picture,) = [output for output in outputs(written) if "image/png" in output.get("data", {})]
        assert picture["metadata"]["image/png"]["alt"] == "a line that rises"
    html, _ = nbconvert.HTMLExporter(template_name="classic").from_filename(str(path))
    assert 'alt="a line that rises"' in html


KEEPING = "from convae_nb import models, runs\nmodel = models.build_autoencoder((2,), seed=seed)\nif keep:\n    runs.keep(model, seed=seed)"


def test_a_run_that_is_asked_for_it_has_its_network_in_a_file_beside_its_notebook(write):
    write("01_small.ipynb", "seed: int = 0  # seed\nkeep: bool = False  # whether", KEEPING)
    runs.execute(1, {"seed": 3}, "out/without.ipynb")
    assert [path.name for path in Path("out").iterdir()] == ["without.ipynb"]
    runs.execute(1, {"seed": 3, "keep": True}, "out/with.ipynb")
    kept = models.load("out/with.network.npz")
    assert all(map(np.array_equal, kept.get_weights(), models.build_autoencoder((2,), seed=3).get_weights()))
    assert models.about("out/with.network.npz")["trained"] == {"seed": 3}
    assert len(Path("out/with.ipynb").read_bytes()) < 2 * len(Path("out/without.ipynb").read_bytes()), "it is in the file alone"
    assert runs.collect("out")["keep"].to_dict() == {"with.ipynb": True, "without.ipynb": False}


def test_an_executed_notebook_whose_place_is_full_is_kept_elsewhere(write, monkeypatch, tmp_path):
    write("01_small.ipynb", "seed: int = 0  # seed", "1 + 1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    (tmp_path / "full").mkdir()
    written = []

    def full(path, notebook):
        if "full" not in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)

    monkeypatch.setattr(execution.notebook, "write", full)
    message = r"run\.ipynb cannot be written \(No space left on device\): the executed notebook is in .*full/run-[0-9a-f]{8}\.ipynb"
    with pytest.raises(RunError, match=message):
        runs.execute(1, {}, "out/run.ipynb")
    assert len(written) == 1


def test_a_temporary_folder_that_is_full_is_named(write, monkeypatch):
    write("01_small.ipynb", "seed: int = 0  # seed", "1 + 1")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(papermill, "execute_notebook", full)
    with pytest.raises(
        RunError, match=r"the temporary folder .* cannot be written \(No space left on device\): set TMPDIR to one with room"
    ):
        runs.execute(1, {}, "out/run.ipynb")


def test_a_folder_without_a_file_is_refused_at_once(write):
    write("01_small.ipynb", "source: str = 'mnist'  # which", "1")
    Path("photos").mkdir()
    with pytest.raises(RefusedError, match=r"source must hold pictures, got '.*photos': there is none in it"):
        runs.execute(1, {"source": "photos"}, "out/run.ipynb")
    assert not list(Path("out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such folder")
def test_an_output_that_cannot_be_written_is_refused_before_the_run(write):
    write("01_small.ipynb", "seed: int = 0  # seed", "1")
    with pytest.raises(RefusedError, match=r"output must be a place that can be written, got '/dev/null/run.ipynb'"):
        runs.execute(1, {}, "/dev/null/run.ipynb")


def test_a_run_has_its_parameters_and_its_results_in_the_table(write):
    chapter = write(
        "04_{small}.ipynb",
        "source: str = 'mnist'  # which\nseed: int = 0  # seed\nnoise_level: float = 0.5  # strength",
        "import numpy as np\nfrom convae_nb import runs",
        "runs.record(loss=np.float32(0.25) + seed, digits=np.int64(10), learned=np.bool_(True))\nruns.record(text=source)",
    )
    before = chapter.read_bytes()
    hostile = Path("'; import os; os._exit(1) #\n\\").absolute()
    hostile.touch()
    hostile = str(hostile)
    runs.execute(4, {"seed": 3, "source": Path(hostile).name}, "out/run.ipynb")
    table = runs.collect("out")
    (row,) = table.to_dict("records")
    assert row.pop("seconds") > 0
    libraries = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")}
    versions = libraries | {"python": platform.python_version(), "convae_nb": convae_nb.__version__}
    assert {name: row.pop(name) for name in versions} == versions
    assert re.fullmatch("[0-9a-f]{12}", row.pop("code"))
    assert row == {
        "chapter": "04_{small}",
        "chapter_text": json.loads(Path("out/run.ipynb").read_text())["metadata"]["convae"]["text"][:8],
        "state": "done",
        "reason": "",
        "source": hostile,
        "seed": 3,
        "noise_level": 0.5,
        "loss": 3.25,
        "digits": 10,
        "learned": True,
        "text": hostile,
    }
    assert table.index.tolist() == ["run.ipynb"]
    assert chapter.read_bytes() == before
    assert [path.name for path in Path("out").iterdir()] == ["run.ipynb"]


def test_a_run_uses_this_python_in_the_chapters_folder_whatever_kernels_there_are(write, monkeypatch):
    fake = Path("jupyter/kernels/python3/kernel.json")
    fake.parent.mkdir(parents=True)
    fake.write_text(json.dumps({"argv": ["no such program"], "display_name": "fake", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(fake.parents[2].resolve()))
    write("01_where.ipynb", "", "import os, sys\nprint(sys.executable)\nprint(os.getcwd())", kernel="another-machines-r")
    runs.execute("01_where", {}, "out.ipynb")
    (output,) = outputs("out.ipynb")
    assert output.text.splitlines() == [sys.executable, str(Path("notebooks").resolve())]


def test_a_kernel_starts_without_a_word(write, capfd):
    write("01_quiet.ipynb", "seed: int = 0  # seed")
    runs.execute(1, {}, "out.ipynb")
    output, errors = capfd.readouterr()
    # On a busy machine ipykernel may complain, when it ends, of a socket that is closed already.
    assert (output, errors.partition("ERROR:tornado.general:")[0]) == ("", "")


def test_a_failing_cell_is_a_run_error_of_one_line_and_its_notebook_is_kept(write):
    write("01_fails.ipynb", "seed: int = 0  # seed", "raise ValueError('first line\\nsecond line')", "print('never')")
    with pytest.raises(runs.RunError, match=r"^01_fails: ValueError: first line in cell \[3\] \(kept in out.ipynb\)$"):
        runs.execute(1, {}, "out.ipynb")
    row = runs.collect(".").loc["out.ipynb"]
    assert (row["state"], row["reason"], row["seed"]) == ("failed", "ValueError: first line in cell [3]", 0)


def test_a_dead_kernel_is_a_run_error_even_in_the_last_cell(write):
    write("01_dies.ipynb", "seed: int = 0  # seed", "import os\nos._exit(0)")
    with pytest.raises(runs.RunError, match=r"^01_dies: DeadKernelError: Kernel died in cell"):
        runs.execute(1, {}, "out.ipynb")
    assert runs.collect(".").loc["out.ipynb", "state"] == "failed"


def test_a_cell_has_limited_time(write):
    write("01_hangs.ipynb", "seed: int = 0  # seed", "import time\ntime.sleep(60)", "print('never')")
    with pytest.raises(runs.RunError, match=r"^01_hangs: CellTimeoutError: .* after 1 seconds"):
        runs.execute(1, {}, "out.ipynb", cell_timeout=1)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("with output:\n    1 / 0\noutput", "in a widget in cell [3]"),
        ("with output:\n    1 / 0", "in a widget"),
        ("_ = ipywidgets.interact(lambda x: 1 / x, x=ipywidgets.IntSlider(0))", "in a widget"),
        ("slider = ipywidgets.IntSlider()\nslider.observe(lambda change: 1 / 0, 'value')\nslider.value = 3", "in cell [3]"),
    ],
)
def test_an_error_inside_a_widget_is_a_failure(write, source, where):
    write("01_widget.ipynb", "seed: int = 0  # seed", f"import ipywidgets\noutput = ipywidgets.Output()\n{source}", "print('after')")
    with pytest.raises(runs.RunError, match=rf"^01_widget: ZeroDivisionError: division by zero {re.escape(where)} \(kept in out.ipynb\)"):
        runs.execute(1, {}, "out.ipynb", cell_timeout=60)  # on a busy machine the kernel's answer to such a cell is lost now and then
    assert runs.collect(".").loc["out.ipynb", "state"] == "failed"


def test_a_widget_without_an_error_is_none(write):
    write("01_widget.ipynb", "", "import ipywidgets\noutput = ipywidgets.Output()\nwith output:\n    print(1)\noutput")
    runs.execute(1, {}, "out.ipynb")
    assert runs.collect(".").loc["out.ipynb", "state"] == "done"


@pytest.mark.parametrize(
    "value",
    [
        "'; import os; os._exit(1) #",
        '"""+__import__("os")._exit(1)+"""',
        "{seed}",
        "\\",
        "\\'",
        "${HOME}",
        "\u2028x\r",
        "é\x1b[2J",
        "$(exit 1)",
    ],
)
def test_a_parameter_is_data_whatever_it_holds(write, value, tmp_path):
    write("01_text.ipynb", "source: str = 'mnist'  # which\nseed: int = 0  # seed", "from convae_nb import runs\nruns.record(text=source)")
    Path(value).touch()
    assert cli.main(["run", "1", "-p", f"source={value}", "--output", "out.ipynb"]) == 0
    row = runs.collect(".").loc["out.ipynb"]
    assert row["text"] == row["source"] == str(tmp_path / value)


def test_a_text_that_no_file_can_hold_is_refused(write):
    write("01_text.ipynb", "source: str = 'mnist'  # which", "1")
    with pytest.raises(RefusedError, match="source must be a text"):
        runs.execute(1, {"source": "\udcff"}, "out.ipynb")


def test_leaving_early_is_no_success(write):
    write("01_leaves.ipynb", "seed: int = 0  # seed", "raise SystemExit(0)", "print('never')")
    with pytest.raises(runs.RunError, match="01_leaves: SystemExit: 0 in cell"):
        runs.execute(1, {}, "out.ipynb")


def test_an_earlier_runs_file_is_replaced_but_no_chapter_is(write):
    write("01_small.ipynb", "seed: int = 0  # seed")
    for seed in (1, 2):
        runs.execute(1, {"seed": seed}, "out.ipynb")
        assert runs.collect(".").loc["out.ipynb", "seed"] == seed
    with pytest.raises(RefusedError, match="output must be a new file"):
        runs.execute("out.ipynb", {}, "out.ipynb")


def test_a_stored_notebook_keeps_no_time_no_version_no_path_and_no_widget(write):
    chapter = write(
        "01_store.ipynb",
        "seed: int = 0  # seed",
        "import ipywidgets\nipywidgets.IntSlider()",
        "print('one')\nprint(seed)",
        kernel="another-machines",
    )
    ids = [cell.id for cell in nbformat.read(chapter, as_version=4).cells]
    for _ in range(2):  # a second time over what the first one left
        assert cli.main(["store"]) == 0
        notebook = nbformat.read(chapter, as_version=4)
        assert [cell.id for cell in notebook.cells] == ids
        assert [cell.metadata for cell in notebook.cells] == [{}, {"tags": ["parameters"]}, {}, {}]
        assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
        assert notebook.metadata.keys() == {"kernelspec", "language_info"}
        assert notebook.metadata.kernelspec.name == "python3"
        assert "version" not in notebook.metadata.language_info
        assert [output.get("data", {}).keys() for output in outputs(chapter)] == [{"text/plain"}, set()]
        assert outputs(chapter)[1].text == "one\n0\n"
        text = chapter.read_text()
        assert text.endswith("}\n")
        assert time.strftime("%Y-%m-%d") not in text
        assert sys.prefix not in text


def test_hidden_outputs_are_stored_as_jupyterlab_writes_them(write):
    chapter = write("01_store.ipynb", "seed: int = 0  # seed", "1", "2")
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[2].metadata = {"jupyter": {"outputs_hidden": True}}
    notebook.cells[3].metadata = {"jupyter": {"outputs_hidden": False, "source_hidden": True}}
    nbformat.write(notebook, chapter)
    runs.store([1])
    assert [cell.metadata for cell in nbformat.read(chapter, as_version=4).cells[2:]] == [
        {"collapsed": True, "jupyter": {"outputs_hidden": True}},
        {"jupyter": {"outputs_hidden": False, "source_hidden": True}},
    ]


def test_numbers_are_stored_as_jupyterlab_writes_them(write):
    given = "{'whole': 282.0, 'many': [36.0, 0.5, -0.0], 'tiny': 1e-300, 'huge': 1e300, 'text': '1.0', 'yes': True}"
    chapter = write("01_store.ipynb", "seed: int = 0  # seed", f"from IPython.display import JSON\nJSON({given})")
    runs.store([1])
    data = json.dumps(outputs(chapter)[0].data["application/json"])
    assert data == '{"huge": 1e+300, "many": [36, 0.5, 0], "text": "1.0", "tiny": 1e-300, "whole": 282, "yes": true}'


def test_where_a_widget_gives_a_picture_of_its_state_the_picture_alone_is_stored(write):
    show = "from IPython.display import display\ndisplay(ipywidgets.Button()._repr_mimebundle_() | {'image/png': 'iVBORw0KGgo='}, raw=True)"
    chapter = write("01_store.ipynb", "seed: int = 0  # seed", f"import ipywidgets\n{show}")
    runs.store([1])
    (output,) = outputs(chapter)
    assert output.data.keys() == {"text/plain", "image/png"}
    assert output.data["image/png"].strip() == "iVBORw0KGgo="
    assert "widget" not in chapter.read_text().replace("ipywidgets", "")


def test_an_output_that_shows_nothing_is_not_stored(write):
    empty = "from IPython.display import display\ndisplay({'text/plain': '', 'text/html': '<pre></pre>'}, raw=True)\n'shown'"
    chapter = write("01_store.ipynb", "seed: int = 0  # seed", empty)
    runs.store([1])
    assert [output.data["text/plain"] for output in outputs(chapter)] == ["'shown'"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "01_bad: ZeroDivisionError: division by zero"),
        ("import os\nos._exit(0)", "01_bad: .*Kernel died"),
        ("import os\nprint(os.getcwd())", "01_bad: .* this machine's path"),
    ],
)
def test_a_notebook_that_must_not_be_stored_stays_as_it_was(write, source, message):
    chapter = write("01_bad.ipynb", "seed: int = 0  # seed", source)
    before = chapter.read_bytes()
    with pytest.raises(runs.RunError, match=message):
        runs.store([1])
    assert chapter.read_bytes() == before
    assert list(Path("notebooks").iterdir()) == [chapter]


def test_a_chapter_of_which_two_have_the_number_is_asked_for_by_its_stem(write):
    write("01_a.ipynb", "")
    write("01_b.ipynb", "")
    with pytest.raises(RefusedError, match="give the stem, as 01_a or 01_b"):
        runs.find("1")
    assert runs.find("01_b") == Path("notebooks/01_b.ipynb")


def test_a_notebook_of_ones_own_has_parameters_that_no_chapter_has(write):
    own = "learning_rate: float = 0.1\nnames: list[str] = ['a']\nsteps: int = 3\nfast: bool = False"
    write("01_own.ipynb", own, "from convae_nb import runs\nruns.record(loss=learning_rate * steps, joined='+'.join(names), quick=fast)")
    arguments = ["-p", "learning_rate=1", "-p", "names=b,c d", "-p", "fast=yes"]
    assert cli.main(["run", "1", *arguments, "--output", "out/a.ipynb"]) == 0
    runs.execute(1, {"learning_rate": 2}, "out/b.ipynb")
    table = runs.collect("out")
    assert list(table.columns[len(runs.COLUMNS) :]) == ["fast", "learning_rate", "names", "steps", "joined", "loss", "quick"]
    assert table["learning_rate"].tolist() == [1.0, 2.0]
    assert table["names"].tolist() == [["b", "c d"], ["a"]]
    assert table["loss"].tolist() == [3.0, 6.0]
    assert table["joined"].tolist() == ["b+c d", "a"]
    assert table["quick"].tolist() == [True, False]
    stored = [json.loads(Path("out", name).read_text())["metadata"]["papermill"]["parameters"]["learning_rate"] for name in table.index]
    assert [repr(value) for value in stored] == ["1.0", "2.0"], "a number is one, however it was given"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such sockets")
def test_a_kernel_starts_where_the_path_of_the_temporary_folder_is_too_long_for_a_socket(write, tmp_path, monkeypatch):
    folder = tmp_path / ("x" * max(1, 89 - len(str(tmp_path))))
    folder.mkdir()
    assert len(str(folder)) >= 90
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    write("01_small.ipynb", "seed: int = 0  # seed", "from convae_nb import runs\nruns.record(loss=seed)")
    runs.execute(1, {"seed": 4}, "out/run.ipynb")
    assert runs.collect("out")["loss"].tolist() == [4]
    assert list(folder.iterdir()) == []
