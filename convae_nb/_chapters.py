"""Which chapter is to run, and with which parameters: all that can be refused before anything starts."""

import ast
import glob
import hashlib
import itertools
import json
import os
from pathlib import Path

from convae_nb import _notebook, _source
from convae_nb.parameters import Parameters, RefusedError, closest


def find(chapter):
    """Find a chapter's file.

    Parameters
    ----------
    chapter : int, str or Path
        A number (4) or a stem (04_denoising), looked up in ./notebooks and then in the checkout that holds the package; or a path.

    Returns
    -------
    Path

    Raises
    ------
    RefusedError
        If that is no notebook, or more than one.
    """
    name = str(chapter)
    if name.endswith(".ipynb") or Path(name).name != name:
        if not os.path.isfile(name):  # Path.is_file raises where a name is too long
            raise RefusedError(f"chapter must be a number, a stem or a file, got {name!r}: there is no such file")
        return Path(name)
    first, *others = notebooks(f"{name.zfill(2)}_*.ipynb" if name.isdecimal() else f"{glob.escape(name)}.ipynb")
    if others:
        raise RefusedError(f"chapter must be one notebook, got {name!r}: give the stem, as {first.stem} or {others[0].stem}")
    return first


def notebooks(*patterns):
    """List the notebooks that match, in ./notebooks or else in the checkout that holds the package.

    Parameters
    ----------
    *patterns : str
        Such as ``0[1-9]_*.ipynb``, the chapters; each one's matches are sorted.

    Returns
    -------
    list of Path

    Raises
    ------
    RefusedError
        If there are none.
    """
    folders = Path("notebooks"), Path(__file__).parents[1] / "notebooks"
    for folder in folders:
        if found := [path for pattern in patterns for path in sorted(folder.glob(pattern))]:
            return found
    raise RefusedError(f"there is no notebook {' or '.join(patterns)} in {folders[0]} or {folders[1]}")


def read(path):
    """Give a chapter, and its own defaults, from the cell tagged ``parameters``."""
    defaults = {}
    try:
        notebook = _notebook.read(path)
        for cell in _notebook.code_cells(notebook):
            if "parameters" in cell["metadata"].get("tags", []):
                for node in ast.parse("".join(cell["source"])).body:
                    if isinstance(node, ast.AnnAssign):
                        defaults[node.target.id] = ast.literal_eval(node.value)
    except (*_notebook.UNREADABLE, SyntaxError) as error:
        raise RefusedError(f"{path} must be a notebook with a readable parameters cell, got {error!r}") from None
    try:
        Parameters(**defaults)
    except RefusedError as error:
        raise RefusedError(f"{path} must have parameters of `parameters.Parameters` in its parameters cell: {error}") from None
    return notebook, defaults


def checked(path, defaults, given):
    """Give all parameters of a chapter: its own defaults, and those given instead."""
    for name in given:
        if name not in defaults:
            found = closest(name, defaults) if defaults else "its cell that is tagged parameters has no line such as seed: int = 0"
            raise RefusedError(f"{path.stem} has no parameter {name!r}: {found}")
    values = Parameters(**(defaults | given))
    values = {name: getattr(values, name) for name in defaults}
    if "source" in values:
        values["source"] = _source.absolute(values["source"])
    return values


def combinations(path, defaults, grid, parameters):
    """Give the parameters of each run of a grid, checked, by a digest of them."""
    columns = {}
    for name, options in grid.items():
        if isinstance(options, str) or not hasattr(options, "__iter__"):
            raise RefusedError(f"grid must hold a list of values for each name, got {options!r} for {name}")
        columns[name] = [option.item() if hasattr(option, "item") else option for option in options]  # NumPy's scalars
        if not columns[name]:
            raise RefusedError(f"grid must hold at least one value for each name, got none for {name}")
        if name in parameters:
            raise RefusedError(f"{name} is given twice, for the grid and for all runs")
        for option in columns[name]:  # one by one first: of many combinations the first that is refused may come late
            if name not in ("noise_kind", "noise_level"):
                checked(path, defaults, parameters | {name: option})
    runs = {}
    for point in itertools.product(*columns.values()):
        values = checked(path, defaults, parameters | dict(zip(columns, point, strict=True)))
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        if digest in runs:
            raise RefusedError(f"grid must not hold a value twice, got two runs with {dict(zip(columns, point, strict=True))}")
        runs[digest] = values
    return runs
