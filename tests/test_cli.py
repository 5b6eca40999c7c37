"""The command line: what it prints, and what it ends with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from executed import executed_run, two_settings

import convae_nb.errors
from convae_nb import cli, runs
from convae_nb.parameters import RefusedError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1", "-p", "sede=1"], "no parameter 'sede': did you mean 'seed'"),
        (["1", "-p", "epochs=1"], "01_small has no parameter 'epochs': did you mean 'seed'"),
        (["1", "-p", "seed=-1"], "seed must be a whole number .*0 to 2147483647.*got -1"),
        (["1", "-p", "seed=1.0"], "seed must be a whole number.*got '1.0'"),
        (["1", "-p", "seed"], "name=value, got 'seed'"),
        (["4", "-p", "seed=1"], "04_untyped has no parameter 'seed': its cell that is tagged parameters has no line such as seed: int = 0"),
        (["5"], "05_own.ipynb must have parameters .* in its parameters cell: noise_level must be a number.* got 'loud'"),
        (["99"], r"no notebook 99_\*\.ipynb"),
        (["01_tiny"], "no notebook 01_tiny.ipynb"),
        (["elsewhere/01_small.ipynb"], "no such file"),
        (["1", "--output", "notebooks/01_small.ipynb"], "output must be a new file"),
        (["1", "--output", "notebooks/02_other.ipynb"], "output must be a new file"),
        (["1", "--output", "notebooks"], "output must be a new file"),
        (["1", "--output", ""], "output must be a new file .* got ''"),
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
    write("05_own.ipynb", "noise_level: float = 'loud'")
    assert cli.main(["run", *arguments]) == 2
    written, refused = capfd.readouterr()
    assert written == ""
    assert len(refused.splitlines()) == 1
    with pytest.raises(RefusedError, match=message):
        raise RefusedError(refused)
    assert not list(Path(".").rglob("build"))


def test_a_refusal_takes_a_fraction_of_what_tensorflow_takes_to_start(write):
    write("01_small.ipynb", "seed: int = 0  # seed")

    def seconds(*arguments, code):
        started = time.perf_counter()
        assert subprocess.run([sys.executable, *arguments], capture_output=True).returncode == code
        return time.perf_counter() - started

    # Each at its best of three, in turn: other tests keep the machine busy.
    refused = ["-m", "convae_nb", "run", "1", "-p", "seed=-1"]
    pairs = [(seconds(*refused, code=2), seconds("-c", "import tensorflow", code=0)) for _ in range(3)]
    refusal, start = map(min, zip(*pairs, strict=True))
    assert refusal < start / 3


def test_the_command_line_runs_all_chapters_in_order_and_shows_what_they_measured(write, capsys):
    write("02_second.ipynb", "seed: int = 5  # seed", "from convae_nb import runs\nruns.record(loss=0.123456, digits=seed)")
    write("01_first.ipynb", "", "1")
    write("side.ipynb", "", "1 / 0")
    assert cli.main(["run", "all"]) == 0
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
    assert cli.main(["run", "1"]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.endswith("01_fails: ZeroDivisionError: division by zero in cell [3] (kept in build/run/01_fails.ipynb)")


def test_the_command_line_compares_and_writes_the_table(tmp_path, capsys):
    folder = tmp_path / "runs"
    folder.mkdir()
    two_settings(folder)
    (folder / "foreign.ipynb").write_text("{}")
    file = folder / "table.csv"
    assert cli.main(["compare", str(folder), "--over", "seed", "--csv", str(file)]) == 0
    written, errors = capsys.readouterr()
    assert [line.split("  ")[0] for line in written.splitlines()[:3]] == ["filters", "(16, 8)", "(4, 2)"]
    assert "0.20 ± 0.10" in written
    assert "The same in all: chapter 01_a, epochs 2\nRuns that are not done and left out: 1\n" in written
    assert errors.startswith("Skipped foreign.ipynb: no executed notebook")
    assert pd.read_csv(file)["loss"].tolist() == pytest.approx([0.2, 0.6])
    assert cli.main(["compare", str(folder), "--csv", str(file)]) == 0
    assert len(pd.read_csv(file)) == 6
    assert "4-2.ipynb" in capsys.readouterr().out


def test_what_a_run_holds_is_shown_in_its_line_and_not_obeyed_by_the_terminal(tmp_path, capsys):
    executed_run(tmp_path, "a\x1b[2J", {"seed": 1}, {"text": "two\nlines", "same\x07": "\x1b[31m", "text_spread": 1})
    executed_run(tmp_path, "b", {"seed": 2}, {"text": "é", "same\x07": "\x1b[31m", "run": 1}, error="\x1b]0;title\x07")
    (tmp_path / "c\n").touch()
    assert cli.main(["compare", str(tmp_path)]) == 0
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
        (["counted", "--over", "seed"], "over seed only if no result or parameter is called 'runs'"),
        (["runs", "--over", "seed"], "over seed only if no result or parameter is called 'loss_spread'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "runs", "counted", "failed"):
        Path(name).mkdir()
    executed_run(Path("failed"), "a", {"seed": 1}, {}, error="no loss")
    executed_run(Path("runs"), "a", {"seed": 1}, {"loss": 1.0, "loss_spread": 2.0})
    executed_run(Path("counted"), "a", {"seed": 1, "runs": 3}, {"loss": 1.0})
    before = Path("runs/a.ipynb").read_bytes()
    assert cli.main(["compare", *arguments]) == 2
    written, errors = capsys.readouterr()
    assert (written, len(errors.splitlines())) == ("", 1)
    assert message in errors
    assert Path("runs/a.ipynb").read_bytes() == before


def main(*arguments):
    """The command line in a process of its own."""
    return subprocess.run([sys.executable, "-m", "convae_nb", *arguments], capture_output=True, timeout=400)


CELL = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
VERSION = {"metadata": {}, "nbformat": 4, "nbformat_minor": 4}
CONFLICT = '<<<<<<< HEAD\n{"cells": []}\n=======\n{"cells": [1]}\n>>>>>>> other\n'


@pytest.mark.parametrize(
    "command", [["run", "1"], ["store", "1"], ["sweep", "1", "-g", "seed=1,2", "--output", "out"], ["parameters", "1"]]
)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CONFLICT, "JSONDecodeError: Expecting value: line 1"),
        (json.dumps({"cells": [CELL], **VERSION}), "KeyError: 'source'"),
        (json.dumps({"cells": [CELL | {"source": 1}], **VERSION}), "TypeError"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "1"}], **VERSION}), "KeyError: 'metadata'"),
        (json.dumps({"cells": [CELL | {"source": "'\ud800'"}], **VERSION}), "UnicodeEncodeError"),
        (json.dumps({"cells": [CELL | {"source": "1", "metadata": {"tags": None}}], **VERSION}), "TypeError"),
        (json.dumps({"cells": [], "metadata": {}}), "KeyError: 'nbformat'"),
        (json.dumps({"worksheets": [], "metadata": {}, "nbformat": 3}), "nbformat 3, not 4"),
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
    ],
)
def test_a_damaged_notebook_is_refused_in_one_sentence_by_every_command_that_takes_one(write, capfd, command, text, message):
    chapter = write("01_small.ipynb", "seed: int = 0  # seed")
    chapter.write_text(text)
    assert cli.main(command) == 2
    written, refused = capfd.readouterr()
    assert (written, len(refused.splitlines())) == ("", 1)
    assert refused.startswith(f"{Path('notebooks', '01_small.ipynb')} must be a notebook that can be read, got ")
    assert message in refused
    assert chapter.read_text() == text
    assert not Path("out").exists()


def test_what_is_no_name_of_a_reference_run_is_refused_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "convae_nb.reference.make", None)  # importing it, and TensorFlow, would raise
    for names in (["nonsense"], ["fast_basic/0", "nonsense"]):
        assert cli.main(["reference", *names]) == 2
        written, refused = capsys.readouterr()
        assert (written, len(refused.splitlines())) == ("", 1)
        assert refused.startswith("there is no reference run 'nonsense': did you mean ")


def test_a_checkpoint_that_does_not_fit_is_one_sentence_with_exit_code_1(monkeypatch, capsys):
    def refuse(_):
        raise convae_nb.errors.CheckpointError("the checkpoint is of another run\x1b[2J: take another folder")

    monkeypatch.setattr(runs, "store", refuse)
    assert cli.main(["store"]) == 1
    assert capsys.readouterr() == ("", "the checkpoint is of another run\\x1b[2J: take another folder\n")


def test_every_error_of_the_package_has_an_exit_code(monkeypatch, capsys):
    kinds = {name: kind for name, kind in vars(convae_nb.errors).items() if isinstance(kind, type)}
    assert {name: kind.exit_code for name, kind in kinds.items()} == dict.fromkeys(kinds, 1) | {"RefusedError": 2}
    for name, kind in kinds.items():
        monkeypatch.setattr(runs, "store", lambda _, kind=kind: (_ for _ in ()).throw(kind("a sentence")))
        assert cli.main(["store"]) == (2 if name == "RefusedError" else 1)
        assert capsys.readouterr() == ("", "a sentence\n")


posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
BUILD = "from convae_nb import models\nprint(models.build_autoencoder().output_shape)"


def without_standard_error(*words, cwd=None):
    """Run Python with its standard error closed, as a service has it."""
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=500, cwd=cwd)


@posix
def test_networks_are_built_where_standard_error_is_closed():
    done = without_standard_error("-c", BUILD)
    assert (done.returncode, done.stdout) == (0, "(None, 28, 28, 1)\n")


def test_networks_are_built_where_there_is_no_standard_error():
    done = subprocess.run([sys.executable, "-c", f"import sys\nsys.stderr = None\n{BUILD}"], stdout=subprocess.PIPE, text=True, timeout=500)
    assert (done.returncode, done.stdout) == (0, "(None, 28, 28, 1)\n")


@posix
def test_a_command_works_where_standard_error_is_closed(write, tmp_path):
    write("04_small.ipynb", "seed: int = 0  # seed", "from convae_nb import runs\nruns.record(loss=seed)")
    done = without_standard_error("-m", "convae_nb", "parameters", "4", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "seed: int = 0")
    done = without_standard_error("-m", "convae_nb", "run", "4", "--output", "out.ipynb", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Look in out.ipynb\n")
    done = without_standard_error("-m", "convae_nb", "run", "4", "-p", "seed=x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), "what is refused is no output"


@pytest.mark.slow
@posix
def test_a_script_sweeps_and_stores_where_standard_error_is_closed(write, tmp_path):
    write("04_small.ipynb", "seed: int = 0  # seed", "from convae_nb import runs\nruns.record(loss=seed)")
    code = "from convae_nb import runs\nif __name__ == '__main__':\n    print(runs.sweep(4, {'seed': [3]}, 'out')['loss'].tolist())\n"
    Path("script.py").write_text(code + "    runs.store([4])\n")
    done = without_standard_error("script.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[3]\n")


@pytest.mark.parametrize(("encoding", "expected"), [("ascii", [r"\xb1", r"\u03b2", r"\u65e5"]), ("cp1252", ["±", r"\u03b2", r"\u65e5"])])
def test_what_the_console_cannot_show_is_escaped(tmp_path, monkeypatch, encoding, expected):
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in range(2):
        executed_run(folder, f"{seed}", {"seed": seed}, {"β": float(seed), "日": 1.0})
    (folder / "日.txt").touch()
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = main("compare", str(folder), "--over", "seed", "--csv", str(tmp_path / "table.csv"))
    assert done.returncode == 0
    written = done.stdout.decode(encoding)
    assert all(text in written for text in expected)
    assert r"Skipped \u65e5.txt: no notebook" in done.stderr.decode(encoding)
    assert list(pd.read_csv(tmp_path / "table.csv").columns) == ["runs", "β", "β_spread", "日", "日_spread"]
    done = main("compare", "--help")
    assert done.returncode == 0
    assert expected[0] in done.stdout.decode(encoding)


def test_a_command_is_quoted_as_the_shell_of_the_system_reads_it(monkeypatch):
    words = ["convae", "compare", "my out's"]
    assert cli._quoted(*words) == "convae compare 'my out'\"'\"'s'"
    monkeypatch.setattr(os, "name", "nt")
    assert cli._quoted(*words) == 'convae compare "my out\'s"'
    assert cli._quoted("convae", "compare", "C:\\out") == "convae compare C:\\out"


OWN = "learning_rate: float = 0.1\nnames: list[str] = ['a']\nnoise_kind: str = 'blur'\nnoise_level: float = 1.5"
SERVE = "str, int, float, bool, list[int], list[float], list[str]"


def test_the_parameters_of_a_chapter_are_listed_with_type_default_range_and_meaning(write, capsys):
    write("01_small.ipynb", OWN)
    assert cli.main(["parameters", "1"]) == 0
    written, errors = capsys.readouterr()
    assert errors == ""
    lines = written.splitlines()
    assert lines[:3] == ["learning_rate: float = 0.1", "names: list[str] = ['a']", "noise_kind: str = 'blur'"]
    assert lines[3].startswith("    kind of the noise, a name of noise.KINDS: ")
    assert {"gaussian", "blur", "speckle"} <= set(lines[3].partition("KINDS: ")[2].split(", "))
    assert lines[4] == "noise_level: float = 1.5"
    assert lines[5].startswith("    strength of the noise")
    assert "gaussian: standard deviation, 0 to 2" in lines[5]
    assert len(lines) == 6


def test_the_parameters_of_a_real_chapter_are_its_own(capsys):
    assert cli.main(["parameters", "3"]) == 0
    written = capsys.readouterr().out
    assert "epochs: int = 0\n    passes over the training digits, 0 to 1000; 0: as many as the recipe has\n" in written
    assert "filters: list[int] = [16, 8, 8]\n    feature maps" in written


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        (
            OWN,
            ["-p", "lerning_rate=1"],
            "no parameter 'lerning_rate': did you mean 'learning_rate'? There are learning_rate, names, ",
        ),
        (OWN, ["-p", "epochs=1"], "01_own has no parameter 'epochs': did you mean "),
        (OWN, ["-p", "learning_rate=fast"], "learning_rate must be a number, got 'fast'"),
        (OWN, ["-p", "learning_rate=1e999"], "learning_rate must be a number, got inf"),
        (OWN, ["-p", "noise_level=9"], "noise_level must be a number, 0 to "),
        ("steps: int = 1", ["-p", "steps=9223372036854775808"], "steps must be a whole number of at most 64 bits, got 9223372036854775808"),
        ("word: str = 'a'", ["-p", "word=\udcff"], r"word must be a text, got '\udcff'"),
        ("rate: float = '0.1'", [], "rate must be a number, got '0.1'"),
        ("state: str = 'a'", [], "state is the name of a column of every run: choose another"),
        ("rate: complex = 1", [], "a parameter is one of str, int, float, bool, list[int], list[float], list[str], not complex"),
        (
            "rate: dict[str, int] = {}",
            [],
            "a parameter is one of str, int, float, bool, list[int], list[float], list[str], not dict[str, int]",
        ),
        ("seed: str = 'a'", [], "seed must be a whole number"),
        ("rate: float = 1 / 3", [], "must have a readable parameters cell, got ValueError"),
        ("rate: float =", [], "must have a readable parameters cell, got SyntaxError"),
    ],
)
def test_a_parameter_of_a_notebook_of_ones_own_is_refused_in_one_line(write, capfd, parameters, given, message):
    write("01_own.ipynb", parameters)
    for command in (["run", "1"], ["sweep", "1", "--output", "out"]):
        assert cli.main([*command, *given]) == 2
        written, refused = capfd.readouterr()
        assert (written, len(refused.splitlines())) == ("", 1)
        assert message in refused
    assert not list(Path(".").rglob("build"))
    assert not Path("out").exists()


def test_a_name_that_a_notebook_of_ones_own_lacks_is_answered_with_no_others_names(write, capsys):
    write("01_own.ipynb", "rate: float = 0.1\nword: str = 'a'")
    assert cli.main(["run", "1", "-p", "raet=1"]) == 2
    assert capsys.readouterr().err == "01_own has no parameter 'raet': did you mean 'rate'? There are rate, word\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_reader_that_has_enough_ends_the_command_in_silence(tmp_path):
    for seed in range(300):
        executed_run(tmp_path, f"{seed}", {"seed": seed}, {"loss": float(seed)})
    arguments = [sys.executable, "-m", "convae_nb", "compare", tmp_path]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        command.stdout.close()  # before anything is written
        assert command.stderr.read() == b""
        assert command.wait() == 141


@pytest.fixture
def heard():
    """Under nohup SIGHUP is ignored, and so it is by what is started then."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_run_that_is_ended_leaves_nothing_in_the_temporary_folder(write, tmp_path, heard, number, code):
    write("01_small.ipynb", "seed: int = 0  # seed", "open('started', 'w').close()\nimport time\ntime.sleep(60)")
    (tmp_path / "t").mkdir()
    arguments = [sys.executable, "-m", "convae_nb", "run", "1"]
    with subprocess.Popen(arguments, env=os.environ | {"TMPDIR": str(tmp_path / "t")}, stderr=subprocess.PIPE) as command:
        while not list(tmp_path.rglob("started")):
            assert command.poll() is None
            time.sleep(0.1)
        command.send_signal(number)
        assert command.wait(30) == code
        assert b"Ended from outside" in command.stderr.read()
    assert not list((tmp_path / "t").iterdir())


@pytest.mark.parametrize("address", ["nowhere", "foo://here:1", "tcp://"])
def test_an_address_that_is_none_is_refused_in_one_sentence(write, tmp_path, address):
    write("01_small.ipynb", "seed: int = 0  # seed", "1")
    command = [sys.executable, "-m", "convae_nb", "sweep", "1", "-g", "seed=0", "--output", tmp_path / "out", "--scheduler", address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line and "run/s]" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("scheduler must be the address of a Dask scheduler that has workers, got")
