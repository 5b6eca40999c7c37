"""The noise explorer: choose digits and noise, and see what a network, and a baseline beside it, make of them.

Pictures are PNG of their own size, which the page enlarges: a move of the level costs a network call and some kilobytes. In a running
event loop, as in a notebook, a burst of changes is drawn once, from the last values; without one every change is drawn at once.
"""

import asyncio
import base64
import functools
import html
import io
import os
import re
import threading
from typing import Any

import ipywidgets as widgets
import numpy as np
from numpy.typing import ArrayLike

from convae_nb import baselines, data, metrics, models, noise, plots, reference
from convae_nb._base.tensorflow import keras
from convae_nb.explorer import drawing
from convae_nb.explorer.pad import drawing_pad

_MOST = 10  # digits shown at once
_SHIPPED_SHAPE = (28, 28, 1)  # of the images that the shipped networks take
_PAUSE = 0.005  # seconds from a change to its picture; drawing between the messages of a burst would hold up the last one
_QUIET = 0.05  # seconds without a further change before a baseline, which may be slow, is asked
_WIDEST, _LARGEST = 840, 4  # screen pixels of a row, ten digits three times as large as they are; and how often at most
_LEVELS = 21  # points of a curve
_NONE, _YOURS, _BY_INDEX, _DRAWN = "none", "yours", "by index", "your own drawing"
_TITLES = {"clean": "clean", "noisy": "noisy", "network": "network", "baseline": "baseline", "error": "network minus clean"}
_STYLE = """<style>
.convae-explorer, .convae-explorer .widget-box { overflow: visible; }
.convae-explorer .widget-html-content { line-height: 1.35; }
.convae-explorer .widget-hslider > .widget-label { align-self: center; height: auto; line-height: 1.1; max-width: 40%; white-space: normal }
.convae-explorer img { image-rendering: pixelated; }
</style>"""


def noise_explorer(
    images: ArrayLike | data.Dataset | None = None, model: str | os.PathLike | keras.Model = "original_denoiser"
) -> "NoiseExplorer":
    """Build the noise explorer. As the last line of a cell it is shown.

    Parameters
    ----------
    images : array or data.Dataset, optional
        What to choose from: whatever `data.as_images` takes; or the test images of a dataset, which can also be chosen by class if it
        has labels. None takes the digits of MNIST.
    model : str, Path or keras.Model
        One of `reference.NAMES`, where a recipe alone stands for its first seed; or a model from such images to logits, or the ``.npz``
        file of one that `models.save` has written, which the menu calls "yours".

    Returns
    -------
    NoiseExplorer

    Raises
    ------
    data.DataError
        If the images are not, or the file holds no network.
    ValueError
        If there is no such model, or it does not fit the images.
    """
    return NoiseExplorer(images, model)


class NoiseExplorer(widgets.VBox):
    """What `noise_explorer` gives.

    Attributes
    ----------
    digits, index, pad : Dropdown, Text, DrawingPad
        Which digits: one of each class, the first ten of one class, those at the places that `index` lists, or what is drawn on `pad`.
    kind, level, seed : Dropdown, FloatSlider, BoundedIntText
        The noise, as for `noise.corrupt`. A new kind gives the level its own range; the level keeps its place in it.
    model, baseline : Dropdown
        The network; one of `baselines.DENOISERS` to compare it with, or "none".
    rows : dict of str to ipywidgets.Image
        "clean", "noisy", "network", "baseline" and "error", which is network minus clean; in each, the digits side by side.
    notes : dict of str to HTML
        What stands beside a row: PSNR in dB and SSIM, both means over the digits.
    curve : HTML
        PSNR against level for these digits and this noise, with the present level marked.
    alert : HTML
        What went wrong, in a sentence; empty if all is drawn.
    """

    def __init__(self, images: ArrayLike | data.Dataset | None, model: str | os.PathLike | keras.Model):
        if isinstance(model, os.PathLike) or (isinstance(model, str) and model.endswith(".npz")):
            model = models.load(model)
        if not isinstance(model, str | keras.Model):
            raise ValueError(f"model must be one of reference.NAMES, the file of a network or a keras.Model, got {model!r}")
        if images is None:
            self._images, classes = _test_digits()
        elif isinstance(images, data.Dataset):
            self._images, classes = images.x_test, _classes(data.labels(images)["test"])
        else:
            data.as_images(images)  # refuses what is none
            self._images, classes = np.asarray(images), {}
        self._sets = classes or {"the first ten": list(range(len(self._images)))[:_MOST]}
        self._given = None if isinstance(model, str) else model
        self._curves = functools.lru_cache(maxsize=64)(self._measure_curves)
        self._lock = threading.RLock()  # JupyterLab has changes handled in a thread of their own
        self._waiting = None  # the event loop that is about to draw
        self._draws = 0
        super().__init__()
        self._make_controls(model)
        self._size = widgets.Layout()
        self.rows = {name: widgets.Image(layout=self._size) for name in _TITLES}
        self.notes = {name: widgets.HTML(layout={"width": "190px"}) for name in _TITLES}
        self.curve, self.alert = widgets.HTML(), widgets.HTML()
        self._draw()
        self._arrange()
        self._listen()

    def render(self) -> None:
        """Draw everything at once, the baseline too. If that fails, `alert` says why, and the pictures stay as they were."""
        if self._attempt(self._draw) and self._attempt(self._draw_baseline):
            self.alert.value = ""

    def _make_controls(self, model):
        def make(control, *arguments, **options):
            return control(*arguments, style={"description_width": "initial"}, layout={"width": "auto"}, **options)

        drawn = [_DRAWN] if self._takes_digits() else []
        self.digits = make(widgets.Dropdown, options=[*self._sets, _BY_INDEX, *drawn], description="digits")
        self.index = make(widgets.Text, "0", description="indices", continuous_update=False)
        self.kind = make(widgets.Dropdown, options=list(noise.KINDS), description="noise")
        self.level = make(widgets.FloatSlider, 0.25, min=0, max=1)
        self.level.layout.flex = "1"
        self._slider = widgets.Box(layout={"flex": "1 1 320px"})
        self.seed = make(widgets.BoundedIntText, 0, min=0, max=2**31 - 1, description="seed")
        self._next = widgets.Button(description="new noise", tooltip="the same kind and level, with the next seed")
        first = _YOURS if self._given is not None else model if "/" in model else f"{model}/0"
        shipped = [name for name in reference.NAMES if name.split("/")[0].endswith("denoiser") and not name.startswith("photo")]
        if not self._takes_digits():
            shipped = []
        self.model = make(widgets.Dropdown, options=list(dict.fromkeys([first, *shipped])), description="network")
        self.baseline = make(widgets.Dropdown, options=[_NONE, *baselines.suited_to(self._images)], description="baseline")
        self.pad = drawing_pad()
        self._meaning = widgets.HTML()
        self._follow_kind()

    def _arrange(self):
        def row(*parts):
            return widgets.Box(parts, layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 12px"})

        self.index.layout.display = self.pad.layout.display = "none"
        pictures = {name: widgets.Box([picture], layout={"flex": "1 1 280px"}) for name, picture in self.rows.items()}
        self._lines = {name: row(self.notes[name], pictures[name]) for name in _TITLES}
        self._lines["baseline"].layout.display = "none"
        self.children = [
            widgets.HTML(_STYLE),
            row(self.digits, self.index, self.model, self.baseline),
            row(self.kind, self._slider, self.seed, self._next),
            self._meaning,
            self.pad,
            self.alert,
            *self._lines.values(),
            self.curve,
        ]
        self.add_class("convae-explorer")

    def _listen(self):
        # What fits the controls to one another comes before what draws.
        for control, fit in ((self.kind, self._follow_kind), (self.digits, self._show_index), (self.baseline, self._show_baseline)):
            control.observe(fit, "value")
        self._next.on_click(lambda _: setattr(self.seed, "value", self.seed.value + 1))
        for control in (self.digits, self.index, self.kind, self.level, self.seed, self.model, self.baseline):
            control.observe(self._changed, "value")
        self.pad.observe(self._changed, "pixels")

    def _follow_kind(self, _=None):
        meaning, unit, low, high, _ = noise.KINDS[self.kind.value]
        place = (self.level.value - self.level.min) / (self.level.max - self.level.min)
        # The page's slider would round the value to the old steps, and send that back, or go to the old end: the page makes another.
        self._slider.children = []
        with self.level.hold_trait_notifications():
            self.level.min, self.level.max, self.level.step = low, high, (high - low) / 100
            self.level.value = low + place * (high - low)
            self.level.description = f"level ({unit})"
        self._slider.children = [self.level]
        self._meaning.value = html.escape(f"The level is the {meaning}.")

    def _show_index(self, _=None):
        self.index.layout.display = None if self.digits.value == _BY_INDEX else "none"
        self.pad.layout.display = None if self.digits.value == _DRAWN else "none"

    def _show_baseline(self, _=None):
        self._lines["baseline"].layout.display = "none" if self.baseline.value == _NONE else None
        self._blank_baseline()  # the last one's picture does not stand under the new one's name

    def _blank_baseline(self):
        self.rows["baseline"].value = drawing.png(np.ones_like(self._shown["clean"]))

    def _changed(self, _):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.render()
            return
        if self._waiting is not loop:
            self._waiting = loop
            loop.call_later(_PAUSE, self._draw_latest, loop)

    def _draw_latest(self, loop):
        self._waiting = None
        self._draws += 1
        if self._attempt(self._draw):
            loop.call_later(_QUIET, self._draw_latest_baseline, self._draws)

    def _draw_latest_baseline(self, draws):
        if draws == self._draws and self._attempt(self._draw_baseline):
            self.alert.value = ""

    def _attempt(self, step):
        try:
            with self._lock:
                step()
        except Exception as error:  # whatever it is: Jupyter would swallow it
            told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            self.alert.value = f'<p role="alert"><b>Not drawn:</b> {html.escape(told)}</p>'
            return False
        return True

    def _draw(self):
        kind, level, seed, model = self.kind.value, self.level.value, self.seed.value, self.model.value
        clean = self._chosen()
        noisy = noise.corrupt(clean, kind, level, seed)
        network = models.reconstruct(self._network(model), noisy)
        quality = {"noisy": _quality(clean, noisy), "network": _quality(clean, network)}
        curve = drawing.curve(*self._curves(clean.tobytes(), clean.shape, kind, seed, model), level, quality, self.level.description)

        # What can fail is done: the page shows one state, the old one or the new one.
        self._shown = {"clean": clean, "noisy": noisy, "network": network, "error": network - clean}
        self._noise = {"kind": kind, "level": level}
        self._enlarge(*clean.shape[:3])
        for name, images in self._shown.items():
            self.rows[name].value = drawing.png(images, signed=name == "error")
        self._note("clean", f"{len(clean)} pictures" if len(clean) > 1 else "one picture")
        for name, values in quality.items():
            self._note(name, _told(values))
        brightest, darkest = max(0, self._shown["error"].max()), max(0, -self._shown["error"].min())
        self._note("error", f"red: too bright, up to {brightest:.2f}<br>blue: too dark, up to {darkest:.2f}")
        self._note("baseline", "follows as soon as the controls rest")
        self.curve.value = curve

    def _draw_baseline(self):
        if self.baseline.value == _NONE:
            return
        try:
            images = baselines.DENOISERS[self.baseline.value](self._shown["noisy"], **self._noise)
            quality = _quality(self._shown["clean"], images)
        except Exception:
            self._blank_baseline()
            self._note("baseline", "not drawn")
            raise
        self._shown["baseline"] = images
        self.rows["baseline"].value = drawing.png(images)
        self._note("baseline", _told(quality))

    def _note(self, name, text):
        title = self.baseline.value if name == "baseline" else _TITLES[name]
        self.notes[name].value = f"<b>{html.escape(title)}</b><br>{text}"

    def _enlarge(self, count, height, width):
        # By a whole number, so that all pixels are of one size; only a page with less room than for twice the size is filled.
        side = count * width
        self._size.max_width = f"{max(1, min(_WIDEST // side, _LARGEST)) * side}px"
        self._size.width = f"max(min(100%, {2 * side}px), round(down, 100%, {side}px))"

    def _takes_digits(self):
        return data.as_images(self._images[:1]).shape[1:] == _SHIPPED_SHAPE

    def _chosen(self):
        """The chosen images."""
        if self.digits.value == _DRAWN:
            if not self.pad.image.any():
                raise ValueError("nothing is drawn yet: draw a digit on the pad")
            return data.as_images(self.pad.image[None])
        if self.digits.value != _BY_INDEX:
            return data.as_images(self._images[self._sets[self.digits.value]])
        places = [int(word) if word.isdecimal() else -1 for word in re.findall(r"[^\s,]+", self.index.value)]
        last = len(self._images) - 1
        if not 1 <= len(places) <= _MOST or min(places) < 0 or max(places) > last:
            raise ValueError(f"indices must be 1 to {_MOST} whole numbers from 0 to {last}, with commas between, got {self.index.value!r}")
        return data.as_images(self._images[places])

    def _network(self, name):
        return self._given if name == _YOURS else _load(name)

    def _measure_curves(self, pixels, shape, kind, seed, model):
        """The levels of a kind, from end to end, and at each the PSNR of the noisy pictures and of the network's."""
        levels = np.linspace(noise.KINDS[kind].low, noise.KINDS[kind].high, _LEVELS)
        clean = np.frombuffer(pixels, dtype="float32").reshape(shape)
        noisy = np.concatenate([noise.corrupt(clean, kind, level, seed) for level in levels])
        network = models.reconstruct(self._network(model), noisy)
        alike = np.concatenate([clean] * _LEVELS)
        curves = {"noisy": noisy, "network": network}
        return levels, {name: metrics.psnr(alike, images).reshape(_LEVELS, -1).mean(axis=1) for name, images in curves.items()}

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The widget, and where no kernel runs, a picture and a sentence of the same state."""
        self.render()  # a change may be waiting to be drawn
        bundle = super()._repr_mimebundle_(**options)
        kind, level = self._noise["kind"].replace("_", " "), self._noise["level"]
        labels = _TITLES | {
            "noisy": f"{kind} noise,\nlevel {level:g}",
            "baseline": self.baseline.value,
            "error": "network minus clean:\nred is too bright,\nblue too dark",
        }
        rows = {labels[name]: self._shown[name] for name in _TITLES if name in self._shown}
        judged = {labels[name] for name in ("noisy", "network", "baseline")} & rows.keys()
        notes = {label: [f"{psnr:.1f} dB" for psnr in metrics.psnr(self._shown["clean"], rows[label])] for label in judged}
        figure = plots.image_rows(rows, notes=notes, signed={labels["error"]})
        picture = io.BytesIO()
        figure.savefig(picture, dpi=110, metadata={"Software": None})
        bundle["image/png"] = base64.b64encode(picture.getvalue()).decode("ascii")
        bundle["text/plain"] = f"Noise explorer: {kind} noise of level {level:g}, network {self.model.value}"
        return bundle


def _classes(labels):
    """By name, the places of images that are shown together; none if all are of one class."""
    classes = {str(label): np.flatnonzero(labels == label)[:_MOST].tolist() for label in np.unique(labels)}
    return {"one of each": [places[0] for places in classes.values()][:_MOST], **classes} if len(classes) > 1 else {}


@functools.cache  # explorers share them
def _test_digits():
    digits = data.load()
    return digits.x_test, _classes(digits.y_test)


@functools.cache
def _load(name):
    return reference.load(name)


def _quality(clean, images):
    return tuple(metrics.scores(clean, images).mean())


def _told(quality):
    signal, similarity = quality
    return f"PSNR {signal:.2f} dB" + ("" if np.isnan(similarity) else f", SSIM {similarity:.3f}")
