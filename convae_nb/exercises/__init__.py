"""Whether an answer to an exercise is right, and what is off if not."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
