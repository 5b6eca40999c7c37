"""The model as keras.io would write it, trained by ``Model.fit`` from arrays in memory. Noise is the layer ``GaussianNoise``, clipped."""

import keras
import numpy as np
import protocol
from keras import layers

JOINTS = {"add": layers.Add, "concatenate": layers.Concatenate}


def build(filters, noise, skips):
    images = keras.Input((28, 28, 1))
    maps, around = images, []
    if noise:
        maps = layers.GaussianNoise(noise)(maps)
        maps = keras.ops.clip(maps, 0.0, 1.0)
    for depth in filters:
        maps = layers.Conv2D(depth, 3, activation="relu", padding="same")(maps)
        around.append(maps)
        maps = layers.MaxPooling2D(2, padding="same")(maps)
    for depth, size in zip(reversed(filters), protocol.SIZES, strict=True):
        maps = layers.UpSampling2D(2)(maps)
        if maps.shape[1] > size:
            maps = layers.Cropping2D(((0, 1), (0, 1)))(maps)
        maps = layers.Conv2D(depth, 3, activation="relu", padding="same")(maps)
        if skips:
            maps = JOINTS[skips]()([maps, around.pop()])
    logits = layers.Conv2D(1, 3, padding="same")(maps)
    model = keras.Model(images, logits)
    model.compile(
        optimizer=keras.optimizers.Adam(protocol.LEARNING_RATE, epsilon=protocol.EPSILON),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    return model


class Stop(keras.callbacks.Callback):
    """Ends the training when the stopwatch says that it is enough."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = not self.watch.goes_on(protocol.BATCH)


class Trainer:
    def __init__(self, filters, weights, noise, skips=None):
        self.images = protocol.images()
        self.model = build(filters, noise, skips)
        self.model.set_weights(weights)

    def train(self, watch):
        self.model.fit(self.images, self.images, batch_size=protocol.BATCH, epochs=1000, verbose=0, callbacks=[Stop(watch)])

    def losses(self, count):
        images = self.images[protocol.order(0)[: count * protocol.BATCH]]
        means = []
        collect = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: means.append(logs["loss"]))
        self.model.fit(images, images, batch_size=protocol.BATCH, shuffle=False, verbose=0, callbacks=[collect])
        # Keras reports the mean of the epoch's losses so far.
        return np.diff(means * np.arange(1, count + 1), prepend=0).tolist()


if __name__ == "__main__":
    protocol.serve_trainer(Trainer)
