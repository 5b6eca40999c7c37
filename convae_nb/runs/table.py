"""Compare runs: a table of them, cut down to what differs between them."""

import dataclasses
import math
import os
from typing import Any

from convae_nb._base.suggestions import closest
from convae_nb.errors import RefusedError
from convae_nb.runs import records


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` gives.

    Attributes
    ----------
    table : DataFrame
        Those columns of `collect` that are not the same in all runs, ``seconds`` left out. Compared `over` a parameter: a row for each
        combination of the other parameters, ``runs``, how many of them are done, and for each result that is a number its mean and, as
        ``<name>_spread``, its standard deviation (of a sample; missing for a single run).
    same : dict of str to value
        What is the same in all of them.
    unfinished : int
        How many runs are not done, and left out.
    repeated : dict of str to str
        Compared `over` a parameter: runs that agree with another in all parameters, such as a copied file, by file name, and with which.
        They are left out.
    skipped : dict of str to str
        What is no executed notebook, by file name, and why.
    """

    table: Any
    same: dict[str, Any]
    unfinished: int
    repeated: dict[str, str]
    skipped: dict[str, str]

    def _repr_html_(self) -> str:
        return self.table.to_html()


def compare(folder: str | os.PathLike, over: str | None = None) -> Comparison:
    """Put side by side in what a folder's runs differ.

    Parameters
    ----------
    folder : str or Path
        As `collect` takes it.
    over : str, optional
        A parameter, such as seed: runs that differ in nothing else become one row.

    Returns
    -------
    Comparison

    Raises
    ------
    RefusedError
        If there is no such folder, or no run in it, or `over` is no parameter of its runs, or none of them is done.
    """
    found = records.read_folder(folder)
    table, names = found.table, found.parameters
    if table.empty:
        raise RefusedError("folder must hold executed notebooks, but there is none")
    if over is not None and over not in names:
        raise RefusedError(f"over must be a parameter of the runs, got {over!r}: {closest(over, names)}")
    table = table.copy()
    for name in names:  # lists cannot be grouped by
        table[name] = table[name].map(lambda value: tuple(value) if isinstance(value, list) else value)
    unfinished, repeated = 0, {}
    if over is None:
        candidates = [name for name in table.columns if name != "seconds"]
        shown = [name for name in candidates if _differs(table[name])]
    else:
        done = table[table["state"] == "done"]
        unfinished = len(table) - len(done)
        if done.empty:
            raise RefusedError(f"runs are compared over {over} only where one is done, but none of these {len(table)} is: leave over out")
        candidates = ["chapter", "chapter_text", *records.VERSIONS, *(name for name in names if name != over)]
        repeated = _repeated(done, [*candidates, over])
        done = done.drop(index=list(repeated))
        table, measured = _grouped(done, candidates, found.results, over)
        differing = [name for name in candidates if _differs(table[name])]
        shown = [*differing, "runs", *measured]
    same = {name: table[name].iloc[0] for name in candidates if name not in shown}
    same = {name: value for name, value in same.items() if value != "" and not _is_missing(value)}
    return Comparison(table[shown].copy(), same, unfinished, repeated, found.skipped)


def format_table(comparison: Comparison, over: str | None = None) -> str:
    """Format a comparison as lines for a terminal, a result and its spread as one where it was compared `over` something."""
    table = comparison.table
    spreads = [name for name in table.columns if over is not None and name.removesuffix("_spread") in set(table.columns) - {name}]
    columns = [] if over is not None else [["run", *map(records.escape, table.index)]]
    for name in table.columns.drop(spreads):
        if f"{name}_spread" in spreads:
            words = [_with_spread(*pair) for pair in zip(table[name], table[f"{name}_spread"], strict=True)]
        else:
            words = ["" if _is_missing(value) else records.format_value(value) for value in table[name]]
        columns.append([records.escape(name), *words])
    lines = list(zip(*columns, strict=True))
    widths = [max(map(len, column)) for column in columns]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _repeated(done, keys):
    """Give the runs that agree with an earlier one in all of these columns, by name, and with which."""
    first, found = {}, {}
    for name, *values in done[keys].itertuples():
        original = first.setdefault(repr(values), name)
        if original != name:
            found[name] = original
    return found


def _grouped(done, keys, results, over):
    """Give a row for each combination of the keys, and the names of the columns that hold what was measured."""
    import pandas as pd

    numbers = [name for name in results if pd.api.types.is_numeric_dtype(done[name])]
    if taken := {"runs", *(f"{name}_spread" for name in numbers)} & {*numbers, *keys}:
        raise RefusedError(f"runs are compared over {over} only if no result or parameter is called {min(taken)!r}: leave over out")
    done = done.copy()
    done[numbers] = done[numbers].astype(float)
    groups = done.groupby(keys, dropna=False, sort=False)
    parts = [groups.size().rename("runs")]
    if numbers:
        parts += [groups[numbers].mean(), groups[numbers].std().add_suffix("_spread")]
    columns = [column for name in numbers for column in (name, f"{name}_spread")]
    return pd.concat(parts, axis=1).reset_index()[[*keys, "runs", *columns]], columns


def _with_spread(mean, spread):
    """Mean and standard deviation to the same decimals, two digits of the latter.

    >>> _with_spread(0.094812, 0.00123), _with_spread(187.26, 12.3), _with_spread(0.5, float("nan")), _with_spread(3.0, 0.0)
    ('0.0948 ± 0.0012', '187 ± 12', '0.5', '3 ± 0')
    """
    if _is_missing(mean):
        return ""
    if _is_missing(spread):
        return records.format_value(float(mean))
    if not spread:
        return f"{records.format_value(float(mean))} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(spread)))
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def _differs(column):
    return len({repr(value) for value in column}) > 1


def _is_missing(value):
    import pandas as pd

    return pd.api.types.is_scalar(value) and pd.isna(value)
