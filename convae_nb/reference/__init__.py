"""The reference runs and tables: trainings and measurements done once, whose weights, records and results ship with the package.

A run's name is that of a recipe and a seed, "original_basic/0": the seed of the starting weights and of the recipe alike. With a decoder
in it, "fast_basic-bilinear/0", it is one of the runs that compare decoders; "fast_basic-bilinear-bare/0" has no output convolution.
Weights are plain arrays, read without pickles and only if their checksum fits the record.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
