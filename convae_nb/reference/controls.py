"""Controls of what the chapters find, measured once, for `make`: each gives the other side of a comparison its chance, with more seeds."""

import functools
import operator
import os
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import linear_model, pipeline, preprocessing

from convae_nb import data, metrics, models, noise, training
from convae_nb._base.files import write_table
from convae_nb._base.tensorflow import keras
from convae_nb.measures import baselines, denoisers, probes
from convae_nb.measures.levels import CONDITIONS
from convae_nb.reference import names, networks, tables
from convae_nb.reference.resumable import resumable_table, ship_table
from convae_nb.reference.variants import rebuilt

_SEEDS = (0, 1, 2, 3, 4)
_OWN_SEEDS = (0, 1)
_HALF_WIDTH = 1.96  # standard errors on each side of a 95 % interval
_LINEAR_PEAKS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.045)
_CHOICE_SEEDS = (5, 6)  # none of those whose losses are reported
_TIMED_DIGITS = 12_000
_WIDE_MAPS = (1, 2, 4)  # in the code
_WIDE_SEEDS = (0, 1, 2)
_TURNS = {
    "as it is": lambda images: images,
    "mirrored": lambda images: images[:, :, ::-1],
    "upside down": lambda images: images[:, ::-1],
    "a quarter turn": lambda images: np.rot90(images, axes=(1, 2)),
}
_SYMMETRIC = (0, 1, 8)  # digits that a mirror leaves what they are
_PENALTIES = (0.001, 0.01, 0.1, 1)


def measure_own_denoisers(checkpoints: str | os.PathLike) -> None:
    """Train a network for each noise with more seeds, and write `reference.own_denoisers` into the package; takes half an hour.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    test = data.as_images(digits.x_test)
    ridge = denoisers.DENOISERS["ridge regression"]

    def trained(kind, level, seed):
        name = names.own_denoiser(kind, level)
        if not seed:
            return networks.load(name)
        recipe = networks.recipe_of(name).model_copy(update={"seed": seed})
        model = models.build_autoencoder(**names.RUNS[names.canonical(name).split("/")[0]].model, seed=seed)
        training.train(model, digits, recipe, progress=False)
        return model

    def measure(kind, level, seed):
        reached = metrics.psnr(test, models.reconstruct(trained(kind, level, seed), noise.corrupt(test, kind, level)))
        return [{"PSNR": round(float(reached.mean()), 4)}]

    def measure_ridge(kind, level):
        noisy = noise.corrupt(test, kind, level)
        reached = metrics.psnr(test, ridge(noisy, kind=kind, level=level))
        over = metrics.psnr(test, models.reconstruct(trained(kind, level, 0), noisy)) - reached
        return [{"ridge": round(float(reached.mean()), 4), "half-width": round(float(_HALF_WIDTH * stats.sem(over)), 4)}]

    points = [{"kind": kind, "level": level, "seed": seed} for seed in _OWN_SEEDS for kind, level in CONDITIONS]
    own = [networks.record(names.own_denoiser(*condition))["sha256"] for condition in CONDITIONS]
    table = resumable_table("own_denoisers", own, points, measure, checkpoints)
    tuned = [denoisers.tuned_parameters()["ridge regression"], *own]
    conditions = [{"kind": kind, "level": level} for kind, level in CONDITIONS]
    table = table.merge(resumable_table("own_ridge", tuned, conditions, measure_ridge, checkpoints), on=["kind", "level"])
    table["over ridge"] = (table["PSNR"] - table.pop("ridge")).round(4)
    write_table(table[["kind", "level", "seed", "PSNR", "over ridge", "half-width"]], tables.FILES / "own_denoisers.csv")


def measure_ablation(checkpoints: str | os.PathLike) -> None:
    """Change the original's recipe into the fast one, one change at a time, and write `reference.ablation` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    # The test digits as those held out: what is measured after each epoch is the test loss, and nothing is chosen by it.
    joined = data.Dataset(np.concatenate([digits.x_train, digits.x_test]), None, digits.x_test, None)
    fast = training.RECIPES["fast_basic"].model_dump()
    steps = [{field: fast[field] for field in fields} for fields in tables.ABLATION.values()]
    recipes = {
        label: training.recipe("original_basic", validation=len(digits.x_test), **functools.reduce(operator.or_, steps[: i + 1]))
        for i, label in enumerate(tables.ABLATION)
    }

    def measure(change, seed):
        model = models.build_autoencoder(seed=seed)
        result = training.train(model, joined, training.recipe(recipes[change], seed=seed), progress=False)
        measured = metrics.evaluate(model, digits.x_test).loc[0]
        first, last = (round(loss, 5) for loss in result.history["validation_loss"])
        return [{"first_epoch": first, "test_loss": last, "PSNR": round(measured["PSNR"], 3), "dead_maps": measured["dead_maps"]}]

    points = [{"change": change, "seed": seed} for seed in _SEEDS for change in recipes]
    rests_on = {change: recipe.model_dump(mode="json") for change, recipe in recipes.items()}
    table = resumable_table("ablation", rests_on, points, measure, checkpoints)
    # Times are taken apart, in turns and on few digits: of a long training they say what else the machine had to do.
    seconds = [round(epoch_seconds(models.build_autoencoder(), recipes[str(point["change"])]), 2) for point in points]
    write_table(table.assign(seconds=seconds), tables.FILES / "ablation.csv")


def epoch_seconds(model: keras.Model, recipe: training.Recipe) -> float:
    """Time an epoch of 60,000 digits by one of fewer, without compilation; the model is trained by that."""
    few = data.first(data.load(), _TIMED_DIGITS)
    result = training.train(model, few, training.recipe(recipe, epochs=1, validation=0), progress=False)
    return (result.seconds - result.compile_seconds) * 60_000 / len(few.x_train)


def measure_linear(checkpoints: str | os.PathLike) -> None:
    """Train the basic network without ReLU and with the mean for the maximum, and write `reference.linear` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()

    def measure(learning_rate, seed):
        held_out = 5000 if seed in _CHOICE_SEEDS else 0
        model = _linear(models.build_autoencoder(seed=seed))
        recipe = training.recipe("fast_basic", learning_rate=learning_rate, validation=held_out, seed=seed)
        history = training.train(model, digits, recipe, progress=False).history
        if held_out:
            return [{"validation_loss": round(history["validation_loss"][-1], 5)}]
        images = data.as_images(digits.x_test)
        measured = metrics.scores(images, models.reconstruct(model, images)).mean()
        loss = metrics.binary_cross_entropy(images, models.predict(model, images))
        return [{"test_loss": round(loss, 5), "PSNR": round(measured["PSNR"], 3), "SSIM": round(measured["SSIM"], 4)}]

    rests_on = training.RECIPES["fast_basic"].model_dump(mode="json")
    tried = [{"learning_rate": rate, "seed": seed} for seed in _CHOICE_SEEDS for rate in _LINEAR_PEAKS]
    losses = resumable_table("linear", rests_on, tried, measure, checkpoints)
    peak = float(losses.groupby("learning_rate")["validation_loss"].mean().idxmin())
    points = tried + [{"learning_rate": peak, "seed": seed} for seed in _SEEDS]
    ship_table("linear", rests_on, points, measure, checkpoints)


def _linear(model):
    """Build an autoencoder's linear twin, of the same kernels: no ReLU, and a mean where it has a maximum."""

    def replaced(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(config)
        if "activation" in config:
            config["activation"] = "linear"
        return type(layer).from_config(config)

    return rebuilt(model, replaced)


def measure_wide_decoders(checkpoints: str | os.PathLike) -> None:
    """Train small codes with a decoder that is no narrower for it, and write `reference.wide_decoders` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    images = data.as_images(digits.x_test)

    def measure(maps, seed):
        model = _with_wide_decoder(maps, seed)
        training.train(model, digits, training.recipe("fast_basic", seed=seed), progress=False)
        measured = metrics.evaluate(model, images).loc[0]
        row = {"numbers": 16 * maps, "test_loss": round(measured["loss"], 5), "psnr": round(measured["PSNR"], 3)}
        return [row | {"dead_maps": int(measured["dead_maps"])}]

    points = [{"maps": maps, "seed": seed} for seed in _WIDE_SEEDS for maps in _WIDE_MAPS]
    table = resumable_table("wide_decoders", training.RECIPES["fast_basic"].model_dump(mode="json"), points, measure, checkpoints)
    write_table(table.drop(columns="maps"), tables.FILES / "wide_decoders.csv")


def _with_wide_decoder(maps, seed):
    """Build the basic autoencoder with another number of maps in its code, and the 8, 8 and 16 maps of its decoder all the same."""
    encoder = models.build_autoencoder((16, 8, maps), seed=seed).get_layer("encoder")
    code = drawn = keras.Input(encoder.output_shape[1:])
    for layer in models.build_autoencoder((16, 8, 8), seed=seed).get_layer("decoder").layers[1:]:
        drawn = type(layer).from_config(layer.get_config())(drawn)
    inputs = keras.Input(encoder.input_shape[1:])
    return keras.Model(inputs, keras.Model(code, drawn, name="decoder")(encoder(inputs)))


def measure_turned() -> None:
    """Show trained networks and PCA digits that were mirrored and turned, and write `reference.turned` into the package."""
    digits = data.load()
    images = data.as_images(digits.x_test)[~np.isin(data.labels(digits)["test"], _SYMMETRIC)]
    pca = baselines.pca_codec(digits.x_train, 128)
    methods: dict[str, Callable] = {
        f"network {seed}": functools.partial(models.reconstruct, networks.load(f"fast_basic/{seed}")) for seed in _SEEDS
    }
    methods["PCA"] = lambda shown: pca.decode(pca.encode(shown))
    rows = []
    for turn, turned in _TURNS.items():
        shown = np.ascontiguousarray(turned(images))
        rows += [{"shown": turn, "method": name, "PSNR": metrics.psnr(shown, method(shown)).mean()} for name, method in methods.items()]
    write_table(pd.DataFrame(rows).round(3), tables.FILES / "turned.csv")


def measure_probes(checkpoints: str | os.PathLike) -> None:
    """Read digits from codes, trained and untrained, and write `reference.probes` into the package; takes some minutes.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.load()
    pca = baselines.pca_codec(digits.x_train, 128)

    def encoder(model):
        return lambda images: models.predict(model.get_layer("encoder"), images)

    def describe(description, seed):
        if description == "code":
            return encoder(networks.load(f"fast_basic/{seed}"))
        if description == "code, untrained":
            return encoder(models.build_autoencoder(seed=seed))
        return {"pixels": data.as_images, "PCA": pca.encode}[description.removesuffix(", unscaled")]

    def measure(description, seed):
        regressions = [linear_model.LogisticRegression(C=C, max_iter=1000) for C in _PENALTIES]
        if not description.endswith("unscaled"):
            regressions = [pipeline.make_pipeline(preprocessing.StandardScaler(), regression) for regression in regressions]
        right = probes.probe(regressions, digits, {description: describe(description, seed)}, count=5000)
        return [{"read right": right[description].mean()}]

    points = [{"description": description, "seed": seed} for description, seeds in tables.PROBED.items() for seed in range(seeds)]
    rests_on = [networks.record(f"fast_basic/{seed}")["sha256"] for seed in range(5)]
    ship_table("probes", rests_on, points, measure, checkpoints)
