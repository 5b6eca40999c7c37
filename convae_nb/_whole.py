"""Files that are written in one step: whoever reads them, whenever this is killed, finds the old one or the whole new one."""

import contextlib
import os
import secrets


@contextlib.contextmanager
def replacing(path):
    """Open a file for bytes that takes the place of `path` once the block is through; if it is not, `path` stays as it was.

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


def write_table(table, path):
    """Write a DataFrame as CSV, without its index, into a folder that is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        table.to_csv(file, index=False)
