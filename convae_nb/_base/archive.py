"""Read .npz and .npy files that nobody vouches for: no pickles, nothing larger than a limit, nothing that is not whole."""

import hashlib
import math
import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from convae_nb._base.validate import first_line
from convae_nb.errors import DataError

_WRITTEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # by np.savez and np.savez_compressed; others may ask for gigabytes to unpack
_PIECE = 1 << 24  # bytes read at a time


def read_arrays(
    path: str | os.PathLike,
    *,
    label: str,
    wanted: Callable[[str], bool],
    needed: Iterable[str] = (),
    mapped: Callable[[str], bool] = lambda name: False,
    limit: int,
    cure: str,
) -> dict[str, np.ndarray]:
    """Read arrays of a .npz file, after their sizes have been validated.

    Parameters
    ----------
    path : str or path
    label : str
        What error messages call the file.
    wanted : callable
        Says of an array's name whether it is read.
    needed : iterable of str
        Names of arrays that must be there.
    mapped : callable
        Says of an array's name whether it may stay on the disk where it is beyond the limit, if it is uint8 and stored uncompressed:
        such an array is a ``numpy.memmap``. It is read once, for the checksum.
    limit : int
        Bytes that the arrays may take together, judged before anything of that size is allocated.
    cure : str
        Ends the messages about damage.

    Returns
    -------
    dict of str to ndarray
        By name; read-only, in C order and of the machine's byte order.

    Raises
    ------
    DataError
        If the file is not whole, lacks what is needed, or holds pickles, or arrays beyond the limit.
    """
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise DataError(f"{label} cannot be opened ({error.strerror}): check its permissions") from None
    if not zipfile.is_zipfile(path):
        raise DataError(f"{label} should be a whole .npz file, found {os.path.getsize(path)} bytes without a zip archive's end: {cure}")
    arrays = {}
    name, left = "the archive", limit
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            for name in needed:
                if name not in members:
                    raise DataError(f"{label} should hold {name}, found {list(members)[:9]}: {cure}")
            for name in sorted(filter(wanted, members), key=mapped):  # what may stay on the disk comes last
                size = members[name].file_size
                if size > left and mapped(name) and (array := _map_array(path, archive, members[name])) is not None:
                    arrays[name] = array
                    continue
                left -= size
                if left < 0:
                    stays = ", or save it as uint8 with np.savez, uncompressed: then it may stay on the disk" if mapped(name) else ""
                    raise DataError(
                        f"{label}: with {name}, its arrays take {limit - left:,} bytes, more than limit={limit:,}: give a higher limit if "
                        f"you trust the file and have the memory{stays}"
                    )
                arrays[name] = _plain(_read_array(archive, members[name]))
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy have a dozen errors for damaged bytes
        raise DataError(f"{label}: {name} cannot be read, found {type(error).__name__} ({first_line(error)}): {cure}") from error
    return arrays


def read_array(path: str | os.PathLike, *, label: str, limit: int, cure: str) -> np.ndarray:
    """Read the array of a .npy file, which has no checksum, as `read_arrays` does; beyond the limit, uint8 stays on the disk."""
    try:
        with open(path, "rb") as stream:
            shape, in_columns, dtype = _validated_header(stream, size := os.path.getsize(path))
            if size > limit and dtype == np.uint8 and not in_columns:
                return np.memmap(path, np.uint8, "r", stream.tell(), shape)
            if size > limit:
                raise DataError(f"{label} takes {size:,} bytes, more than limit={limit:,}: give a higher limit if you have the memory")
            stream.seek(0)
            return _plain(np.lib.format.read_array(stream, allow_pickle=False))
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{label} cannot be opened ({error.strerror}): check its permissions") from None
    except Exception as error:
        raise DataError(f"{label} cannot be read, found {type(error).__name__} ({first_line(error)}): {cure}") from error


def _read_array(archive, member):
    if member.compress_type not in _WRITTEN:
        raise ValueError(f"compression {member.compress_type}, which NumPy does not write")
    with archive.open(member) as stream:
        _validated_header(stream, member.file_size)
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # the end, where the checksum is compared
            raise ValueError("bytes after the array")
    return array


def _map_array(path, archive, member):
    """Map an array of uint8 where it lies in the archive; None if it does not lie there as it is in memory."""
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with archive.open(member) as stream:
        shape, in_columns, dtype = _validated_header(stream, member.file_size)
        if dtype != np.uint8 or in_columns:
            return None
        header = stream.tell()
        while stream.read(_PIECE):  # to the end, where the checksum is compared
            pass
    with open(path, "rb") as file:  # a member's bytes follow its name and what else its own header holds
        file.seek(member.header_offset + 26)
        beside = sum(struct.unpack("<HH", file.read(4)))
    return np.memmap(path, np.uint8, "r", member.header_offset + 30 + beside + header, shape)


def _validated_header(stream, size):
    major, _ = np.lib.format.read_magic(stream)
    shape, in_columns, dtype = (np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0)(stream)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded, since that runs code")
    stated, held = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if stated != held:
        raise ValueError(f"{dtype} {shape} would take {stated} bytes, and {held} are there")
    return shape, in_columns, dtype


def _plain(array):
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("=")) if array.ndim else array
    array.setflags(write=False)
    return array


def digest(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Give the SHA-256 of arrays, their types and shapes included, as 32 bytes of an array."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return np.frombuffer(sha.digest(), dtype=np.uint8)
