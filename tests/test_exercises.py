"""Checks of answers: each accepts the solution and refuses three answers that a reader might well give."""

import functools
import itertools
import zlib

import nbformat
import numpy as np
import pytest
import scipy.special

from convae_nb import cli, data, exercises, metrics, models, noise, reference
from convae_nb.errors import RefusedError
from convae_nb.exercises.checking import EXERCISES


def same_floor():
    x = data.as_images(data.load().x_test[:10])
    assert metrics.entropy_floor(x) == pytest.approx(metrics.entropy_floor(1 - x), abs=1e-6)
    return "The same."


@functools.cache
def way_to_the_floor(on="x_test"):
    digits = data.load()
    x = data.as_images(getattr(digits, on))
    means = np.stack([data.as_images(digits.x_train[digits.y_train == digit]).mean(axis=0) for digit in range(10)])
    predicted = np.clip(means[getattr(digits, on.replace("x", "y"))].astype("float64"), 1e-7, 1 - 1e-7)
    loss = metrics.binary_cross_entropy(x, scipy.special.logit(predicted))
    mean_image = metrics.trivial_predictors(x, fit_on=digits.x_train).loc["mean image", "loss"]
    return (mean_image - loss) / (mean_image - metrics.entropy_floor(x))


GREYS = np.linspace(0, 1, 28)


def four():
    return data.as_images(data.load().x_train[2:3])


@functools.cache
def noise_curve(level):
    return noise.corrupt(np.tile(GREYS, (3000, 28, 1)), level=level, seed=1).mean(axis=(0, 1, 3))


def curve_of_means():
    return noise_curve(0.5)


@functools.cache
def copies(count):
    return noise.corrupt(np.repeat(four(), count, axis=0), level=0.5, seed=0).mean(axis=0)


def from_the_rim(noisy):
    inside = np.zeros((28, 28), dtype=bool)
    inside[4:-4, 4:-4] = True
    return np.sqrt(2 * np.pi) * noisy[:, ~inside].mean(axis=(1, 2))


def on_paper():
    chain = [1, 8, 4, 4, 8, 1]
    return (7, 7, 4), sum(25 * maps_in * maps_out + maps_out for maps_in, maps_out in itertools.pairwise(chain)), 16


@functools.cache
def cropped(crop_last=True, take=np.abs):
    from convae_nb import keras

    packed = models.build_autoencoder(seed=0)
    maps = packed.get_layer("encoder").output
    for depth, size in [(8, 7), (8, 14), (16, 28)]:
        crop = keras.layers.Cropping2D(((0, 2 * maps.shape[1] - size), (0, 2 * maps.shape[1] - size)))
        convolution = keras.layers.Conv2D(depth, 3, padding="same", activation="relu")
        for layer in [keras.layers.UpSampling2D(2), *((convolution, crop) if crop_last else (crop, convolution))]:
            maps = layer(maps)
    late = keras.Model(packed.get_layer("encoder").input, keras.layers.Conv2D(1, 3, padding="same")(maps))
    late.set_weights(packed.get_weights())
    digits = data.as_images(data.load().x_test[:100])
    return take(late(digits) - packed(digits)).mean(axis=0)


def means_of_white(mode):
    padded = np.pad(np.ones((6, 6)), 1, mode=mode)
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).mean(axis=(2, 3))


def cured(kernel):
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
    sums = taps.sum(axis=(0, 2))
    return (taps - (sums - sums.mean(axis=(0, 1)))[None, :, None] / 4).reshape(kernel.shape)


def cured_in_quarters(kernel):
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
    sums = taps.sum(axis=(1, 3), keepdims=True)
    return (taps - (sums - sums.mean(axis=(0, 2), keepdims=True)) / 4).reshape(kernel.shape)


@functools.cache
def spreads(of=np.abs, whole=False):
    x = data.as_images(data.load().x_test[:1000])
    drawn = np.stack([models.reconstruct(reference.load(f"fast_denoiser/{seed}"), noise.corrupt(x)) for seed in range(5)])
    pair = drawn.std(axis=0), of(drawn[1] - x)
    return np.corrcoef(*((values.mean(axis=(1, 2, 3)) if whole else values.ravel()) for values in pair))[0, 1]


@functools.cache
def passes(count):
    x = data.as_images(data.load().x_test[:1000])
    images, psnr = noise.corrupt(x), []
    for _ in range(count):
        images = models.reconstruct(reference.load("fast_denoiser"), images)
        psnr.append(metrics.psnr(x, images).mean())
    return psnr[-1] - psnr[0] if count > 1 else psnr[0]


@functools.cache
def packed_codes():
    x = data.load().x_test[:2000]
    code = models.encode(reference.load("fast_basic/1"), data.as_images(x))
    code = np.round(code / (code.max() + 1e-9) * 255).astype("uint8")
    pixels = [len(zlib.compress(image.tobytes(), 9)) for image in x]
    return len(zlib.compress(code.tobytes(), 9)) / 2000, len(zlib.compress(x.tobytes(), 9)) / 2000, np.mean(pixels)


@functools.cache
def areas(seed=1, score=None):
    from sklearn.metrics import roc_auc_score

    x = data.as_images(data.load().x_test[:1000])
    rng, left = np.random.default_rng(3), np.where(np.arange(28) < 14, 1, 0)[None, None, :, None]
    shuffled = np.stack([rng.permutation(image.ravel()).reshape(28, 28, 1) for image in x])
    kinds = {"mirrored": x[:, :, ::-1], "turned": x.transpose(0, 2, 1, 3)[:, ::-1], "inverted": 1 - x, "shuffled": shuffled}
    kinds |= {"blank": x * 0, "half": x * left}
    model = reference.load(f"fast_basic/{seed}")
    score = score or (lambda images: ((models.reconstruct(model, images) - images) ** 2).mean(axis=(1, 2, 3)))
    known = score(x)
    return {kind: roc_auc_score([0] * 1000 + [1] * 1000, [*known, *score(images.astype("float32"))]) for kind, images in kinds.items()}


SIZES = ((16, 8, 4), (32, 16, 8), (16, 8))
# By exercise: the solution, then answers that are refused with a word of what is said; all computed when they are needed.
CASES = {
    "1.0": [same_floor, (lambda: "higher", "not higher"), (lambda: "lower", "not lower"), (lambda: 0.0581, "one of these words")],
    "1.1": [
        lambda: lambda x: (1 - 0.2) * x + 0.2 / 2,
        (lambda: lambda x: x, "too low"),
        (lambda: lambda x: 0.8 * x + 0.2, "too high"),
        (lambda: 0.8, "a function"),
        (lambda: lambda x, level: (1 - level) * x, "raised TypeError"),
    ],
    "1.2": [
        way_to_the_floor,
        (lambda: way_to_the_floor(on="x_train"), "on training digits"),
        (lambda: 1 - way_to_the_floor(), "is left"),
        (lambda: 100 * way_to_the_floor(), "percent"),
        (lambda: 0.219, "loss itself"),
        (lambda: -way_to_the_floor(), "sign"),
    ],
    "1.3": [
        lambda: np.interp(copies(500), curve_of_means(), GREYS),
        (lambda: copies(500), "haze is still there"),
        (lambda: np.interp(copies(500), noise_curve(1.0), GREYS), "at this level"),
        (lambda: np.interp(copies(500), curve_of_means(), GREYS).T, "turned"),
        (lambda: np.interp(copies(1), curve_of_means(), GREYS), "grain"),
        (lambda: np.interp(copies(500), GREYS, curve_of_means()), "forwards"),
        (lambda: np.interp(copies(500), curve_of_means(), GREYS).ravel(), "shape"),
    ],
    "1.project": [
        lambda: from_the_rim,
        (lambda: lambda noisy: np.full(len(noisy), 0.5), "too high"),
        (lambda: lambda noisy: from_the_rim(noisy) / np.sqrt(2 * np.pi), "too low"),
        (lambda: lambda noisy: noisy.std(axis=(1, 2, 3)), "too high"),
        (lambda: lambda noisy: noisy.mean(), "1 values"),
    ],
    "2.0": [
        lambda: np.int64(416),
        (lambda: 400, "one weight more"),
        (lambda: 160, "3x3"),
        (lambda: "416", "number"),
        (lambda: 4160, "large"),
    ],
    "2.1": [
        on_paper,
        (lambda: ((4, 4, 4), 2425, 16), "poolings"),
        (lambda: ((7, 7, 8), 2425, 16), "maps"),
        (lambda: ((7, 7, 4), 2400, 16), "biases"),
        (lambda: ((7, 7, 4), 2425, 14), "receptive field"),
        (lambda: 2425, "three in brackets"),
    ],
    "2.2": [
        cropped,
        (lambda: cropped(take=np.asarray), "negative"),
        (lambda: cropped(crop_last=False), "no difference"),
        (lambda: cropped() / cropped().max(), "divided by its largest"),
        (lambda: cropped()[::-1], "left or at the top"),
        (lambda: cropped().mean(), "shape"),
    ],
    "2.3": [
        lambda: means_of_white("symmetric"),
        (lambda: means_of_white("constant"), "zeros"),
        (lambda: 9 * means_of_white("symmetric"), "in the middle"),
        (lambda: 1.0, "one picture"),
    ],
    "3.0": [lambda: 2 * (60_000 // 50), (lambda: 1200, "one epoch"), (lambda: 6000, "original's recipe"), (lambda: 120_000, "batch")],
    "3.1": [
        lambda: "smaller",
        (lambda: "larger", "not in this training"),
        (lambda: False, "these words"),
        (lambda: "not larger", "these words"),
    ],
    "3.2": [
        lambda: {str(filters): np.prod(models.build_autoencoder(filters).get_layer("encoder").output.shape[1:]) for filters in SIZES},
        (lambda: (64, 128, 128), "one pooling less"),
        (lambda: (4, 8, 8), "how many maps"),
        (lambda: (16, 128, 392), "several numbers"),
        (lambda: 392, "3 numbers"),
    ],
    "3.3": [
        lambda: "squared error",
        (lambda: "cross-entropy", "twenty steps"),
        (lambda: "neither", "twentieth"),
        (lambda: "both", "these words"),
    ],
    "3.4": [
        areas,
        (lambda: {kind: 1 - area for kind, area in areas().items()}, "opposite ways"),
        (lambda: areas(score=lambda images: images.sum(axis=(1, 2, 3))), "squared error"),
        (lambda: 0.74, "a dict"),
        (lambda: {"mirrored": 0.74}, "a dict"),
    ],
    "4.0": [
        lambda: -10 * np.log10(np.mean((0.5 * np.random.default_rng(0).normal(size=1_000_000)) ** 2)),
        (lambda: -6.02, "sign"),
        (lambda: 3.01, "square"),
        (lambda: 9.4, "clips"),
        (lambda: 12.04, "not twenty of both"),
    ],
    "4.1": [lambda: 2.9, (lambda: -2.9, "sign"), (lambda: 17.0, "PSNR of one of them"), (lambda: 0.02, "small"), (lambda: "yes", "number")],
    "4.2": [
        lambda: "Denoiser",
        (lambda: "autoencoder", "0.05"),
        (lambda: "neither", "ahead at every level"),
        (lambda: "both", "these words"),
    ],
    "4.3": [
        lambda: passes(2),
        (lambda: -passes(2), "sign"),
        (lambda: 19.7, "one pass"),
        (lambda: "falls", "number"),
        (lambda: -8.0, "small"),
    ],
    "4.4": [
        spreads,
        (lambda: spreads(whole=True), "every pixel"),
        (lambda: spreads(of=np.asarray), "either way"),
        (lambda: 0.4, "small"),
        (lambda: 100 * spreads(), "between -1 and 1"),
    ],
    "5.0": [
        lambda: {1, 2, 3, 6},
        (lambda: [2, 3, 6], "not all"),
        (lambda: range(1, 7), "stride 4"),
        (lambda: {2, 3, 4}, "stride 4"),
        (lambda: 6, "brackets"),
    ],
    "5.1": [
        lambda: ([3, 6, 9], []),
        (lambda: ([3, 6, 9], [3, 6, 9]), "one too many"),
        (lambda: ([3, 6], []), "not all"),
        (lambda: ([3, 6, 7, 9], []), "size 7"),
        (lambda: [3, 6, 9], "two lists"),
    ],
    "5.2": [
        lambda: cured,
        (lambda: lambda kernel: kernel, "do not sum alike"),
        (lambda: np.zeros_like, "more than it takes"),
        (lambda: cured_in_quarters, "every second"),
        (lambda: lambda kernel: cured(kernel)[:2], "one of (2, 4, 3, 5)"),
        (lambda: cured(np.ones((4, 4, 1, 1))), "a function"),
    ],
    "5.3": [lambda: "no", (lambda: "yes", "every seed"), (lambda: None, "these words"), (lambda: "a checkerboard", "these words")],
    "6.0": [
        lambda: 4**128,
        (lambda: 2**128, "more than two values"),
        (lambda: 512, "multiply"),
        (lambda: 128**4, "other way round"),
        (lambda: 256, "bits a code"),
    ],
    "6.1": [
        lambda: "normal",
        (lambda: "shuffled", "look again"),
        (lambda: "neither", "one of them"),
        (lambda: "the second", "these words"),
    ],
    "6.2": [
        lambda: packed_codes()[:2],
        (lambda: (packed_codes()[0], packed_codes()[2]), "each digit alone"),
        (lambda: (128, packed_codes()[1]), "8 bits for each"),
        (lambda: packed_codes()[1::-1], "come first"),
        (lambda: (223_000, 312_000), "divide"),
        (lambda: 111.5, "2 numbers"),
    ],
    "6.3": [lambda: 0.18, (lambda: 18, "percent"), (lambda: -0.18, "subtracted"), (lambda: 0.9, "too large")],
    "7.0": [
        lambda: 30_689 + 9 * (16 * 32 + 32 * 32 + 32),
        (lambda: 14_112, "how many more"),
        (lambda: 30_689, "added"),
        (lambda: 61_378, "large"),
    ],
    "7.1": [lambda: "28x28", (lambda: "14x14", "without"), (lambda: "7x7", "without"), (lambda: "all", "these words")],
    "7.2": [
        lambda: (0.926, 0.92),
        (lambda: (92.6, 92.0), "percent"),
        (lambda: (0.1, 0.92), "first share is too small"),
        (lambda: (0.926, 0.766), "second"),
    ],
    "7.4": [lambda: 3.1, (lambda: -3.1, "subtracted"), (lambda: 12.9, "PSNR of one"), (lambda: 0.0, "ahead"), (lambda: 0.2, "too small")],
    "7.3": [
        lambda: lambda x: 0.75 * x + 0.125,
        (lambda: lambda x: 0.75 * x, "low"),
        (lambda: lambda x: x, "low"),
        (lambda: 0.125, "function"),
    ],
}
OPEN = {"2.project", "3.project", "4.project", "5.project", "6.project", "7.project"}


@pytest.mark.parametrize("name", CASES)
def test_a_check_accepts_the_solution_and_refuses_what_is_wrong(name):
    solution, *wrong = CASES[name]
    verdict = exercises.check(name, solution())
    assert verdict.right is True, verdict
    assert verdict.text == EXERCISES[name].right
    assert len(wrong) >= 3
    for answer, word in wrong:
        verdict = exercises.check(name, answer())
        assert verdict.right is False
        assert word in verdict.text, verdict
        assert "\n" not in verdict.text


def test_every_exercise_is_checked_or_open():
    assert CASES.keys() | OPEN == EXERCISES.keys()
    for name in OPEN:
        verdict = exercises.check(name, "what I found")
        assert verdict.right is None
        assert verdict.text.startswith("a good answer has ")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        "__import__('os').remove('x')",
        float("nan"),
        [],
        {},
        object(),
        b"1",
        len,
        print,
        np.zeros((0, 3)),
        [[1], [2, 3]],
        10**400,
        -1000,
        1e300,
    ],
)
def test_whatever_is_given_a_sentence_comes_back(answer):
    for name in CASES:
        verdict = exercises.check(name, answer)
        assert verdict.right is False, (name, answer)
        assert 10 < len(verdict.text) < 250


def test_no_answer_asks_what_it_has_to_be_and_no_exercise_is_refused():
    assert repr(exercises.check("2.0")) == "2.0, open: the answer is a number of weights"
    with pytest.raises(ValueError, match=r"got '8\.1': did you mean '.\.1'"):
        exercises.check("8.1", 1)
    assert exercises.check(2.1, 2425).exercise == "2.1"


HANDED_IN = """
from convae_nb import exercises
exercises.check("2.0", 400)
%%
exercises.check("2.0", 416)
%%
raise RuntimeError("a cell of mine that fails")
%%
exercises.check("5.0", [2, 3])
"""


def write(path, cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells]), path)


def test_a_folder_of_notebooks_becomes_a_table(tmp_path, capsys):
    write(tmp_path / "ada" / "02.ipynb", HANDED_IN.split("%%"))
    write(tmp_path / "bob.ipynb", ["from convae_nb import exercises", 'exercises.check("5.0", {1, 2, 3, 6})'])
    (tmp_path / "torn.ipynb").write_text("{", encoding="utf-8")
    write(tmp_path / ".ipynb_checkpoints" / "bob.ipynb", ["1 / 0"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")}
    assert cli.main(["exercises", str(tmp_path), "--csv", str(tmp_path / "marks.csv"), "--workers", "2"]) == 1
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()] == [
        ["2.0", "5.0"],
        ["ada/02.ipynb", "right", "not", "yet"],
        ["bob.ipynb", "right"],
        ["torn.ipynb"],
    ]
    assert "ada/02.ipynb: RuntimeError: a cell of mine that fails" in printed.err
    assert "torn.ipynb: " in printed.err
    assert (tmp_path / "marks.csv").read_text("utf-8").splitlines()[:2] == [
        "notebook,2.0,5.0,reason",
        "ada/02.ipynb,True,False,RuntimeError: a cell of mine that fails in cell [3]",
    ]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")} == before


def test_what_cannot_be_marked_is_refused(tmp_path):
    with pytest.raises(RefusedError, match="there is none of that name"):
        exercises.mark(tmp_path / "nothing")
    with pytest.raises(RefusedError, match="no notebook in it"):
        exercises.mark(tmp_path)
    with pytest.raises(RefusedError, match="workers must be a whole number"):
        exercises.mark(tmp_path, workers=0)
