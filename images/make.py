"""Draw the pictures of README.md: `make images`. It trains the basic model by the original's recipe, some minutes on two cores."""

from pathlib import Path

from convae_nb import data, models, plots, training


def save(figure, name):
    # Without metadata, which would hold the version of Matplotlib, the same picture is the same file.
    figure.savefig(Path(__file__).with_name(name), dpi=200, metadata={"Software": None})


dataset = data.load()
model = models.build_autoencoder()
save(plots.network(models.layer_table(model)), "network.png")

training.train(model, dataset, training.RECIPES["original_basic"])
digits = data.as_images(dataset.x_test[:10])
save(plots.image_rows({"digits": digits, "reconstructed": models.reconstruct(model, digits)}), "reconstructions.png")
