"""A whole training by `training.train`, from a task's name, a recipe's and a seed: what it takes, and the test loss that it reaches."""

import sys
import tempfile
import time

import protocol

from convae_nb import data, metrics, models, noise, training
from convae_nb.training import checkpoint

name, recipe_name, seed = sys.argv[1:]
TASK = protocol.TASKS[name]
RECIPE = training.RECIPES[recipe_name].model_copy(update={"seed": int(seed)})
model = models.build_autoencoder(TASK.filters, seed=int(seed))


def train(_):
    digits = data.load()
    cpu = time.process_time()
    result = training.train(model, digits, RECIPE, progress=False)
    reading = {"count": RECIPE.epochs * len(digits.x_train), "seconds": result.seconds, "cpu": time.process_time() - cpu}
    return reading | {"peak_memory": protocol.peak_memory()}


def loss(_):
    clean = data.load().x_test
    return metrics.binary_cross_entropy(clean, models.predict(model, noise.corrupt(clean, "gaussian", TASK.noise)))


def checkpoints(at_least):
    """Train with checkpoints, again if need be, for so many seconds; give these and the part of them spent in saving."""
    seconds, saves, save = 0.0, [], checkpoint.Folder.save

    def timed_save(self, beside):
        started = time.perf_counter()
        save(self, beside)
        saves.append(time.perf_counter() - started)

    build = protocol.ROOT / "build"  # in the checkout, on a real disk, which a temporary folder may not be on
    build.mkdir(exist_ok=True)
    checkpoint.Folder.save = timed_save
    while seconds < at_least:
        with tempfile.TemporaryDirectory(dir=build) as folder:
            seconds += training.train(model, data.load(), RECIPE, checkpoint_dir=folder, progress=False).seconds
    return {"seconds": seconds, "saving": sum(saves)}


if __name__ == "__main__":
    protocol.serve(train=train, test_loss=loss, checkpoints=checkpoints)
