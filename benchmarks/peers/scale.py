"""A case of `scale`: load a file, train on it by the loop of `convae_nb.training`, reconstruct; what it takes, and the most memory held."""

import json
import sys
import time

import protocol

from convae_nb import data, models, training
from convae_nb.training import loop

path, filters, batch = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
state: dict = {}


def load(limit):
    started = time.perf_counter()
    state["dataset"] = data.load(path, **({"limit": limit} if limit else {}))
    return {"load": time.perf_counter() - started}


def train(limits):
    if "run" not in state:
        images = loop._training_images(model := _model(), state["dataset"].x_train)
        # More epochs than any measurement takes, and not many more: each step has its place in the losses.
        recipe = training.recipe("fast_basic", epochs=2 + 400_000 // len(images), batch_size=batch, precision="float32")
        state["run"] = loop._Run(model, recipe, images, -(-len(images) // batch))
    run, watch = state["run"], protocol.Stopwatch(**limits)
    going_on = True
    while going_on:
        epoch, step = divmod(run.done, run.steps)
        going_on = watch.goes_on(run.advance(epoch, step) - step * batch)
    return {"rate": watch.reading["count"] / watch.reading["seconds"], "memory": protocol.peak_memory(), "own": protocol.own_memory()}


def reconstruct(seconds):
    images = data.as_images(state["dataset"].x_test[:batch])
    watch = protocol.Stopwatch(seconds)
    going_on = True
    while going_on:
        models.reconstruct(state["run"].model, images)
        going_on = watch.goes_on(len(images))
    return {"reconstruct": watch.reading["count"] / watch.reading["seconds"]}


def _model():
    shape = state["dataset"].x_train.shape[1:]
    return models.build_autoencoder(filters, image_shape=(*shape[:2], shape[2] if len(shape) == 3 else 1))


if __name__ == "__main__":
    protocol.serve(load=load, train=train, reconstruct=reconstruct)
