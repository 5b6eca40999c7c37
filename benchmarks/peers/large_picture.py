"""A picture file through a network of the shape of `photo_denoiser`, untrained: how long it takes, and the most memory held."""

import time

import protocol

from convae_nb import models
from convae_nb.reference.names import RUNS


def denoise(place):
    model = models.build_autoencoder(**RUNS["photo_denoiser"].model)
    started = time.perf_counter()
    (name,) = models.denoise_files(model, place["source"], place["output"]).done
    return {"seconds": time.perf_counter() - started, "peak_memory": protocol.peak_memory(), "name": name}


if __name__ == "__main__":
    protocol.serve(denoise=denoise)
