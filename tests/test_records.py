"""Records: results that are stored, stamps, and folders of executed notebooks as tables."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from executed import executed_run, outputs

from convae_nb import runs
from convae_nb.parameters import RefusedError
from convae_nb.runs import records


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
    executed_run(tmp_path, "taken", {"state": 1}, {})
    executed_run(tmp_path, "both", {"rate": 1}, {"rate": 2})
    with pytest.warns(UserWarning, match="notebooks that are left out: .*newer.ipynb .*version 2, not 1") as warned:
        table = runs.collect(tmp_path)
    assert list(table.index) == ["good.ipynb"]
    assert table.dropna(axis="columns").to_dict("records") == [
        {"chapter": "01_a", "seconds": 2.0, "state": "done", "reason": "", "loss": 1.5}
    ]
    assert table.attrs == {}
    skipped = records.read_folder(tmp_path).skipped
    names = "both cut deep empty folder foreign huge latin list nested newer taken versions"
    named = {f"{name}.ipynb" for name in names.split()}
    (warning,) = warned
    assert all(name in str(warning.message) for name in named)
    assert "notes.txt" not in str(warning.message), "a note is no notebook, and no damaged one"
    assert set(skipped) == named | {"notes.txt", ".ipynb_checkpoints"}
    assert "version 2" in skipped["newer.ipynb"]


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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell of a process's memory in other ways")
def test_five_thousand_records_are_collected_in_a_minute_and_one_at_a_time(tmp_path):
    for number in range(50):
        executed_run(tmp_path, f"{number:04}", {"seed": number}, {"loss": number / 10, "text": "x" * 300_000})
    for number in range(50, 5000):
        os.link(tmp_path / f"{number % 50:04}.ipynb", tmp_path / f"{number:04}.ipynb")
    code = (
        "import re, sys, pandas\nfrom pathlib import Path\nfrom convae_nb.runs import records\n"
        # Not getrusage's ru_maxrss: a new process begins with the peak of the one that started it.
        "def peak():\n    return int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
        "def row(notebook, real=records._row):\n    found = real(notebook)\n    del found[2]['text']\n    return found\n"
        "records._row = row\nbefore = peak()\n"
        "print(len(records.read_folder(sys.argv[1]).table), peak() - before)"
    )
    started = time.perf_counter()
    asked = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 60
    count, kilobytes = map(int, asked.stdout.split())
    assert count == 5000
    assert kilobytes < 50_000  # all of them are 1,500 MB


def test_an_empty_folder_gives_a_table_without_rows(tmp_path):
    assert runs.collect(tmp_path).shape == (0, 12)


def test_a_notebook_with_a_cell_that_never_ran_is_unfinished(tmp_path):
    cells = [{"cell_type": "code", "source": "1", "execution_count": count, "outputs": []} for count in (1, None)]
    papermill = {"input_path": "notebooks/01_a.ipynb", "duration": None, "parameters": {"seed": 1}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {"papermill": papermill}}))
    assert runs.collect(tmp_path).loc["a.ipynb", "state"] == "unfinished"


def test_the_digest_of_the_package_follows_from_its_files_and_not_from_line_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_PACKAGE", tmp_path)
    (tmp_path / "room").mkdir()

    def digest(**files):
        for name, content in files.items():
            Path(tmp_path, "room", name.replace("_", ".")).write_bytes(content)
        return records.versions()["code"]

    before = digest(a_py=b"x = 1\n", b_json=b"{}\n", c_csv=b"1,2\n", d_npz=b"\0\r\n")
    assert digest(a_py=b"x = 1\r\n", b_json=b"{}\r\n", c_csv=b"1,2\r\n") == before, "as git writes them on Windows"
    assert digest(notes_txt=b"a note", e_pyc=b"compiled") == before
    assert digest() == before
    changed = {digest(a_py=b"x = 2\n"), digest(b_json=b"[]\n"), digest(c_csv=b"1,3\n"), digest(d_npz=b"\0\n"), digest(f_py=b"")}
    assert len(changed | {before}) == 6
    (tmp_path / "room").rename(tmp_path / "hall")
    (tmp_path / "room").mkdir()
    assert digest() not in changed


def test_a_stamp_is_read_as_it_was_written(tmp_path):
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": 1}
    executed = {"cells": [cell], "metadata": {"papermill": {"duration": 2.0}}, "nbformat": 4, "nbformat_minor": 4}
    stamp = records.Stamp("0123456789", "abc", dict.fromkeys(records.VERSIONS, "1.2") | {"keras": None})
    path = tmp_path / "a.ipynb"
    path.write_text(records.run_text(executed, output=path.as_posix(), chapter="notebooks/01_a.ipynb", values={"seed": 1}, stamp=stamp))
    assert records.is_done(path, {"seed": 1}, stamp)
    assert not records.is_done(path, {"seed": 1}, records.Stamp("0123456789", "abd", stamp.versions))
    row = runs.collect(tmp_path).loc["a.ipynb"]
    assert (row["chapter_text"], row["code"], row["keras"], row["seed"]) == ("01234567", "1.2", None, 1)
