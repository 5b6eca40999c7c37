"""Claims of the literature about checkerboards that take trainings to test, measured once, for `make`."""

import json
import os

import numpy as np
from scipy import special
from sklearn import linear_model, pipeline, preprocessing

from convae_nb import checkerboard, data, metrics, models, training
from convae_nb._base.tensorflow import keras, tf
from convae_nb.reference import networks, tables
from convae_nb.reference.resumable import resumable_table, ship_table
from convae_nb.reference.variants import rebuilt

_SEEDS = (0, 1, 2, 3, 4)
_CHOICE_SEEDS = (5, 6)  # none of those whose losses are reported
_PEAKS = (0.01, 0.02, 0.03, 0.045)
_SHIFTS = tuple(range(1, 9))
_LONG = 10  # epochs
_FOLLOWED = ("transposed_3x3", "transposed_4x4", "nearest")
_FEW_SEEDS = (0, 1, 2)
_FIT_STEPS = 1000
_HIGH = 0.35  # cycles per pixel
_FAINT = 1e-6  # of the power asked for


def measure_shifts(checkpoints: str | os.PathLike) -> None:
    """Shift digits, reconstruct them, shift them back, and write `reference.shifts` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = np.pad(data.as_images(data.load().x_test[:200]), ((0, 0), (18, 18), (18, 18), (0, 0)))  # 64x64: the border is far

    def measure(network, seed):
        if network == "blurred pooling":
            trained, _ = _trained(_blurred(models.build_autoencoder(seed=seed)), seed)
            wide = _blurred(models.build_autoencoder(image_shape=(64, 64, 1)))
        else:
            trained = networks.load(f"fast_basic-{network}/{seed}")
            wide = models.build_autoencoder((16, 8, 8), network, image_shape=(64, 64, 1))
        wide.set_weights(trained.get_weights())
        still = models.reconstruct(wide, digits)
        rows = []
        for shift in _SHIFTS:
            moved = models.reconstruct(wide, np.roll(digits, shift, axis=2))
            error = np.mean((np.roll(still, shift, axis=2) - moved)[:, 8:-8, 8:-8] ** 2)
            rows.append({"shift": shift, "agreement": round(float(-10 * np.log10(max(error, 1e-12))), 2)})
        return rows

    points = [{"network": network, "seed": seed} for network in (*models.DECODERS, "blurred pooling") for seed in _SEEDS]
    rests_on = [networks.record(f"fast_basic-{decoder}/{seed}")["sha256"] for decoder in models.DECODERS for seed in _SEEDS]
    ship_table("shifts", rests_on, points, measure, checkpoints)


@keras.saving.register_keras_serializable(package="convae_nb")
class _BlurredMaxPooling2D(keras.layers.Layer):
    """The maximum of 2x2 pixels at every place, a blur by 1-3-3-1, and then every second pixel (R. Zhang, 2019, arXiv:1904.11486)."""

    def call(self, maps):
        largest = tf.nn.max_pool2d(maps, 2, 1, "SAME")
        taps = tf.constant([1.0, 3.0, 3.0, 1.0]) / 8
        kernel = tf.tile((taps[:, None] * taps)[:, :, None, None], [1, 1, maps.shape[-1], 1])
        return tf.nn.depthwise_conv2d(largest, kernel, [1, 2, 2, 1], "SAME")


def _blurred(model):
    """Copy an autoencoder, blurring before each subsampling."""

    def replaced(layer):
        return _BlurredMaxPooling2D() if isinstance(layer, keras.layers.MaxPooling2D) else type(layer).from_config(layer.get_config())

    copy = rebuilt(model, replaced)
    copy.set_weights(model.get_weights())
    return copy


def _trained(model, seed, **changes):
    recipe = training.recipe(tables.recipe_for("nearest"), seed=seed, **changes)
    return model, training.train(model, data.load(), recipe, progress=False)


def measure_kernels(checkpoints: str | os.PathLike) -> None:
    """Train decoders with large transposed kernels, alone and beside a small one, and write `reference.kernels` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """

    def measure(kernels, learning_rate, seed):
        held_out = 5000 if seed in _CHOICE_SEEDS else 0
        model = _with_kernels(json.loads(kernels), seed)
        _, result = _trained(model, seed, learning_rate=learning_rate, validation=held_out)
        if held_out:
            return [{"validation_loss": round(result.history["validation_loss"][-1], 5)}]
        return [{"weights": model.count_params()} | _measured(model)]

    rests_on = training.RECIPES["fast_basic"].model_dump(mode="json")
    choices = ("[3]", "[7]", "[7, 3]")
    tried = [{"kernels": kernels, "learning_rate": rate, "seed": seed} for kernels in choices for seed in _CHOICE_SEEDS for rate in _PEAKS]
    losses = resumable_table("kernels", rests_on, tried, measure, checkpoints)
    means = losses.groupby(["kernels", "learning_rate"])["validation_loss"].mean()
    points = tried + [
        {"kernels": kernels, "learning_rate": float(means[kernels].idxmin()), "seed": seed} for kernels in choices for seed in _SEEDS
    ]
    ship_table("kernels", rests_on, points, measure, checkpoints)


def _with_kernels(sides, seed):
    """Build the basic autoencoder with ways up that sum transposed convolutions of several sides."""
    model = models.build_autoencoder(seed=seed)
    encoder = model.get_layer("encoder")
    code = keras.Input(encoder.output_shape[1:])
    maps, drawn = code, np.random.default_rng(seed)
    for depth, size in zip((8, 8, 16), (7, 14, 28), strict=True):
        start = [keras.initializers.GlorotUniform(int(drawn.integers(2**31))) for _ in sides]
        paths = [
            keras.layers.Conv2DTranspose(depth, side, strides=2, padding="same", kernel_initializer=init)(maps)
            for side, init in zip(sides, start, strict=True)
        ]
        maps = keras.layers.Activation("relu")(paths[0] if len(paths) == 1 else keras.layers.Add()(paths))
        odd = maps.shape[1] - size
        maps = keras.layers.Cropping2D(((0, odd), (0, odd)))(maps) if odd else maps
    last = keras.initializers.GlorotUniform(int(drawn.integers(2**31)))
    decoder = keras.Model(code, keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=last)(maps), name="decoder")
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, decoder(encoder(inputs)))


def _measured(model):
    """Give loss, checkerboard index and answer to the mean code, on test digits."""
    digits = data.as_images(data.load().x_test)
    logits = models.predict(model, digits)
    code = models.predict(model.get_layer("encoder"), digits[:500]).mean(axis=(0, 1, 2))
    scatter, _ = checkerboard.flat_answer(model.get_layer("decoder"), code)
    indices = {"index_of_logits": logits[:2000], "index_of_images": special.expit(logits[:2000])}
    row = {"test_loss": metrics.binary_cross_entropy(digits, logits)}
    row |= {name: np.median(checkerboard.checkerboard_index(images)) for name, images in indices.items()}
    row |= {f"flat_{period}": value for period, value in scatter["in units"].items()}
    return {name: round(float(value), 5) for name, value in row.items()}


def measure_neighbours(checkpoints: str | os.PathLike) -> None:
    """Tell by neighbouring pixels which decoder drew a digit, and write `reference.neighbours` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    digits = data.as_images(data.load().x_test[:2000])
    drawn: dict[tuple[str, int], np.ndarray] = {}

    def differences(decoder, seed, part):
        if (decoder, seed) not in drawn:
            images = models.reconstruct(networks.load(f"fast_basic-{decoder}/{seed}"), digits)
            blocks = images[..., 0].reshape(len(images), 14, 2, 14, 2).transpose(0, 1, 3, 2, 4).reshape(len(images), 14, 14, 4)
            drawn[decoder, seed] = (blocks[..., 1:] - blocks[..., :1]).reshape(len(images), -1)  # each less the first of its 2x2
        return drawn[decoder, seed][part]

    def measure(left_out):
        # No network and no digit is both learned from and judged.
        learned, judged = slice(0, 1000), slice(1000, 2000)
        seeds = [seed for seed in _SEEDS if seed != left_out]
        known = np.concatenate([differences(decoder, seed, learned) for decoder in models.DECODERS for seed in seeds])
        labels = np.repeat(list(models.DECODERS), len(seeds) * 1000)
        probe = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(C=0.01, max_iter=300))
        probe.fit(known, labels)
        right = {name: np.mean(probe.predict(differences(name, left_out, judged)) == name) for name in models.DECODERS}
        return [{"decoder": name, "told": round(float(share), 4)} for name, share in right.items()]

    points = [{"left_out": seed} for seed in _SEEDS]
    rests_on = [networks.record(f"fast_basic-{decoder}/{seed}")["sha256"] for decoder in models.DECODERS for seed in _SEEDS]
    ship_table("neighbours", rests_on, points, measure, checkpoints)


def measure_along(checkpoints: str | os.PathLike) -> None:
    """Follow the checkerboard along a training, epoch by epoch, and write `reference.along` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """
    images = data.as_images(data.load().x_train)

    def measure(decoder, seed):
        model = models.build_autoencoder(decoder=decoder, seed=seed)
        rows = []

        def look(epoch, _=None):
            spread = checkerboard.phase_spread(model.get_layer("decoder").get_layer("up3"))
            rows.append({"epoch": epoch + 1, "spread": round(spread, 4)} | _measured(model))

        look(-1)
        model.compile(keras.optimizers.Adam(0.001), keras.losses.BinaryCrossentropy(from_logits=True))
        keras.utils.set_random_seed(seed)  # the order of the digits
        model.fit(images, images, 50, _LONG, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)])
        return rows

    points = [{"decoder": decoder, "seed": seed} for seed in _FEW_SEEDS for decoder in _FOLLOWED]
    ship_table("along", _LONG, points, measure, checkpoints)


def measure_spectra(checkpoints: str | os.PathLike) -> None:
    """Fit decoders to pictures of a flat, a falling and a rising spectrum, and write `reference.spectra` into the package.

    Parameters
    ----------
    checkpoints : str or Path
        The folder that keeps each row once it is measured.
    """

    def measure(decoder, exponent, seed):
        target = _noise(exponent, seed)
        model = models.build_autoencoder((16, 16, 16), decoder, image_shape=(64, 64, 1), seed=seed).get_layer("decoder")
        code = tf.constant(np.random.default_rng(seed).normal(size=(1, *model.input_shape[1:])), tf.float32)
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, _FIT_STEPS))
        optimizer.build(model.trainable_variables)
        _fit(model, code, tf.constant(target, tf.float32), optimizer)
        drawn = np.asarray(model(code))
        reached, asked = (checkerboard.power_spectrum(images)[1] for images in (drawn, target))
        ratio = (reached / asked)[reached.index >= _HIGH]
        high = 10 * np.log10(np.maximum(ratio, _FAINT)).mean()
        return [{"error": round(float(np.mean((drawn - target) ** 2) / np.var(target)), 5), "high_dB": round(float(high), 3)}]

    points = [
        {"decoder": decoder, "exponent": exponent, "seed": seed}
        for seed in _FEW_SEEDS
        for exponent in (-1.0, 0.0, 1.0)
        for decoder in models.DECODERS
    ]
    ship_table("spectra", _FIT_STEPS, points, measure, checkpoints)


def _noise(exponent: float, seed: int) -> np.ndarray:
    """Draw a picture of noise whose amplitude goes with a power of the frequency, of variance 1, shape (1, 64, 64, 1)."""
    frequencies = np.hypot.outer(*[np.fft.fftfreq(64)] * 2)
    frequencies[0, 0] = 1
    white = np.fft.fft2(np.random.default_rng(seed).normal(size=(64, 64)))
    picture = np.fft.ifft2(white * frequencies**exponent).real
    return ((picture - picture.mean()) / picture.std())[None, :, :, None]


def _fit(model, code, target, optimizer):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(code) - target) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for _ in range(_FIT_STEPS):
        step()
