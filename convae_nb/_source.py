"""What a run reads its images from, beside MNIST: a file or a folder of one's own, told apart by content and sent to other machines."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

from convae_nb.parameters import RefusedError


def absolute(source):
    """Give a source with its whole path, since a chapter runs in its own folder; refuse one that is not there."""
    if source == "mnist":
        return source
    if not (os.path.isfile(source) or os.path.isdir(source)):
        expected = "mnist, the path of a .npz file or that of a folder of pictures"
        raise RefusedError(f"source must be {expected}, got {source!r}: no such file or folder")
    return str(Path(source).absolute())


def digest(source):
    """Give the SHA-256 of a source's content; None for MNIST. Of a folder: of the files that are read, and of their names in it."""
    if source == "mnist":
        return None
    try:
        if not os.path.isdir(source):
            return _sha256(source)
        found = hashlib.sha256()
        for name in _names(source):
            # A file that cannot be opened is skipped where the folder is read, and counts like an empty one.
            content = _sha256(Path(source, name)) if os.access(Path(source, name), os.R_OK) else ""
            found.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        return found.hexdigest()
    except OSError as error:
        raise RefusedError(f"source must be a file or a folder that can be read, got {source!r}: {error.strerror or error}") from None


def packed(source):
    """Give a source's content as the bytes of a tar file, a folder with the files that are read from it, under their names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        if os.path.isdir(source):
            for name in _names(source):
                if os.access(Path(source, name), os.R_OK):
                    archive.add(Path(source, name), f"source/{name}", recursive=False)
        else:
            archive.add(source, "source.npz")
    return buffer.getvalue()


def unpacked(content, folder):
    """Write what `packed` gave into a folder; give the path of the source in it."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    (source,) = Path(folder).iterdir()
    return str(source)


def _names(folder):
    # Pillow, which tells what a picture is, takes a tenth of a second to import.
    from convae_nb import _pictures

    try:
        names = _pictures.files(folder, {})
    except _pictures.DataError as error:
        raise RefusedError(f"source: {error}") from None
    if not names:
        raise RefusedError(f"source must hold pictures, got {str(folder)!r}: there is no file in it that could be one")
    return names


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
