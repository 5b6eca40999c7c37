"""How good is a model: what `metrics` measures of its reconstructions, in one row."""

import math
from typing import TYPE_CHECKING

import lazy_loader
import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from convae_nb import models
from convae_nb.measures import metrics

if TYPE_CHECKING:
    import pandas as pd

    from convae_nb._base.tensorflow import keras
else:
    pd = lazy_loader.load("pandas")  # half of what importing this module would take


def evaluate(model: "keras.Model", images: ArrayLike, inputs: ArrayLike | None = None) -> "pd.DataFrame":
    """Measure a model's reconstructions in one row.

    Parameters
    ----------
    model : keras.Model
        From images to logits, with a layer "encoder" that gives the code, its last axis the maps.
    images : array, shape (batch, height, width[, channels])
        What is to come out.
    inputs : array, shape as the images', optional
        What goes in, such as noisy images; None feeds `images`.

    Returns
    -------
    DataFrame
        One row, and these columns: "loss", as `binary_cross_entropy`, and "excess" over the `entropy_floor`, in nats per pixel;
        "PSNR" in dB and "SSIM", means over the images, SSIM NaN for images of fewer than 11 pixels a side; "verdict", in words: "learned",
        or "not learned" and why; "dead_maps", how many of the code's maps are 0 everywhere on all inputs.

        To have learned is to have a loss below that of the mean of these images. Among a handful of images their mean is hard
        to beat, and for one it is the image: judge by hundreds. Where most images have no pixel half as bright as white, every
        prediction of nearly black has a low loss and a high PSNR: there the excess must be less than half of that of the best of
        `trivial_predictors`. If the model's output is not finite, the verdict says so, and PSNR and SSIM are NaN.

    Raises
    ------
    ValueError
        If images and inputs differ in shape, do not fit the model or are none (`data.DataError`), or it has no layer "encoder".
    """
    images, inputs = metrics.pair_of_images(images, images if inputs is None else inputs)
    logits = models.predict(model, inputs)
    code = models.encode(model, inputs)
    dead = np.all(code == 0, axis=tuple(range(code.ndim - 1)))

    loss = metrics.binary_cross_entropy(images, logits)
    similarity = signal = math.nan
    if not math.isfinite(loss):
        verdict = "not learned: the model's output is not finite"
    else:
        reconstructed = special.expit(logits)
        signal, similarity = metrics.scores(images, reconstructed).mean()
        verdict = _verdict(images, loss)
    row = {"loss": loss, "excess": loss - metrics.entropy_floor(images), "PSNR": signal, "SSIM": similarity}
    return pd.DataFrame([row | {"verdict": verdict, "dead_maps": int(dead.sum())}])


def _verdict(images, loss):
    trivial = metrics.trivial_predictors(images)
    if not loss < trivial.loc["mean image", "loss"]:
        return "not learned: no better than the mean image"
    is_dark = np.mean(images.max(axis=(1, 2, 3))) < 0.5
    if is_dark and loss - metrics.entropy_floor(images) > trivial["excess"].min() / 2:
        return f"not learned: on images as dark as these hardly better than the {trivial['excess'].idxmin()}"
    return "learned"
