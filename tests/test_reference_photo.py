"""The network for photographs beside filters, on photographs that were held out: how that is measured, and the table that ships."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage import color, restoration
from skimage import data as pictures

from convae_nb import baselines, data, metrics, models, noise, reference
from convae_nb.data import photographs
from convae_nb.measures import denoisers
from convae_nb.reference import networks, photo, tables

PAGE = Path(__file__).parents[1] / "book/howto/denoise.md"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small pictures, few parameters, an untrained network, and a folder to write into instead of the package's."""
    model = models.build_autoencoder((4, 3), image_shape=(32, 32, 1), skips="concatenate")
    monkeypatch.setattr(networks, "load", lambda name: {"photo_denoiser": model}[name])
    monkeypatch.setattr(networks, "record", lambda name: {"sha256": "untrained"})
    monkeypatch.setattr(tables, "FILES", tmp_path / "files")
    monkeypatch.setattr(photo, "_SIDE", 40)
    monkeypatch.setattr(photo, "_TUNING_SIDE", 32)
    monkeypatch.setattr(photo, "_SIGMAS", (25, 50))
    monkeypatch.setattr(photo, "_UNKNOWN", ("coins",))
    grids = {"noisy picture": {}, "total variation": {"weight": [0.01, 0.9]}, "non-local means": {"h": [0.5, 0.8, 9.0]}}
    grids["non-local means"] |= {"patch_size": [5], "patch_distance": [3]}
    filters = {name: denoisers.Denoiser(name, filter_.function, grids[name]) for name, filter_ in photo.FILTERS.items()}
    monkeypatch.setattr(photo, "FILTERS", filters)
    return model


def test_every_photograph_is_denoised_by_every_method(small, tmp_path):
    photo.measure_photo_denoiser(tmp_path)
    table = reference.photo_denoiser()
    photographs_ = [*((name, "right half") for name in ("astronaut", "camera", "chelsea", "coffee", "rocket")), ("coins", "whole")]
    methods = ["noisy picture", "total variation", "non-local means", "photo_denoiser"]
    assert table[["photograph", "part", "sigma", "method"]].values.tolist() == [
        [*place, sigma, method] for place in photographs_ for sigma in (25, 50) for method in methods
    ]
    assert table[["PSNR", "SSIM"]].notna().all(axis=None)
    parameters = table.groupby(["sigma", "method"])["parameters"]
    assert (parameters.nunique(dropna=False) == 1).all(), "the same for all photographs"


def test_numbers_are_those_of_what_a_method_gives(small, tmp_path):
    photo.measure_photo_denoiser(tmp_path)
    table = reference.photo_denoiser().set_index(["photograph", "sigma", "method"]).sort_index()
    camera, coins = pictures.camera()[236:276, 364:404], pictures.coins()[131:171, 172:212]  # the middles of 512x256 and 303x384
    for name, number, picture in (("camera", 1, camera), ("coins", 5, coins)):
        clean = picture[None, :, :, None] / 255
        field = np.random.default_rng((number, 0)).standard_normal((40, 40), dtype="float32")
        noisy = np.clip(clean[0, ..., 0] + 25 / 255 * field, 0, 1).astype("float32")
        rows = table.loc[(name, 25)]
        drawn = {"noisy picture": noisy, "photo_denoiser": models.denoise(small, noisy)}
        chosen = json.loads(rows.loc["total variation", "parameters"])
        assert chosen["weight"] == 0.9
        drawn["total variation"] = restoration.denoise_tv_chambolle(noisy, 0.9 * 25 / 255)
        if chosen["undo_bias"]:
            drawn["total variation"] = baselines.without_bias(drawn["total variation"], "gaussian", 25 / 255).clip(0, 1)
        for method, image in drawn.items():
            assert rows.loc[method, "PSNR"] == pytest.approx(metrics.psnr(clean, image[None, :, :, None])[0], abs=1e-3), method
            assert rows.loc[method, "SSIM"] == pytest.approx(metrics.ssim(clean, image[None, :, :, None])[0], abs=1e-3), method


def test_parameters_are_chosen_on_left_halves_alone(small, monkeypatch):
    grey = photographs.grey
    chosen = {name: photo.tune(name, 25) for name in photo.FILTERS}

    def with_another_right_half(name):
        picture = grey(name).copy()
        photographs.half_of(picture, "right")[:] = 255 * np.random.default_rng(0).random(photographs.half_of(picture, "right").shape)
        return picture

    monkeypatch.setattr(photographs, "grey", with_another_right_half)
    assert {name: photo.tune(name, 25) for name in photo.FILTERS} == chosen
    assert chosen["noisy picture"]["parameters"] == "{}"


def test_the_parameters_of_the_highest_mean_are_chosen_and_those_at_an_end_are_told(small, monkeypatch):
    tuned = photo.tune("non-local means", 25)
    assert json.loads(tuned["parameters"])["h"] in (0.5, 0.8), "9 smooths all away"
    own = {name: value for name, value in json.loads(tuned["parameters"]).items() if name != "undo_bias"}
    reached = {}
    for h in (0.5, 0.8):
        for undo_bias in (False, True):
            psnr = []
            for i, clean in enumerate(photo.to_tune_on()):
                noisy = noise.corrupt(clean, "gaussian", 25 / 255, photo._TUNING_SEED + i)
                given = restoration.denoise_nl_means(noisy[0, ..., 0], h=h * 25 / 255, sigma=25 / 255, patch_size=5, patch_distance=3)
                given = baselines.without_bias(given, "gaussian", 25 / 255) if undo_bias else given
                psnr.append(metrics.psnr(clean, given.clip(0, 1)[None, ..., None].astype("float32"))[0])
            reached[h, undo_bias] = np.mean(psnr)
    assert (own["h"], json.loads(tuned["parameters"])["undo_bias"]) == max(reached, key=lambda tried: reached[tried])
    assert tuned["training_PSNR"] == pytest.approx(max(reached.values()), abs=1e-3)
    assert json.loads(tuned["at_end"]) == (["h"] if own["h"] == 0.5 else [])


def test_no_pixel_is_both_learned_from_and_held_out(monkeypatch):
    # Each pixel is its column: the patches to train on, the filters' pictures, and what is held out.
    columns = np.arange(101, dtype="uint8")
    monkeypatch.setattr(photographs, "grey", lambda name: np.tile(columns, (64, 1)))
    monkeypatch.setattr(photo, "_UNKNOWN", ())
    seen, tuned = set(np.unique(data.photograph_patches().x_train)), set(np.unique(np.rint(255 * np.concatenate(photo.to_tune_on()))))
    held_out = {column for _, _, picture in photo.held_out() for column in np.unique(np.rint(255 * picture))}
    assert held_out == set(range(50, 101))
    assert tuned == set(range(50))
    assert seen < tuned
    assert not set(photographs.NAMES) & set(photo._UNKNOWN)


def test_the_unknown_photographs_come_with_scikit_image_and_are_other_ones(monkeypatch):
    pooch = pytest.importorskip("skimage.data._fetchers")
    monkeypatch.setattr(pooch, "_image_fetcher", None)  # without which nothing can be downloaded
    found = {name: photographs.grey(name) for name in photo._UNKNOWN}
    assert not set(found) & {*photographs.NAMES, "cat"}
    assert {(picture.ndim, picture.dtype) for picture in found.values()} == {(2, np.dtype("uint8"))}
    np.testing.assert_array_equal(found["stereo_motorcycle"], np.rint(255 * color.rgb2gray(pictures.stereo_motorcycle()[0])))
    assert [picture.shape for _, _, picture in photo.held_out()] == [
        (1, min(256, height), min(256, width), 1)
        for height, width in (
            *((512, 256), (512, 256), (300, 226), (400, 300), (427, 320)),
            *((512, 512), (300, 400), (303, 384), (512, 512), (512, 512), (512, 512), (500, 741)),
        )
    ]


def test_killed_it_goes_on_and_another_network_is_measured_anew(small, tmp_path, monkeypatch):
    photo.measure_photo_denoiser(tmp_path)
    whole = reference.photo_denoiser()
    counted = []
    denoise = models.denoise

    def counting(*arguments):
        counted.append(arguments)
        return denoise(*arguments)

    monkeypatch.setattr(models, "denoise", counting)
    photo.measure_photo_denoiser(tmp_path)
    assert not counted
    pd.testing.assert_frame_equal(reference.photo_denoiser(), whole)
    monkeypatch.setattr(networks, "record", lambda name: {"sha256": "another"})
    photo.measure_photo_denoiser(tmp_path)
    assert len(counted) == 6 * 2


def test_no_noise_to_tune_on_is_that_of_a_test():
    count = len(photographs.NAMES) + len(photo._UNKNOWN)
    assert not set(range(photo._SEED, photo._SEED + count)) & set(range(photo._TUNING_SEED, photo._TUNING_SEED + len(photographs.NAMES)))


def test_the_shipped_table_holds_every_photograph_noise_and_method():
    table = reference.photo_denoiser()
    places = [*((name, "right half") for name in photographs.NAMES), *((name, "whole") for name in photo._UNKNOWN)]
    assert table[["photograph", "part", "sigma", "method"]].values.tolist() == [
        [*place, sigma, method] for place in places for sigma in photo._SIGMAS for method in (*photo.FILTERS, "photo_denoiser")
    ]
    tuned = table[table["method"] != "photo_denoiser"]
    assert (tuned.groupby(["sigma", "method"])[["parameters", "at_end"]].nunique() == 1).all(axis=None)
    for row in tuned.itertuples():
        grid = photo._grid(photo.FILTERS[row.method])
        chosen = json.loads(row.parameters)
        assert all(value in grid[name] for name, value in chosen.items())
        ends = [name for name, value in chosen.items() if len(grid[name]) > 2 and value in (min(grid[name]), max(grid[name]))]
        assert json.loads(row.at_end) == ends


def test_the_noisy_pictures_of_the_shipped_table_have_the_psnr_of_their_noise():
    noisy = reference.photo_denoiser().query("method == 'noisy picture'")
    unclipped = -20 * np.log10(noisy["sigma"] / 255)
    assert (noisy["PSNR"] > unclipped - 0.1).all(), "clipping takes noise away"
    moderate = noisy[(noisy["photograph"] == "brick") & (noisy["sigma"] == 15)]  # of greys from 63 to 207: nothing is clipped
    assert moderate["PSNR"].item() == pytest.approx(20 * np.log10(255 / 15), abs=0.05)


@pytest.mark.parametrize("method", ["total variation", "photo_denoiser"])
def test_the_shipped_table_is_measured_again_on_a_photograph(method):
    stored = reference.photo_denoiser().set_index(["photograph", "sigma", "method"]).sort_index().loc[("coins", 25, method)]
    ((number, clean),) = ((i, picture) for i, (name, _, picture) in enumerate(photo.held_out()) if name == "coins")
    noisy = noise.corrupt(clean, "gaussian", 25 / 255, number)
    if method == "photo_denoiser":
        drawn = models.denoise(reference.load("photo_denoiser"), noisy[0])[None]
    else:
        drawn = photo.FILTERS[method].apply(noisy, ("gaussian", 25 / 255), json.loads(stored["parameters"]))
    assert metrics.psnr(clean, drawn)[0] == pytest.approx(stored["PSNR"], abs=0.01)
    assert metrics.ssim(clean, drawn)[0] == pytest.approx(stored["SSIM"], abs=1e-3)


def lines_of_page(table):
    """The rows of the page's tables: means over all photographs, and by how much the network is better than non-local means."""
    means = table.groupby(["method", "sigma"], sort=False)[["PSNR", "SSIM"]].mean()
    sigmas = table["sigma"].unique()
    lines = []
    for method in table["method"].unique():
        cells = [f"{row['PSNR']:.2f} ({row['SSIM']:.3f})" for row in (means.loc[(method, sigma)] for sigma in sigmas)]
        lines.append(f"| {'`photo_denoiser`' if method == 'photo_denoiser' else method} | {' | '.join(cells)} |")
    psnr = table.pivot(index=["part", "photograph", "sigma"], columns="method", values="PSNR")
    over = (psnr["photo_denoiser"] - psnr["non-local means"]).unstack("sigma")
    for part, label in (("right half", "right halves of those learned from"), ("whole", "others")):
        those = over.loc[part]
        cells = [f"{those[sigma].mean():+.2f} ({those[sigma].min():+.2f} to {those[sigma].max():+.2f})" for sigma in sigmas]
        lines.append(f"| {label} | {len(those)} | {' | '.join(cells)} |")
    return lines


def test_the_pages_rows_are_means_and_differences():
    rows = [
        {"photograph": name, "part": part, "sigma": 15, "method": method, "PSNR": psnr, "SSIM": psnr / 100}
        for name, part, psnrs in (("a", "right half", (20, 30)), ("b", "right half", (22, 31)), ("c", "whole", (24, 23)))
        for method, psnr in zip(("non-local means", "photo_denoiser"), psnrs, strict=True)
    ]
    assert lines_of_page(pd.DataFrame(rows)) == [
        "| non-local means | 22.00 (0.220) |",
        "| `photo_denoiser` | 28.00 (0.280) |",
        "| right halves of those learned from | 2 | +9.50 (+9.00 to +10.00) |",
        "| others | 1 | -1.00 (-1.00 to -1.00) |",
    ]


def test_the_page_says_what_was_measured():
    table = reference.photo_denoiser()
    section = PAGE.read_text(encoding="utf-8").split("\n## How good is it\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\|(?! (?:method|photographs) |-).*\|$", section, re.MULTILINE)
    assert rows == lines_of_page(table)
    said = " ".join(section.split())
    places = table[["photograph", "part"]].drop_duplicates()
    assert f"Means over {len(places)} photographs" in said
    assert f"{(places['part'] == 'whole').sum()} others" in said
    assert " | ".join(f"σ = {sigma}" for sigma in table["sigma"].unique()) in said
    low, high = reference.recipe_of("photo_denoiser").level_range
    assert (low, f"up to {255 * high:.0f}, where white is 255" in said) == (0, True)
    at_end = table.loc[table["at_end"].notna() & (table["at_end"] != "[]"), ["method", "sigma", "at_end"]].drop_duplicates()
    # Where a better value may lie beyond what was tried, the page has to say so.
    assert at_end.empty == ("at an end of what was tried" not in said), at_end
