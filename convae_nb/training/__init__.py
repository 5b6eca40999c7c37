"""One training run: a model, a dataset and a recipe in; the trained model, its history and the seconds out.

The loop is one compiled graph over images that stay in memory, as uint8: no Python between two steps. It minimises the mean
sigmoid cross-entropy between logits and clean images with Adam, as Udacity's tutorial of 2018 does. A run with a checkpoint folder
survives the end of its process, and goes on to the same bits.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
