import doctest
import importlib
import json
import re
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

from convae_nb import data, metrics, models, noise, reference, training
from convae_nb.reference import names

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))  # scripts beside the package, not part of it
bench, large_picture, protocol, ratios, report, scale, sweeps, torch_environment, waiting = map(
    importlib.import_module,
    ("bench", "large_picture", "protocol", "ratios", "report", "scale", "sweeps", "torch_environment", "waiting"),
)

MACHINE = {"processor": "abacus", "cores": 2}
# What the speeds are quoted by elsewhere.
QUOTED = [
    *("throughput_over_original", "throughput_over_fit", "throughput_over_pytorch", "throughput_over_pytorch_tied", "gemm_share"),
    *(f"time_to_quality_ratio_{task}{start}{kind}" for task in protocol.TASKS for start in ("", "_with_start") for kind in ("", "_fast")),
    *("train_seconds_speedrun_basic", "train_seconds_fast_basic", "epoch_seconds_original_basic", "train_seconds_fast_denoiser"),
    *("test_loss_speedrun_denoiser", "test_loss_fast_denoiser", "test_loss_original_denoiser"),
    *("inference_basic_1", "inference_denoiser_1000", "peak_memory_mb", "checkpoint_share", "cores_denoiser_ours", "cores_denoiser_gemm"),
    *("explorer_move_ms", "explorer_move_p95_ms", "dead_maps_from_zero_bias", "scale_disk_share", "run_total"),
    *("sweep_execute_seconds", "sweep_share_of_papermill", "sweep_speedup_2_workers", "sweep_nothing_engine_ms"),
    *("sweep_run_seconds", "sweep_landing_ms", "sweep_soak_growth_mb", "sweep_collect_ms", "sweep_notebook_kb"),
]


def reading(count, cores=2.0):
    return {"count": count, "seconds": 4.0, "cpu": 4.0 * cores}


COUNTS = {"tied": 1200, "plain": 1000, "original.py": 800, "contiguous": 400, "channels_last": 600, "compile": 300, "pytorch tied": 1500}


class FakeWorker:
    """Answers at once with canned readings, and keeps what it was asked."""

    asked: ClassVar[list] = []
    fits = 0

    def __init__(self, script, *arguments, python=sys.executable):
        self.script = script
        # Named by its variant, or the seed of its recipe.
        self.name = arguments[2] if len(arguments) > 2 else script
        if (script, self.name) == ("pytorch.py", "tied"):
            self.name = "pytorch tied"
        self.age = 5.0
        self.speedrun = "speedrun" in "".join(arguments)
        FakeWorker.fits += script == "fit.py"
        self.slow = script == "fit.py" and FakeWorker.fits == 1  # has one core and half the speed

    def ask(self, name, argument=None):
        FakeWorker.asked.append((self.name, name, argument))
        if name == "train":
            self.age = 18.0 if self.speedrun else 30.0
        answers = {
            "losses": [0.7, 0.6],
            "run": reading(300, cores=1.0) if self.slow else reading(COUNTS.get(self.name, 600)),
            "train": {"count": 120_000, "seconds": 8.0 if self.speedrun else 20.0, "cpu": 40.0, "peak_memory": 900.0},
            "test_loss": 0.08 if self.speedrun else 0.1,
            "checkpoints": {"seconds": 50.0, "saving": 0.1},
        }
        if argument == {"count": 60_000}:
            return {"count": 60_000, "seconds": 10.0, "cpu": 15.0}
        return answers[name]

    def stop(self):
        FakeWorker.asked.append((self.name, "stop", None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def scaled(images_mb=0.001, pixel_mb=0.01):
    """Results of `scale`, of a machine on which all is in proportion."""
    found = {}
    for axis, places in scale.CASES.items():
        for place, (count, side, channels, filters) in places.items():
            held = 500 + images_mb * count if axis == "images" else 500 + pixel_mb * side**2
            rate = 4e6 / side**2 / len(filters)
            values = {"load": count / 1e6, "epoch": count / rate, "rate": rate, "reconstruct": 3 * rate, "memory": held * channels}
            found |= {f"scale_{axis}_{place}_{name}": ([values[name]], unit) for name, unit in scale.QUANTITIES.items()}
    return found


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(bench, "Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "asked", [])
    monkeypatch.setattr(FakeWorker, "fits", 0)
    monkeypatch.setattr(torch_environment, "prepare", lambda: (Path("torch-python"), "PyTorch of a kind."))
    monkeypatch.setattr(torch_environment, "can_compile", lambda: True)
    monkeypatch.setitem(training.RECIPES, "fast_denoiser", training.RECIPES["fast_basic"])
    record = {"test": {"loss": 0.09}}
    monkeypatch.setattr(reference, "record", lambda name: record)
    monkeypatch.setattr(bench.explorer, "measure", lambda: {"explorer_move_ms": ([12.0], "ms")})
    monkeypatch.setattr(bench.dead_maps, "measure", lambda: {"dead_maps_from_zero_bias": ([7], "of 96 maps")})
    moves = {"explorer_move_ms": ([9.0, 10.0], "ms"), "explorer_move_p95_ms": ([12.0], "ms")}
    monkeypatch.setattr(bench.explorer, "measure", lambda: moves)
    monkeypatch.setattr(bench.dead_maps, "measure", lambda: {"dead_maps_from_zero_bias": ([7], "of 96 maps")})
    swept = dict.fromkeys((name for name in QUOTED if name.startswith("sweep_")), ([1.0], "seconds"))
    monkeypatch.setattr(bench.sweeps, "measure", lambda: swept)
    monkeypatch.setattr(bench.scale, "measure", lambda: scaled() | {"scale_disk_share": ([97.0, 98.0], "percent")})
    monkeypatch.setattr(bench.waiting, "measure", lambda: {"run_total": ([200.0], "seconds")})
    monkeypatch.setattr(bench.large_picture, "measure", lambda: {"large_picture_memory_gb": ([1.1, 1.2], "GB")})
    monkeypatch.setattr(bench.live_pages, "measure", lambda: ({"live_ten_ms": ([30.0, 31.0], "ms")}, ["Chromium 1."]))
    return FakeWorker


def measure(part):
    return {section: (measured, notes) for section, measured, notes in bench.PARTS[part]()}


@pytest.mark.parametrize("module", [ratios, report, torch_environment])
def test_the_examples_of_the_docstrings_hold(module):
    failed, attempted = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert (failed, attempted > 0) == (0, True)


def test_the_stored_report_is_what_the_stored_results_say():
    results, about = report.read()
    if not results:
        pytest.skip("make bench has not been run yet")
    assert (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8") == report.render(results, about)


def test_every_part_is_measured_stored_and_rendered_under_the_names_that_are_quoted(fake, tmp_path):
    for part in bench.PARTS:
        for section, measured, notes in bench.PARTS[part]():
            assert {report.section_of(name) for name in measured} == {section}
            report.store(section, measured, notes, MACHINE, tmp_path)
    results, about = report.read(tmp_path)
    assert set(QUOTED) <= set(results)
    for result in results.values():
        assert set(result) == {"median", "low", "high", "unit"}
        assert result["low"] <= result["median"] <= result["high"]
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8") == report.render(results, about)
    assert "PyTorch of a kind." in report.render(results, about)


def test_peers_are_measured_in_turn_after_all_agreed_and_were_warmed_up(fake):
    measure("throughput")
    peers = ["tied", "plain", "original.py", "fit.py", "contiguous", "channels_last", "compile", "pytorch tied"]
    agree = [(name, "losses", {"steps": 5, "noise": 0.0}) for name in peers]
    warm_up, in_turn = ([(name, "run", {"seconds": seconds}) for name in peers] for seconds in (1, bench.SECONDS))
    restart = [("fit.py", "stop", None), ("fit.py", "run", {"seconds": 1})]
    expected = agree + warm_up + in_turn + restart + (bench.ROUNDS - 1) * in_turn
    assert fake.asked[: len(expected)] == expected


def test_ratios_are_those_of_the_readings(fake):
    measured, notes = measure("throughput")["throughput_denoiser"]
    assert notes == ["PyTorch of a kind."]
    assert measured["throughput_denoiser_ours"] == ([300.0] * bench.ROUNDS, "images/s")
    assert measured["throughput_over_original"] == ([1.5] * bench.ROUNDS, "ratio")
    assert measured["throughput_over_pytorch"] == ([2.0] * bench.ROUNDS, "ratio")
    assert measured["throughput_over_pytorch_tied"] == ([0.8] * bench.ROUNDS, "ratio")


def test_fit_on_one_core_is_started_anew_and_its_round_does_not_count(fake):
    measured, _ = measure("throughput")["throughput_basic"]
    assert fake.fits == 3, "the first, another in its place, and that of the denoiser"
    assert measured["cores_basic_fit"][0] == [1.0] + [2.0] * (bench.ROUNDS - 1)
    rounds = [{"ours": reading(1200), "original": reading(600), "fit": reading(count, cores)} for count, cores in [(300, 1.4), (800, 1.5)]]
    measured = ratios.over_peers(rounds, bench.STOCK_PYTORCH)
    assert measured["throughput_over_fit"] == ([1.5], "ratio")
    assert measured["fit_rounds_dropped"] == ([1], "of 2 rounds")
    assert "throughput_over_fit" not in ratios.over_peers(rounds[:1], bench.STOCK_PYTORCH)


def test_networks_with_skips_are_measured_beside_fit_alone_in_turn(fake):
    measured, notes = measure("skips")["skips"]
    assert notes == []
    agree = [(name, "losses", {"steps": 5, "noise": 0.0}) for name in ("tied", "fit.py")]
    warm_up, in_turn = ([(name, "run", {"seconds": seconds}) for name in ("tied", "fit.py")] for seconds in (1, bench.SECONDS))
    restart = [("fit.py", "stop", None), ("fit.py", "run", {"seconds": 1})]
    first, second = agree + warm_up + in_turn + restart + (bench.ROUNDS - 1) * in_turn, agree + warm_up + bench.ROUNDS * in_turn
    assert fake.asked == first + second
    for joint, dropped in (("add", 1), ("concatenate", 0)):
        assert measured[f"loss_difference_skips_{joint}"] == ([0.0], "relative")
        assert measured[f"skips_{joint}_ours"] == ([300.0] * bench.ROUNDS, "images/s")
        assert measured[f"skips_{joint}_fit"] == ([75.0] * dropped + [150.0] * (bench.ROUNDS - dropped), "images/s")
        assert measured[f"skips_{joint}_over_fit"] == ([2.0] * (bench.ROUNDS - dropped), "ratio")
        assert measured[f"skips_{joint}_fit_rounds_dropped"] == ([dropped], f"of {bench.ROUNDS} rounds")
        assert measured[f"cores_skips_{joint}_ours"] == ([2.0] * bench.ROUNDS, "cores")


def test_ratios_are_taken_within_each_round(fake):
    rounds = [
        {
            "ours": reading(ours),
            "original": reading(peer),
            "fit": reading(peer),
            "pytorch_contiguous": reading(a),
            "pytorch_channels_last": reading(b),
        }
        for ours, peer, a, b in [(100, 50, 50, 20), (300, 100, 10, 60)]
    ]
    measured = ratios.over_peers(rounds, bench.STOCK_PYTORCH)
    assert measured["throughput_over_original"] == ([2.0, 3.0], "ratio")
    assert measured["throughput_over_pytorch"] == ([2.0, 5.0], "ratio")  # the fastest in each round
    assert "throughput_over_pytorch_tied" not in measured


def test_without_pytorch_its_rows_are_left_out_and_named(fake, monkeypatch):
    monkeypatch.setattr(torch_environment, "prepare", lambda: None)
    measured, notes = measure("throughput")["throughput_denoiser"]
    assert not [name for name in measured if "pytorch" in name]
    assert notes == ["PyTorch could not be installed: its rows are left out."]


def test_without_a_compiler_one_row_is_left_out_and_named(fake, monkeypatch):
    monkeypatch.setattr(torch_environment, "can_compile", lambda: False)
    measured, notes = measure("throughput")["throughput_denoiser"]
    assert [name for name in bench.PYTORCH if f"throughput_denoiser_{name}" not in measured] == ["pytorch_compile"]
    assert notes[1].startswith("`pytorch_compile` is left out: ")


def test_pytorch_runs_in_the_python_of_its_own(fake, monkeypatch):
    pythons = set()
    start = fake.__init__
    monkeypatch.setattr(
        fake, "__init__", lambda self, *a, **options: pythons.add((a[0], options.get("python"))) or start(self, *a, **options)
    )
    measure("throughput")
    assert {python for script, python in pythons if script == "pytorch.py"} == {Path("torch-python")}
    assert {python for script, python in pythons if script != "pytorch.py"} == {None}


ABOUT_TORCH = f"{torch_environment.VERSION}+cpu\nAVX2\nPyTorch built with:\n  - GCC 13.3\n  - Intel(R) MKL-DNN v3.12.0 (Git Hash 80af)\n"
ABOUT_TORCH += "  - Intel(R) oneAPI Math Kernel Library Version 2024.2 for Intel(R) 64 architecture applications\n"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Stands for what is run to make the environment; keeps the commands, and fails where there is no network."""
    python = tmp_path / "python"
    monkeypatch.setattr(torch_environment, "_PYTHON", python)

    class Pip:
        version, network, commands = ABOUT_TORCH, True, []

        def run(self, command, check, **_):
            self.commands.append([str(word) for word in command])
            if "venv" in command:
                python.touch()
            elif "pip" in command and not self.network:
                raise torch_environment.subprocess.CalledProcessError(1, command)
            return torch_environment.subprocess.CompletedProcess(command, 0, self.version)

    pip = Pip()
    monkeypatch.setattr(torch_environment.subprocess, "run", pip.run)
    return pip


def test_pytorch_is_installed_once_by_its_pin_and_described(pip):
    described = "The PyTorch rows are of 2.13.0+cpu, AVX2, Intel(R) MKL-DNN v3.12.0, Intel(R) oneAPI Math Kernel Library Version 2024.2."
    assert torch_environment.prepare() == (torch_environment._PYTHON, described)
    assert [command[1:3] for command in pip.commands] == [["-m", "venv"], ["-m", "pip"], ["-c", torch_environment._ABOUT]]
    assert pip.commands[1][-2:] == ["torch==2.13.0", f"numpy=={np.__version__}"]
    pip.commands.clear()
    assert torch_environment.prepare() == (torch_environment._PYTHON, described)
    assert [command[1] for command in pip.commands] == ["-c"]


def test_another_pytorch_is_replaced(pip):
    torch_environment._PYTHON.touch()
    pip.version = "1.0.0\n"
    torch_environment.prepare()
    assert "--clear" in pip.commands[1]


def test_without_a_network_there_is_no_pytorch(pip):
    pip.network = False
    assert torch_environment.prepare() is None


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not torch_environment.can_compile()


def test_a_recipe_that_is_missing_is_named(fake, monkeypatch):
    others = {name: recipe for name, recipe in training.RECIPES.items() if name != "fast_denoiser"}
    monkeypatch.setattr(training, "RECIPES", others)
    assert measure("time_to_quality")["time_to_quality_denoiser"] == ({}, ["Left out: there is no recipe `fast_denoiser`."])
    assert measure("checkpoints")["checkpoints"] == ({}, ["Left out: there is no recipe `fast_denoiser`."])


def test_time_to_quality_is_the_originals_epochs_over_the_training(fake):
    measured, _ = measure("time_to_quality")["time_to_quality_denoiser"]
    seeds = names.RUNS["original_denoiser"][1]
    # 100 epochs of 10 s after 5 s of starting, against 20 s of 30 s, and 8 s of 18 s.
    assert list(measured["time_to_quality_ratio_denoiser_fast"][0]) == [50.0] * seeds
    assert list(measured["time_to_quality_ratio_denoiser_with_start_fast"][0]) == [1005 / 30] * seeds
    assert list(measured["time_to_quality_ratio_denoiser"][0]) == [125.0] * seeds
    assert list(measured["time_to_quality_ratio_denoiser_with_start"][0]) == [1005 / 18] * seeds
    assert list(measured["epoch_seconds_original_denoiser"][0]) == [10.0] * seeds
    assert measured["cores_original_denoiser"][0] == [1.5] * seeds
    assert measured["test_loss_original_denoiser"][0] == [0.09] * seeds
    assert measured["test_loss_speedrun_denoiser"][0] == [0.08] * seeds
    assert measured["peak_memory_mb"] == ([900.0] * seeds, "MB")
    assert fake.asked == [
        question
        for task in protocol.TASKS
        for seed in map(str, range(names.RUNS[f"original_{task}"][1]))
        for question in (
            *(("original.py", "run", {}), ("original.py", "run", {"count": 60_000})),
            *((seed, ask, None) for _ in ratios.KINDS for ask in ("train", "test_loss")),
        )
    ]


def test_the_share_of_checkpoints_is_in_percent(fake):
    assert measure("checkpoints")["checkpoints"] == ({"checkpoint_share": ([0.2], "percent")}, [])


def test_training_work_of_the_denoiser_is_64_million_operations_an_image():
    table = models.layer_table(models.build_autoencoder(protocol.TASKS["denoiser"].filters))
    # Pixels, taps, depths in and out.
    layers = [(28, 1, 32), (14, 32, 32), (7, 32, 16), (7, 16, 16), (14, 16, 32), (28, 32, 32), (28, 32, 1)]
    products = [side * side * 9 * before * after for side, before, after in layers]
    assert ratios.training_work(table) == 2 * (3 * sum(products) - products[0]) == 63_899_136
    rounds = [{"ours": reading(4 * 2500), "gemm": reading(4 * 10)}]
    measured = ratios.over_gemm(rounds, table)
    assert measured["gemm_rate"] == ([pytest.approx(10 * 2 * 2048**3 / 1e9)], "GFLOP/s")
    assert measured["gemm_share"] == ([pytest.approx(100 * 2500 * 63_899_136 / (20 * 2048**3))], "percent")


@pytest.mark.parametrize("theirs", [[0.7, 0.6007], [0.6992, 0.6], [0.7, float("nan")]])
def test_a_peer_that_computes_something_else_is_refused(theirs):
    with pytest.raises(ValueError, match=r"the losses of fit must be ours to 0.001, found \[0.*\] where ours are \[0.7, 0.6\]"):
        ratios.disagreement({"ours": [0.7, 0.6], "original": [0.7, 0.6], "fit": theirs})


def test_the_difference_is_the_greatest_of_the_steps_relative_to_ours():
    assert ratios.disagreement({"fit": [0.5, 0.25005], "ours": [0.5, 0.25], "original": [0.49995, 0.25]}) == pytest.approx([2e-4, 1e-4])


def test_a_section_measured_again_replaces_itself_alone(tmp_path):
    report.store(
        "inference", {"inference_basic_1": ([1.0], "images/s"), "inference_basic_10": ([2.0], "images/s")}, ["old"], MACHINE, tmp_path
    )
    report.store("throughput_basic", {"throughput_basic_ours": ([3.0, 5.0, 10.0, 4.0], "images/s")}, [], MACHINE, tmp_path)
    assert list(report.read(tmp_path)[0]) == ["throughput_basic_ours", "inference_basic_1", "inference_basic_10"], "in the report's order"
    report.store("inference", {"inference_basic_1": ([6.0], "images/s")}, ["new"], MACHINE, tmp_path)
    results, about = report.read(tmp_path)
    assert list(results) == ["throughput_basic_ours", "inference_basic_1"]
    assert results["throughput_basic_ours"] == {"median": 4.5, "low": 3.0, "high": 10.0, "unit": "images/s"}
    assert results["inference_basic_1"]["median"] == 6.0
    assert about == {"throughput_basic": {"machine": MACHINE, "notes": []}, "inference": {"machine": MACHINE, "notes": ["new"]}}


def test_each_section_tells_the_machine_that_it_was_measured_on(tmp_path):
    report.store("inference", {"inference_basic_1": ([1.0], "images/s")}, [], MACHINE, tmp_path)
    report.store("checkpoints", {"checkpoint_share": ([1.0], "percent")}, [], MACHINE | {"cores": 4}, tmp_path)
    results, about = report.read(tmp_path)
    assert list(results) == ["inference_basic_1", "checkpoint_share"]
    assert re.findall("cores .", report.render(results, about)) == ["cores 2", "cores 4"]


def test_the_report_has_a_table_for_each_section_that_was_measured():
    results = {
        "inference_basic_1": report.summary([1234.5, 0.0123456], "images/s"),
        "checkpoint_share": report.summary([0.51239], "percent"),
    }
    sections = {"throughput_basic": ["Nothing was measured."], "inference": [], "checkpoints": []}
    text = report.render(results, {name: {"machine": MACHINE, "notes": notes} for name, notes in sections.items()})
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        *("# Benchmarks", "## Training throughput, basic model", "## Inference", "## Checkpoints")
    ]
    assert text.count("\n\nMeasured on: processor abacus, cores 2.\n\n") == 3
    assert "\n\nNothing was measured.\n\n## Inference\n" in text
    assert "|---|---|---|---|---|\n| `inference_basic_1` | 617.3 | 0.01235 | 1,234 | images/s |\n\n## Checkpoints" in text
    assert text.endswith("| `checkpoint_share` | 0.5124 | 0.5124 | 0.5124 | percent |\n")


def test_a_result_without_a_place_in_the_report_is_refused():
    with pytest.raises(ValueError, match=r"the name of a result must fit one section of the report, 'speed' fits \[\]"):
        report.section_of("speed")


def test_the_machine_is_named_with_versions():
    machine = bench.machine()
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"processor", "cores", "tensorflow", "keras", "numpy"} <= set(machine)


def test_the_command_line_measures_what_it_names_or_all(monkeypatch):
    measured = []
    monkeypatch.setattr(bench, "PARTS", {part: lambda part=part: [(part, {}, [])] for part in ("inference", "checkpoints")})
    monkeypatch.setattr(report, "store", lambda section, *_: measured.append(section))
    bench.main(["checkpoints"])
    bench.main([])
    assert measured == ["checkpoints", "inference", "checkpoints"]
    with pytest.raises(SystemExit):
        bench.main(["speed"])


def test_a_stopwatch_counts_from_the_end_of_the_first_repetition(monkeypatch):
    wall, cpu = iter([100.0, 101.0, 102.0, 103.0]), iter([7.0, 9.0, 11.0, 13.0])
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(protocol.time, "process_time", lambda: next(cpu))
    watch = protocol.Stopwatch(seconds=3.0)
    assert [watch.goes_on(200) for _ in range(4)] == [True, True, True, False]
    assert watch.reading == {"count": 600, "seconds": 3.0, "cpu": 6.0}


def test_a_stopwatch_counts_so_many_images_or_none_at_all():
    watch = protocol.Stopwatch(count=500)
    assert [watch.goes_on(200) for _ in range(4)] == [True, True, True, False]
    assert watch.reading["count"] == 600
    assert not protocol.Stopwatch().goes_on(200)


def test_an_order_is_that_of_our_training():
    np.testing.assert_array_equal(protocol.order(3), np.random.default_rng((0, 3)).permutation(len(data.load().x_train)))


@pytest.fixture
def script(tmp_path):
    """A worker that doubles, talks, and fails on demand."""
    path = tmp_path / "worker.py"
    path.write_text("import protocol\n" + "protocol.serve(double=lambda x: print('well') or 2 * x, fail=lambda _: 1 / 0)\n")
    return str(path)


def test_a_worker_answers_until_it_is_stopped_whatever_it_prints(script):
    with protocol.Worker(script) as worker:
        assert [worker.ask("double", 4), worker.ask("double", "a")] == [8, "aa"]
        assert 0 < worker.age < 60
        worker.stop()


def test_a_worker_that_fails_says_why(script):
    with protocol.Worker(script) as worker, pytest.raises(RuntimeError, match=r"(?s)worker.py ended with code 1 .*asked for fail.*ZeroDiv"):
        worker.ask("fail")


# Every peer starts a TensorFlow of its own: one task is compared each time.
@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=pytest.mark.slow if task == "basic" else pytest.mark.long) for task in protocol.TASKS | protocol.SKIPS],
)
def test_tensorflows_peers_agree_with_ours_and_train_by_the_batch(task):
    losses = {}
    filters, _, skips = (protocol.TASKS | protocol.SKIPS)[task]
    with bench.starting_weights(filters, skips) as weights:
        for name in bench.PEERS if skips == "none" else ("ours", "fit"):
            script, *variant = bench.PEERS[name]
            with protocol.Worker(script, task, weights, *variant) as worker:
                losses[name] = worker.ask("losses", {"steps": bench.STEPS, "noise": 0.0})
                trained = worker.ask("run", {"count": 3 * protocol.BATCH})
                assert trained["count"] >= 3 * protocol.BATCH
                assert trained["count"] % protocol.BATCH == 0
                assert 0 < ratios.cores(trained) <= bench.machine()["cores"] + 0.1
    assert max(ratios.disagreement(losses)) < 1e-5, "the same operations, in TensorFlow"
    assert losses["ours"][-1] < losses["ours"][0]


@pytest.mark.long
def test_tensorflows_peers_add_the_same_noise():
    first = {0.0: [], 0.5: []}
    with bench.starting_weights(protocol.TASKS["basic"].filters) as weights:
        for script, *variant in (bench.PEERS[name] for name in ("ours", "original", "fit")):
            with protocol.Worker(script, "basic", weights, *variant) as worker:
                for level, losses in first.items():
                    losses += worker.ask("losses", {"steps": 1, "noise": level})
    # Noise changes this loss by 6e-3, another draw of it by 1e-4.
    assert first[0.5] == pytest.approx([first[0.5][0]] * 3, rel=1e-3)
    assert first[0.5][0] != pytest.approx(first[0.0][0], rel=3e-3)


@pytest.mark.slow
def test_the_test_loss_of_a_recipe_is_that_of_the_records():
    task = protocol.TASKS["denoiser"]
    with protocol.Worker("recipe.py", "denoiser", "original_denoiser", "3") as worker:
        measured = worker.ask("test_loss")
    clean = data.load().x_test
    # As `reference` measures a denoiser; here one that has not been trained.
    expected = metrics.evaluate(models.build_autoencoder(task.filters, seed=3), clean, noise.corrupt(clean, "gaussian", 0.5))
    assert measured == pytest.approx(expected["loss"].item(), rel=1e-5)


@pytest.mark.long
def test_sweeps_are_measured_against_papermill_run_by_run(tmp_path):
    chapter = tmp_path / "01_sleep.ipynb"
    notebook = json.loads(json.dumps(sweeps.NOTHING))
    notebook["cells"][1]["source"] = "import time\ntime.sleep(2)"
    chapter.write_text(json.dumps(notebook))
    measured = sweeps.measure(chapter, {}, count=2, many=2, ready=40, soak=80, repeats=1)
    assert {report.section_of(name) for name in measured} == {"sweeps"}
    assert {name for name in QUOTED if name.startswith("sweep_")} < set(measured)
    numbers = {name: repeats[0] for name, (repeats, _) in measured.items()}
    assert numbers["sweep_papermill_seconds"] > 4
    assert numbers["sweep_1_worker_seconds"] > 4
    assert numbers["sweep_share_of_papermill"] == pytest.approx(
        100 * numbers["sweep_2_workers_seconds"] / numbers["sweep_papermill_seconds"]
    )
    assert numbers["sweep_nothing_engine_ms"] > 0
    assert 0 < numbers["sweep_landing_ms"] < 1000
    assert numbers["sweep_soak_memory_mb"] > 50


def test_growth_in_proportion_is_of_the_power_of_one_and_what_fits_follows_from_it():
    medians = {name: values[0] for name, (values, _) in scaled().items()}
    assert scale.exponents(medians) == {
        "load": pytest.approx(1),
        "epoch": pytest.approx(1),
        "pixels": pytest.approx(1),
        "memory": pytest.approx(np.log((500 + 0.01 * 512**2) / (500 + 0.01 * 256**2)) / np.log(4)),
    }
    # 3,500 MB beside 500: 0.01 a pixel of a side's square, 0.001 a digit.
    assert scale.fits(medians)[2] == "| 4 GB | 584 x 584 | 3.5 million |"
    table = scale.table(medians)
    assert len(table) == 2 + sum(map(len, scale.CASES.values()))
    assert table[5] == "| images | 1,000,000 | 1 | 588 | 1,701 | 5,102 | 1,500 |"


@pytest.mark.long
def test_scale_is_measured_in_processes_of_their_own(tmp_path):
    cases = {"images": {count: (count, 28, 1, (4, 2)) for count in (200, 400)}, "side": {side: (100, side, 1, (4, 2)) for side in (32, 64)}}
    measured = scale.measure(cases, seconds=0.2, rounds=1)
    assert {report.section_of(name) for name in measured} == {"scale"}
    medians = {name: values[0] for name, (values, _) in measured.items()}
    assert all(value > 0 for value in medians.values())
    assert scale.cases_in(medians) == [("images", 200), ("images", 400), ("side", 32), ("side", 64)]
    scale.draw(medians, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_large_picture_is_denoised_in_processes_of_their_own():
    measured = large_picture.measure((80, 60), rounds=2)
    assert {report.section_of(name) for name in measured} == {"large_picture"}
    (seconds, unit), (memory, of_memory) = measured["large_picture_seconds"], measured.get("large_picture_memory_gb", ([0.5] * 2, "GB"))
    assert (unit, of_memory, len(seconds), len(memory)) == ("seconds", "GB", 2, 2)
    assert all(0.01 < each < 60 for each in seconds)
    assert all(0.2 < each < 3 for each in memory), "in GB: TensorFlow alone takes some tenths"


def test_the_large_picture_is_a_photograph_of_its_size(tmp_path):
    large_picture.write(tmp_path / "picture.jpg", (80, 60))
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (80, 60))
        values = np.asarray(picture, dtype="float32")
    enlarged = np.asarray(Image.fromarray(photographs.coffee()).resize((80, 60)), dtype="float32")
    assert 5 < np.std(values - enlarged) < 20, "noise of 15, of which JPEG takes some"
    assert np.mean(values - enlarged) == pytest.approx(0, abs=3)
    assert large_picture.SIZE[0] * large_picture.SIZE[1] == 12_000_000


@pytest.mark.parametrize(("side", "channels", "shape"), [(28, 1, (60, 28, 28)), (64, 3, (60, 64, 64, 3))])
def test_images_that_are_scaled_are_digits_shifted_and_enlarged(tmp_path, side, channels, shape):
    scale.write(tmp_path / "images.npz", 60, side, channels)
    found = data.load(tmp_path / "images.npz")
    assert (found.x_train.shape, found.x_test.shape) == (shape, (6, *shape[1:]))
    # Shifts by up to 3 pixels wrap nothing but the digits' black rim.
    assert set(found.x_train.max(axis=tuple(range(1, len(shape))))) <= set(data.load().x_train.max(axis=(1, 2)))


def test_where_the_waiting_goes_is_told_by_cells(tmp_path):
    chapter = tmp_path / "01_waits.ipynb"
    notebook = json.loads(json.dumps(sweeps.NOTHING))
    notebook["cells"][1]["source"] = "import time\ntime.sleep(1)"
    chapter.write_text(json.dumps(notebook))
    measured = {name: values[0] for name, (values, _) in waiting.measure([chapter]).items()}
    assert {report.section_of(name) for name in measured} == {"waiting"}
    assert measured["run_01_waits_imports"] == pytest.approx(1, abs=0.5)
    assert measured["run_01_waits_training"] == 0
    assert measured["run_total"] == pytest.approx(sum(measured[f"run_01_waits_{kind}"] for kind in waiting.KINDS))


def test_the_page_on_scale_says_what_follows_from_the_stored_results():
    results, _ = report.read()
    page = (BENCHMARKS.parent / "book" / "howto" / "scale.md").read_text("utf-8")
    said = report.scaled({name: result["median"] for name, result in results.items() if name.startswith("scale_")})
    assert " ".join("\n".join(said).split()) in " ".join(page.split())
    assert f"{results['scale_disk_share']['median']:.0f} %" in page


def test_the_page_on_denoising_says_no_less_memory_than_was_measured():
    page = " ".join((BENCHMARKS.parent / "book" / "howto" / "denoise.md").read_text("utf-8").split())
    width, height, said = re.search(r"(\d+)x(\d+) pixels takes less than ([\d.]+) GB", page).groups()
    assert (int(width), int(height)) == large_picture.SIZE
    if measured := report.read()[0].get("large_picture_memory_gb"):
        assert measured["high"] < float(said)


def test_the_page_on_sweeps_says_what_follows_from_the_stored_results():
    results, _ = report.read()
    page = (BENCHMARKS.parent / "book" / "howto" / "sweeps.md").read_text("utf-8")
    assert report.at_scale({name: result["median"] for name, result in results.items()}) in " ".join(page.split())


def test_a_large_sweep_is_computed_from_what_was_measured():
    measured = {
        "sweep_run_seconds": 20,
        "sweep_execute_seconds": 2,
        "sweep_landing_ms": 20,
        "sweep_notebook_kb": 300,
        "sweep_collect_ms": 6,
    }
    text = report.at_scale(measured)
    assert sweeps.SMALL == {"train_digits": 5000, "epochs": 1}
    assert "from runs of chapter 3 on 5,000 digits for one epoch" in text
    assert "each takes 20 seconds of a core, 10% of them for papermill and the start of the kernel" in text
    assert "and so 10,000 take 17 minutes on 100 machines of 2 cores" in text
    assert "fill 3.0 GB" in text
    assert "takes 60 seconds to read" in text
    assert "50 runs a second at most, of which this sweep asks for 10" in text
    assert "more than 4.0 seconds" in text
