"""What kills maps of the code: the first steps, in which all of a fresh network is pushed from half grey to the digits' black.

The original's recipe is trained for one epoch of 40,000 digits, 200 steps, from many starts: as it is, and with the logits' bias started
at the mean pixel. Everything else is the same, seed by seed.
"""

import dataclasses

import numpy as np

from convae_nb import data, models, training

SEEDS = range(12)


def measure(seeds=SEEDS):
    """Count the maps of the code that are zero on all test digits after 200 steps.

    Returns
    -------
    dict
        "dead_maps_from_zero_bias" and "dead_maps_from_mean_bias": the sum over the seeds, and what it is a part of.
    """
    digits = data.load()
    digits = dataclasses.replace(digits, x_train=digits.x_train[:40_000])
    results = {}
    for name, start_at_mean in {"dead_maps_from_zero_bias": False, "dead_maps_from_mean_bias": True}.items():
        results[name] = ([sum(_dead_maps(digits, seed, start_at_mean) for seed in seeds)], f"of {8 * len(seeds)} maps")
    return results


def _dead_maps(digits, seed, start_at_mean):
    recipe = training.recipe("original_basic", epochs=1, seed=seed, start_at_mean=start_at_mean)
    model = models.build_autoencoder(seed=seed)
    training.train(model, digits, recipe, progress=False)
    return int(np.sum(models.predict(model.get_layer("encoder"), digits.x_test).max(axis=(0, 1, 2)) == 0))
