"""A table of runs, cut down to what differs between them."""

import math

from convae_nb import _records
from convae_nb.parameters import Parameters, RefusedError, closest


def compare(table, over=None):
    """As `runs.compare`, from a table that `runs.collect` gives."""
    import pandas as pd

    names = [name for name in table.columns if name in Parameters.model_fields]
    results = [name for name in table.columns if name not in (*_records.COLUMNS, *names)]
    if table.empty:
        raise RefusedError("folder must hold executed notebooks, but there is none")
    if over is not None and over not in names:
        raise RefusedError(f"over must be a parameter of the runs, got {over!r}: {closest(over, names)}")
    attributes = {"skipped": table.attrs["skipped"], "left_out": 0}
    for name in names:  # lists cannot be grouped by
        table = table.assign(**{name: table[name].map(lambda value: tuple(value) if isinstance(value, list) else value)})
    if over is not None:
        done = table[table["state"] == "done"]
        attributes["left_out"] = len(table) - len(done)
        if done.empty:
            raise RefusedError(f"runs are compared over {over} only where one is done, but none of these {len(table)} is: leave over out")
        keys = ["chapter", "chapter_text", *_records.VERSIONS, *(name for name in names if name != over)]
        numbers = [name for name in results if pd.api.types.is_numeric_dtype(done[name])]
        if taken := {"runs", *(f"{name}_spread" for name in numbers)} & set(numbers):
            raise RefusedError(f"runs are compared over {over} only if none of their results is called {min(taken)!r}: leave over out")
        groups = done.assign(**done[numbers].astype(float)).groupby(keys, dropna=False, sort=False)
        rows = groups[over].agg(runs="size").join([groups[name].agg(**{name: "mean", f"{name}_spread": "std"}) for name in numbers])
        table = rows.reset_index()
        shown = [name for name in keys if _differs(table[name])]
        same = {name: table[name].iloc[0] for name in keys if name not in shown}
        table = table[[*shown, "runs", *(column for name in numbers for column in (name, f"{name}_spread"))]]
    else:
        candidates = [name for name in table.columns if name != "seconds"]
        shown = [name for name in candidates if _differs(table[name])]
        same = {name: table[name].iloc[0] for name in candidates if name not in shown}
        table = table[shown]
    table = table.copy()
    table.attrs = attributes | {"same": {name: value for name, value in same.items() if value != "" and not _missing(value)}}
    return table


def text(table, over=None):
    """Write a compared table as lines for a terminal, a result and its spread as one where it was compared `over` something."""
    spreads = [name for name in table.columns if over is not None and name.removesuffix("_spread") in set(table.columns) - {name}]
    columns = [] if over is not None else [["run", *map(_records.printable, table.index)]]
    for name in table.columns.drop(spreads):
        if f"{name}_spread" in spreads:
            words = [_with_spread(*pair) for pair in zip(table[name], table[f"{name}_spread"], strict=True)]
        else:
            words = ["" if _missing(value) else _records.shown(value) for value in table[name]]
        columns.append([_records.printable(name), *words])
    lines = list(zip(*columns, strict=True))
    widths = [max(map(len, column)) for column in columns]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _with_spread(mean, spread):
    """Mean and standard deviation to the same decimals, two digits of the latter.

    >>> _with_spread(0.094812, 0.00123), _with_spread(187.26, 12.3), _with_spread(0.5, float("nan")), _with_spread(3.0, 0.0)
    ('0.0948 ± 0.0012', '187 ± 12', '0.5', '3 ± 0')
    """
    if _missing(mean):
        return ""
    if _missing(spread):
        return _records.shown(float(mean))
    if not spread:
        return f"{_records.shown(float(mean))} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(spread)))
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def _differs(column):
    return len({repr(value) for value in column}) > 1


def _missing(value):
    import pandas as pd

    return pd.api.types.is_scalar(value) and pd.isna(value)
