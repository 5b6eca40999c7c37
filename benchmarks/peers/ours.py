"""The loop of `convae_nb.training`, by the variant given: "tied", as the package builds the model, or "plain", with the resize and the
convolution of its decoder one after the other."""

import protocol

from convae_nb import data, models, training
from convae_nb._base.tensorflow import keras
from convae_nb.training import loop

RECIPE = training.RECIPES["original_basic"]  # whose batch size, learning rate and Adam are those of all peers


def plain(maps, filters, kernel_size, target_size, **options):
    maps = keras.layers.UpSampling2D(2)(maps)
    if maps.shape[1:3] != target_size:
        maps = keras.layers.Cropping2D(((0, 1), (0, 1)))(maps)
    return keras.layers.Conv2D(filters, kernel_size, padding="same", **options)(maps)


class Trainer:
    def __init__(self, filters, weights, noise, variant, skips="none"):
        decoder = {"tied": "nearest", "plain": "plain"}[variant]
        model = models.build_autoencoder(filters, decoder, skips=skips)
        model.set_weights(weights)
        images = data.load().x_train[..., None]
        steps = len(images) // protocol.BATCH
        # More epochs than any measurement takes.
        self.run = loop._Run(model, training.recipe(RECIPE, epochs=1000, noise_level=noise), images, steps)

    def advance(self):
        epoch, step = divmod(self.run.done, self.run.steps)
        return self.run.advance(epoch, step) - step * protocol.BATCH

    def train(self, watch):
        while watch.goes_on(self.advance()):
            pass

    def losses(self, count):
        while self.run.done < count:  # which takes as many steps at once as it sees fit
            self.advance()
        return self.run.step_losses[:count].tolist()


if __name__ == "__main__":
    models.DECODERS["plain"] = plain
    protocol.serve_trainer(Trainer)
