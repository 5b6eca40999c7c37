import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import convae_nb
from convae_nb import __main__, runs
from convae_nb.parameters import RefusedError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a notebook into ./notebooks: its parameters cell, then the other cells."""
    monkeypatch.chdir(tmp_path)
    Path("notebooks").mkdir()

    def write(name, parameters, *sources, kernel="python3"):
        cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = Path("notebooks", name)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
        return path

    return write


def outputs(path):
    return [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]


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


def test_a_folder_without_a_file_is_refused_at_once(write):
    write("01_small.ipynb", "source: str = 'mnist'  # which", "1")
    Path("photos").mkdir()
    with pytest.raises(RefusedError, match=r"source must hold pictures, got '.*photos': there is no file in it"):
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
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow",)} | {"python": platform.python_version()}
    assert {name: row.pop(name) for name in ("convae_nb", *versions)} == {"convae_nb": convae_nb.__version__} | versions
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
        runs.execute(1, {}, "out.ipynb")
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
    assert __main__.main(["run", "1", "-p", f"source={value}", "--output", "out.ipynb"]) == 0
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1", "-p", "sede=1"], "no parameter 'sede': did you mean 'seed'"),
        (["1", "-p", "epochs=1"], "01_small has no parameter 'epochs': did you mean 'seed'"),
        (["1", "-p", "seed=-1"], "seed must be a whole number .*0 to 2147483647.*got -1"),
        (["1", "-p", "seed=1.0"], "seed must be a whole number.*got '1.0'"),
        (["1", "-p", "seed"], "name=value, got 'seed'"),
        (["4", "-p", "seed=1"], "04_untyped has no parameter 'seed': its cell that is tagged parameters has no line such as seed: int = 0"),
        (["5"], "05_own.ipynb must have parameters of .* in its parameters cell: there is no parameter 'alpha'"),
        (["99"], r"no notebook 99_\*\.ipynb"),
        (["01_tiny"], "no notebook 01_tiny.ipynb"),
        (["elsewhere/01_small.ipynb"], "no such file"),
        (["1", "--output", "notebooks/01_small.ipynb"], "output must be a new file"),
        (["1", "--output", "notebooks/02_other.ipynb"], "output must be a new file"),
        (["1", "--output", "notebooks"], "output must be a new file"),
        (["1", "--output", ""], "output must be a new file .* got '.'"),
        (["1", "--output", "x" * 300], "output must be a place that can be written, got 'xxx.*File name too long"),
        (["x" * 300 + ".ipynb"], "chapter must be a number, a stem or a file, got 'xxx"),
        (["all", "-p", "seed=1"], "run all takes no parameters"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line_with_exit_code_2(write, capfd, monkeypatch, arguments, message):
    monkeypatch.setitem(sys.modules, "papermill", None)  # importing it would raise
    write("01_small.ipynb", "seed: int = 0  # seed")
    write("02_other.ipynb", "seed: int = 0  # seed")
    write("04_untyped.ipynb", "seed = 0")
    write("05_own.ipynb", "alpha: float = 0.1")
    assert __main__.main(["run", *arguments]) == 2
    written, refused = capfd.readouterr()
    assert written == ""
    assert len(refused.splitlines()) == 1
    with pytest.raises(RefusedError, match=message):
        raise RefusedError(refused)
    assert not list(Path(".").rglob("build"))


def test_a_refusal_takes_less_than_a_second(write):
    write("01_small.ipynb", "seed: int = 0  # seed")

    def seconds():
        started = time.perf_counter()
        command = [sys.executable, "-m", "convae_nb", "run", "1", "-p", "seed=-1"]
        assert subprocess.run(command, capture_output=True).returncode == 2
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 1  # the best of three: other tests keep the machine busy


def test_an_earlier_runs_file_is_replaced_but_no_chapter_is(write):
    write("01_small.ipynb", "seed: int = 0  # seed")
    for seed in (1, 2):
        runs.execute(1, {"seed": seed}, "out.ipynb")
        assert runs.collect(".").loc["out.ipynb", "seed"] == seed
    with pytest.raises(RefusedError, match="output must be a new file"):
        runs.execute("out.ipynb", {}, "out.ipynb")


def test_the_command_line_runs_all_chapters_in_order_and_shows_what_they_measured(write, capsys):
    write("02_second.ipynb", "seed: int = 5  # seed", "from convae_nb import runs\nruns.record(loss=0.123456, digits=seed)")
    write("01_first.ipynb", "", "1")
    write("side.ipynb", "", "1 / 0")
    assert __main__.main(["run", "all"]) == 0
    written, progress = capsys.readouterr()
    words = [line.split() for line in written.splitlines()]
    assert words[0] == ["chapter", "seconds", "result"]
    assert [words[1][0], words[2][0]] == ["01_first", "02_second"]
    assert words[2][2:] == ["digits", "5"]
    assert words[3:] == [["loss", "0.1235"], ["Look", "in", "build/run"]]
    assert "02_second: 100%" in progress
    assert "3/3" in progress.split("\r")[-1]


def test_the_command_line_ends_with_1_and_one_line_if_a_cell_fails(write, capfd):
    write("01_fails.ipynb", "seed: int = 0  # seed", "1 / 0")
    assert __main__.main(["run", "1"]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.endswith("01_fails: ZeroDivisionError: division by zero in cell [3] (kept in build/run/01_fails.ipynb)")


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
        assert __main__.main(["store"]) == 0
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


def test_where_a_widget_gives_a_picture_of_its_state_the_picture_alone_is_stored(write):
    show = "from IPython.display import display\ndisplay(ipywidgets.Button()._repr_mimebundle_() | {'image/png': 'iVBORw0KGgo='}, raw=True)"
    chapter = write("01_store.ipynb", "seed: int = 0  # seed", f"import ipywidgets\n{show}")
    runs.store([1])
    (output,) = outputs(chapter)
    assert output.data.keys() == {"text/plain", "image/png"}
    assert output.data["image/png"].strip() == "iVBORw0KGgo="
    assert "widget" not in chapter.read_text().replace("ipywidgets", "")


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


@pytest.mark.parametrize("value", [float("inf"), np.float32("-inf"), None, [1], np.ones(2), Path("x")])
def test_a_result_that_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="result loss must be a finite number, a bool or a str, got"):
        runs.record(loss=value)


def test_a_whole_number_that_no_column_holds_is_refused():
    with pytest.raises(ValueError, match="result loss must be a whole number of at most 64 bits, got 9223372036854775808"):
        runs.record(loss=2**63)


def test_what_could_not_be_measured_is_shown_as_such_and_left_out_of_the_record(write):
    cell = "import numpy as np\nfrom convae_nb import runs\nruns.record(loss=0.5, ssim=np.float32('nan'), digits=3)"
    write("01_small.ipynb", "seed: int = 0  # seed", cell)
    runs.execute(1, {}, "out/run.ipynb")
    row = runs.collect("out").loc["run.ipynb"]
    assert (row["loss"], row["digits"]) == (0.5, 3)
    assert "ssim" not in row
    (output,) = outputs("out/run.ipynb")
    assert output.data["text/plain"].split() == ["measured", "loss", "0.5", "ssim", "not", "measured", "digits", "3"]
    with pytest.raises(ValueError, match="must not be called 'seed'"):
        runs.record(seed=float("nan"))


@pytest.mark.parametrize("name", ["seed", "state"])
def test_a_result_does_not_take_the_name_of_a_parameter_or_a_column(name):
    with pytest.raises(ValueError, match=f"must not be called '{name}'"):
        runs.record(**{name: 1})


def test_collect_leaves_out_what_is_no_executed_notebook_and_says_why(tmp_path):
    def executed(version):
        payload = {runs.RESULTS: {"version": version, "results": {"loss": 1.5}}}
        output = {"output_type": "display_data", "data": payload, "metadata": {}}
        cells = [{"cell_type": "code", "source": ["1"], "execution_count": 1, "outputs": [output]}]
        papermill = {"input_path": "notebooks/01_a.ipynb", "duration": 2.0, "parameters": {}}
        return json.dumps({"cells": cells, "metadata": {"papermill": papermill}})

    (tmp_path / "good.ipynb").write_text(executed(version=1))
    (tmp_path / "newer.ipynb").write_text(executed(version=2))
    (tmp_path / "cut.ipynb").write_text(executed(version=1)[:-9])
    (tmp_path / "foreign.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    (tmp_path / "empty.ipynb").write_text("")
    (tmp_path / "list.ipynb").write_text("[]")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "latin.ipynb").write_bytes(b"\xff")
    (tmp_path / "deep.ipynb").write_text("[" * 100_000)
    executed_run(tmp_path, "nested", {"filters": [[16]]}, {})
    executed_run(tmp_path, "huge", {"seed": 2**63}, {})
    executed_run(tmp_path, "versions", {}, {}, versions={"python": {}})
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "good-checkpoint.ipynb").write_text(executed(version=1))
    table = runs.collect(tmp_path)
    assert list(table.index) == ["good.ipynb"]
    assert table.dropna(axis="columns").to_dict("records") == [
        {"chapter": "01_a", "seconds": 2.0, "state": "done", "reason": "", "loss": 1.5}
    ]
    skipped = table.attrs["skipped"]
    named = {
        f"{name}.ipynb" for name in ("cut", "deep", "empty", "folder", "foreign", "huge", "latin", "list", "nested", "newer", "versions")
    }
    assert set(skipped) == named | {"notes.txt", ".ipynb_checkpoints"}
    assert "version 2" in skipped["newer.ipynb"]


def executed_run(folder, name, parameters, results, chapter="01_a", error=None, versions=None, text=None):
    """Writes what papermill leaves of a run, in short."""
    outputs = [{"output_type": "display_data", "data": {runs.RESULTS: {"version": 1, "results": results}}, "metadata": {}}]
    outputs += [{"output_type": "error", "ename": "ValueError", "evalue": error, "traceback": []}] if error else []
    cells = [{"cell_type": "code", "source": "1", "metadata": {}, "execution_count": 1, "outputs": outputs}]
    papermill = {"input_path": f"notebooks/{chapter}.ipynb", "duration": 2.0, "parameters": parameters}
    metadata = {"papermill": papermill} | ({"convae": {"text": text, "versions": versions or {}}} if versions or text else {})
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "metadata": metadata}))


def test_columns_keep_their_types_where_a_run_lacks_them(tmp_path):
    executed_run(tmp_path, "a", {"seed": 1, "filters": [16, 8]}, {"digits": 10, "learned": True, "loss": 1, "text": "x"})
    executed_run(tmp_path, "b", {"seed": 2, "filters": [4]}, {"loss": 0.5})
    table = runs.collect(tmp_path)
    assert {name: str(table[name].dtype) for name in ("seed", "digits", "learned", "loss", "text", "seconds", "filters")} == {
        **{"seed": "int64", "digits": "Int64", "learned": "boolean", "loss": "float64", "text": "str", "seconds": "float64"},
        "filters": "object",
    }
    assert table["filters"].tolist() == [[16, 8], [4]]
    assert table["loss"].tolist() == [1.0, 0.5]


def test_a_cell_that_was_at_work_when_all_was_killed_is_unfinished(tmp_path):
    cells = [{"cell_type": "code", "source": "1", "execution_count": 1, "outputs": [], "metadata": {"papermill": {"status": "running"}}}]
    papermill = {"input_path": "notebooks/01_a.ipynb", "duration": None, "parameters": {"seed": 1}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {"papermill": papermill}}))
    assert runs.collect(tmp_path).loc["a.ipynb", "state"] == "unfinished"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    for read in (runs.collect, runs.compare):
        with pytest.raises(RefusedError, match=r"folder must be a folder of executed notebooks, got '.*nowhere'"):
            read(tmp_path / "nowhere")


@pytest.fixture
def folder(tmp_path):
    """Two settings of three seeds each, the last of which failed."""
    for filters, losses in {(16, 8): (0.1, 0.2, 0.3), (4, 2): (0.5, 0.7, None)}.items():
        for seed, loss in enumerate(losses):
            results = {"loss": loss, "learned": True, "text": f"{loss}", "digits": 10} if loss else {}
            parameters = {"seed": seed, "epochs": 2, "filters": list(filters)}
            executed_run(tmp_path, f"{filters[0]}-{seed}", parameters, results, error=None if loss else "no loss")
    return tmp_path


def test_compared_runs_show_the_columns_that_differ_and_name_what_is_the_same(folder):
    table = runs.compare(folder)
    assert list(table.columns) == ["state", "reason", "seed", "filters", "loss", "learned", "text", "digits"]
    assert table.attrs["same"] == {"chapter": "01_a", "epochs": 2}
    assert table.loc["4-2.ipynb", "reason"] == "ValueError: no loss in cell [1]"


def test_compared_over_seeds_a_result_has_its_mean_and_the_deviation_of_a_sample(folder):
    table = runs.compare(folder, over="seed").set_index("filters")
    assert list(table.columns) == ["runs", "loss", "loss_spread", "learned", "learned_spread", "digits", "digits_spread"]
    assert table["runs"].to_dict() == {(16, 8): 3, (4, 2): 2}
    assert table["loss"].to_dict() == pytest.approx({(16, 8): 0.2, (4, 2): 0.6})
    assert table["loss_spread"].to_dict() == pytest.approx({(16, 8): 0.1, (4, 2): statistics.stdev([0.5, 0.7])})
    assert table.attrs["left_out"] == 1
    assert table.attrs["same"] == {"chapter": "01_a", "epochs": 2}


def test_runs_of_an_edited_chapter_are_not_averaged_with_those_before(tmp_path):
    for seed, text in enumerate(["0123456789", "0123456789", "abcdefghij"]):
        executed_run(tmp_path, f"{seed}", {"seed": seed}, {"loss": float(seed)}, text=text)
    table = runs.compare(tmp_path, over="seed")
    assert table.set_index("chapter_text")["loss"].to_dict() == {"01234567": 0.5, "abcdefgh": 2.0}


def test_the_command_line_compares_and_writes_the_table(folder, capsys):
    (folder / "foreign.ipynb").write_text("{}")
    file = folder / "table.csv"
    assert __main__.main(["compare", str(folder), "--over", "seed", "--csv", str(file)]) == 0
    written, errors = capsys.readouterr()
    assert [line.split("  ")[0] for line in written.splitlines()[:3]] == ["filters", "(16, 8)", "(4, 2)"]
    assert "0.20 ± 0.10" in written
    assert "The same in all: chapter 01_a, epochs 2\nRuns that are not done and left out: 1\n" in written
    assert errors.startswith("Skipped foreign.ipynb: no executed notebook")
    assert pd.read_csv(file)["loss"].tolist() == pytest.approx([0.2, 0.6])
    assert __main__.main(["compare", str(folder), "--csv", str(file)]) == 0
    assert len(pd.read_csv(file)) == 6
    assert "4-2.ipynb" in capsys.readouterr().out


def test_what_a_run_holds_is_shown_in_its_line_and_not_obeyed_by_the_terminal(tmp_path, capsys):
    executed_run(tmp_path, "a\x1b[2J", {"seed": 1}, {"text": "two\nlines", "same\x07": "\x1b[31m", "text_spread": 1})
    executed_run(tmp_path, "b", {"seed": 2}, {"text": "é", "same\x07": "\x1b[31m", "run": 1}, error="\x1b]0;title\x07")
    (tmp_path / "c\n").touch()
    assert __main__.main(["compare", str(tmp_path)]) == 0
    written, errors = capsys.readouterr()
    assert {letter for letter in written + errors if not letter.isprintable()} == {"\n"}
    assert [line.split("  ")[0] for line in written.splitlines()[:3]] == ["run", r"a\x1b[2J.ipynb", "b.ipynb"]
    assert r"two\nlines" in written
    assert r"ValueError: \x1b]0;title\x07 in cell [1]" in written
    assert r"same\x07 \x1b[31m" in written
    assert errors == "Skipped c\\n: no notebook\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "folder must be a folder of executed notebooks, got 'nowhere'"),
        (["empty"], "folder must hold executed notebooks, but there is none"),
        (["runs", "--over", "sed"], "over must be a parameter of the runs, got 'sed': did you mean 'seed'"),
        (["runs", "--csv", "nowhere/table.csv"], "csv must be a file that can be written, got 'nowhere/table.csv'"),
        (["runs", "--csv", "runs/a.ipynb"], "csv must be a file that can be written, got 'runs/a.ipynb'"),
        (["runs", "--csv", "s3://bucket/table.csv"], "csv must be a file that can be written, got 's3://bucket/table.csv'"),
        (["runs", "--csv", ""], "csv must be a file that can be written, got ''"),
        (["failed", "--over", "seed"], "over seed only where one is done, but none of these 1 is"),
        (["runs", "--over", "seed"], "over seed only if none of their results is called 'loss_spread'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "runs", "failed"):
        Path(name).mkdir()
    executed_run(Path("failed"), "a", {"seed": 1}, {}, error="no loss")
    executed_run(Path("runs"), "a", {"seed": 1}, {"loss": 1.0, "loss_spread": 2.0})
    before = Path("runs/a.ipynb").read_bytes()
    assert __main__.main(["compare", *arguments]) == 2
    written, errors = capsys.readouterr()
    assert (written, len(errors.splitlines())) == ("", 1)
    assert message in errors
    assert Path("runs/a.ipynb").read_bytes() == before


@pytest.mark.slow
def test_five_thousand_records_are_collected_in_a_minute_and_one_at_a_time(tmp_path):
    for number in range(50):
        executed_run(tmp_path, f"{number:04}", {"seed": number}, {"loss": number / 10, "text": "x" * 300_000})
    for number in range(50, 5000):
        os.link(tmp_path / f"{number % 50:04}.ipynb", tmp_path / f"{number:04}.ipynb")
    code = (
        "import resource, sys, pandas\nfrom convae_nb import _records\nfrom pathlib import Path\n"
        "def row(notebook, real=_records._row):\n    found = real(notebook)\n    del found['text']\n    return found\n"
        "_records._row = row\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(_records.folder(sys.argv[1])), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    started = time.perf_counter()
    asked = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 60
    count, kilobytes = map(int, asked.stdout.split())
    assert count == 5000
    assert kilobytes < 50_000  # all of them are 1,500 MB


def test_an_empty_folder_gives_a_table_without_rows(tmp_path):
    assert runs.collect(tmp_path).shape == (0, 8)


def test_a_notebook_with_a_cell_that_never_ran_is_unfinished(tmp_path):
    cells = [{"cell_type": "code", "source": "1", "execution_count": count, "outputs": []} for count in (1, None)]
    papermill = {"input_path": "notebooks/01_a.ipynb", "duration": None, "parameters": {"seed": 1}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {"papermill": papermill}}))
    assert runs.collect(tmp_path).loc["a.ipynb", "state"] == "unfinished"


def test_a_chapter_of_which_two_have_the_number_is_asked_for_by_its_stem(write):
    write("01_a.ipynb", "")
    write("01_b.ipynb", "")
    with pytest.raises(RefusedError, match="give the stem, as 01_a or 01_b"):
        runs.find("1")
    assert runs.find("01_b") == Path("notebooks/01_b.ipynb")
