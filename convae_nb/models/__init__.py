"""The autoencoder: a builder for every depth, image size and way up, what passes images through it, and its shapes and cost as a table.

Images are ``(batch, height, width, channels)`` in [0, 1]; models return logits, whose sigmoid is the image. The model is that of
Udacity's deep-learning repository, ``autoencoder/Convolutional_Autoencoder``, 2018.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
