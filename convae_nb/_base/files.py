"""Atomic writes: whoever reads a file, whenever this is killed, finds the old one or the whole new one. And where one may write."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from convae_nb.errors import RefusedError


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Write a file atomically: what the block writes takes the place of `path` once it is through; else `path` stays as it was.

    Parameters
    ----------
    path : Path
        In a folder that is there.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # fits wherever the name of `path` does
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_table(table, path: Path) -> None:
    """Write a DataFrame atomically as CSV, without its index, the same bytes on every system; its folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")


def validate_writable(folder: Path, output: Path) -> None:
    """Refuse a place that cannot be written, before anything starts; the folder is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        output.exists()  # raises where its name is too long
    except OSError as error:
        raise RefusedError(f"output must be a place that can be written, got {str(output)!r}: {error.strerror}") from None
