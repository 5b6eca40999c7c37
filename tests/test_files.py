import os
import sys

import pandas as pd
import pytest

from convae_nb._base import files

TABLE = pd.DataFrame({"name": ["a", "b"], "loss": [0.5, 0.25]})


@pytest.mark.parametrize("linesep", ["\n", "\r\n"])
def test_a_table_has_the_same_bytes_on_every_system(tmp_path, monkeypatch, linesep):
    monkeypatch.setattr(os, "linesep", linesep)
    files.write_table(TABLE, tmp_path / "new" / "table.csv")
    assert (tmp_path / "new" / "table.csv").read_bytes() == b"name,loss\na,0.5\nb,0.25\n"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, failure):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail_halfway():
        with files.write_atomically(path) as file:
            file.write(b"half of the n")
            raise failure

    with pytest.raises(failure):
        fail_halfway()
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_until_a_write_is_through_readers_find_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with files.write_atomically(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts the folders too")
def test_a_name_may_be_as_long_as_the_system_takes(tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")
    files.write_table(TABLE, path)
    pd.testing.assert_frame_equal(pd.read_csv(path), TABLE)
