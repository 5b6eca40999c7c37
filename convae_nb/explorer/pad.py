"""A pad to draw a digit on, in a notebook: the script of the book's live pages, as a widget whose picture reaches Python."""

import base64
import functools
import io
import math
import re
from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray
from PIL import Image

from convae_nb import data, live

_SIDE = 28  # pixels
_TEXT = re.compile(r"(?:[0-9]~)?[\w.-]*!?", re.ASCII)
_TIMES = 4  # how much larger the picture is where no kernel runs


def drawing_pad(drawing: str = "", *, image_shape: Sequence[int] = (28, 28)) -> "DrawingPad":
    """Build a pad to draw a digit on, by mouse, touch, pen or keys. As the last line of a cell it is shown.

    Parameters
    ----------
    drawing : str
        What is drawn at first: the `drawing` of another pad, or of a link to the book's pages. Empty is an empty pad; ``"4~"`` a 4 of the
        test set.
    image_shape : sequence of int
        (height, width) or (height, width, channels) of `image`, pixels: a drawing is scaled to it, each channel alike.

    Returns
    -------
    DrawingPad

    Raises
    ------
    ValueError
        If it is no such text.
    """
    return DrawingPad(drawing, tuple(image_shape))


class DrawingPad(anywidget.AnyWidget):
    """What `drawing_pad` gives.

    A drawing is fitted as the digits of MNIST were [1]_, unless the reader switches that off: scaled into 20x20 pixels, and put into the
    frame so that its centre of mass is in the middle.

    Attributes
    ----------
    image : ndarray of uint8, (28, 28) or the shape asked for
        What is drawn, white on black; all black while nothing is.
    drawing : str
        The strokes as text. Setting it draws them.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
    """

    _esm = live.pad_module()
    _css = live.read("live.css")
    drawing = traitlets.Unicode().tag(sync=True)
    # Of `image`, row by row; empty if nothing is drawn. From a page comes a view of the message's memory.
    pixels = traitlets.Bytes().tag(sync=True, from_json=lambda value, _: bytes(value))
    digits = traitlets.Bytes().tag(sync=True)  # one of each class, to begin with

    def __init__(self, drawing: str, image_shape: tuple[int, ...]):
        self._image_shape = image_shape
        digits = _one_of_each_class()
        # A digit of the test set fits already: it is the picture before a page has drawn anything.
        pixels = digits[int(drawing[0])].tobytes() if re.fullmatch("[0-9]~", drawing) else b""
        super().__init__(drawing=drawing, digits=digits.tobytes(), pixels=pixels)

    @traitlets.validate("drawing")
    def _refuse_other_texts(self, proposal):
        if not _TEXT.fullmatch(proposal["value"]):
            raise ValueError(f"drawing must be the text of a drawing pad, got {proposal['value'][:40]!r}")
        return proposal["value"]

    @property
    def image(self) -> NDArray[np.uint8]:
        height, width, *channels = self._image_shape
        scaled = np.asarray(self._drawn().resize((width, height)))
        return np.repeat(scaled, math.prod(channels)).reshape(self._image_shape)

    def _drawn(self):
        return Image.frombytes("L", (_SIDE, _SIDE), self.pixels or bytes(_SIDE**2))

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The widget, and where no kernel runs, the picture."""
        bundle, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        picture = io.BytesIO()
        self._drawn().resize((_TIMES * _SIDE, _TIMES * _SIDE), Image.Resampling.NEAREST).save(picture, "png")
        still = {"image/png": base64.b64encode(picture.getvalue()).decode("ascii"), "text/plain": "Drawing pad: it needs a running kernel"}
        return bundle | still, metadata


@functools.cache  # pads share them, and every explorer has one
def _one_of_each_class():
    digits = data.load()
    return np.ascontiguousarray(digits.x_test[[int(np.flatnonzero(digits.y_test == digit)[0]) for digit in range(10)]])
