"""Images in: load a dataset, verify it, and bring any array of pictures to one form.

A `Dataset` keeps images as they are stored, uint8 ``(N, height, width[, channels])``; `as_images` makes of them what models take,
float32 ``(N, height, width, channels)`` in [0, 1]. The digits of MNIST ship with the package: nothing is downloaded.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
