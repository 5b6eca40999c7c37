"""The record of a run, which is its executed notebook: the stamp and the results are written and read here, and nowhere else.

The stamp says what a run follows from besides its parameters: the chapter's text, what it reads, and the code and the versions at work.
"""

import base64
import dataclasses
import functools
import hashlib
import importlib.metadata
import math
import os
import platform
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import convae_nb
from convae_nb._base.validate import first_line
from convae_nb.errors import RefusedError
from convae_nb.runs import notebook, source
from convae_nb.runs.parameters import Parameters

if TYPE_CHECKING:
    import pandas as pd

    from convae_nb._base.tensorflow import keras

#: The type under which `record` stores results in a notebook.
RESULTS = "application/vnd.convae.results+json"
#: The type under which a kept network leaves its kernel.
NETWORK = "application/vnd.convae.network"
#: The key of the stamp in a notebook's metadata.
STAMP = "convae"
#: What a run's numbers depend on; "code" is a digest of the package's own files.
VERSIONS = ("convae_nb", "code", "python", "tensorflow", "keras", "numpy", "scikit-learn")
#: The columns of `collect`, before parameters and results.
COLUMNS = ("chapter", "chapter_text", "seconds", "state", "reason", *VERSIONS)
_PACKAGE = Path(convae_nb.__file__).parent
_HASHED = {".py", ".json", ".csv", ".npz"}


@dataclasses.dataclass(frozen=True)
class Stamp:
    """What a run follows from besides its parameters.

    Attributes
    ----------
    text : str
        SHA-256 of the chapter's cells.
    source : str or None
        SHA-256 of what the chapter reads; None for MNIST.
    versions : dict of str to str or None
        By the names of `VERSIONS`; None where there is none.
    """

    text: str
    source: str | None
    versions: dict[str, str | None]


@dataclasses.dataclass(frozen=True)
class Runs:
    """A folder's executed notebooks.

    Attributes
    ----------
    table : DataFrame
        As `collect` gives it.
    parameters, results : list of str
        Which of its columns are parameters, and which are results.
    skipped : dict of str to str
        What is no executed notebook, by file name, and why.
    """

    table: Any
    parameters: list[str]
    results: list[str]
    skipped: dict[str, str]


def versions() -> dict[str, str | None]:
    """Give the versions that a run's results depend on, without importing TensorFlow; None where there is none."""
    found: dict[str, str | None] = {"convae_nb": convae_nb.__version__, "code": _digest_of_package(), "python": platform.python_version()}
    for name in VERSIONS[len(found) :]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def stamp(chapter: dict, values: dict[str, Any]) -> Stamp:
    """Give the stamp of a run of a notebook with these parameters."""
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in chapter["cells"]]
    text = hashlib.sha256(repr(cells).encode("utf-8", "surrogatepass")).hexdigest()
    return Stamp(text, source.digest(values.get("source", "mnist")), versions())


def run_text(executed: dict, *, output: str, chapter: str, values: dict[str, Any], stamp: Stamp) -> str:
    """Give the text of a run's file: an executed notebook with its parameters and its stamp. Paths have slashes."""
    paths = {"input_path": chapter, "output_path": output}
    executed["metadata"]["papermill"] |= paths | {"parameters": values}
    executed["metadata"][STAMP] = {"version": 2} | dataclasses.asdict(stamp)
    return notebook.text(executed)


def is_done(output: Path, values: dict[str, Any], stamp: Stamp) -> bool:
    """Say whether a run is recorded there, with the same parameters and stamp, and came through, its network included if it keeps it."""
    try:
        found = notebook.read(output)
        same = found["metadata"]["papermill"]["parameters"] == values and _read_stamp(found) == stamp
        if values.get("keep") and not network_path(output).exists():
            return False
        return same and notebook.state(found)[0] == "done"
    except notebook.UNREADABLE:
        return False


def record(**results: Any) -> None:
    """Store results in the notebook that calls this, and show them as a table: what was measured.

    Parameters
    ----------
    **results : float, int, bool or str
        By name; NumPy scalars serve too. Of results of the same name the last one holds. What is NaN could not be measured, as SSIM of
        small images: it is shown as such, and not stored.

    Raises
    ------
    ValueError
        If a value is of another type or infinite, or a name means a parameter or a column of `collect` already.
    """
    import numpy as np
    import pandas as pd
    from IPython.display import display

    results = {name: value.item() if isinstance(value, np.generic) else value for name, value in results.items()}
    missing = [name for name, value in results.items() if isinstance(value, float) and math.isnan(value)]
    results = validate_results(results | dict.fromkeys(missing, "not measured"))
    table = pd.DataFrame({"measured": map(format_value, results.values())}, index=list(results))
    stored = {"version": 1, "results": {name: value for name, value in results.items() if name not in missing}}
    display({RESULTS: stored, "text/html": table.to_html(), "text/plain": table.to_string()}, raw=True)


def keep(model: "keras.Model", **trained: Any) -> None:
    """Keep a trained network: what executes the notebook that calls this writes it into a file beside it, as `models.save` does.

    Parameters
    ----------
    model : keras.Model
        As `models.build_autoencoder` gives it.
    **trained
        What is to be known of it, as JSON can hold it, such as the recipe.

    Raises
    ------
    ValueError
        As `models.save` does.
    """
    from IPython.display import display

    from convae_nb import models

    with tempfile.TemporaryDirectory(prefix="convae-") as folder:
        models.save(model, Path(folder, "network.npz"), trained=trained)
        content = Path(folder, "network.npz").read_bytes()
    words = f"the network, {len(content):,} bytes; a run has it in a file beside its notebook"
    display({NETWORK: base64.b64encode(content).decode(), "text/plain": words}, raw=True)


def take_network(executed: dict) -> bytes | None:
    """Take the file of the network that `keep` was given last out of an executed notebook; None if it was given none."""
    content = None
    for cell in notebook.code_cells(executed):
        for output in cell["outputs"]:
            content = output.get("data", {}).pop(NETWORK, content)
    return content and base64.b64decode(content)


def network_path(output: Path) -> Path:
    """Say where a run's network is kept, of the run whose executed notebook is `output`."""
    return output.with_suffix(".network.npz")


def collect(folder: str | os.PathLike) -> "pd.DataFrame":
    """Read a folder of executed notebooks into one table.

    Parameters
    ----------
    folder : str or Path
        Its ``*.ipynb`` are read, those in its subfolders are not.

    Returns
    -------
    DataFrame
        A row a notebook, by file name: ``chapter``, ``chapter_text`` (the first digits of its text's hash, which tell an edited chapter
        from what it was), ``seconds``, ``state`` (done, failed or unfinished), ``reason`` (of a failure), the versions of what computed
        it (``code`` tells an edited package from what it was), then parameters and results. What is no executed notebook is left out.

    Warns
    -----
    UserWarning
        If there are notebooks that are none of executed runs, with the reason for each.

    Raises
    ------
    RefusedError
        If there is no such folder.
    """
    found = read_folder(folder)
    if damaged := {name: reason for name, reason in found.skipped.items() if name.endswith(".ipynb")}:
        listed = ", ".join(f"{name} ({reason})" for name, reason in damaged.items())
        warnings.warn(f"{folder}: notebooks that are left out: {listed}", stacklevel=2)
    return found.table


def read_folder(path: str | os.PathLike) -> Runs:
    """Read a folder's executed notebooks, those in its subfolders not.

    Raises
    ------
    RefusedError
        If there is no such folder.
    """
    path = Path(path)
    if not path.is_dir():
        raise RefusedError(f"folder must be a folder of executed notebooks, got {str(path)!r}: there is none of that name")
    files = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    found = read_runs(entry for entry in files if entry.suffix == ".ipynb")
    others = {entry.name: "no notebook" for entry in files if entry.suffix != ".ipynb" and entry.is_file()}
    if (path / ".ipynb_checkpoints").is_dir():
        others[".ipynb_checkpoints"] = "Jupyter's own copies"
    return dataclasses.replace(found, skipped=others | found.skipped)


def read_runs(paths: Iterable[Path]) -> Runs:
    """Read executed notebooks into a table, a row each, one file in memory at a time."""
    import pandas as pd

    rows: dict[str, tuple[dict, dict, dict]] = {}
    skipped: dict[str, str] = {}
    for path in paths:
        try:
            rows[path.name] = _row(notebook.read(path))
        except notebook.UNREADABLE as error:
            skipped[path.name] = f"no executed notebook: {first_line(repr(error))}"
    given, measured = (list(dict.fromkeys(name for row in rows.values() for name in row[part])) for part in (1, 2))
    measured = [name for name in measured if name not in given]
    merged = [head | values | results for head, values, results in rows.values()]
    columns = {name: _column([row.get(name) for row in merged]) for name in [*COLUMNS, *given, *measured]}
    table = pd.DataFrame(columns, index=pd.Index(list(rows), dtype=object), columns=list(columns))
    return Runs(table, given, measured, skipped)


def validate_results(results: dict[str, Any]) -> dict[str, Any]:
    """Give back a dict of results, or raise a ValueError that names the one that is none."""
    for name, value in results.items():
        if name in COLUMNS or name in Parameters.model_fields:
            raise ValueError(f"a result must not be called {name!r}, which is a parameter or a column of every run: choose another name")
        if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"result {name} must be a finite number, a bool or a str, got {value!r}: convert it first")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"result {name} must be a whole number of at most 64 bits, got {value}: make it a float or a str")
    return results


def format_value(value: Any) -> str:
    r"""Format a result as text, a float to four digits.

    Examples
    --------
    >>> format_value(0.094812), format_value(187.26), format_value(12345.6), format_value(60000), format_value("two\nlines")
    ('0.09481', '187.3', '12346', '60000', 'two\\nlines')
    """
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return escape(value)


def escape(value: Any) -> str:
    r"""Escape in a text what a terminal would obey, control characters and line breaks, wherever it came from.

    Examples
    --------
    >>> escape("\x1b[2Jé")
    '\\x1b[2Jé'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


def _digest_of_package():
    """Hash the files of the package that decide what is computed, the same under any system's line ends."""
    found = hashlib.sha256()
    for path in sorted(path for path in _PACKAGE.rglob("*") if path.suffix in _HASHED):
        about = path.stat()
        found.update(path.relative_to(_PACKAGE).as_posix().encode())
        found.update(_digest_of_file(path, about.st_mtime_ns, about.st_size))
    return found.hexdigest()[:12]


@functools.cache  # each run asks again, and an edited file is read again
def _digest_of_file(path, modified, size):
    content = path.read_bytes()
    return hashlib.sha256(content if path.suffix == ".npz" else content.replace(b"\r\n", b"\n")).digest()


def _read_stamp(executed):
    if STAMP not in executed["metadata"]:
        return None
    stored = executed["metadata"][STAMP]
    return Stamp(stored["text"], stored["source"], dict(stored["versions"]))


def _row(executed):
    """Give what a notebook says of its run: the values of `COLUMNS`, its parameters and its results."""
    run, stamp = executed["metadata"]["papermill"], _read_stamp(executed)
    parameters = {name: _validated_parameter(value) for name, value in dict(run["parameters"]).items()}
    results = {}
    for cell in notebook.code_cells(executed):
        for output in cell["outputs"]:
            if payload := output.get("data", {}).get(RESULTS):
                if payload["version"] != 1:
                    raise ValueError(f"results of version {payload['version']}, not 1")
                results |= validate_results(payload["results"])
    if taken := (results.keys() | set(COLUMNS)) & parameters.keys():
        raise ValueError(f"a parameter that is called {min(taken)!r}, as a result or a column is")
    # On Windows, paths had backslashes.
    kind = PureWindowsPath if "\\" in run["input_path"] else PurePosixPath
    chapter = kind(run["input_path"]).stem, stamp and stamp.text[:8]
    head = *chapter, run["duration"], *notebook.state(executed), *(stamp.versions.get(name) if stamp else None for name in VERSIONS)
    if not all(isinstance(value, int | float | str | None) for value in head):
        raise ValueError(f"{head} as its chapter, seconds, state and versions")
    return dict(zip(COLUMNS, head, strict=True)), parameters, results


def _validated_parameter(value):
    """Give back a parameter's value, or raise a ValueError if it is none."""
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, int | float | str | None) or (isinstance(item, int) and not -(2**63) <= item < 2**63):
            raise ValueError(f"a parameter with the value {value!r}")
    return value


def _column(values):
    """Values of one name as a Series: whole numbers and bools stay what they are where a run has none."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    if None in values and kinds in ({int}, {bool}):
        return pd.array(values, dtype="Int64" if kinds == {int} else "boolean")
    if kinds and kinds <= {int, float}:
        return [math.nan if value is None else value for value in values]
    return pd.Series(values, dtype="str" if kinds == {str} else object if kinds else None).array
