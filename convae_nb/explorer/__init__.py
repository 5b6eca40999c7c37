"""The noise explorer: choose digits and noise, and see what a network, and a baseline beside it, make of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
