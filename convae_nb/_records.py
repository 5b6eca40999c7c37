"""What executed notebooks hold, as rows of a table: parameters, results, seconds, versions, and what became of the run."""

import math
from pathlib import Path

from convae_nb import _execution, _notebook
from convae_nb.parameters import Parameters, RefusedError

RESULTS = "application/vnd.convae.results+json"
VERSIONS = ("convae_nb", "python", "tensorflow")
COLUMNS = ("chapter", "chapter_text", "seconds", "state", "reason", *VERSIONS)  # of `table`, before parameters and results


def table(paths, skipped=None):
    """Read executed notebooks into a DataFrame, a row each, one file in memory at a time.

    What is no executed notebook goes into the dict `skipped`, with the reason, by file name.
    """
    import pandas as pd

    rows, skipped = {}, {} if skipped is None else skipped
    for path in paths:
        try:
            rows[path.name] = _row(_notebook.read(path))
        except _notebook.UNREADABLE as error:
            skipped[path.name] = f"no executed notebook: {_notebook.line(repr(error))}"
    names = dict.fromkeys([*COLUMNS, *(column for row in rows.values() for column in row)])
    columns = {name: _column([row.get(name) for row in rows.values()]) for name in names}
    found = pd.DataFrame(columns, index=pd.Index(list(rows), dtype=object), columns=list(names))
    found.attrs["skipped"] = skipped
    return found


def folder(path):
    """Read a folder's executed notebooks, those in its subfolders not."""
    path = Path(path)
    if not path.is_dir():
        raise RefusedError(f"folder must be a folder of executed notebooks, got {str(path)!r}: there is none of that name")
    skipped = {}
    files = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    for entry in files:
        if entry.suffix != ".ipynb" and entry.is_file():
            skipped[entry.name] = "no notebook"
    if (path / ".ipynb_checkpoints").is_dir():
        skipped[".ipynb_checkpoints"] = "Jupyter's own copies"
    return table([entry for entry in files if entry.suffix == ".ipynb"], skipped)


def valid(results):
    """Give back a dict of results, or raise a ValueError that names the one that is none."""
    for name, value in results.items():
        if name in COLUMNS or name in Parameters.model_fields:
            raise ValueError(f"a result must not be called {name!r}, which is a parameter or a column of every run: choose another name")
        if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"result {name} must be a finite number, a bool or a str, got {value!r}: convert it first")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"result {name} must be a whole number of at most 64 bits, got {value}: make it a float or a str")
    return results


def shown(value):
    """Give a result as text, a float to four digits.

    Examples
    --------
    >>> shown(0.094812), shown(187.26), shown(12345.6), shown(60000), shown("two\\nlines")
    ('0.09481', '187.3', '12346', '60000', 'two\\\\nlines')
    """
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return printable(value)


def printable(value):
    """Give a text as one line without what a terminal would obey, wherever it came from.

    Examples
    --------
    >>> printable("\\x1b[2Jé")
    '\\\\x1b[2Jé'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


def _row(notebook):
    run, about = notebook["metadata"]["papermill"], notebook["metadata"].get(_execution.ABOUT, {"text": None, "versions": {}})
    results = {}
    for cell in _notebook.code_cells(notebook):
        for output in cell["outputs"]:
            if payload := output.get("data", {}).get(RESULTS):
                if payload["version"] != 1:
                    raise ValueError(f"results of version {payload['version']}, not 1")
                results |= valid(payload["results"])
    chapter = Path(run["input_path"]).stem, about["text"] and about["text"][:8]
    head = *chapter, run["duration"], *_notebook.state(notebook), *map(about["versions"].get, VERSIONS)
    if not all(isinstance(value, int | float | str | None) for value in head):
        raise ValueError(f"{head} as its chapter, seconds, state and versions")
    return {name: _plain(value) for name, value in dict(run["parameters"]).items()} | results | dict(zip(COLUMNS, head, strict=True))


def _plain(value):
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
