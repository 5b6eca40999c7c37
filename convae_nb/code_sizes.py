"""How small can a code be: what the basic model reaches with fewer and more numbers, beside as many principal components.

The encoder's last depth decides the size: 16 numbers a feature map, since its maps are 4x4. Images are whatever `data.as_images` takes.
"""

import functools
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from convae_nb import baselines, data, metrics, models, training
from convae_nb._whole import write_table

#: The encoders that are compared, by their feature maps: codes of 16 to 256 numbers.
FILTERS = ([16, 8, 1], [16, 8, 2], [16, 8, 4], [16, 8, 8], [16, 8, 16])
#: Each is trained with these.
SEEDS = (0, 1, 2)

_FILE = Path(__file__).with_name("files") / "code_sizes.csv"
_RECIPE = training.RECIPES["fast_basic"]


def measure(filters, dataset, recipe, *, progress=True):
    """Train a network of the given depths, and measure it on the test images.

    Parameters
    ----------
    filters : sequence of int
        As for `models.build_autoencoder`.
    dataset : data.Dataset
    recipe : training.Recipe
        Its seed is also that of the starting weights.
    progress : bool
        As for `training.train`.

    Returns
    -------
    dict
        "filters", as text, and "seed"; "numbers", the size of the code; "test_loss" and "excess" in nats a pixel, "psnr" in dB and
        "dead_maps", as `metrics.evaluate` measures them.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        As `models.build_autoencoder` and `training.train` have it.
    """
    images = data.as_images(dataset.x_test)
    model = models.build_autoencoder(filters, image_shape=images.shape[1:], seed=recipe.seed)
    training.train(model, dataset, recipe, progress=progress)
    measured = metrics.evaluate(model, images).loc[0]
    return {
        "filters": str(list(filters)),
        "seed": recipe.seed,
        "numbers": int(np.prod(model.get_layer("encoder").output.shape[1:])),
        "test_loss": float(measured["loss"]),
        "excess": float(measured["excess"]),
        "psnr": float(measured["PSNR"]),
        "dead_maps": int(measured["dead_maps"]),
    }


def pca_psnr(dataset, numbers):
    """Measure what principal components of the training images reach on the test images.

    Parameters
    ----------
    dataset : data.Dataset
    numbers : int
        Size of the code. Where the training images have fewer components, all of them serve.

    Returns
    -------
    float
        Mean PSNR in dB.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If `numbers` is less than 1.

    Examples
    --------
    Images of two pixels that are always equal need one number: no error is left but what counts as none (`metrics.psnr`).

    >>> pairs = np.repeat(np.arange(0, 256, 51, dtype="uint8"), 2).reshape(6, 1, 2)
    >>> round(pca_psnr(data.Dataset(pairs, None, pairs[:3], None), 1), 2)
    58.92
    """
    images = data.as_images(dataset.x_test)
    codec = baselines.pca_codec(dataset.x_train, min(numbers, len(dataset.x_train), images[0].size))
    return float(metrics.psnr(images, codec.decode(codec.encode(images))).mean())


def reference_table():
    """Tell what codes of different sizes reach, as `make` measured it.

    Returns
    -------
    DataFrame
        A row a training of the recipe "fast_basic" on all 60,000 digits, for each of `FILTERS` and `SEEDS`: what `measure` gives on the
        10,000 test digits, and "pca_psnr", as `pca_psnr` gives it for as many numbers.
    """
    return pd.read_csv(_FILE)


def make(checkpoints):
    """Measure the `reference_table` and write it into the package; takes some six minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured; to have been killed costs no more than one training.
    """
    # What was measured with another recipe lies in another file.
    digest = hashlib.sha256(_RECIPE.model_dump_json().encode()).hexdigest()
    path, dataset = Path(checkpoints, f"code_sizes-{digest[:12]}.csv"), data.load()
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["filters", "seed"])
    of_pca = functools.cache(lambda numbers: pca_psnr(dataset, numbers))
    done = set(zip(table["filters"], table["seed"], strict=True))
    todo = [(filters, seed) for filters in FILTERS for seed in SEEDS if (str(filters), seed) not in done]
    for filters, seed in tqdm(todo, desc="measuring sizes of the code", dynamic_ncols=True):
        row = measure(filters, dataset, _RECIPE.model_copy(update={"seed": seed}), progress=False)
        row["pca_psnr"] = of_pca(row["numbers"])
        table = pd.concat([table, pd.DataFrame([row]).round(5)], ignore_index=True) if len(table) else pd.DataFrame([row]).round(5)
        write_table(table, path)
    write_table(table, _FILE)
