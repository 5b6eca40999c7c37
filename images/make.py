"""Draw the pictures of README.md: `make images`."""

from pathlib import Path

from convae_nb import data, models, plots, pretrained


def save(figure, name):
    # Without metadata, which would hold the version of Matplotlib, the same picture is the same file.
    figure.savefig(Path(__file__).with_name(name), dpi=200, metadata={"Software": None})


model = pretrained.load("original_basic")
digits = data.as_images(data.load().x_test[:10])
save(plots.network(models.layer_table(model)), "network.png")
save(plots.image_rows({"digits": digits, "reconstructed": models.reconstruct(model, digits)}), "reconstructions.png")
