"""Whole files through a network: what becomes of each picture, what is left alone, and what the command says of it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import png
import pytest
import tifffile
from PIL import Image, ImageOps

from convae_nb import cli, models, reference
from convae_nb.errors import RefusedError
from convae_nb.models import pictures

RNG = np.random.default_rng(3)


def planted(*shape, bits=8):
    return RNG.integers(0, 2**bits, shape).astype(f"uint{bits}")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def as_jpeg(values, orientation=1):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(file, "JPEG", exif=exif)
    return file.getvalue()


def as_tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **({"photometric": "rgb" if values.ndim == 3 else "minisblack", "metadata": None} | options))
    return file.getvalue()


def read_png(path):
    """Samples and their bits, as pypng reads them."""
    width, height, rows, about = png.Reader(bytes=path.read_bytes()).read()
    values = np.array([list(row) for row in rows]).reshape(height, width, about["planes"])
    return (values[..., 0] if about["planes"] == 1 else values), about["bitdepth"]


def read_tiff(path):
    """Samples and their bits, as libtiff reads them."""
    values = imagecodecs.tiff_decode(path.read_bytes())
    return values, 8 * values.itemsize


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture(scope="module")
def grey():
    """A network that makes everything half grey, whatever goes in: its weights are zero, and half is the sigmoid of zero."""
    model = models.build_autoencoder((2,), image_shape=(8, 8, 1))
    model.set_weights([0 * weights for weights in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def real():
    return reference.load("fast_denoiser")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder for pictures and one for what becomes of them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in", tmp_path / "out"


@pytest.fixture
def network(places, grey):
    models.save(grey, "grey.npz")
    return "grey.npz"


def test_every_picture_of_a_folder_becomes_one_of_its_kind_depth_and_size(places, grey):
    source, output = places
    write(source / "a.jpg", as_jpeg(planted(20, 33, 3)))
    write(source / "b.png", imagecodecs.png_encode(planted(9, 8)))
    write(source / "deep/colour.png", imagecodecs.png_encode(planted(70, 300, 3, bits=16)))
    write(source / "deep/colour.tif", as_tiff(planted(300, 20, 3, bits=16), compression="zlib"))
    write(source / "deep/grey.TIFF", as_tiff(planted(12, 13, bits=16), byteorder=">"))
    write(source / "deep/er/e.gif", imagecodecs.gif_encode(planted(10, 10)))
    write(source / "small.tif", as_tiff(planted(8, 8, 3)))
    found = models.denoise_files(grey, source, output)
    expected = {
        "a.png": (np.full((20, 33, 3), 128), 8),
        "b.png": (np.full((9, 8), 128), 8),
        "deep/colour.png": (np.full((70, 300, 3), 32768), 16),
        "deep/colour.tif": (np.full((300, 20, 3), 32768), 16),
        "deep/er/e.png": (np.full((10, 10), 128), 8),
        "deep/grey.TIFF": (np.full((12, 13), 32768), 16),
        "small.tif": (np.full((8, 8, 3), 128), 8),
    }
    assert sorted(found.done) == files(output) == list(expected)
    assert found[1:] == ([], {}, {}, True)
    for name, (values, bits) in expected.items():
        read, its_bits = (read_png if name.endswith("png") else read_tiff)(output / name)
        np.testing.assert_array_equal(read, values)
        assert its_bits == bits


@pytest.mark.parametrize(
    ("content", "values", "white"),
    [
        (lambda values: imagecodecs.png_encode(values), planted(40, 30), 255),
        (lambda values: imagecodecs.png_encode(values), planted(40, 30, 3, bits=16), 65535),
        (lambda values: as_tiff(values), planted(40, 30, bits=16), 65535),
        (lambda values: as_tiff(values, extratags=[(281, 3, 1, 4095, True)]), planted(40, 30, bits=16) >> 4, 4095),
    ],
)
def test_what_a_file_becomes_is_what_the_network_makes_of_its_samples(places, real, content, values, white):
    source, output = places
    write(source / "a.file", content(values))
    assert models.denoise_files(real, source / "a.file", output).one_by_one == (values.ndim == 3)
    (path,) = output.iterdir()
    read, _ = (read_png if path.suffix == ".png" else read_tiff)(path)
    expected = models.denoise(real, values / white)
    np.testing.assert_allclose(read, white * expected, atol=0.5 + 1e-6 * white)  # half a step, and what float32 keeps
    assert expected.max() - expected.min() > 0.1, "something is drawn"


def test_a_stated_white_stays_in_the_file(places, grey):
    source, output = places
    write(source / "a.tif", as_tiff(planted(40, 30, bits=16) >> 4, extratags=[(281, 3, 1, 4095, True)]))
    models.denoise_files(grey, source, output)
    read, bits = read_tiff(output / "a.tif")
    assert (read.min(), read.max(), bits) == (2048, 2048, 16)
    with Image.open(output / "a.tif") as opened:
        assert opened.tag_v2[281] == (4095,)


def test_a_photograph_on_its_side_is_turned_once(places, real):
    source, output = places
    corners = np.zeros((40, 64, 3), np.uint8)
    corners[:20, :32] = 255  # at the top left
    write(source / "a.jpg", as_jpeg(corners, orientation=6))
    models.denoise_files(real, source, output)
    with Image.open(source / "a.jpg") as opened:
        turned = np.asarray(ImageOps.exif_transpose(opened)) / 255
    read, _ = read_png(output / "a.png")
    np.testing.assert_allclose(read, 255 * models.denoise(real, turned[..., 0]), atol=0.51)
    assert read.shape == (64, 40)
    with Image.open(output / "a.png") as opened:
        assert not opened.getexif()


def test_broken_files_and_others_are_left_out_with_their_reasons_and_the_rest_is_done(places, grey):
    source, output = places
    write(source / "a.png", imagecodecs.png_encode(planted(20, 20)))
    write(source / "cut.png", imagecodecs.png_encode(planted(20, 20))[:200])
    write(source / "sub/cut.tif", as_tiff(planted(90, 90, 3, bits=16), compression="zlib")[:-5000])
    write(source / "sub/low.png", imagecodecs.png_encode(planted(1, 20)))
    write(source / "sub/z.tif", as_tiff(planted(8, 99)))
    write(source / "notes.txt", b"notes")
    write(source / ".hidden.png", imagecodecs.png_encode(planted(20, 20)))
    found = models.denoise_files(grey, source, output)
    assert found.done == files(output) == ["a.png", "sub/z.tif"]
    assert list(found.failed) == ["cut.png", "sub/cut.tif", "sub/low.png"]
    assert found.failed["cut.png"].startswith("damaged, ")
    assert found.failed["sub/cut.tif"].startswith("damaged, ")
    assert found.failed["sub/low.png"] == "pictures must have at least 8 pixels a side, got 1x20"
    assert found.skipped == {".hidden.png": "hidden", "notes.txt": "no PNG, JPEG, BMP, GIF, TIFF or WebP picture"}


def test_pictures_that_would_get_one_name_keep_all_of_theirs(places, grey):
    source, output = places
    picture = imagecodecs.png_encode(planted(8, 8))
    for name in ("a.jpg", "A.png", "b.jpg", "b.jpg.png", "b.png", "c.jpg", "c.png/d.bmp", "e.jpg", "f.v2", "g", "sub/e.gif"):
        write(source / name, picture)
    for name in ("a.tif", "e.png.tif", "h.png"):
        write(source / name, as_tiff(planted(8, 8)))
    expected = {"A.png.png", "a.jpg.png", "a.tif"}
    expected |= {"b.jpg.png", "b.jpg.png.png", "b.png.png"}
    expected |= {"c.jpg.png", "c.png/d.png"}
    expected |= {"e.png", "e.png.tif", "f.png", "g.png", "h.tif", "sub/e.png"}
    assert set(models.denoise_files(grey, source, output).done) == set(files(output)) == expected


def test_what_is_there_is_left_as_it_is(places, grey):
    source, output = places
    for name in ("a.jpg", "b.png", "c.png"):
        write(source / name, imagecodecs.png_encode(planted(8, 8)))
    write(output / "a.png", b"mine")
    (output / "c.png").symlink_to(source / "c.png")
    before = {path: path.read_bytes() for path in source.iterdir()}
    found = models.denoise_files(grey, source, output)
    assert (found.done, found.there) == (["b.png"], ["a.png", "c.png"])
    assert (output / "a.png").read_bytes() == b"mine"
    assert models.denoise_files(grey, source, output)[:2] == ([], ["a.png", "b.png", "c.png"])
    assert {path: path.read_bytes() for path in source.iterdir()} == before


def test_ctrl_c_leaves_what_is_done_and_nothing_half_written(places, network, monkeypatch, capsys):
    source, output = places
    for name in "abcd":
        write(source / f"{name}.png", imagecodecs.png_encode(planted(8, 8)))
    calls, denoise = [], pictures.denoise

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return denoise(*args, **options)

    monkeypatch.setattr(pictures, "denoise", interrupted)
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 130
    assert capsys.readouterr().err.endswith("Interrupted. What is finished is kept.\n")
    assert files(output) == ["a.png", "b.png"]
    for name in files(output):
        np.testing.assert_array_equal(read_png(output / name)[0], np.full((8, 8), 128))
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 0
    assert files(output) == ["a.png", "b.png", "c.png", "d.png"]


def test_a_disk_that_is_full_ends_it_and_leaves_nothing_half_written(places, network, monkeypatch, capsys):
    source, output = places
    write(source / "a.png", imagecodecs.png_encode(planted(8, 8)))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 1
    assert capsys.readouterr().err.endswith("No space left on device\n")
    assert files(output) == []


# --- the command


def test_the_command_says_what_is_done_and_where(places, network, capsys):
    source, _ = places
    write(source / "a.png", imagecodecs.png_encode(planted(20, 20)))
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 0
    written, errors = capsys.readouterr()
    assert written == "1 picture is done. Look in out\n"
    assert "0/1" in errors
    assert "tiles" in errors
    write(source / "b.jpg", as_jpeg(planted(20, 20, 3)))
    write(source / "c.jpg", as_jpeg(planted(20, 20)))
    write(source / "notes.txt", b"notes")
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 0
    written, errors = capsys.readouterr()
    assert written.splitlines() == [
        "2 pictures are done. Look in out",
        "1 is there already: delete it, or name another folder, to do it again",
        "The network is for grey: colours went through it one by one.",
    ]
    assert errors.splitlines()[-1] == "Skipped notes.txt: no PNG, JPEG, BMP, GIF, TIFF or WebP picture"
    assert "0/2" in errors
    assert "pictures" in errors
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 0
    written = capsys.readouterr().out
    assert written == "3 are there already: delete them, or name another folder, to do them again\n"


def test_a_picture_that_cannot_be_denoised_ends_the_command_with_1(places, network, capsys):
    source, _ = places
    write(source / "a.png", imagecodecs.png_encode(planted(20, 20)))
    write(source / "low.png", imagecodecs.png_encode(planted(7, 20)))
    assert cli.main(["denoise", network, "in", "--output", "out"]) == 1
    written, errors = capsys.readouterr()
    assert written == "1 picture is done. Look in out\n"
    assert errors.splitlines()[-2:] == [
        "Skipped low.png: pictures must have at least 8 pixels a side, got 7x20",
        "1 of 2 pictures could not be denoised",
    ]
    assert cli.main(["denoise", network, "in/low.png", "--output", "other"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense", "in", "--output", "out"], "there is no file 'nonsense', and there is no reference run 'nonsense': did you mean "),
        (["in/notes.txt", "in", "--output", "out"], "notes.txt should be a whole .npz file, found 5 bytes without a zip archive's end"),
        (["nan.npz", "in", "--output", "out"], "the network must have finite weights, found NaN or infinity, as after a training"),
        (["grey.npz", "nowhere", "--output", "out"], "got 'nowhere': there is no such file or folder"),
        (["grey.npz", "empty", "--output", "out"], "got 'empty': there is none in this folder\n"),
        (["grey.npz", "words", "--output", "out"], "there is none in this folder (1 skipped, such as 'a.txt': no PNG, "),
        (["grey.npz", "in/notes.txt", "--output", "out"], "got 'in/notes.txt': no PNG, JPEG, BMP, GIF, TIFF or WebP picture"),
        (["grey.npz", "raw.nef", "--output", "out"], "got 'raw.nef': raw data of a camera, which is not read: save it as PNG or TIFF"),
        (["grey.npz", "in", "--output", ""], "output must be a folder, got ''"),
        (["grey.npz", "in", "--output", "grey.npz"], "output must be a place that can be written, got 'grey.npz': File exists"),
        (["grey.npz", "in", "--output", "in"], "output must be another folder than that of the pictures, and not inside of it, got 'in'"),
        (["grey.npz", "in", "--output", "in/new/er"], "output must be another folder than that of the pictures"),
        (["grey.npz", "in", "--output", "link"], "output must be another folder than that of the pictures"),
        (["grey.npz", "in", "--output", "link/new"], "output must be another folder than that of the pictures"),
        (["grey.npz", "link", "--output", "in"], "output must be another folder than that of the pictures"),
        (["grey.npz", "in/a.png", "--output", "in"], "output must be another folder than that of the pictures"),
        (["grey.npz", "in/a.png", "--output", "link"], "output must be another folder than that of the pictures"),
    ],
)
def test_what_cannot_start_is_refused_in_one_sentence_with_exit_code_2(places, network, monkeypatch, capsys, arguments, message):
    source, output = places
    write(source / "a.png", imagecodecs.png_encode(planted(20, 20)))
    write(source / "notes.txt", b"notes")
    write(Path("words/a.txt"), b"words")
    write(Path("raw.nef"), as_tiff(planted(20, 20)))
    Path("empty").mkdir()
    diverged = models.load(network)
    diverged.set_weights([weights + np.nan for weights in diverged.get_weights()])
    models.save(diverged, "nan.npz")
    Path("link").symlink_to("in")
    monkeypatch.setattr(pictures, "denoise", None)
    assert cli.main(["denoise", *arguments]) == 2
    written, refused = capsys.readouterr()
    assert (written, len(refused.splitlines())) == ("", 1)
    assert message in refused
    assert files(source) == ["a.png", "notes.txt"]
    assert not output.exists()


def test_a_model_that_cannot_be_built_anew_is_refused_before_anything_is_looked_at(places, grey):
    _, output = places
    with pytest.raises(ValueError, match=r"the model must be of models\.build_autoencoder, got Functional 'encoder'"):
        models.denoise_files(grey.get_layer("encoder"), "nowhere", output)
    assert not output.exists()


def test_the_output_of_a_single_picture_may_lie_beside_it(places, grey):
    source, _ = places
    write(source / "a.png", imagecodecs.png_encode(planted(20, 20)))
    assert models.denoise_files(grey, source / "a.png", source / "out").done == ["a.png"]
    with pytest.raises(RefusedError, match="output must be another folder"):
        models.denoise_files(grey, source, source / "out")


def test_what_is_no_network_is_refused_before_tensorflow_comes_in(places, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "convae_nb._base.tensorflow", None)  # importing it would raise
    assert cli.main(["denoise", "nonsense", "in", "--output", "out"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_a_reference_network_is_known_by_its_name(places, real):
    source, output = places
    values = planted(20, 20)
    write(source / "a.png", imagecodecs.png_encode(values))
    assert cli.main(["denoise", "fast_denoiser", "in", "--output", "out"]) == 0
    np.testing.assert_allclose(read_png(output / "a.png")[0], 255 * models.denoise(real, values), atol=0.51)


LARGE = """
import json, re, time
from pathlib import Path
from convae_nb import models

model = models.build_autoencoder((32, 32, 16), skips="concatenate")
started = time.perf_counter()
done = models.denoise_files(model, "in", "out").done
seconds = time.perf_counter() - started
# Not getrusage's ru_maxrss: a new process begins with the peak of the one that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"done": done, "seconds": round(seconds, 1), "gigabytes": peak / 1e9}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell of a process's memory in other ways")
def test_a_photograph_of_twelve_million_pixels_takes_less_than_one_and_a_half_gigabytes(places):
    source, output = places
    coarse = Image.fromarray(planted(60, 80, 3))
    write(source / "large.jpg", as_jpeg(np.asarray(coarse.resize((4000, 3000), Image.Resampling.BICUBIC))))
    finished = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    measured = json.loads(finished.stdout)
    print(measured)
    with Image.open(output / "large.png") as opened:
        assert (opened.size, opened.mode) == ((4000, 3000), "RGB")
    assert measured["done"] == ["large.png"]
    assert measured["gigabytes"] < 1.5
    page = Path(__file__).parents[1] / "book/howto/denoise.md"
    assert "4000x3000 pixels takes less than 1.5 GB of memory" in " ".join(page.read_text("utf-8").split())
