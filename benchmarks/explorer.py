"""What a move of the noise explorer's level costs in the kernel: noise, network, PSNR, SSIM, pictures and curve, for ten digits."""

import time

import numpy as np

from convae_nb import explorer, models

REPEATS = 5
MOVES = 300


def measure():
    """Move the level at random, with no baseline chosen.

    The weights are untrained, for the network's time does not depend on them.

    Returns
    -------
    dict
        "explorer_move_ms" and "explorer_move_p95_ms": the median and the 95th percentile of each repeat's moves, and their unit.
    """
    explored = explorer.noise_explorer(model=models.build_autoencoder((32, 32, 16)))
    rng = np.random.default_rng(0)

    def milliseconds(level):
        start = time.perf_counter()
        explored.level.value = level
        return 1000 * (time.perf_counter() - start)

    for level in rng.uniform(0, 2, 20):  # wakes threads and caches
        milliseconds(level)
    repeats = [[milliseconds(level) for level in rng.uniform(0, 2, MOVES)] for _ in range(REPEATS)]
    return {
        "explorer_move_ms": (np.percentile(repeats, 50, axis=1), "ms"),
        "explorer_move_p95_ms": (np.percentile(repeats, 95, axis=1), "ms"),
    }
