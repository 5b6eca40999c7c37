"""Corruption of images, by kind and level: what a denoiser learns to undo.

Every kind is a function of one image, a level and a generator of its own, which draws the same field whatever the level: as a
slider moves, noise grows and shrinks in place. Images are float32 ``(batch, height, width, channels)`` in [0, 1].
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
