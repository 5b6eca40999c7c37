"""The engine of live pages, JavaScript, held to the package: in Chromium, and in Node where there is one."""

import base64
import contextlib
import functools
import itertools
import json
import shutil
import subprocess

import browser
import numpy as np
import pytest
from scipy import special, stats

from convae_nb import checkerboard, data, live, metrics, models, noise, reference
from convae_nb.reference.names import RUNS, canonical

# Fixed seeds: each of these probabilities is one number, and 1e-3 leaves none of the true claims to luck.
RARE = 1e-3

# A call's arguments and its result travel as JSON: arrays as base64, of float32 if they are pictures, of float64 otherwise.
WIRE = """
const engine = convaeEngine();
const received = (key, value) => {
  if (!value || value.base64 === undefined) return value;
  const letters = atob(value.base64), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  if (value.shape.length < 3) return new Float64Array(bytes.buffer);
  const [height, width, depth] = value.shape.slice(-3), size = height * width * depth, all = new Float32Array(bytes.buffer);
  const picture = (_, i) => engine.maps(height, width, depth, all.slice(i * size, (i + 1) * size));
  return value.shape.length === 3 ? picture(all, 0) : Array.from({ length: all.length / size }, picture);
};
const sent = (key, value) => {
  if (!ArrayBuffer.isView(value)) return value;
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { base64: btoa(text), dtype: value instanceof Float32Array ? "float32" : "float64" };
};
const answer = (ask, text) => JSON.stringify(ask(JSON.parse(text, received)), sent);
"""
# Node reads a call a line, and writes its result as a line.
LINES = """
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [ask, text] = JSON.parse(line);
  let result;
  try { result = answer(eval(ask), text); } catch (error) { result = JSON.stringify({ failed: error.message }); }
  console.log(result);
});
"""


def to_send(array):
    dtype = "<f4" if array.ndim >= 3 else "<f8"
    return {"shape": array.shape, "base64": base64.b64encode(array.astype(dtype).tobytes()).decode("ascii")}


def as_sent(value):
    assert "failed" not in value, value["failed"]
    if "base64" in value:
        return np.frombuffer(base64.b64decode(value["base64"]), value["dtype"])
    if "depth" in value:
        return value["values"].reshape(value["height"], value["width"], value["depth"])
    return value


@contextlib.contextmanager
def in_chromium(chromium, scripts):
    page = browser.new_page(chromium)
    try:
        page.add_script_tag(content=scripts)
        yield lambda ask, text: page.evaluate(f"(text) => answer({ask}, text)", text)
    finally:
        page.context.close()


@contextlib.contextmanager
def in_node(file, scripts):
    file.write_text(scripts + LINES, encoding="utf-8")
    with subprocess.Popen(["node", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as node:

        def run(ask, text):
            node.stdin.write(json.dumps([ask, text]) + "\n")
            node.stdin.flush()
            return node.stdout.readline()

        yield run


@pytest.fixture(scope="module", params=["chromium", "node"])
def run(request, tmp_path_factory):
    """Gives what a JavaScript function returns, which sees the engine and takes an object of the keyword arguments."""
    scripts = live.read("engine.js") + WIRE
    if request.param == "chromium":
        started = in_chromium(request.getfixturevalue("chromium"), scripts)
    elif shutil.which("node"):
        started = in_node(tmp_path_factory.mktemp("node") / "engine.js", scripts)
    else:
        pytest.skip("there is no Node")
    with started as runner:
        yield lambda ask, **given: json.loads(runner(ask, json.dumps(given, default=to_send)), object_hook=as_sent)


@functools.cache
def digits():
    """The digits of the live pages: the first ten of each class, (100, 28, 28, 1)."""
    mnist = data.load()
    places = np.concatenate([np.flatnonzero(mnist.y_test == digit)[:10] for digit in range(10)])
    return data.as_images(mnist.x_test[places])


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


# Networks


def held(model, name="network"):
    return assigned(live.network_script(model, name), name)


def assigned(script, name):
    """What the script of a network assigns, as a page reads it."""
    place, _, value = script.partition(" = ")
    assert place == f'convae.networks["{name}"]'
    assert value.endswith(";\n")
    return json.loads(value[:-2])


def distance(logits, expected):
    """The largest difference, as a share of the largest number."""
    assert np.shape(logits) == np.shape(expected)
    return np.abs(np.subtract(logits, expected)).max() / np.abs(expected).max()


@functools.cache
def shipped(name):
    """A shipped network's script, read, with three pictures under noise and its logits of them."""
    model = reference.load(name)
    clean, level = (digits()[::40], 0.5) if model.input_shape[1] == 28 else (data.photograph_patches().x_test[:3], 0.1)
    noisy = noise.corrupt(clean, "gaussian", level, seed=1)
    return held(model, name), noisy, model(noisy, training=False).numpy()


def one_of_each():
    """A run for each decoder, and for each kind of skips."""
    kinds = {}
    for group, made in RUNS.items():
        kinds.setdefault((made.model.get("decoder", "nearest"), made.model.get("skips", "none")), canonical(group))
    assert {decoder for decoder, _ in kinds} == set(models.DECODERS)
    assert {skips for _, skips in kinds} == {"none", "add", "concatenate"}
    return set(kinds.values())


QUICK = one_of_each()
SHIPPED = sorted(set(map(canonical, reference.NAMES)))
LOGITS = "({file, images}) => images.map(engine.network(file).logits)"


def marked(names, quick):
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", marked(SHIPPED, QUICK))
def test_a_shipped_network_gives_the_logits_that_keras_gives(run, name):
    file, noisy, expected = shipped(name)
    assert distance(run(LOGITS, file=file, images=noisy), expected) < 1e-4


def test_what_is_written_for_pages_is_the_script_of_each_network(tmp_path):
    live.write(tmp_path, QUICK)
    for name in QUICK:
        script = (tmp_path / f"networks/{name.replace('/', '-')}.js").read_text(encoding="utf-8")
        assert assigned(script, name) == shipped(name)[0]


def test_the_engine_has_the_decoders_of_the_package(run):
    assert set(run("() => Object.keys(engine.DECODERS)")) == set(models.DECODERS)


def untrained(decoder, shape, filters, kernel_size, output_convolution, skips):
    """A network with biases that are not zero, as no training is needed to have them."""
    model = models.build_autoencoder(filters, decoder, shape, kernel_size, seed=3, output_convolution=output_convolution, skips=skips)
    rng = np.random.default_rng(4)
    model.set_weights([rng.normal(size=array.shape) / 2 if array.ndim == 1 else array for array in model.get_weights()])
    return model


SHAPES = [(13, 10, 1), (16, 24, 3), (9, 11, 3), (8, 15, 1)]
FILTERS = [(5, 4), (3,), (4, 2, 6)]
CONVOLVED_AND_SKIPS = list(itertools.product([True, False], ["none", "add", "concatenate"]))


def networks_of(decoder, everything):
    """Every kernel size with every shape, convolved and joined in every way; or a sample, in which each of them occurs."""
    if everything:
        for size, (i, shape), ways in itertools.product(range(1, 6), enumerate(SHAPES), CONVOLVED_AND_SKIPS):
            yield decoder, shape, FILTERS[i % 3], size, *ways
    else:
        start = list(models.DECODERS).index(decoder)
        for i, size in enumerate([1, 2, 3, 4, 5, 3]):
            yield decoder, SHAPES[(start + i) % 4], FILTERS[(start + i) % 3], size, *CONVOLVED_AND_SKIPS[(start + i) % 6]


@functools.cache
def untrained_networks(decoder, everything):
    """Files and pictures by the networks' arguments, and the code and logits of each."""
    asked, expected = {}, {}
    for options in networks_of(decoder, everything):
        model, image = untrained(*options), pictures(1, *options[1])
        code = model.get_layer("encoder")(image, training=False)
        code = code[0] if isinstance(code, list) else code
        asked[options] = {"file": held(model), "image": image[0]}
        expected[options] = code[0].numpy(), model(image, training=False)[0].numpy()
    return asked, expected


@pytest.mark.parametrize("everything", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.parametrize("decoder", models.DECODERS)
def test_an_untrained_network_of_any_size_gives_the_code_and_logits_that_keras_gives(run, decoder, everything):
    asked, expected = untrained_networks(decoder, everything)
    ask = """({asked}) => asked.map(({file, image}) => {
        const network = engine.network(file);
        return [network.encode(image).code, network.logits(image)];
    })"""
    given = dict(zip(expected, run(ask, asked=list(asked.values())), strict=True))
    worst = {options: max(map(distance, given[options], expected[options])) for options in expected}
    assert {options: far for options, far in worst.items() if far > 1e-5} == {}


@pytest.mark.parametrize("skips", ["add", "concatenate"])
@pytest.mark.parametrize("output_convolution", [True, False])
def test_maps_that_are_left_out_around_the_code_count_as_zeros(run, output_convolution, skips):
    model = untrained("nearest", (13, 10, 1), (5, 4), 3, output_convolution, skips)
    code, *around = (maps.numpy() for maps in model.get_layer("encoder")(pictures(1, 13, 10, 1), training=False))
    decoder = model.get_layer("decoder")
    nothing = [np.zeros_like(maps) for maps in around]
    ask = """({file, code, largest}) => {
        const network = engine.network(file);
        return [network.decode(code), network.decode(code, []), network.decode(code, [largest])];
    }"""
    none, empty, some = run(ask, file=held(model), code=code[0], largest=around[0][0])
    assert distance(none, decoder([code, *nothing], training=False)[0]) < 1e-5
    np.testing.assert_array_equal(empty, none)
    assert distance(some, decoder([code, around[0], *nothing[1:]], training=False)[0]) < 1e-5


@pytest.mark.parametrize("decoder", models.DECODERS)
def test_a_code_of_any_size_doubles_as_in_a_network_for_larger_images(run, decoder):
    small = untrained(decoder, (13, 10, 1), (5, 4), 3, True, "none")
    large = models.build_autoencoder((5, 4), decoder, (20, 28, 1))
    large.set_weights(small.get_weights())
    code = pictures(1, 5, 7, 4)
    doubled = run("({file, code}) => engine.network(file).decode(code, [], true)", file=held(small), code=code[0])
    assert distance(doubled, large.get_layer("decoder")(code, training=False)[0]) < 1e-5


ANSWER = """({file, level, periods}) => {
    const picture = engine.flatAnswer(engine.network(file), level);
    return [picture, ...periods.map((period) => engine.phaseScatter(picture, period))];
}"""
FLAT = [f"fast_basic-{decoder}{bare}/0" for decoder in models.DECODERS for bare in ("", "-bare")]


@functools.cache
def flat_answer(name):
    """A network's file, the mean of its codes, and the picture that it draws of that, with the scatter of its phases by their period."""
    model = reference.load(name)
    level = models.encode(model, digits()[:10]).mean(axis=(0, 1, 2))
    return held(model), level, *checkerboard.flat_answer(model.get_layer("decoder"), level)


@pytest.mark.parametrize("name", marked(FLAT, ["fast_basic-nearest/0", "fast_basic-transposed_3x3-bare/0"]))
def test_the_answer_to_a_flat_code_and_its_scatter_are_those_of_the_package(run, name):
    file, level, scatter, expected = flat_answer(name)
    picture, *shares = run(ANSWER, file=file, level=level, periods=scatter.index.tolist())
    assert picture.shape == (32, 32, 1)
    assert distance(picture, expected) < 1e-5
    np.testing.assert_allclose(shares, scatter["as a share"], rtol=1e-4, atol=1e-6)


def test_the_answer_in_colour_and_its_scatter_are_those_of_the_package(run):
    model, level = untrained("transposed_3x3", (16, 24, 3), (5, 4), 3, True, "none"), np.array([1.0, 0.2, 2.0, 0.7])
    scatter, expected = checkerboard.flat_answer(model.get_layer("decoder"), level)
    picture, *shares = run(ANSWER, file=held(model), level=level, periods=scatter.index.tolist())
    assert distance(picture, expected) < 1e-5
    np.testing.assert_allclose(shares, scatter["as a share"], rtol=1e-4)
    assert min(shares) > 0.01


def test_the_scatter_of_black_is_nothing(run):
    assert run("({black}) => engine.phaseScatter(black, 2)", black=np.zeros((8, 8, 1), "float32")) == 0


def test_the_sigmoid_is_that_of_scipy(run):
    logits = np.array([-800, -90, -20, -1, 0, 1e-3, 2, 20, 800], "float32").reshape(3, 1, 3)
    np.testing.assert_allclose(run("({logits}) => engine.sigmoid(logits)", logits=logits), special.expit(logits), rtol=1e-6, atol=1e-38)


# Measures


@pytest.mark.parametrize("shape", [(28, 28, 1), (11, 11, 1), (12, 15, 3), (32, 13, 1)])
def test_psnr_and_ssim_are_those_of_the_package(run, shape):
    images = digits()[:6] if shape == (28, 28, 1) else pictures(6, *shape)
    others = np.concatenate([noise.corrupt(images[i : i + 1], "gaussian", level) for i, level in enumerate((0, 0.001, 0.1, 0.5, 1, 2))])
    ask = "({images, others}) => images.map((image, i) => [engine.psnr(image, others[i]), engine.ssim(image, others[i])])"
    psnr, ssim = np.transpose(run(ask, images=images, others=others))
    np.testing.assert_allclose(psnr, metrics.psnr(images, others), rtol=1e-5)
    np.testing.assert_allclose(ssim, metrics.ssim(images, others), atol=1e-5)


def test_psnr_and_ssim_of_flat_pictures_are_what_arithmetic_says(run):
    grey, white = np.full((11, 11, 1), 0.5, "float32"), np.ones((11, 11, 1), "float32")
    scored = "({x, y}) => [engine.psnr(x, y), engine.ssim(x, y)]"
    # An error of a half is 20 log10(2); flat pictures differ in brightness alone, and c1 is 0.0001.
    assert run(scored, x=grey, y=white) == pytest.approx([6.0206, (2 * 0.5 + 1e-4) / (1.25 + 1e-4)], abs=1e-4)
    assert run(scored, x=grey, y=grey) == pytest.approx([10 * np.log10(12 * 255**2), 1], abs=1e-9)
    assert run(scored, x=white, y=white)[0] == pytest.approx(58.92, abs=0.005)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("shape", [(28, 28, 1), (17, 16, 1), (19, 21, 3), (32, 24, 3)])
def test_the_checkerboard_index_is_that_of_the_package(run, shape, factor):
    images = pictures(5, *shape, seed=2)
    rows, columns = np.indices(shape[:2])
    images[1] = 8 * images[1] - 5  # as logits are
    images[2] += 0.3 * (-1.0) ** (rows + columns)[..., None]
    images[3] += 0.3 * (rows % 4 == 0)[..., None]
    images[4] = images[4, :1, :1]
    indices = run("({images, factor}) => images.map((image) => engine.checkerboardIndex(image, factor))", images=images, factor=factor)
    np.testing.assert_allclose(indices, checkerboard.checkerboard_index(images, factor), rtol=1e-5)
    assert indices[4] == 1
    if factor == 2:
        assert run("({image}) => engine.checkerboardIndex(image)", image=images[2]) == indices[2]


def test_the_checkerboard_index_of_digits_of_black_and_of_a_wave_under_a_faint_board_is_that_of_the_package(run):
    rows, columns = np.indices((28, 28))
    # A whole number of waves has no power beside the board's: the index is a matter of the floor under all powers.
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * 3 * rows / 28) + 1e-4 * (-1.0) ** (rows + columns)
    images = np.concatenate([digits()[::9], np.zeros((1, 28, 28, 1)), wave[None, ..., None]]).astype("float32")
    indices = run("({images}) => images.map((image) => engine.checkerboardIndex(image))", images=images)
    np.testing.assert_allclose(indices, checkerboard.checkerboard_index(images), rtol=1e-5)
    assert indices[-1] > 1e4


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_overlap_is_that_of_the_package(run, layers):
    cases = [[length, kernel, stride, layers] for length in (1, 4, 7) for kernel in (1, 2, 3, 4, 5) for stride in (1, 2, 3)]
    counted = run("({cases}) => cases.map((arguments) => engine.overlap(...arguments))", cases=cases)
    for (length, kernel, stride, _), counts in zip(cases, counted, strict=True):
        # A layer of kernel 1 and stride 1 changes nothing: it stands for none.
        taps, steps = ([kernel] * layers or 1), ([stride] * layers or 1)
        np.testing.assert_array_equal(counts, checkerboard.overlap_map((length,), kernel_size=taps, stride=steps))


def test_values_are_painted_with_the_taps_of_a_kernel_stride_apart(run):
    values, taps = [3.0, -1.0, 2.0], [1.0, 0.5, -2.0, 4.0]
    painted = run("({values, taps}) => engine.painted(values, taps, 3)", values=values, taps=taps)
    np.testing.assert_allclose(painted, np.convolve([3, 0, 0, -1, 0, 0, 2], taps))


# Noise


def mixed(h):
    """The finisher of MurmurHash3, on uint32, which wraps."""
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def uniform(seed, index, count):
    """The field of (seed, index): the first so many of its numbers."""
    seed, index = np.array([seed], "uint32"), np.array([index], "uint32")
    stream = mixed((seed ^ np.uint32(0x9E3779B9)) * np.uint32(0x85EBCA6B) ^ (index + np.uint32(0x7F4A7C15)) * np.uint32(0xC2B2AE35))
    counter = np.arange(1, count + 1, dtype="uint32")
    return (mixed(stream ^ counter * np.uint32(0x9E3779B1)) + 0.5) / 2**32


class Field:
    """Stands in for NumPy's generator: the numbers of a field, and their normal quantiles."""

    def __init__(self, seed, index):
        self.of = functools.partial(uniform, seed, index)

    def random(self, shape):
        return self.of(np.prod(shape)).reshape(shape)

    def standard_normal(self, shape, dtype="float64"):
        return special.ndtri(self.random(shape)).astype(dtype)


FIELDS = """({streams, count}) => streams.map(([seed, index]) =>
    Float64Array.from({ length: count }, (_, i) => engine.uniform(seed, index, i)))"""


def test_a_field_is_the_hash_of_seed_index_and_place(run):
    streams = [(0, 0), (0, 1), (1, 0), (7, 12345), (2**31 - 1, 3), (2**32 - 1, 2**32 - 1), (2**31, 2**31)]
    for (seed, index), field in zip(streams, run(FIELDS, streams=streams, count=5000), strict=True):
        np.testing.assert_array_equal(field, uniform(seed, index, 5000))


def test_fields_are_uniform_and_neighbours_have_nothing_in_common(run):
    fields = np.array(run(FIELDS, streams=list(itertools.product(range(6), range(6))), count=10_000))
    assert stats.kstest(fields.ravel(), "uniform").pvalue > RARE
    assert fields.min() > 0
    assert fields.max() < 1
    # The correlation of unrelated fields deviates by 1 / sqrt(10,000) = 0.01. One in 1.7 million is more than five times that, and there
    # are 630 pairs.
    assert np.abs(np.corrcoef(fields) - np.eye(36)).max() < 0.05
    for lag in (1, 2, 28, 784):
        along = np.corrcoef(fields[:, :-lag].ravel(), fields[:, lag:].ravel())[0, 1]
        assert abs(along) < 5 / np.sqrt(fields.size - 36 * lag)


def test_a_field_is_none_of_another_seed_or_index(run):
    streams = list(itertools.product(range(60), range(60)))
    firsts = np.array(run(FIELDS, streams=streams, count=2))
    assert len(np.unique(firsts, axis=0)) == len(streams)


def test_normal_is_the_quantile_of_the_normal_distribution(run):
    tail = np.geomspace(0.5 / 2**32, 0.5, 2001)
    shares = np.concatenate([tail, 1 - tail, np.linspace(0.01, 0.99, 2001), [0.02425, 0.97575]])
    quantiles = run("({shares}) => shares.map(engine.normal)", shares=shares)
    np.testing.assert_allclose(quantiles, special.ndtri(shares), rtol=0, atol=1e-8)


def test_the_kinds_are_described_as_in_the_package(run):
    described = run("() => Object.entries(engine.KINDS).map(([name, {meaning, unit, low, high}]) => [name, meaning, unit, low, high])")
    assert described == [[name, *kind[:4]] for name, kind in noise.KINDS.items()]


CORRUPT = "({images, kind, level, seed}) => images.map((image, i) => engine.corrupt(image, kind, level, seed, i))"
LEVELS = {
    "gaussian": [0, 0.01, 0.5, 2],
    "speckle": [0, 0.01, 0.5, 2],
    "salt_and_pepper": [0, 0.1, 0.5, 1],
    "blur": [0, 0.1, 0.13, 0.4, 1, 2.7, 5],
    "occlusion": [0, 0.01, 0.125, 0.25, 0.375, 0.5, 0.9, 1],  # halves of a pixel among the sides: 2.5, 1.5, 7.5
}
IMAGES = [(3, 20, 31, 1), (3, 12, 9, 3)]


def clean(*shape):
    images = pictures(*shape)
    images[:, :2], images[:, 2:4] = 0, 1
    return images


def as_the_package(images, kind, level, seed):
    """Corrupted by the package's own function, with the engine's field."""
    noisy = [noise.KINDS[kind].function(image, level, Field(seed, i)) for i, image in enumerate(images)]
    return np.clip(noisy, 0, 1).astype("float32")


AT_LEVELS = f"({{levels, ...others}}) => levels.map((level) => ({CORRUPT})({{level, ...others}}))"


@pytest.mark.parametrize("shape", IMAGES, ids=["grey", "colour"])
@pytest.mark.parametrize("kind", LEVELS)
def test_from_one_field_a_kind_makes_the_noise_that_the_package_makes(run, kind, shape):
    assert set(LEVELS) == set(noise.KINDS) - {"poisson"}
    images = clean(*shape)
    for level, noisy in zip(LEVELS[kind], run(AT_LEVELS, levels=LEVELS[kind], images=images, kind=kind, seed=5), strict=True):
        np.testing.assert_allclose(noisy, as_the_package(images, kind, level, 5), rtol=0, atol=1e-5)
        if level == 0:
            np.testing.assert_array_equal(noisy, images)


@pytest.mark.parametrize("shape", IMAGES, ids=["grey", "colour"])
def test_from_one_field_photons_are_counted_as_the_package_counts_them(run, shape):
    levels, images = [0.002, 0.005, 0.009, 0.011, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.25, 1, 2], clean(*shape)
    noisy = run(AT_LEVELS, levels=[0, *levels], images=images, kind="poisson", seed=6)
    np.testing.assert_array_equal(noisy[0], images)
    quantiles = np.array([Field(6, i).standard_normal(shape[1:]) for i in range(len(images))])
    off, many, some = [], [], []
    for level, at_level in zip(levels, noisy[1:], strict=True):
        off.append(np.abs(at_level - as_the_package(images, "poisson", level, 6)) / level**2)  # in photons
        expected = images / level**2
        many.append(expected >= 10_000)
        some.append((expected > 600) & ~many[-1])
        # There the package does not count: the next terms of Cornish and Fisher's expansion lie between, and the rounding to a count,
        # and what float32 rounds in values of up to 1.
        allowed = np.abs(quantiles**2 - 1) / 6 + np.abs(quantiles - quantiles**3) / (72 * 100) + 0.5 + 2e-7 / level**2
        assert (off[-1] <= allowed)[many[-1]].all()
    off, many, some = map(np.array, (off, many, some))
    few = ~(many | some)
    assert min(many.sum(), some.sum(), few.sum()) > 500
    assert off[~many].max() < 1.01  # one photon at most
    # From 600 photons on the engine expands, and two counts of 1,000 may differ; below it sums, and one may, as the package takes the
    # mean in float32.
    assert (off[some] < 0.01).mean() > 0.998
    assert (off[few] < 0.01).mean() > 0.999


def draws(run, image, kind, level, count):
    """An image's noise with the indices 0, 1 …, (count, height, width, channels)."""
    ask = """({image, kind, level, count}) => {
        const all = new Float32Array(count * image.values.length);
        for (let i = 0; i < count; i++) all.set(engine.corrupt(image, kind, level, 0, i).values, i * image.values.length);
        return all;
    }"""
    return run(ask, image=image, kind=kind, level=level, count=count).reshape(count, *image.shape)


def flat(value, *shape):
    return np.full(shape, value, "float32")


@pytest.mark.parametrize(("kind", "scale"), [("gaussian", 0.08), ("speckle", 0.04)])
def test_deviations_are_normal_of_the_level_or_of_its_share_of_the_brightness(run, kind, scale):
    deviations = draws(run, flat(0.5, 28, 28, 1), kind, 0.08, 100).ravel() - 0.5
    assert stats.kstest(deviations, stats.norm(scale=scale).cdf).pvalue > RARE


@pytest.mark.parametrize("level", [0.005, 0.02, 0.05, 0.12])
def test_photons_have_the_mean_and_variance_of_poisson(run, level):
    noisy = draws(run, flat(0.5, 28, 28, 1), "poisson", level, 100).astype("float64")
    assert noisy.mean() == pytest.approx(0.5, abs=5 * level * np.sqrt(0.5 / noisy.size))
    # The variance of n draws' variance is (kurtosis - 1) / n of its square, Poisson's kurtosis 3 + 1 / mean.
    kurtosis = 3 + level**2 / 0.5
    assert noisy.var() == pytest.approx(0.5 * level**2, rel=5 * np.sqrt((kurtosis - 1) / noisy.size))


@pytest.mark.parametrize(("brightness", "level"), [(0.5, 0.25), (0.25, 1)])
def test_few_photons_have_the_probabilities_of_poisson(run, brightness, level):
    noisy = draws(run, flat(brightness, 28, 28, 1), "poisson", level, 100)
    white = round(level**-2)  # counts from here on are clipped
    observed = np.bincount(np.rint(noisy.ravel() / level**2).astype(int), minlength=white + 1)
    law = stats.poisson(brightness / level**2)
    expected = np.append(law.pmf(np.arange(white)), law.sf(white - 1)) * noisy.size
    assert expected.min() > 5
    assert stats.chisquare(observed, expected).pvalue > RARE


def test_pixels_are_hit_with_the_probability_of_the_level_each_alike_and_half_of_them_white(run):
    noisy = draws(run, flat(0.5, 28, 28, 1), "salt_and_pepper", 0.3, 1000)
    hit = noisy != 0.5
    assert set(np.unique(noisy)) == {0, 0.5, 1}
    assert stats.binomtest(int(hit.sum()), hit.size, 0.3).pvalue > RARE
    assert stats.binomtest(int((noisy == 1).sum()), int(hit.sum()), 0.5).pvalue > RARE
    counts = hit.sum(axis=0)
    assert counts.min() > 0
    assert RARE < stats.chi2(784).cdf(((counts - 300) ** 2 / (1000 * 0.3 * 0.7)).sum()) < 1 - RARE


def test_a_coloured_pixel_is_hit_as_a_whole(run):
    noisy = draws(run, flat(0.5, 9, 12, 3), "salt_and_pepper", 0.4, 20)
    assert (noisy == noisy[..., :1]).all()


def test_occlusion_is_anywhere_alike_and_flush_with_the_border_too(run):
    black = draws(run, flat(1, 8, 10, 1), "occlusion", 0.5, 6000)[..., 0] == 0
    assert (black.sum(axis=(1, 2)) == 16).all()
    assert black.any(axis=0).all()
    tops, lefts = black.any(axis=2).argmax(axis=1), black.any(axis=1).argmax(axis=1)
    places = np.bincount(tops * 7 + lefts, minlength=35)
    assert len(places) == 35
    assert stats.chisquare(places).pvalue > RARE


# Drawings


def moved_into_the_corner(images, size):
    """What is drawn, at the top and left of a frame of another size."""
    frames = np.zeros((len(images), size, size, 1), "float32")
    for frame, image in zip(frames, images, strict=True):
        rows, columns, _ = np.nonzero(image)
        drawn = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        frame[: drawn.shape[0], : drawn.shape[1]] = drawn
    return frames


FRAMES = {
    "as they are": lambda images: images,
    "in the corner": lambda images: moved_into_the_corner(images, 28),
    "in the corner of a larger frame": lambda images: moved_into_the_corner(images, 56),
    "in the other corner": lambda images: moved_into_the_corner(images[:, ::-1, ::-1], 41)[:, ::-1, ::-1],
    "each pixel 2x2": lambda images: images.repeat(2, axis=1).repeat(2, axis=2),
    "each pixel 3x3": lambda images: images.repeat(3, axis=1).repeat(3, axis=2),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_a_digit_of_mnist_is_fitted_to_itself(run, frame):
    fitted = np.array(run("({images}) => images.map((image) => engine.fitted(image))", images=FRAMES[frame](digits())))
    np.testing.assert_allclose(fitted, digits(), rtol=0, atol=1e-6)


def test_an_empty_drawing_fits_nothing(run):
    assert run("({image}) => engine.fitted(image)", image=flat(0, 28, 28, 1)) is None


def test_what_is_drawn_is_fitted_into_20_pixels_with_its_centre_of_mass_in_the_middle(run):
    rng = np.random.default_rng(0)
    strokes = rng.uniform(0.2, 0.8, (40, 1, 5, 2)).tolist()
    ask = "({strokes}) => strokes.map((stroke) => engine.fitted(engine.drawn(stroke, 140, 0.08)))"
    for fitted in run(ask, strokes=strokes):
        rows, columns, _ = np.nonzero(fitted)
        assert max(np.ptp(rows), np.ptp(columns)) == 19
        for inked in (rows, columns):
            centre = np.average(inked, weights=fitted[fitted > 0])
            # Half a pixel is what whole pixels leave; the frame's border may hold back what is longer on one side.
            assert abs(centre - 14) <= 0.5 + 1e-5 or inked.min() == 0 or inked.max() == 27


def test_a_bar_is_fitted_to_a_bar_of_its_proportions(run):
    frame = flat(0, 100, 90, 1)
    frame[10:50, 70:80] = 1
    fitted = run("({frame}) => engine.fitted(frame)", frame=frame)
    rows, columns, _ = np.nonzero(fitted)
    assert (np.ptp(rows), np.ptp(columns)) == (19, 4)
    np.testing.assert_allclose(fitted[fitted > 0], 1, atol=1e-6)
    assert len(rows) == 20 * 5


@pytest.mark.parametrize("pen", [0.03, 0.1, 0.25])
def test_a_point_is_a_disc_as_wide_as_the_pen(run, pen):
    ink = run("({pen}) => engine.drawn([[[0.3, 0.6]]], 280, pen)", pen=pen)[..., 0].astype("float64")
    diameter = 280 * pen
    # The edge is soft over one pixel, which adds a disc of a diameter of 0.6 pixels.
    assert ink.sum() == pytest.approx(np.pi * (diameter**2 / 4 + 1 / 12), rel=0.01)
    assert ink.max() == 1
    for axis, place in enumerate([0.6, 0.3]):
        assert (ink.max(axis=1 - axis) >= 0.5).sum() == pytest.approx(diameter, abs=1)
        assert np.average(np.arange(280), weights=ink.sum(axis=1 - axis)) + 0.5 == pytest.approx(280 * place, abs=0.05)


def test_a_point_at_the_border_is_cut_off_and_one_outside_is_none(run):
    corner, outside = run("() => [[[0, 0]], [[1.3, 0.5]]].map((stroke) => engine.drawn([stroke], 280, 0.25))")
    assert corner.sum() == pytest.approx(np.pi * 35**2 / 4, rel=0.02)
    assert not outside.any()


def test_the_ink_of_a_straight_stroke_is_a_matter_of_its_ends_alone(run):
    start, end = np.array([0.2, 0.7]), np.array([0.8, 0.25])
    shares = [[0, 1], np.linspace(0, 1, 5), np.linspace(0, 1, 300), [0, 0.03, 0.9, 0.9, 1]]
    strokes = [[(start + share * (end - start)).tolist() for share in at] for at in shares]
    inks = np.array(run("({strokes}) => strokes.map((stroke) => engine.drawn([stroke], 280, 0.1))", strokes=strokes), "float64")
    # A rectangle and the two halves of a disc.
    length = 280 * np.hypot(*(end - start))
    np.testing.assert_allclose(inks.sum(axis=(1, 2, 3)), 28 * length + np.pi * 14**2, rtol=0.005)
    np.testing.assert_allclose(inks, inks[[0, 0, 0, 0]], rtol=0, atol=1e-5)


def test_strokes_lie_over_each_other_and_over_what_was_drawn_before(run):
    ask = """() => {
        const [one, other] = [[[0.1, 0.2], [0.6, 0.9]], [[0.1, 0.8], [0.8, 0.3], [0.9, 0.9]]];
        const draw = (...rest) => engine.drawn(rest[0], 100, 0.1, rest[1]), before = draw([one]), kept = before.values.slice();
        const over = draw([other], before);
        return [before, draw([other]), draw([one, other]), over, engine.maps(100, 100, 1, kept)];
    }"""
    one, other, both, over, kept = run(ask)
    np.testing.assert_array_equal(both, np.maximum(one, other))
    np.testing.assert_array_equal(over, both)
    np.testing.assert_array_equal(one, kept)


@pytest.mark.parametrize("shape", [(28, 28, 1), (280, 280, 1), (100, 100, 1), (31, 45, 1), (20, 9, 1)])
def test_a_shrunk_frame_keeps_its_mean_and_its_place(run, shape):
    frame = pictures(*shape)
    shrunk = run("({frame}) => engine.shrunk(frame)", frame=frame)
    assert shrunk.shape == (28, 28, 1)
    # Each pixel is as many copies of itself as the new frame has pixels; each new pixel is the mean of as many as the old one had.
    down, right = (np.eye(size).repeat(28, axis=0).reshape(28, size, size).mean(axis=1) for size in shape[:2])
    np.testing.assert_allclose(shrunk[..., 0], down @ frame[..., 0] @ right.T, atol=1e-6)
    assert shrunk.mean(dtype="float64") == pytest.approx(frame.mean(dtype="float64"), rel=1e-6)
