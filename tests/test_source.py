import contextlib
import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convae_nb import data
from convae_nb.parameters import RefusedError
from convae_nb.runs import source


@pytest.fixture
def photos(tmp_path):
    """A folder of two classes of pictures, with a note, a hidden file and a link to a picture elsewhere."""
    folder = tmp_path / "photos"
    for i in range(12):
        place = folder / ("cats" if i % 2 else "dogs")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 8), (20 * i, 200, 50)).save(place / f"{i}.png")
    (folder / "cats" / "notes.txt").write_text("a note")
    (folder / ".hidden").write_text("a secret")
    Image.new("L", (9, 8), 99).save(tmp_path / "elsewhere.png")
    os.symlink(tmp_path / "elsewhere.png", folder / "cats" / "linked.png")
    return folder


def arrays(dataset):
    return [getattr(dataset, name) for name in ("x_train", "y_train", "x_test", "y_test")]


def test_a_folder_that_was_packed_and_unpacked_is_read_alike(photos, tmp_path):
    (tmp_path / "there").mkdir()
    there = source.unpack(source.pack(photos), tmp_path / "there")
    before, after = data.load(photos), data.load(there)
    for one, other in zip(arrays(before), arrays(after), strict=True):
        np.testing.assert_array_equal(one, other)
    assert before.classes == after.classes == ("cats", "dogs")
    assert before.skipped.keys() == {".hidden", "cats/notes.txt"}
    assert after.skipped == {}
    assert source.digest(there) == source.digest(photos)
    assert not [path for path in Path(there).rglob("*") if path.is_symlink() or path.name == ".hidden"]


def test_a_file_that_was_packed_and_unpacked_has_the_same_bytes(tmp_path):
    (tmp_path / "{a} 'b'.npz").write_bytes(b"\0any bytes")
    (tmp_path / "there").mkdir()
    there = source.unpack(source.pack(str(tmp_path / "{a} 'b'.npz")), tmp_path / "there")
    assert Path(there).read_bytes() == b"\0any bytes"
    assert there.endswith(".npz")


@pytest.mark.parametrize("name", ["../out.png", "source/../../out.png", "/out.png"])
def test_nothing_is_unpacked_outside_of_the_folder(tmp_path, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "there").mkdir()
    with contextlib.suppress(tarfile.FilterError):
        source.unpack(buffer.getvalue(), tmp_path / "there")
    assert not (tmp_path / "out.png").exists()
    assert not Path("/out.png").exists()


def test_the_digest_of_a_folder_follows_from_names_and_contents_alone(photos, tmp_path):
    before = source.digest(photos)
    os.utime(photos / "cats" / "1.png", (0, 0))
    (photos / ".hidden").write_text("another secret")
    photos.rename(tmp_path / "moved")
    assert source.digest(tmp_path / "moved") == before
    picture = tmp_path / "moved" / "cats" / "1.png"
    content = picture.read_bytes()
    picture.write_bytes(content + b"\0")
    assert source.digest(tmp_path / "moved") != before
    picture.write_bytes(content)
    assert source.digest(tmp_path / "moved") == before
    picture.rename(picture.with_name("10.png"))  # in the same place of their order
    assert source.digest(tmp_path / "moved") != before


def test_the_digest_of_a_file_is_its_sha_256_and_mnist_has_none(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"any bytes")
    assert source.digest(str(tmp_path / "a.npz")) == hashlib.sha256(b"any bytes").hexdigest()
    assert source.digest("mnist") is None


def test_a_source_gets_its_whole_path_but_mnist_stays_even_beside_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    assert source.absolute("mnist") == "mnist"
    assert source.absolute("./mnist/") == str(tmp_path / "mnist")


@pytest.mark.parametrize("name", ["none.npz", "a" * 5000, "no\0name"])
def test_a_source_that_is_not_there_is_refused(name):
    with pytest.raises(RefusedError, match=r"source must be mnist, the path of .*: no such file or folder"):
        source.absolute(name)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="no such file or folder"):
        source.absolute(str(tmp_path / "pipe"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names files in Unicode alone")
def test_names_that_are_no_unicode_travel_too(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (b"\xff.png", b"\xfe.png"):
        Image.new("L", (9, 8), name[0]).save(os.path.join(os.fsencode(folder), name).decode("utf-8", "surrogateescape"))
    (tmp_path / "there").mkdir()
    there = source.unpack(source.pack(folder), tmp_path / "there")
    assert set(os.listdir(os.fsencode(there))) == {b"\xff.png", b"\xfe.png"}
    assert source.digest(there) == source.digest(folder)
