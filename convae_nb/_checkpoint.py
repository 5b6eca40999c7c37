"""The file that a training run resumes from: written whole or not at all, verified when read. It holds arrays and JSON, no pickles."""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np

from convae_nb._whole import replacing

_FILE = "checkpoint.npz"
# zipfile, zlib, tokenize, json and NumPy have a dozen errors for damaged files, and their common class is this.
UNREADABLE = Exception


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, or is not of this run. The message says which file, what is wrong and what to do."""


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

    def __init__(self, folder, model, variables, identity):
        self._folder = Path(folder)
        self._model = model
        self._variables = variables
        self._identity = json.loads(json.dumps(identity))
        self._start = self._weights()

    def resume(self):
        """Set the variables to the checkpoint's, and give what was saved beside them; None if there is nothing to go on from.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another run.
        """
        try:
            found = read(self._folder)
        except DamagedError as error:
            warnings.warn(f"{error}: renamed to {set_aside(self._folder).name}, the run begins again", stacklevel=3)
            return None
        if found is None:
            return None
        arrays, about = found
        for what, here in self._identity.items():
            there = about[what]
            differing = [f"{name} is {there.get(name)} there and {here[name]} here" for name in here if there.get(name) != here[name]]
            if differing:
                raise CheckpointError(
                    f"{self._folder} holds a run of another {what} ({differing[0][:150]}): name another folder, or delete it"
                )
        # A run begins from the weights that the first call was given, or goes on with those that an interrupted call left.
        if self._start not in (about["start"], about["weights"]):
            raise CheckpointError(
                f"{self._folder} holds a run from other starting weights: give the model the same seed, or name another folder"
            )
        self._start = about["start"]
        for variable, array in zip(self._variables, arrays, strict=True):
            variable.assign(array)
        return about["beside"]

    def save(self, beside):
        """Write the variables, and what JSON can hold beside them."""
        about = self._identity | {"start": self._start, "weights": self._weights(), "beside": beside}
        write(self._folder, [variable.numpy() for variable in self._variables], about)

    def _weights(self):
        return digest(self._model.get_weights()).tobytes().hex()


def write(folder, arrays, about):
    """Replace the folder's checkpoint in one step: whoever reads it, or kills this, finds the old one or the new one.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    arrays : sequence of ndarray
    about : dict
        What JSON can hold.

    Raises
    ------
    CheckpointError
        If it cannot be written, as on a full disk; the checkpoint before it stays.
    """
    path = Path(folder, _FILE)
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez(file, about=text, digest=digest([*arrays, text]), **{f"{i:03d}": array for i, array in enumerate(arrays)})
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written ({error}): the one before it is kept, and training can go on from it"
        ) from error


def read(folder):
    """Read the folder's checkpoint.

    Returns
    -------
    (list of ndarray, dict), or None
        The arrays and what was said about them; None if there is no checkpoint.

    Raises
    ------
    DamagedError
        If it is not, byte for byte, what was written.
    """
    path = Path(folder, _FILE)
    if not path.exists():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = [stored[name] for name in sorted(stored) if name.isdecimal()]
            text = stored["about"]
            if not np.array_equal(stored["digest"], digest([*arrays, text])):
                raise ValueError("its digest does not fit its content")
            return arrays, json.loads(text.tobytes())
    except UNREADABLE as error:
        raise DamagedError(f"{path} is damaged ({error})") from error


def set_aside(folder):
    """Rename the folder's checkpoint out of the way, and give the new path."""
    path = Path(folder, _FILE)
    number = 1
    while (aside := path.with_name(f"damaged-{number}-{_FILE}")).exists():
        number += 1
    return path.rename(aside)


def digest(arrays):
    """Give the SHA-256 of arrays, their types and shapes included, as 32 bytes of an array."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return np.frombuffer(sha.digest(), dtype=np.uint8)
