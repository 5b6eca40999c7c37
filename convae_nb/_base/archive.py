"""Read a .npz file that nobody vouches for: no pickles, nothing larger than a limit, nothing that is not whole."""

import math
import os
import zipfile
from collections.abc import Callable, Iterable

import numpy as np

from convae_nb._base.validate import first_line
from convae_nb.errors import DataError

_WRITTEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # by np.savez and np.savez_compressed; others may ask for gigabytes to unpack


def read_arrays(
    path: str | os.PathLike, *, label: str, wanted: Callable[[str], bool], needed: Iterable[str] = (), limit: int, cure: str
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
    limit : int
        Bytes that the arrays may take together, judged before anything of that size is allocated.
    cure : str
        Ends the messages about damage.

    Returns
    -------
    dict of str to ndarray
        By name, in the file's order; read-only, in C order and of the machine's byte order.

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
            for name in filter(wanted, members):
                left -= members[name].file_size
                if left < 0:
                    raise DataError(
                        f"{label}: with {name}, its arrays take {limit - left:,} bytes, more than limit={limit:,}: give a higher limit if "
                        "you trust the file and have the memory"
                    )
                arrays[name] = _plain(_read_array(archive, members[name]))
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy have a dozen errors for damaged bytes
        raise DataError(f"{label}: {name} cannot be read, found {type(error).__name__} ({first_line(error)}): {cure}") from error
    return arrays


def _read_array(archive, member):
    if member.compress_type not in _WRITTEN:
        raise ValueError(f"compression {member.compress_type}, which NumPy does not write")
    with archive.open(member) as stream:
        shape, _, dtype = _read_header(stream)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded, since that runs code")
        stated = math.prod(shape) * dtype.itemsize
        held = member.file_size - stream.tell()
        if stated != held:
            raise ValueError(f"{dtype} {shape} would take {stated} bytes, and {held} are there")
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # the end, where the checksum is compared
            raise ValueError("bytes after the array")
    return array


def _read_header(stream):
    major, _ = np.lib.format.read_magic(stream)
    return (np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0)(stream)


def _plain(array):
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("=")) if array.ndim else array
    array.setflags(write=False)
    return array
