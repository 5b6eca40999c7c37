"""Checkpoints: the file that a training run resumes from, written atomically and verified when read. Arrays and JSON, no pickles."""

import importlib.metadata
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convae_nb._base import archive
from convae_nb._base.files import write_atomically
from convae_nb.errors import CheckpointError

_FILE = "checkpoint.npz"
_RECORD_LIMIT = 64_000_000  # bytes of what JSON holds: the losses of some million epochs


class DamagedError(CheckpointError):
    """A checkpoint that is not what was written."""


class Folder:
    """The checkpoint folder of one run.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    model : keras.Model
        Whose weights are trained.
    variables : sequence of tf.Variable
        The whole state of the run, these weights included.
    identity : dict of str to dict
        What tells the run from others, as JSON can hold it.
    """

    def __init__(self, folder: str | os.PathLike, model, variables: Sequence, identity: dict[str, dict]):
        self._folder = Path(folder)
        self._model = model
        self._variables = variables
        self._identity = json.loads(json.dumps(identity))
        self._start = self._weights()

    def resume(self) -> Any:
        """Set the variables to the checkpoint's, and give the progress that was saved with them; None if there is nothing to go on from.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another run.
        """
        # TensorFlow's variables know their shapes without a copy; four bytes a value, or eight, of whole numbers.
        limit = sum(8 * int(np.prod(variable.shape)) + 1000 for variable in self._variables) + _RECORD_LIMIT
        try:
            found = read(self._folder, limit=limit)
        except DamagedError as error:
            warnings.warn(f"{error}: renamed to {set_aside(self._folder).name}, the run begins again", stacklevel=3)
            return None
        if found is None:
            return None
        arrays, record = found
        for what, ours in self._identity.items():
            theirs = record[what]
            differing = [f"{name} is {theirs.get(name)} there and {ours[name]} here" for name in ours if theirs.get(name) != ours[name]]
            if differing:
                raise CheckpointError(
                    f"{self._folder} holds a run of another {what} ({differing[0][:150]}): name another folder, or delete it"
                )
        # A run begins from the weights that the first call was given, or goes on with those that an interrupted call left.
        if self._start not in (record["start"], record["weights"]):
            raise CheckpointError(
                f"{self._folder} holds a run from other starting weights: give the model the same seed, or name another folder"
            )
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in self._variables]:
            writer = record.get("keras", "another version")
            raise CheckpointError(
                f"{self._folder} holds {len(arrays)} arrays, written with Keras {writer}, and Keras {_keras_version()} keeps others "
                f"({len(self._variables)}): go on with that version, or delete the folder"
            )
        self._start = record["start"]
        for variable, array in zip(self._variables, arrays, strict=True):
            variable.assign(array)
        return record["progress"]

    def save(self, progress: Any) -> None:
        """Write the variables, and the progress that JSON can hold."""
        record = self._identity | {"start": self._start, "weights": self._weights(), "keras": _keras_version(), "progress": progress}
        write(self._folder, [variable.numpy() for variable in self._variables], record)

    def _weights(self):
        return archive.digest(self._model.get_weights()).tobytes().hex()


def write(folder: str | os.PathLike, arrays: Sequence[np.ndarray], record: dict) -> None:
    """Replace the folder's checkpoint atomically: whoever reads it, or kills this, finds the old one or the new one.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    arrays : sequence of ndarray
    record : dict
        What JSON can hold.

    Raises
    ------
    CheckpointError
        If it cannot be written, as on a full disk; the checkpoint before it stays.
    """
    path = Path(folder, _FILE)
    text = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)} | {"record": text, "digest": archive.digest([*arrays, text])}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            np.savez(file, **named)
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written ({error}): the one before it is kept, and training can go on from it"
        ) from error


def read(folder: str | os.PathLike, *, limit: int = 2_000_000_000) -> tuple[list[np.ndarray], dict] | None:
    """Read the folder's checkpoint.

    Parameters
    ----------
    folder : str or Path
    limit : int
        Bytes that its arrays may take; a file that claims more counts as damaged before memory is taken.

    Returns
    -------
    (list of ndarray, dict), or None
        The arrays and the record beside them; None if there is no checkpoint.

    Raises
    ------
    DamagedError
        If it is not, byte for byte, what was written.
    """
    path = Path(folder, _FILE)
    if not path.exists():
        return None
    try:
        stored = archive.read_arrays(
            path, label=str(path), wanted=lambda _: True, needed=["record", "digest"], limit=limit, cure="it is not what was written"
        )
        arrays = [stored[name] for name in sorted(filter(str.isdecimal, stored), key=int)]
        text = stored["record"]
        if not np.array_equal(stored["digest"], archive.digest([*arrays, text])):
            raise ValueError("its digest does not fit its content")
        return arrays, json.loads(text.tobytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error


def set_aside(folder: str | os.PathLike) -> Path:
    """Rename the folder's checkpoint out of the way, and give the new path."""
    path = Path(folder, _FILE)
    number = 1
    while (aside := path.with_name(f"damaged-{number}-{_FILE}")).exists():
        number += 1
    return path.rename(aside)


def _keras_version():
    return importlib.metadata.version("keras")
