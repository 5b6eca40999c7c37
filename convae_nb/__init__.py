"""Support package of convae: convolutional autoencoders on MNIST, in Jupyter notebooks.

Import the modules, not this package's names: ``from convae_nb import data, models, plots``. Images are float32 arrays of shape
``(batch, height, width, channels)`` in [0, 1]; models return logits. Importing the package alone does not import TensorFlow.
"""

__version__ = "0.1.0"
