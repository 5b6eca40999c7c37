"""Every figure of the chapters. Each function draws one, closes it and returns it, so that a cell shows it once.

Pictures are drawn with greys fixed to [0, 1] and without smoothing: autoscaled greys hide a dim reconstruction, and smoothing hides what
lies between neighbouring pixels. Colour images, ``(…, height, width, 3)``, are drawn in their colours.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
