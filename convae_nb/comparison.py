"""Every denoiser on the same noise fields: PSNR and SSIM, and how sure the differences between two methods are.

A denoiser is a function ``(noisy, *, kind, level)`` from images to images, as in `baselines.DENOISERS`; `network` makes one of a
model. Images are whatever `data.as_images` takes.
"""

import functools
import hashlib
from pathlib import Path

import pandas as pd
from scipy import stats
from tqdm import tqdm

from convae_nb import baselines, data, metrics, models, noise, pretrained
from convae_nb._names import did_you_mean
from convae_nb._whole import write_table

_FILE = Path(__file__).with_name("files") / "denoising.csv"
_REFERENCE = "original_denoiser"
_TRAINED_AT = ("gaussian", 0.5)  # the one condition of Udacity's denoiser
_BATCH = 500  # images at a time: a matter of memory alone


def network(model):
    """Make a denoiser of a model.

    Parameters
    ----------
    model : keras.Model
        From images to logits.

    Returns
    -------
    callable
        ``denoise(noisy, *, kind, level)``, which gives `models.reconstruct` whatever kind and level: a network has learned one task.
    """

    def denoise(noisy, *, kind, level):
        return models.reconstruct(model, noisy)

    return denoise


def compare(denoisers, images, conditions, *, seed=0, reference=None):
    """Measure denoisers on the same noisy images, condition by condition.

    Differences are paired: that of two methods is taken image by image, and its interval is far narrower than those of the two means.

    Parameters
    ----------
    denoisers : dict of str to callable
        ``denoise(noisy, *, kind, level)`` by name.
    images : array, shape (n, height, width[, channels])
        Clean.
    conditions : iterable of (kind, level)
        As in `noise.corrupt`.
    seed : int
        Of the noise, which is drawn once a condition.
    reference : str, optional
        The denoiser that the others are compared with.

    Returns
    -------
    DataFrame
        A row for each condition and denoiser, in their order: "kind", "level", "method", "PSNR" in dB and "SSIM", the means over the
        images, and "n", how many these are. With a reference also, for each of the two, "PSNR difference", the mean of the method's
        minus the reference's (above 0, the method is better), and "PSNR half-width", that of the difference's 95 % confidence
        interval: 1.96 standard errors, as the normal distribution has it, so let n be some dozens. It is NaN for one image, and
        SSIM is for images of fewer than 11 pixels a side.

    Raises
    ------
    data.DataError
        If the images are not.
    ValueError
        If there is nothing to compare, a condition is not one of `noise.corrupt`, the reference is none of the denoisers, or a
        denoiser gives images of another shape.

    Examples
    --------
    Half as bright is an error of a half in every white pixel, 6.02 dB. Nothing is nearer here than the image itself, an error
    that counts as 58.92 dB (`metrics.psnr`).

    >>> import numpy as np
    >>> halve = lambda noisy, *, kind, level: noisy / 2
    >>> leave = lambda noisy, *, kind, level: noisy
    >>> white = np.ones((3, 11, 11))
    >>> compare({"halve": halve, "leave": leave}, white, [("gaussian", 0)], reference="leave")["PSNR difference"].round(1).tolist()
    [-52.9, 0.0]
    """
    images = data.as_images(images)
    conditions = list(conditions)
    if not denoisers or not conditions:
        raise ValueError(f"compare needs at least one denoiser and one condition, got {len(denoisers)} and {len(conditions)}")
    if reference is not None and reference not in denoisers:
        raise ValueError(
            f"reference must be one of the denoisers, {', '.join(denoisers)}, got {reference!r}: {did_you_mean(reference, denoisers)}"
        )
    for condition in conditions:
        if not isinstance(condition, (tuple, list)) or len(condition) != 2:
            raise ValueError(f'conditions must be pairs of a kind and a level, such as ("gaussian", 0.5), got {condition!r}')
        noise.corrupt(images[:1], *condition, seed)  # refuses now what would be refused after minutes
    tables = [_compare_at(kind, level, denoisers, images, seed, reference) for kind, level in conditions]
    return pd.concat(tables, ignore_index=True)


def reference_table():
    """Tell how well everything denoises the 10,000 test digits, as `make` measured it.

    Returns
    -------
    DataFrame
        As `compare` gives it, at all of `baselines.LEVELS`, rounded to four digits: all of `baselines.DENOISERS` and the denoising
        networks of `pretrained.NAMES`, with "original_denoiser" as the reference. One more column, "tuned_for", tells two
        comparisons apart:

        - "the condition": each filter tuned to the kind and level at hand, each regression fitted to it. Networks are what they are.
        - "gaussian 0.5": all are equally ignorant, tuned to or trained on that noise alone, and measured on all others.
    """
    return pd.read_csv(_FILE)


def make(checkpoints):
    """Measure the `reference_table` and write it into the package; takes some minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each condition once it is measured; to have been killed costs no more than one of them.
    """
    recipes = {name.split("/")[0]: pretrained.record(name) for name in pretrained.NAMES if name.endswith("denoiser/0")}
    networks = {recipe: network(pretrained.load(recipe)) for recipe in recipes}
    ignorant = {name: functools.partial(_as_if, denoiser) for name, denoiser in baselines.DENOISERS.items()}
    for recipe, about in recipes.items():
        if (about["recipe"]["noise_kind"], about["recipe"]["noise_level"]) == _TRAINED_AT:
            ignorant[recipe] = networks[recipe]
    conditions = [(kind, level) for kind, levels in baselines.LEVELS.items() for level in levels]
    blocks = [("the condition", baselines.DENOISERS | networks, condition) for condition in conditions]
    blocks += [("gaussian 0.5", ignorant, condition) for condition in conditions if condition != _TRAINED_AT]

    # What was measured with other weights or parameters lies in another folder.
    digest = hashlib.sha256(_FILE.with_name("denoisers.json").read_bytes())
    digest.update("".join(about["sha256"] for about in recipes.values()).encode())
    folder = Path(checkpoints, f"denoising-{digest.hexdigest()[:12]}")
    digits, paths = data.load().x_test, []
    for tuned_for, denoisers, (kind, level) in tqdm(blocks, desc="comparing denoisers", dynamic_ncols=True):
        paths.append(folder / f"{tuned_for.replace(' ', '_')}-{kind}-{level:g}.csv")
        if not paths[-1].exists():
            table = compare(denoisers, digits, [(kind, level)], reference=_REFERENCE)
            table.insert(0, "tuned_for", tuned_for)
            write_table(table.round(4), paths[-1])
    write_table(pd.concat(map(pd.read_csv, paths)), _FILE)


def _as_if(denoiser, noisy, *, kind, level):
    kind, level = _TRAINED_AT
    return denoiser(noisy, kind=kind, level=level)


def _compare_at(kind, level, denoisers, images, seed, reference):
    noisy = noise.corrupt(images, kind, level, seed)
    scores = {name: _scores(denoise, images, noisy, kind, level) for name, denoise in denoisers.items()}
    rows = []
    for name, score in scores.items():
        row = {"kind": kind, "level": level, "method": name, **score.mean()}
        if reference is not None:
            difference = score - scores[reference]
            half_width = stats.norm.ppf(0.975) * difference.sem()
            for measure in score:
                row |= {f"{measure} difference": difference[measure].mean(), f"{measure} half-width": half_width[measure]}
        rows.append(row | {"n": len(images)})
    return pd.DataFrame(rows)


def _scores(denoise, images, noisy, kind, level):
    """Measure one method, a row an image."""
    tables = []
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        # A copy: whatever a method does to it, the next one gets the same noise.
        clean, denoised = images[part], denoise(noisy[part].copy(), kind=kind, level=level)
        tables.append(metrics.scores(clean, denoised))
    return pd.concat(tables, ignore_index=True)
