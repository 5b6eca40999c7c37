"""A figure under sliders that needs no kernel: every frame is drawn ahead and travels with the notebook."""

import base64
import html
import io
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

# What an input does when it is moved, as `this`. Where a script may run, a moved slider shows its frame; elsewhere the first frame
# stands still. JupyterLab would take the arrow keys
# for its own shortcuts, but for data-lm-suppress-shortcuts.
SHOW = """
const root = this.closest('.convae-frames'), sliders = [...root.querySelectorAll('input')];
sliders.forEach(one => {
  const value = JSON.parse(one.dataset.values)[one.value];
  one.setAttribute('aria-valuetext', value);
  one.nextElementSibling.textContent = value;
});
const {pictures, texts} = JSON.parse(root.dataset.frames);
const frame = sliders.reduce((before, one) => before * (+one.max + 1) + +one.value, 0);
Object.assign(root.querySelector('img'), {src: 'data:image/png;base64,' + pictures[frame], alt: texts[frame]});
"""


class Frames:
    """A figure for every combination of some arguments, under a slider for each argument. A cell shows it by its last line.

    Once its cell has run, JupyterLab shows the sliders; voila and pages made of the stored notebook do so without a kernel. Viewers that
    run no scripts, such as JupyterLab with a notebook that was only opened, show the frame of the start.

    Parameters
    ----------
    draw : callable
        ``draw(**arguments)`` gives a Matplotlib Figure.
    start : dict of str to value
        The arguments of the frame that is shown first.
    **ranges : iterable of int, float or str
        The values of each argument, in the order of the slider's stops. Their numbers multiply to that of the frames: keep it
        to some dozens.

    Raises
    ------
    ValueError
        If there is no range, or `start` is not in the ranges.

    Examples
    --------
    >>> from convae_nb import plots
    >>> Frames(plots.overlap, start={"kernel_size": 3, "stride": 2}, kernel_size=[2, 3], stride=[1, 2])
    4 frames: kernel size 2 to 3, stride 1 to 2
    """

    def __init__(self, draw: Callable[..., Figure], start: Mapping[str, Any], **ranges: Iterable[Any]):
        # NumPy's scalars become Python's own, as JSON wants them.
        stops = {name: [getattr(value, "item", lambda value=value: value)() for value in values] for name, values in ranges.items()}
        if not stops or set(start) != set(stops) or any(start[name] not in values for name, values in stops.items()):
            raise ValueError(f"start must have a value of each range, got {start} for {stops}")
        self._start, self._stops = start, stops
        arguments = [dict(zip(stops, values, strict=True)) for values in itertools.product(*stops.values())]
        self._pictures = [_png(draw(**values)) for values in arguments]
        self._texts = [", ".join(f"{_words(name)} {value}" for name, value in values.items()) for values in arguments]
        self._first = arguments.index(dict(start))

    def __repr__(self) -> str:
        ranges = (f"{_words(name)} {values[0]} to {values[-1]}" for name, values in self._stops.items())
        return f"{len(self._pictures)} frames: {', '.join(ranges)}"

    def _repr_mimebundle_(self, include: Collection[str] | None = None, exclude: Collection[str] | None = None) -> dict[str, str]:
        first = self._pictures[self._first]
        frames = {"pictures": self._pictures, "texts": self._texts}
        sliders = "".join(_slider(name, values, self._start[name]) for name, values in self._stops.items())
        picture = f'<img src="data:image/png;base64,{first}" alt="{html.escape(self._texts[self._first])}" style="max-width: 100%">'
        opening = f'<div class="convae-frames" data-lm-suppress-shortcuts="true" data-frames="{html.escape(json.dumps(frames))}">'
        return {"text/html": f"{opening}{sliders}<div>{picture}</div></div>", "image/png": first, "text/plain": repr(self)}


def _words(name):
    return name.replace("_", " ")


def _slider(name, values, value):
    said = html.escape(str(value))
    stops = f'min="0" max="{len(values) - 1}" value="{values.index(value)}" data-values="{html.escape(json.dumps(values))}"'
    handle = f'<input type="range" {stops} aria-valuetext="{said}" oninput="{html.escape(SHOW)}">'
    label = f"{html.escape(_words(name))} {handle} <output>{said}</output>"
    return f'<label style="display: inline-block; margin-right: 2em">{label}</label>'


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
