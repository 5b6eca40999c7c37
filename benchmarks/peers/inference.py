"""Reconstruction by `models.reconstruct`, from float32 images to float32 images, checks of the input included."""

import protocol

from convae_nb import data, models

AUTOENCODERS = {name: models.build_autoencoder(task.filters) for name, task in protocol.TASKS.items()}
DIGITS = data.as_images(data.load().x_test)


def run(argument):
    model, images = AUTOENCODERS[argument["model"]], DIGITS[: argument["batch"]]
    watch = protocol.Stopwatch(argument["seconds"])
    while watch.goes_on(len(models.reconstruct(model, images, batch_size=len(images)))):
        pass
    return watch.reading


if __name__ == "__main__":
    protocol.serve(run=run)
