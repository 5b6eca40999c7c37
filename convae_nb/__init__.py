"""Support package of convae: convolutional autoencoders on MNIST, in Jupyter notebooks.

Import the modules, not this package's names: ``from convae_nb import data, models, plots``. Images are float32 arrays of shape
``(batch, height, width, channels)`` in [0, 1]; models return logits. What is heavy, TensorFlow first of all, is imported where it is used;
``from convae_nb import keras, tf`` brings it in without the messages of its start.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
