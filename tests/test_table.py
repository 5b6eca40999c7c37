"""Comparisons of runs, from records alone."""

import statistics

import pytest
from executed import executed_run, two_settings

from convae_nb import runs


@pytest.fixture
def folder(tmp_path):
    two_settings(tmp_path)
    return tmp_path


def test_compared_runs_show_the_columns_that_differ_and_name_what_is_the_same(folder):
    comparison = runs.compare(folder)
    table = comparison.table
    assert list(table.columns) == ["state", "reason", "seed", "filters", "loss", "learned", "text", "digits"]
    assert comparison.same == {"chapter": "01_a", "epochs": 2}
    assert table.loc["4-2.ipynb", "reason"] == "ValueError: no loss in cell [1]"


def test_compared_over_seeds_a_result_has_its_mean_and_the_deviation_of_a_sample(folder):
    comparison = runs.compare(folder, over="seed")
    table = comparison.table.set_index("filters")
    assert list(table.columns) == ["runs", "loss", "loss_spread", "learned", "learned_spread", "digits", "digits_spread"]
    assert table["runs"].to_dict() == {(16, 8): 3, (4, 2): 2}
    assert table["loss"].to_dict() == pytest.approx({(16, 8): 0.2, (4, 2): 0.6})
    assert table["loss_spread"].to_dict() == pytest.approx({(16, 8): 0.1, (4, 2): statistics.stdev([0.5, 0.7])})
    assert comparison.unfinished == 1
    assert comparison.same == {"chapter": "01_a", "epochs": 2}


def test_runs_of_an_edited_chapter_are_not_averaged_with_those_before(tmp_path):
    for seed, text in enumerate(["0123456789", "0123456789", "abcdefghij"]):
        executed_run(tmp_path, f"{seed}", {"seed": seed}, {"loss": float(seed)}, text=text)
    table = runs.compare(tmp_path, over="seed").table
    assert table.set_index("chapter_text")["loss"].to_dict() == {"01234567": 0.5, "abcdefgh": 2.0}


def test_runs_of_an_edited_package_are_not_averaged_with_those_before(tmp_path):
    for seed, code in enumerate(["0123456789ab", "0123456789ab", "ba9876543210"]):
        executed_run(tmp_path, f"{seed}", {"seed": seed}, {"loss": float(seed)}, versions={"code": code})
    table = runs.compare(tmp_path, over="seed").table
    assert table.set_index("code")["loss"].to_dict() == {"0123456789ab": 0.5, "ba9876543210": 2.0}


def test_a_copied_run_counts_once_and_is_named(tmp_path):
    for name, seed, loss in (("a", 0, 10.5), ("b", 1, 11.0), ("b-Copy1", 1, 11.0), ("c", 2, 11.5)):
        executed_run(tmp_path, name, {"seed": seed, "filters": [16, 8]}, {"loss": loss})
    comparison = runs.compare(tmp_path, over="seed")
    (row,) = comparison.table.to_dict("records")
    assert row == {"runs": 3, "loss": 11.0, "loss_spread": 0.5}
    assert comparison.repeated == {"b.ipynb": "b-Copy1.ipynb"}
    assert runs.compare(tmp_path).repeated == {}


def test_a_result_may_have_any_name_that_pandas_takes_for_an_argument_of_its_own(tmp_path):
    for seed in range(2):
        executed_run(tmp_path, f"{seed}", {"seed": seed, "epochs": 2}, {"engine": seed, "func": 2.0 * seed, "self": 1})
    comparison = runs.compare(tmp_path, over="seed")
    (row,) = comparison.table[["runs", "engine", "func", "self"]].to_dict("records")
    assert row == {"runs": 2, "engine": 0.5, "func": 1.0, "self": 1.0}


@pytest.mark.parametrize("results", [{}, {"text": "a"}])
def test_runs_without_a_result_that_is_a_number_are_counted(tmp_path, results):
    for seed in range(2):
        executed_run(tmp_path, f"{seed}", {"seed": seed, "epochs": 2}, results)
    comparison = runs.compare(tmp_path, over="seed")
    assert comparison.table.to_dict("records") == [{"runs": 2}]
    assert comparison.same == {"chapter": "01_a", "epochs": 2}


def test_a_comparison_shows_itself_in_a_notebook_as_its_table(folder):
    comparison = runs.compare(folder)
    assert comparison._repr_html_() == comparison.table.to_html()


def test_what_is_no_executed_notebook_is_named_beside_the_table(folder):
    (folder / "foreign.ipynb").write_text("{}")
    (folder / "notes.txt").touch()
    skipped = runs.compare(folder, over="seed").skipped
    assert set(skipped) == {"foreign.ipynb", "notes.txt"}
    assert skipped["notes.txt"] == "no notebook"


def test_a_run_on_windows_is_of_the_chapter_that_its_file_is_called_after(tmp_path):
    executed_run(tmp_path, "a", {"seed": 0}, {"loss": 1.0}, chapter="C:\\Users\\x\\notebooks\\03_training.ipynb")
    executed_run(tmp_path, "b", {"seed": 1}, {"loss": 2.0}, chapter="notebooks/03_training.ipynb")
    assert list(runs.collect(tmp_path)["chapter"]) == ["03_training"] * 2
    comparison = runs.compare(tmp_path, over="seed")
    assert comparison.table.to_dict("records") == [{"runs": 2, "loss": 1.5, "loss_spread": pytest.approx(statistics.stdev([1, 2]))}]
    assert comparison.same["chapter"] == "03_training"


def test_runs_are_compared_over_a_parameter_of_a_notebook_of_ones_own(tmp_path):
    for rate in (0.1, 0.2):
        for names in (["a"], ["b", "c"]):
            executed_run(tmp_path, f"{rate}-{names[0]}", {"rate": rate, "names": names}, {"loss": rate * len(names)})
    table = runs.compare(tmp_path, over="rate").table
    assert table.set_index("names")["loss"].to_dict() == pytest.approx({("a",): 0.15, ("b", "c"): 0.3})
