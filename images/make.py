"""Draw the pictures of README.md and of the chapters' text: `make images`."""

import sys
from pathlib import Path

import skimage

from convae_nb import data, models, noise, plots, reference

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
    print(f"noise_explorer.png stays as it was: {lack}")
else:
    photograph_explorer("noise_explorer.png")
