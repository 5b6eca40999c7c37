"""Tables that are measured point by point: to have been killed costs no more than the point at hand."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from convae_nb._base.files import write_table
from convae_nb.reference import tables


def resumable_table(
    name: str,
    rests_on: Any,
    points: list[dict[str, Any]],
    measure: Callable[..., list[Mapping[str, Any]]],
    checkpoints: str | os.PathLike,
) -> pd.DataFrame:
    """Measure a table point by point, keeping each; what was measured under other circumstances lies in another file.

    Parameters
    ----------
    name : str
        What the file is called, before a digest.
    rests_on : object
        What the numbers depend on beside the points, as JSON can hold it: the file's name has a digest of it.
    points : list of dict
        The arguments of each measurement, which become columns.
    measure : callable
        From a point's arguments to its rows.
    checkpoints : str or Path
        The folder of the file.
    """
    digest = hashlib.sha256(json.dumps(rests_on, sort_keys=True).encode()).hexdigest()
    path = Path(checkpoints, f"{name}-{digest[:12]}.csv")
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    for point in tqdm(points, desc=f"measuring {name.replace('_', ' ')}", dynamic_ncols=True):
        if not any(point.items() <= row.items() for row in rows):
            rows += [point | row for row in measure(**point)]
            write_table(pd.DataFrame(rows), path)
    return pd.DataFrame([row for point in points for row in rows if point.items() <= row.items()])


def ship_table(
    name: str,
    rests_on: Any,
    points: list[dict[str, Any]],
    measure: Callable[..., list[Mapping[str, Any]]],
    checkpoints: str | os.PathLike,
) -> None:
    """Measure a table as `resumable_table` does, and write it into the package under its name."""
    write_table(resumable_table(name, rests_on, points, measure, checkpoints), tables.FILES / f"{name}.csv")
