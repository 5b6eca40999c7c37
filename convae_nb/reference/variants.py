"""Autoencoders built anew with other layers."""

from collections.abc import Callable

from convae_nb._base.tensorflow import keras


def rebuilt(model: keras.Model, replaced: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    """Build an autoencoder anew, untrained, with each layer of its encoder and decoder replaced.

    Parameters
    ----------
    model : keras.Model
        As `models.build_autoencoder` gives it.
    replaced : callable
        From a layer to the one that takes its place.
    """
    encoder, decoder = (keras.models.clone_model(model.get_layer(part), clone_function=replaced) for part in ("encoder", "decoder"))
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, decoder(encoder(inputs)))
