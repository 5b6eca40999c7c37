"""Draw the pictures of README.md and of the chapters' text: `make images`."""

import sys
import tempfile
from pathlib import Path

import skimage

from convae_nb import data, live, models, noise, plots, reference

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import browser

HERE = Path(__file__).parent


def save(figure, name):
    # Without metadata, which would hold the version of Matplotlib, the same picture is the same file.
    figure.savefig(HERE / name, dpi=200, metadata={"Software": None})


def photograph_explorer(name):
    """Serve the explorer as `make app` does, and take its picture beside a baseline's."""
    serving = browser.served("voila", "noise_explorer.ipynb", "--Voila.ip=127.0.0.1", folder=HERE.parent / "notebooks")
    with serving as address, browser.chromium() as chromium:
        page = browser.new_page(chromium, viewport={"width": 1120, "height": 900})
        page.goto(address)
        explorer = page.locator(".convae-explorer")
        explorer.get_by_label("baseline").select_option("median filter")
        explorer.locator("b", has_text="median filter").wait_for()
        explorer.get_by_text("follows").wait_for(state="hidden")
        explorer.screenshot(path=HERE / name)


def photograph_pad(name):
    """Take the picture of the pad as the book's first page shows it, with a digit drawn on it."""
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as chromium:
        live.write(folder, ["original_denoiser"])
        part = '<div class="convae-live" data-part="draw" data-brief></div>'
        head = '<meta charset="utf-8"><title>convae</title><link rel="stylesheet" href="live.css"><script defer src="convae.js"></script>'
        Path(folder, "page.html").write_text(f'<!doctype html>{head}<body style="font-family: sans-serif">{part}', encoding="utf-8")
        page = chromium.new_page(viewport={"width": 760, "height": 600})
        page.goto(Path(folder, "page.html").as_uri())
        page.get_by_label("begin with").select_option("nothing")
        left, top = (page.locator(".convae-pad-canvas").bounding_box()[side] for side in ("x", "y"))
        page.mouse.move(left + 60, top + 60)
        page.mouse.down()
        for x, y in ((160, 50), (150, 90), (100, 110), (165, 130), (150, 185), (60, 190)):  # a three
            page.mouse.move(left + x, top + y, steps=12)
        page.mouse.up()
        page.wait_for_timeout(1000)
        page.locator(".convae-live").screenshot(path=HERE / name)


def denoised_photograph():
    """Draw a photograph that the network has not learned from, under noise and out of it, beside the clean one."""
    clean = data.as_images(skimage.data.stereo_motorcycle()[0][None])
    noisy = noise.corrupt(clean, level=0.15)
    denoised = models.denoise(reference.load("photo_denoiser"), noisy[0])
    return plots.insets({"noisy": noisy[0], "denoised": denoised, "clean": clean[0]}, box=(190, 330, 72), times=2)


for station in range(1, 8):
    save(plots.road(station), f"../notebooks/images/road_{station}.png")
model = reference.load("original_basic")
digits = data.as_images(data.load().x_test[:10])
save(plots.network(models.layer_table(model)), "network.png")
save(plots.image_rows({"digits": digits, "reconstructed": models.reconstruct(model, digits)}), "reconstructions.png")
noisy = noise.corrupt(digits)
denoised = models.reconstruct(reference.load("original_denoiser"), noisy)
save(plots.image_rows({"noisy": noisy, "denoised": denoised}), "denoised.png")
save(denoised_photograph(), "photograph.png")
if lack := browser.lacking():
    print(f"noise_explorer.png and drawing_pad.png stay as they were: {lack}")
else:
    photograph_explorer("noise_explorer.png")
    photograph_pad("drawing_pad.png")
