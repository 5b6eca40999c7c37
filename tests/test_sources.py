"""The chapters that take a source run on images of other sizes, in colour, with labels and without."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.special import entr
from sklearn import datasets

from convae_nb import data, runs

SMALL = {
    1: {"noise_kind": "speckle", "noise_level": 0.25},
    3: {"train_digits": 300, "epochs": 1, "filters": [8, 4]},
    4: {"train_digits": 300, "epochs": 1},
    6: {"train_digits": 300, "epochs": 1, "filters": [8, 4]},
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The digits of scikit-learn, 8x8 and grey, with labels; a folder of 24 pictures in colour, 64x48, without."""
    place, rng = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    digits = datasets.load_digits()
    np.savez(place / "digits.npz", x_train=np.rint(digits.images / 16 * 255).astype("uint8"), y_train=digits.target)
    (place / "photos").mkdir()
    for i in range(24):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 3, 3), dtype="uint8"))
        coarse.resize((48, 64), Image.Resampling.BICUBIC).save(place / "photos" / f"{i}.png")
    return {"digits": str(place / "digits.npz"), "photos": str(place / "photos")}


@pytest.mark.parametrize(
    ("chapter", "source"),
    [
        (1, "digits"),
        *(
            pytest.param(chapter, source, marks=pytest.mark.slow if source == "photos" else pytest.mark.long)
            for chapter, source in [(1, "photos"), *((chapter, source) for chapter in (3, 4, 6) for source in ("digits", "photos"))]
        ),
    ],
)
def test_a_chapter_runs_on_any_images_and_measures_these(sources, tmp_path, chapter, source):
    runs.execute(chapter, SMALL[chapter] | {"source": sources[source]}, tmp_path / "run.ipynb")
    (row,) = runs.collect(tmp_path).to_dict("records")
    assert row["state"] == "done"
    # The floor of the very test images, by the definition.
    x = data.load(sources[source]).x_test / 255
    floor = np.mean(entr(x) + entr(1 - x))
    assert (row["entropy_floor"] if chapter == 1 else row["test_loss"] - row["excess"]) == pytest.approx(floor, abs=1e-5)
    if chapter in (3, 4):
        assert ("ssim" in row) == (source == "photos"), "8 pixels are too few for SSIM"
    if chapter == 4:
        assert ("read_noisy" in row) == (source == "digits"), "without labels nobody can read"
    if chapter == 6:
        assert ("read_from_code" in row) == (source == "digits")
    streams = [output for output in _outputs(tmp_path / "run.ipynb") if output["output_type"] == "stream"]
    assert "".join(streams[0]["text"]).startswith("The words here, and what is said of reference runs, are about the digits of MNIST;")
    assert "Warning" not in str(streams)


def _outputs(path):
    return [output for cell in json.loads(path.read_text("utf-8"))["cells"] for output in cell.get("outputs", [])]
