"""The numbers of README.md and book/results.md: those of the records and tables that ship with the package."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convae_nb import checkerboard, data, metrics, models, reference, training

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "book/results.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def unwrapped(text):
    return " ".join(text.split())


def measured_of(group):
    """What was measured of a recipe's runs, or of those of a decoder, a row a seed."""
    abouts = [reference.record(name) for name in reference.NAMES if name.split("/")[0] == group]
    return pd.DataFrame([about["test"] | about["checkerboard"] for about in abouts]).drop(columns="verdict")


def line_of_recipe(recipe):
    """Medians over the seeds, and of the loss the lowest and the highest."""
    tests = measured_of(recipe)
    middle, loss = tests.median(), tests["loss"]
    span = f"{middle['loss']:.4f} ({loss.min():.4f} to {loss.max():.4f})" if len(tests) > 1 else f"{middle['loss']:.4f}"
    dead = ", ".join(map(str, tests["dead_maps"]))
    return f"| `{recipe}` | {len(tests)} | {span} | {middle['excess']:.4f} | {middle['PSNR']:.2f} dB | {middle['SSIM']:.3f} | {dead} |"


def line_of_decoder(decoder):
    """Medians over the seeds of the loss and the index of logits, of three kinds of runs."""
    cells = []
    for group in (f"fast_basic-{decoder}", f"fast_basic-{decoder}-bare", f"fast_denoiser-{decoder}"):
        if f"{group}/0" in reference.NAMES:
            middle = measured_of(group).median()
            cells += [f"{middle['loss']:.4f}", f"{middle['logits']:.2f}"]
        else:
            cells += ["", ""]
    return f"| `{decoder}` | {' | '.join(cells)} |"


def table_of(heading):
    """The rows of a section's table."""
    section = RESULTS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]


def test_the_recipes_are_as_recorded():
    lines = [line_of_recipe(recipe) for recipe in training.RECIPES]
    assert table_of("Recipes") == lines
    assert [line for line in README.splitlines() if line.startswith(tuple(f"| `{recipe}`" for recipe in training.RECIPES))] == lines


def test_the_decoders_are_as_recorded():
    assert table_of("Decoders") == [line_of_decoder(decoder) for decoder in models.DECODERS]


def test_the_denoisers_are_as_measured():
    table = reference.denoising()
    table = table[(table["tuned_for"] == "the condition") & (table["kind"] == "gaussian")]
    psnr = table.pivot(index="method", columns="level", values="PSNR").loc[list(table["method"].unique())]
    names = {name: f"`{name}`" for name in (*training.RECIPES, "own_denoiser")}
    lines = [f"| {names.get(name, name)} | {' | '.join(f'{value:.2f}' for value in row)} |" for name, row in psnr.iterrows()]
    assert table_of("Denoisers") == lines
    assert f"| method | {' | '.join(f'{level:g}' for level in psnr.columns)} |" in RESULTS


def test_what_passes_around_the_code_is_as_measured():
    of_gaussian = reference.skips().query("kind == 'gaussian' and level > 0")
    lines = {"with skips": of_gaussian["PSNR"], "without its code": of_gaussian["without code"]}
    targets = reference.targets().query("kind == 'gaussian'")
    noisy = targets["target"] != "clean images"
    reached = targets.assign(reached=targets["PSNR"].where(~noisy, targets["corrected"]))
    middle = reached.groupby(["target", "images"])["reached"].mean().unstack()
    middle.loc["noisy image"] = targets.groupby("images")["noisy"].first()
    lines |= {name: middle.loc[name] for name in ("noisy image", *reference.TARGETS)}
    rows = [f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |" for name, values in lines.items()]
    headings = ("| median", "| PSNR in dB")
    assert [line for line in table_of("Around the code") if not line.startswith(headings) and "---" not in line] == rows
    assert list(middle.columns) == ["digits", "photographs"]
    assert set(reached.groupby(["target", "images"]).size()) == {2}


def test_the_codes_are_as_measured():
    table = reference.code_sizes()
    assert set(table.groupby("numbers").size()) == {3}
    middle = table.groupby("numbers")[["test_loss", "excess", "psnr", "pca_psnr"]].median()
    assert table_of("Codes") == [
        f"| {numbers} | {row['test_loss']:.4f} | {row['excess']:.4f} | {row['psnr']:.2f} | {row['pca_psnr']:.2f} |"
        for numbers, row in middle.iterrows()
    ]


@pytest.mark.parametrize("page", [README, RESULTS], ids=["README", "results"])
def test_the_marks_of_the_loss_are_as_computed(page):
    digits = data.load()
    floor = metrics.entropy_floor(digits.x_test)
    mean_image = metrics.trivial_predictors(digits.x_test, fit_on=digits.x_train).loc["mean image", "loss"]
    assert re.search(rf"entropy floor`?( is|,) {floor:.4f}", unwrapped(page))
    assert re.search(rf"the mean image .*?\b{mean_image:.4f}\b", unwrapped(page))


def test_what_is_said_of_models_recipes_and_machines_holds():
    said = unwrapped(RESULTS)
    for name, filters in (("basic", (16, 8, 8)), ("denoiser", (32, 32, 16))):
        model = models.build_autoencoder(filters)
        code = int(np.prod(model.get_layer("encoder").output.shape[1:]))
        assert re.search(rf"{name}[\w ]* {'-'.join(map(str, filters))}\b.*?{model.count_params():,} weights and (a code of )?{code} ", said)
    recipes = training.RECIPES
    for slow, fast in (("original_basic", "fast_basic"), ("original_denoiser", "fast_denoiser")):
        assert (recipes[slow].batch_size, recipes[slow].learning_rate, recipes[fast].batch_size) == (200, 0.001, 50)
        assert (recipes[fast].schedule, recipes[fast].start_at_mean, recipes[fast].precision) == ("one_cycle", True, "float32")
    basic, denoiser = (recipes[f"fast_{model}"] for model in ("basic", "denoiser"))
    assert basic.beta_2 == denoiser.beta_2
    assert f"up to {basic.learning_rate:g} and {denoiser.learning_rate:g}, a `beta_2` of {basic.beta_2:g}" in said
    assert {recipes[f"speedrun_{model}"].precision for model in ("basic", "denoiser")} == {"bfloat16"}
    slow, fast = ([recipes[f"{kind}_{model}"].epochs for model in ("basic", "denoiser")] for kind in ("original", "fast"))
    for page in (said, unwrapped(README)):
        assert re.search(rf"for {slow[0]} and {slow[1]} epochs.*? {fast[0]} and {fast[1]}\b", page)
    assert recipes["range_denoiser"].level_range == (0.0, 1.0)
    assert {recipes[f"{kind}_denoiser"].level_range for kind in ("original", "fast")} == {(0.5, 0.5)}
    intel = {"original_basic/0", "original_basic/1", "original_basic/2", "original_denoiser/0"}
    machines = {(name in intel, reference.record(name)["processor"]) for name in reference.NAMES}
    assert machines == {(True, "Intel(R) Xeon(R) Processor"), (False, "AMD EPYC")}
    precisions = {(name.startswith("speedrun"), reference.record(name).get("precision", "float32")) for name in reference.NAMES}
    assert precisions == {(False, "float32"), (True, "bfloat16")}
    (versions,) = {json.dumps(reference.record(name)["versions"]) for name in reference.NAMES}
    python, tensorflow, keras = (version.rsplit(".", 1)[0] for version in json.loads(versions).values())
    assert f"Python {python}, TensorFlow {tensorflow} and Keras {keras}." in said


def test_what_pca_reaches_is_what_chapter_3_shows():
    cells = json.loads((ROOT / "notebooks/03_training.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = "\n".join("".join(output.get("data", {}).get("text/plain", "")) for cell in cells for output in cell.get("outputs", []))
    rows = {
        row[1]: (f"{int(row[2]):,}", f"{float(row[3]):.2f}")
        for row in re.finditer(r"^(PCA[a-z, ]*?) +(\d+) +([\d.]+) +[\d.]+$", shown, re.MULTILINE)
    }
    (weights, psnr), (few, shared), (more, own) = (rows[f"PCA{kind}"] for kind in ("", " of patches, shared", " of patches, each its own"))
    said = f"code, 128, reaches {psnr} dB with {weights} weights; PCA of patches, with the code's own shape, {shared} dB with {few} weights"
    assert f"{said} that all places share, and {own} dB with {more} of their own" in unwrapped(RESULTS)


@pytest.mark.slow
def test_digits_have_the_index_that_is_said_and_untrained_transposed_decoders_ten_times_that():
    digits = data.load().x_test
    own = np.median(checkerboard.checkerboard_index(data.as_images(digits)))
    assert f"themselves have {own:.2f}," in unwrapped(RESULTS)
    for decoder in ("transposed_3x3", "transposed_4x4", "transposed_2x2"):
        untrained = [models.build_autoencoder(decoder=decoder, seed=seed) for seed in range(5)]
        indices = [np.median(checkerboard.checkerboard_index(models.predict(model, digits[:200]))) for model in untrained]
        assert np.median(indices) > 10 * own
