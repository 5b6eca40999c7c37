"""What a run reads its images from, beside MNIST: a file or a folder of one's own, told apart by content and sent to other machines."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

from convae_nb.data import folder, loading
from convae_nb.errors import DataError, RefusedError

#: Bytes of a source that is sent to a cluster, at most: as many as `data.load` takes unless told otherwise.
LIMIT = 2_000_000_000


def absolute(source: str) -> str:
    """Give a source with its whole path, since a chapter runs in its own folder; refuse one that is not there."""
    if source == "mnist":
        return source
    path = loading.expand(source)
    if not source or not (os.path.isfile(path) or os.path.isdir(path)):
        expected = "mnist, the path of a .npz or .npy file or that of a folder of pictures"
        raise RefusedError(f"source must be {expected}, got {source!r}: no such file or folder")
    return str(path.absolute())


def digest(source: str) -> str | None:
    """Give the SHA-256 of a source's content; None for MNIST. Of a folder: of its pictures, and of their names in it."""
    if source == "mnist":
        return None
    try:
        if not os.path.isdir(source):
            return _sha256(source)
        found = hashlib.sha256()
        for name in _names(source):
            found.update(f"{name}\0{_sha256(Path(source, name))}\n".encode("utf-8", "surrogateescape"))
        return found.hexdigest()
    except OSError as error:
        raise RefusedError(f"source must be a file or a folder that can be read, got {source!r}: {error.strerror or error}") from None


def validate_size(source: str) -> None:
    """Refuse what has more than `LIMIT` bytes, before `pack` takes the memory."""
    paths = [Path(source, name) for name in _names(source)] if os.path.isdir(source) else [Path(source)]
    found = sum(path.stat().st_size for path in paths)
    if found > LIMIT:
        raise RefusedError(
            f"source must have at most {LIMIT:,} bytes to be sent to a cluster's workers, got {found:,} in {source!r}: make it smaller"
        )


def pack(source: str) -> bytes:
    """Pack a source's content as the bytes of a tar file, a folder with its pictures, under their names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        if os.path.isdir(source):
            for name in _names(source):
                archive.add(Path(source, name), f"source/{name}", recursive=False)
        else:
            archive.add(source, f"source{Path(source).suffix}")
    return buffer.getvalue()


def unpack(content: bytes, folder: str | os.PathLike) -> str:
    """Unpack what `pack` gave into a folder; give the path of the source in it."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    (source,) = Path(folder).iterdir()
    return str(source)


def _names(source):
    try:
        names = folder.pictures(source, {})
    except DataError as error:
        raise RefusedError(f"source: {error}") from None
    if not names:
        raise RefusedError(f"source must hold pictures, got {str(source)!r}: there is none in it")
    return names


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
