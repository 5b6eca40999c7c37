"""Files that are damaged, or made to do damage: thousands of mutations of every kind of file that the package reads.

Each reader runs in a process of its own, this file called as a script, which tells what it raised, how long the slowest took, how much
memory it held, and whether anything was started, unpickled, written or asked of the network. The mutations follow from their number alone:
`python tests/test_fuzz.py weights 17 1` tries one again.
"""

import contextlib
import functools
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import types
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 12)).astype("uint8")
INTEGERS = [0, 1, 2, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, -1, 0, 1e308, 10**400, float("nan"), "", "x\n\x00\ud800", "[" * 99, [], {}, [[[]]], {"version": 1}, {"": None}]


class Intruder:
    """Unpickled, it starts a program and leaves a file."""

    def __reduce__(self):
        return subprocess.call, (["touch", "intruder"],)


def npz(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def picture(kind, pixels=IMAGES[0], **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def executed_notebook():
    output = {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.convae.results+json": None}}
    output["data"]["application/vnd.convae.results+json"] = {"version": 1, "results": {"loss": 0.1, "learned": True, "verdict": "learned"}}
    failed = {"output_type": "error", "ename": "ValueError", "evalue": "no such digits", "traceback": ["in line 1"]}
    source = ["import subprocess\n", "subprocess.call(['touch', 'intruder'])"]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# A title"]}]
    for i, outputs in enumerate([[], [output], [failed]]):
        cells.append({"cell_type": "code", "execution_count": i + 1, "metadata": {"tags": []}, "source": source, "outputs": outputs})
    papermill = {"input_path": "notebooks/01_data.ipynb", "duration": 2.5, "parameters": {"seed": 1, "noise_level": 0.5, "filters": [8, 4]}}
    return json.dumps({"cells": cells, "metadata": {"papermill": papermill}, "nbformat": 4, "nbformat_minor": 5}).encode()


def mutated(content, rng, others):
    """Damage bytes in one place or two."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 3)):
        at = int(rng.integers(0, len(content) + 1))
        # As many changes fall on the first bytes, where lengths and kinds stand, as on all the rest.
        at = min(at, int(rng.integers(0, 120))) if rng.random() < 0.5 else at
        size = int(rng.integers(1, 30))
        match rng.integers(0, 8):
            case 0:
                content[at : at + 1] = bytes([(content[at] if at < len(content) else 0) ^ (1 << int(rng.integers(0, 8)))])
            case 1:
                content[at : at + size] = rng.bytes(size)
            case 2:
                del content[at:]
            case 3:
                del content[at : at + size]
            case 4:
                content[at:at] = content[at : at + size] * int(rng.integers(1, 20))
            case 5 | 6:
                width = int(rng.choice([1, 2, 4, 8]))
                number = INTEGERS[int(rng.integers(0, len(INTEGERS)))] % 256**width
                content[at : at + width] = number.to_bytes(width, str(rng.choice(["big", "little"])))
            case 7:
                other = others[int(rng.integers(0, len(others)))]
                content[at : at + size] = other[at : at + 10 * size]
    return bytes(content)


def mutated_members(content, rng, others):
    """Damage the files in a zip archive, and give it right lengths and checksums again."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", int(rng.choice([0, 8]))) as new:
        names = old.namelist()
        hit = names[int(rng.integers(0, len(names)))]
        for name in names:
            member = old.read(name)
            if name == hit:
                match rng.integers(0, 3):
                    case 0:
                        member = mutated(member, rng, [old.read(name) for name in names])
                    case 1:
                        number = str(INTEGERS[int(rng.integers(0, len(INTEGERS)))]).encode()
                        digits = list(re.finditer(rb"\d+", member[:128]))
                        chosen = digits[int(rng.integers(0, len(digits)))]
                        room = len(number) - (chosen.end() - chosen.start())  # taken from the header's padding
                        member = member[: chosen.start()] + number + member[chosen.end() :].replace(b" " * max(room, 0), b"", 1)
                    case 2:
                        kinds = [b"|O", b"<U9", b">f8", b"<M8[s]", b"|V0", b"<f4", b"|b1", b"<c16"]
                        member = re.sub(rb"'[|<>]\w+'", b"'" + kinds[int(rng.integers(0, 8))] + b"'", member, count=1)
            new.writestr(name, member)
    return file.getvalue()


def mutated_chunks(content, rng, others):
    """Damage a PNG, and give its chunks right checksums again; other kinds of pictures have none."""
    if not content.startswith(b"\x89PNG"):
        return mutated(content, rng, others)
    content, at, file = mutated(content[8:], rng, others), 0, [b"\x89PNG\r\n\x1a\n"]
    while at + 8 <= len(content):
        length = min(struct.unpack(">I", content[at : at + 4])[0], len(content) - at - 8)
        body = content[at + 4 : at + 8 + length]
        file += [struct.pack(">I", length), body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(file)


def mutated_values(content, rng, others):
    """Put other values into JSON."""
    tree = json.loads(content)
    places = []

    def visit(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                visit(node[key])

    visit(tree)
    for _ in range(rng.integers(1, 4)):
        node, key = places[int(rng.integers(0, len(places)))]
        if rng.random() < 0.3 and isinstance(node, dict):
            node.pop(key, None)
        else:
            node[key] = VALUES[int(rng.integers(0, len(VALUES)))]
    text = json.dumps(tree)
    return (text.replace("[]", "[" * 50_000 + "]" * 50_000, 1) if rng.random() < 0.05 else text).encode()


class Target:
    """One kind of file: what is mutated, by which reader it is read, and what that may raise."""

    errors = ()
    mutations = (mutated,)

    def __init__(self, folder):
        self.folder = folder


class Archives(Target):
    mutations = (mutated, mutated_members)

    def __init__(self, folder):
        from convae_nb import data

        super().__init__(folder)
        self.errors, self.load = (data.DataError,), data.load
        labels = np.arange(6)
        self.seeds = [
            npz(x_train=IMAGES, y_train=labels, x_test=IMAGES[:2], y_test=labels[:2]),
            npz(True, x_train=IMAGES, y_train=labels),
            npz(x_train=np.repeat(IMAGES[..., None], 3, axis=-1), x_test=IMAGES / 255),
            npz(x_train=IMAGES > 99, y_train=np.array([Intruder()] * 6)),
        ]

    def read(self, content):
        (self.folder / "own.npz").write_bytes(content)
        yield
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of floats
            dataset = self.load(self.folder / "own.npz")
        yield
        assert dataset.x_train.dtype == dataset.x_test.dtype == np.uint8
        assert min(dataset.x_train.shape + dataset.x_test.shape) > 0


class Pictures(Target):
    mutations = (mutated, mutated_chunks)

    def __init__(self, folder):
        from convae_nb import data

        super().__init__(folder)
        self.load = data.load
        coloured, exif = np.moveaxis(IMAGES[:3], 0, -1), Image.Exif()
        exif[0x0112] = 6
        self.seeds = [
            *(picture(kind, coloured) for kind in ("png", "jpeg", "bmp", "gif", "tiff", "webp")),
            *(picture(kind, IMAGES[0].astype("uint16") * 257) for kind in ("png", "tiff")),
            picture("png", IMAGES[0] > 99),
            picture("png", transparency=3, exif=exif.tobytes()),
            picture("jpeg", coloured, exif=exif.tobytes(), progressive=True),
            *(picture("tiff", coloured, compression=f"tiff_{name}") for name in ("lzw", "adobe_deflate", "jpeg")),
            *(picture(kind, save_all=True, append_images=[Image.fromarray(IMAGES[1])]) for kind in ("gif", "tiff", "webp", "png")),
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(intruder) (w) file closefile showpage\n",
        ]
        for name in "ab":
            (folder / f"{name}.png").write_bytes(picture("png"))

    def read(self, content):
        (self.folder / "c.png").write_bytes(content)
        yield
        dataset = self.load(self.folder, size=8)
        yield
        count = len(dataset.x_train) + len(dataset.x_test)
        assert (count, list(dataset.skipped)) in [(3, []), (2, ["c.png"])]
        assert dataset.x_train.dtype == np.uint8
        assert all("\n" not in reason and len(reason) < 300 for reason in dataset.skipped.values())
        if dataset.skipped:
            raise Skipped


class DeepPictures(Target):
    """Colours of 16 bits, which are read by decoders that no other picture comes to."""

    mutations = (mutated, mutated_chunks)

    def __init__(self, folder):
        import imagecodecs
        import tifffile

        from convae_nb.data import picture, samples

        super().__init__(folder)
        self.load, self.why = samples.read, picture.why
        colours = np.moveaxis(IMAGES[:4], 0, -1).astype("uint16") * 257
        self.seeds = [imagecodecs.png_encode(np.ascontiguousarray(colours[..., :channels])) for channels in (2, 3, 4)]
        for options in ({}, {"compression": "zlib", "predictor": True}, {"compression": "lzw"}, {"tile": (16, 16)}, {"byteorder": ">"}):
            file = io.BytesIO()
            tifffile.imwrite(file, colours[..., :3], photometric="rgb", **options)
            self.seeds.append(file.getvalue())

    def read(self, content):
        (self.folder / "deep").write_bytes(content)
        yield
        try:
            found = self.load(self.folder / "deep")
        except Exception as error:  # whatever a decoder raises, its file alone is left out
            raise Skipped(self.why(error)) from None
        yield
        assert found.values.dtype == np.float32
        assert 0 <= found.values.min() <= found.values.max() <= 1


class Skipped(Exception):
    """A file that was refused without an error."""


class Weights(Target):
    errors = (ValueError,)

    def __init__(self, folder):
        from convae_nb import models, reference
        from convae_nb.reference import networks

        super().__init__(folder)
        self.load = reference.load
        name = "fast_basic/0"
        record = reference.record(name)
        with np.load(networks._path(name, "npz")) as stored:
            arrays = {key: stored[key] for key in stored if key.startswith(f"{name}/")}
        networks._FOLDER = folder
        # Building a model takes a third of a second; one that has been built is as good.
        build = functools.lru_cache(lambda arguments: models_build(**json.loads(arguments)))
        models_build, models.build_autoencoder = models.build_autoencoder, lambda **arguments: build(json.dumps(arguments))
        self.seeds = [npz(**arrays), json.dumps({name: record}).encode()]
        self.whole = self.seeds
        self.before = [array.tobytes() for array in arrays.values()]
        self.mutations = (mutated, self.structured)

    def structured(self, content, rng, others):
        return (mutated_members if content.startswith(b"PK") else mutated_values)(content, rng, others)

    def read(self, content):
        archive = content if content[:2] == b"PK" or content[:1] != b"{" else self.whole[0]
        (self.folder / "nearest.npz").write_bytes(archive)
        (self.folder / "nearest.json").write_bytes(self.whole[1] if archive is content else content)
        yield
        model = self.load("fast_basic/0")
        yield
        assert [weights.tobytes() for weights in model.get_weights()] == self.before


class Checkpoints(Target):
    mutations = (mutated, mutated_members)

    def __init__(self, folder):
        from convae_nb.training import checkpoint

        super().__init__(folder)
        self.errors, self.reader = (checkpoint.DamagedError,), checkpoint.read
        self.arrays, self.record = [IMAGES / 255, np.arange(6), np.float32(0.5)], {"progress": {"history": {"loss": [0.5]}}}
        checkpoint.write(folder, self.arrays, self.record)
        self.seeds = [(folder / "checkpoint.npz").read_bytes(), npz(record=np.array([Intruder()]), digest=np.array([1]))]

    def read(self, content):
        (self.folder / "checkpoint.npz").write_bytes(content)
        yield
        arrays, record = self.reader(self.folder)
        yield
        assert record == self.record
        assert all(np.array_equal(*pair) for pair in zip(arrays, self.arrays, strict=True))


class Notebooks(Target):
    mutations = (mutated, mutated_values)

    def __init__(self, folder):
        from convae_nb.runs import records

        super().__init__(folder)
        self.read_folder, self.seeds = records.read_folder, [executed_notebook()]
        (folder / "good.ipynb").write_bytes(self.seeds[0])
        self.good = self.read_folder(folder).table.loc["good.ipynb"].to_dict()

    def read(self, content):
        (self.folder / "mutated.ipynb").write_bytes(content)
        yield
        found = self.read_folder(self.folder)
        yield
        table = found.table
        row = table.loc["good.ipynb", list(self.good)].to_dict()
        assert row == self.good
        table.to_csv(io.StringIO())
        assert sorted([*table.index, *found.skipped]) == ["good.ipynb", "mutated.ipynb"]
        if found.skipped:
            raise Skipped


TARGETS = {
    "archives": Archives,
    "pictures": Pictures,
    "deep pictures": DeepPictures,
    "weights": Weights,
    "checkpoints": Checkpoints,
    "notebooks": Notebooks,
}
FORBIDDEN = re.compile(
    r"subprocess\.|os\.(system|exec|posix_spawn|spawn|fork|kill|remove|rename|mkdir|rmdir|link|symlink|chmod|putenv)|pickle\.|socket\.|ctypes\."
    r"|shutil\.|webbrowser\.|urllib\.|tempfile\."
)


def watch(done):
    """Note what Python tells of, while it is to be watched: programs, pickles, connections, files opened for writing, code from text."""

    def hook(event, arguments):
        if not done["watching"]:
            return
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        file = getattr(arguments[0], "co_filename", "") if event == "exec" else ""
        runs_text = file.startswith("<") and "frozen" not in file
        if FORBIDDEN.match(event) or writes or runs_text:
            done["events"].append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)


def peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1024**2)  # MiB


def fuzz(name, first, count):
    """Try mutations of one kind of file, and print what came of them."""
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](Path(folder))
        done = {"taken": 0, "refused": 0, "unexpected": [], "events": [], "slowest": 0.0, "watching": False}
        watch(done)
        for seed in target.seeds:  # all of the program that readers need is loaded now, and counts as what was there before
            attempt(target, seed, done)
        done |= {"taken": 0, "refused": 0, "slowest": 0.0, "before": peak_memory(), "events": []}
        for i in range(first, first + count):
            rng = np.random.default_rng(i)
            seed = target.seeds[int(rng.integers(0, len(target.seeds)))]
            content = target.mutations[i % len(target.mutations)](seed, rng, target.seeds)
            found = attempt(target, content, done)
            if found:
                done["unexpected"].append(f"mutation {i}: {found}")
        done["peak"] = peak_memory()
    print(json.dumps(done))


def attempt(target, content, done):
    """Read one file; give what should not have happened, or None."""
    steps = target.read(content)
    next(steps)
    started = time.process_time()
    done["watching"] = True
    try:
        next(steps)
        done["watching"] = False
        list(steps)
        done["taken"] += 1
    except (*target.errors, Skipped) as error:
        done["refused"] += 1
        if "\n" in str(error):
            return f"a message of more than one line: {error}"[:300]
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        done["watching"] = False
        done["slowest"] = max(done["slowest"], time.process_time() - started)
    return None


def run(name, first, count):
    command = [sys.executable, "-W", "error", __file__, name, str(first), str(count)]
    with tempfile.TemporaryDirectory() as folder:
        finished = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        assert finished.returncode == 0, finished.stderr[-2000:]
        assert not list(Path(folder).iterdir())  # where an intruder would leave its mark
    return json.loads(finished.stdout.splitlines()[-1])


def holds(name, first, count):
    done = run(name, first, count)
    assert done["unexpected"] == []
    assert done["events"] == []
    assert done["taken"] + done["refused"] == count
    assert done["refused"] > count / 4, "mutations that change nothing test nothing"
    assert done["slowest"] < 5  # seconds of the processor
    assert done["peak"] < 1024 or done["peak"] - done["before"] < 256  # MiB; TensorFlow alone takes most of the first
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells of a process's memory in another way")
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused_and_do_nothing(name):
    holds(name, 0, 60)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells of a process's memory in another way")
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_files_are_read_or_refused_and_do_nothing(name):
    holds(name, 1000, 1000)


ZEROS = 300 * 2**20  # bytes that a bomb unpacks to, out of some 300,000


def bomb(path, name, **beside):
    """Write a .npz file that is whole, and tells the truth: its array of zeros is as large as it says."""
    header = {"shape": (300, 1024, 1024), "fortran_order": False, "descr": "|u1"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, array in beside.items():
            archive.writestr(f"{other}.npy", member_of(array))
        with archive.open(f"{name}.npy", "w") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(300):
                file.write(bytes(2**20))
    assert path.stat().st_size < ZEROS / 900


def member_of(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@contextlib.contextmanager
def memory_is_spared():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_a_dataset_that_unpacks_to_far_more_than_the_limit_is_refused_before_memory_is_taken(tmp_path):
    from convae_nb import data

    bomb(tmp_path / "own.npz", "x_train")
    with memory_is_spared(), pytest.raises(data.DataError, match=r"with x_train, its arrays take 314,572,928 bytes, more than limit=99"):
        data.load(tmp_path / "own.npz", limit=99_000_000)
    assert len(data.load(tmp_path / "own.npz", limit=ZEROS + 128, white="full").x_train) > 200, "it is whole: a higher limit reads it"


def test_a_checkpoint_that_unpacks_to_far_more_than_the_limit_is_refused_before_memory_is_taken(tmp_path):
    from convae_nb.training import checkpoint

    beside = {"record": np.frombuffer(b"{}", "uint8"), "digest": np.zeros(32, "uint8")}
    bomb(tmp_path / "checkpoint.npz", "0", **beside)
    with (
        memory_is_spared(),
        pytest.raises(checkpoint.DamagedError, match=r"is damaged .*arrays take 314,\d+,\d+ bytes, more than limit=99"),
    ):
        checkpoint.read(tmp_path, limit=99_000_000)
    with pytest.raises(checkpoint.DamagedError, match="its digest does not fit"):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize("name", ["0", "record"])
def test_a_run_does_not_resume_from_far_more_than_it_has_variables_for(tmp_path, name):
    from convae_nb.training import checkpoint

    beside = {"0": np.zeros(3), "record": np.frombuffer(b"{}", "uint8"), "digest": np.zeros(32, "uint8")}
    bomb(tmp_path / "checkpoint.npz", name, **{other: array for other, array in beside.items() if other != name})
    folder = checkpoint.Folder(tmp_path, types.SimpleNamespace(get_weights=lambda: []), [np.zeros(3)], {})
    with (
        memory_is_spared(),
        pytest.warns(UserWarning, match=r"more than limit=.*: renamed to damaged-1-checkpoint\.npz, the run begins again"),
    ):
        assert folder.resume() is None


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """The reference runs, in a folder where they may be harmed, with what reads them loaded."""
    from convae_nb import reference
    from convae_nb.reference import networks

    shutil.copytree(networks._FOLDER, tmp_path / "weights")
    monkeypatch.setattr(networks, "_FOLDER", tmp_path / "weights")
    assert reference.load("fast_basic").count_params() == 4385
    return tmp_path / "weights"


def test_shipped_weights_that_unpack_to_far_more_than_their_model_are_refused_before_memory_is_taken(shipped):
    from convae_nb import reference

    with np.load(shipped / "nearest.npz") as stored:
        others = {key: stored[key] for key in stored if key.startswith("fast_basic/0/") and key != "fast_basic/0/000"}
    bomb(shipped / "nearest.npz", "fast_basic/0/000", **others)
    with memory_is_spared(), pytest.raises(ValueError, match=r"nearest\.npz is damaged, .*arrays take 314,\d+,\d+ bytes, more than limit="):
        reference.load("fast_basic")


@pytest.mark.parametrize("filters", [[16, 8, 8, 8], [16, 8, 10**400]])
def test_a_damaged_record_does_not_decide_how_large_a_model_is(shipped, filters):
    from convae_nb import reference

    records = json.loads((shipped / "nearest.json").read_text())
    records["fast_basic/0"]["model"]["filters"] = filters
    (shipped / "nearest.json").write_text(json.dumps(records))
    assert reference.load("fast_basic").count_params() == 4385


def test_shipped_records_of_far_more_than_records_take_are_refused_before_memory_is_taken(shipped):
    from convae_nb import reference

    with (shipped / "nearest.json").open("ab") as file:  # JSON still: space may follow
        for _ in range(300):
            file.write(b" " * 2**20)
    with memory_is_spared(), pytest.raises(ValueError, match=r"nearest\.json is damaged, .*314,\d+,\d+ bytes are more than records take"):
        reference.record("fast_basic")


def test_what_is_started_or_unpickled_would_be_noticed(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import io, pickle, subprocess, test_fuzz\n"
        "done = {'watching': True, 'events': []}\n"
        "content = pickle.dumps(test_fuzz.Intruder())\n"
        "test_fuzz.watch(done)\n"
        "pickle.loads(content); exec('1'); open('mark', 'w').close()\n"
        "done['watching'] = False\n"
        "print([event.split()[0] for event in done['events']])\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert {"pickle.find_class", "subprocess.Popen", "exec", "open"} <= set(re.findall(r"[\w.]+", finished.stdout))


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
