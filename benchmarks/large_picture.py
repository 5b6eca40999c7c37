"""What a large picture takes: a JPEG file of 4000x3000 pixels in colour through `models.denoise_files`, in a process of its own."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from protocol import ROOT, Worker
from skimage import data

SIZE = (4000, 3000)  # pixels: width and height
SIGMA = 15  # of 255, of the noise
ROUNDS = 3


def measure(size=SIZE, rounds=ROUNDS):
    """Denoise a picture, each time in another process.

    Parameters
    ----------
    size : (int, int)
        Width and height in pixels.
    rounds : int

    Returns
    -------
    dict
        Repeats and unit by name; memory is left out where the system does not tell it.
    """
    build = ROOT / "build"  # in the checkout, on a real disk, which a temporary folder may not be on
    build.mkdir(exist_ok=True)
    readings = []
    with tempfile.TemporaryDirectory(dir=build) as folder:
        path = Path(folder, "picture.jpg")
        write(path, size)
        for number in range(rounds):
            print(f"large picture: round {number + 1} of {rounds}", flush=True)
            with Worker("large_picture.py") as worker:
                readings.append(worker.ask("denoise", {"source": str(path), "output": str(Path(folder, str(number)))}))
    measured = {"large_picture_seconds": ([each["seconds"] for each in readings], "seconds")}
    if all(each["peak_memory"] for each in readings):
        measured["large_picture_memory_gb"] = ([each["peak_memory"] / 1000 for each in readings], "GB")
    return measured


def write(path, size):
    """Write a photograph, enlarged and with noise, as a JPEG file."""
    picture = np.asarray(Image.fromarray(data.coffee()).resize(size))
    noisy = picture + SIGMA * np.random.default_rng(0).standard_normal(picture.shape, dtype="float32")
    Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype("uint8")).save(path, quality=95)
