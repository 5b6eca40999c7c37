import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from convae_nb import data, models, training
from convae_nb.training import checkpoint, loop

RECIPE = training.recipe("fast_basic", epochs=2, batch_size=20, validation=50, noise_level=(0.1, 0.6), start_at_mean=True)


@pytest.fixture(autouse=True, scope="module")
def interruptible():
    """A script's background job ignores Ctrl-C from the start: here it is heard."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def dataset():
    digits = data.load()
    return dataclasses.replace(digits, x_train=digits.x_train[:450])


def run(dataset, folder, *, seed=0, filters=(4, 2), recipe=RECIPE):
    model = models.build_autoencoder(filters, seed=seed)
    return model, training.train(model, dataset, recipe, checkpoint_dir=folder, progress=False)


@pytest.fixture(scope="module")
def uninterrupted(dataset):
    return run(dataset, None)


def same(model, other):
    return all(map(np.array_equal, model.get_weights(), other.get_weights()))


def interrupt_at(monkeypatch, step):
    """Let the run's Ctrl-C come when this many steps are done."""
    advance = loop._Run.advance

    def advance_and_interrupt(self, *position):
        self._chunk = 3
        seen = advance(self, *position)
        if self.done >= step:
            os.kill(os.getpid(), signal.SIGINT)
        return seen

    monkeypatch.setattr(loop._Run, "advance", advance_and_interrupt)


@pytest.mark.parametrize("step", [1, 7, 20, 33])
def test_an_interrupted_run_ends_with_the_bits_of_one_never_interrupted(dataset, uninterrupted, tmp_path, monkeypatch, step):
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(KeyboardInterrupt, match=r"training stopped after \d of 2 epochs and \d+ of 20 steps; .* goes on from there"):
            run(dataset, tmp_path)
    model, result = run(dataset, tmp_path)
    assert step <= result.resumed_from[0] * 20 + result.resumed_from[1] < step + 3
    assert same(model, uninterrupted[0])
    assert result.history == uninterrupted[1].history
    assert uninterrupted[1].resumed_from is None


def test_ctrl_c_leaves_the_model_that_the_steps_made_and_the_same_object_goes_on(dataset, uninterrupted, tmp_path, monkeypatch):
    model = models.build_autoencoder((4, 2))
    with monkeypatch.context() as patch:
        interrupt_at(patch, 9)
        with pytest.raises(KeyboardInterrupt):
            training.train(model, dataset, RECIPE, checkpoint_dir=tmp_path, progress=False)
    assert not same(model, models.build_autoencoder((4, 2)))
    result = training.train(model, dataset, RECIPE, checkpoint_dir=tmp_path, progress=False)
    assert result.resumed_from == (0, 9)
    assert same(model, uninterrupted[0])


def test_the_handler_of_ctrl_c_is_given_back(uninterrupted):
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_is_ignored_stays_ignored(dataset, uninterrupted, monkeypatch):
    interrupt_at(monkeypatch, 3)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert same(run(dataset, None)[0], uninterrupted[0])
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    except KeyboardInterrupt:
        pytest.fail("it was heard")  # which would end all of pytest
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_comes_while_the_loop_looks_is_for_the_next_look(dataset, tmp_path, monkeypatch):
    class Late(threading.Event):
        """Not heard at the first look, and from then on."""

        def is_set(self):
            was = super().is_set()
            self.set()
            return was

    monkeypatch.setattr(loop, "_interrupts", lambda: contextlib.nullcontext(Late()))
    with pytest.raises(KeyboardInterrupt, match=r"after (\d) of 2 epochs and (\d+) of 20 steps; .* goes on from there") as stopped:
        run(dataset, tmp_path)
    epochs, steps = map(int, re.search(r"after (\d) of 2 epochs and (\d+)", str(stopped.value)).groups())
    monkeypatch.undo()
    assert run(dataset, tmp_path)[1].resumed_from == (epochs, steps)


def test_a_checkpoint_of_more_than_a_thousand_arrays_comes_back_in_order(tmp_path):
    checkpoint.write(tmp_path, [np.array([number]) for number in range(1100)], {"what": "many"})
    arrays, record = checkpoint.read(tmp_path)
    assert np.concatenate(arrays).tolist() == list(range(1100))
    assert record == {"what": "many"}


@pytest.mark.parametrize("others", ["more", "of another shape"])
def test_a_checkpoint_of_another_keras_is_refused_with_both_versions(dataset, tmp_path, others):
    run(dataset, tmp_path)
    arrays, record = checkpoint.read(tmp_path)
    arrays = [*arrays, np.zeros(3)] if others == "more" else [*arrays[:-1], arrays[-1][:-1]]
    checkpoint.write(tmp_path, arrays, record | {"keras": "2.15.0"})
    with pytest.raises(
        training.CheckpointError, match=r"written with Keras 2.15.0, and Keras 3\S* keeps others .*: go on with that version"
    ):
        run(dataset, tmp_path)


def test_training_works_outside_the_main_thread(dataset, uninterrupted):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(dataset, None)))
    thread.start()
    thread.join()
    assert same(results[0][0], uninterrupted[0])


def test_a_finished_folder_gives_weights_and_history_at_once(dataset, uninterrupted, tmp_path):
    times = [time.process_time()]
    for _ in range(2):
        model, result = run(dataset, tmp_path)
        times.append(time.process_time())
    trained, found = np.diff(times)
    assert found < trained / 2, "it compiles nothing"
    assert result.resumed_from == (2, 0)
    assert same(model, uninterrupted[0])
    assert result.history == uninterrupted[1].history


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": training.recipe(RECIPE, epochs=3)}, "holds a run of another recipe .epochs is 2 there and 3 here"),
        ({"filters": (4, 3)}, "holds a run of another model"),
        ({"seed": 1}, "holds a run from other starting weights"),
        ({"digits": 449}, "holds a run of another data .shape is"),
    ],
)
def test_a_folder_of_another_run_is_refused_by_name_and_stays(dataset, tmp_path, change, message):
    run(dataset, tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    digits = dataclasses.replace(dataset, x_train=dataset.x_train[: change.pop("digits", 450)])
    with pytest.raises(training.CheckpointError, match=message):
        run(digits, tmp_path, **change)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:900] + bytes([b[900] ^ 1]) + b[901:]])
def test_a_damaged_checkpoint_is_set_aside_and_the_run_begins_again(dataset, uninterrupted, tmp_path, damage):
    run(dataset, tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match=r"checkpoint.npz is damaged .* renamed to damaged-1-checkpoint.npz"):
        model, result = run(dataset, tmp_path)
    assert result.resumed_from is None
    assert same(model, uninterrupted[0])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint.npz", "damaged-1-checkpoint.npz"]


def test_no_flipped_bit_passes_for_a_checkpoint(tmp_path):
    arrays = [np.arange(6, dtype="float32"), np.zeros((2, 2))]
    checkpoint.write(tmp_path, arrays, {"epoch": 3})
    path = tmp_path / "checkpoint.npz"
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            read, about = checkpoint.read(tmp_path)
        except checkpoint.DamagedError:
            continue
        assert about == {"epoch": 3}
        assert all(map(np.array_equal, read, arrays))


def test_a_failed_write_keeps_the_checkpoint_before_it(tmp_path, monkeypatch):
    checkpoint.write(tmp_path, [np.zeros(3)], {"epoch": 1})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(training.CheckpointError, match=r"could not be written .*No space left on device.*: the one before it is kept"):
        checkpoint.write(tmp_path, [np.ones(3)], {"epoch": 2})
    monkeypatch.undo()
    assert checkpoint.read(tmp_path)[1] == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk, and on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_really_full_keeps_the_checkpoint_before_it(small_disk):
    checkpoint.write(small_disk, [np.zeros(2000)], {"epoch": 1})
    with pytest.raises(training.CheckpointError, match=r"could not be written .*No space left on device.*: the one before it is kept"):
        checkpoint.write(small_disk, [np.ones(9000)], {"epoch": 2})
    assert checkpoint.read(small_disk)[1] == {"epoch": 1}
    assert [file.name for file in small_disk.iterdir()] == ["checkpoint.npz"]


CHILD = """
import dataclasses, sys
import numpy as np
from convae_nb import data, models, training
from convae_nb.training import loop
loop._SAVE_EVERY = 0.05
digits = data.load()
digits = dataclasses.replace(digits, x_train=digits.x_train[:6000])
recipe = training.recipe("fast_basic", epochs=3, batch_size=20, noise_level=0.5)
model = models.build_autoencoder((4, 2))
print("ready", flush=True)
result = training.train(model, digits, recipe, checkpoint_dir=sys.argv[1] or None, progress=False)
np.savez(sys.argv[2], *model.get_weights(), history=result.history["loss"], resumed=result.resumed_from is not None)
"""


def killed_again_and_again(tmp_path, kills):
    """Kill real training processes, each after a random time, and let the last one finish; compare with one never killed."""
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", CHILD]
    subprocess.run([*command, "", str(tmp_path / "whole.npz")], check=True)
    killed = 0
    while True:
        process = subprocess.Popen([*command, str(tmp_path / "run"), str(tmp_path / "resumed.npz")], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        while process.poll() is None and not (tmp_path / "run/checkpoint.npz").exists():
            time.sleep(0.01)
        try:
            process.wait(timeout=rng.uniform(0, 1) if killed < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.stdout.close()
        if process.wait() == 0:
            break
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "resumed.npz") as resumed:
        assert resumed["resumed"]
        for name in set(whole.files) - {"resumed"}:
            np.testing.assert_array_equal(whole[name], resumed[name])
    return killed


def test_a_killed_process_is_resumed_to_the_same_bits(tmp_path):
    assert killed_again_and_again(tmp_path, 1) == 1


@pytest.mark.long
def test_ten_kills_in_a_row_change_no_bit(tmp_path):
    killed_again_and_again(tmp_path, 10)
