"""Which chapter is to run, and with which parameters: all that can be refused before anything starts."""

import ast
import dataclasses
import glob
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import convae_nb
from convae_nb._base.suggestions import closest
from convae_nb._base.validate import first_line
from convae_nb.errors import RefusedError
from convae_nb.runs import notebook, parameters, records, source


def find(chapter: int | str | os.PathLike) -> Path:
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


def notebooks(*patterns: str) -> list[Path]:
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
    folders = Path("notebooks"), Path(convae_nb.__file__).parents[1] / "notebooks"
    for folder in folders:
        if found := [path for pattern in patterns for path in sorted(folder.glob(pattern))]:
            return found
    raise RefusedError(f"there is no notebook {' or '.join(patterns)} in {folders[0]} or {folders[1]}")


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A notebook that can be run, with the parameters of its cell tagged ``parameters``.

    Attributes
    ----------
    path : Path
    notebook : dict
    defaults : dict of str to value
        Its own, by name.
    types : dict of str to type
        As annotated, by name: of the vocabulary, or, in a notebook of one's own, a type that `parameters.READERS` has.
    """

    path: Path
    notebook: dict
    defaults: dict[str, Any]
    types: dict[str, Any]

    def refuse_unknown(self, names: Iterable[str]) -> None:
        """Refuse the name of a parameter that the chapter does not have."""
        for name in names:
            if name not in self.defaults:
                lacking = "its cell that is tagged parameters has no line such as seed: int = 0"
                cure = closest(name, self.defaults) if self.defaults else lacking
                raise RefusedError(f"{self.path.stem} has no parameter {name!r}: {cure}")

    def validated(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give all parameters, the chapter's defaults and those given instead; refuse what chapter or vocabulary do not allow."""
        self.refuse_unknown(given)
        values = self._validated(self.defaults | dict(given))
        if "source" in values:
            values["source"] = source.absolute(values["source"])
        return values

    def _validated(self, values):
        known = {name: value for name, value in values.items() if name in parameters.TYPES}
        checked = parameters.Parameters(**known)
        for name, value in values.items():
            values[name] = getattr(checked, name) if name in known else parameters.validate_type(name, value, self.types[name])
        return values


def read(path: Path) -> Chapter:
    """Read a chapter; refuse what is no notebook, or has parameters that cannot be read."""
    found = notebook.read_valid(path)
    defaults: dict[str, Any] = {}
    types: dict[str, Any] = {}
    try:
        for cell in notebook.code_cells(found):
            if "parameters" in cell["metadata"].get("tags", []):
                for node in ast.parse("".join(cell["source"])).body:
                    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                        name = node.target.id
                        if name in records.COLUMNS:
                            raise ValueError(f"{name} is the name of a column of every run: choose another")
                        defaults[name] = ast.literal_eval(node.value)
                        types[name] = parameters.TYPES.get(name) or _type_of(ast.unparse(node.annotation))
    except (ValueError, SyntaxError) as error:
        raise RefusedError(f"{path} must have a readable parameters cell, got {type(error).__name__}: {first_line(error)}") from None
    chapter = Chapter(path, found, defaults, types)
    try:
        chapter._validated(dict(defaults))
    except RefusedError as error:
        raise RefusedError(f"{path} must have parameters that `parameters.Parameters` allows in its parameters cell: {error}") from None
    return chapter


def combinations(chapter: Chapter, grid: Mapping[str, Iterable], given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the parameters of each run of a grid, validated, by a digest of them."""
    columns = {}
    for name, options in grid.items():
        if isinstance(options, str) or not hasattr(options, "__iter__"):
            raise RefusedError(f"grid must hold a list of values for each name, got {options!r} for {name}")
        columns[name] = [option.item() if hasattr(option, "item") else option for option in options]  # NumPy's scalars
        if not columns[name]:
            raise RefusedError(f"grid must hold at least one value for each name, got none for {name}")
        if name in given:
            raise RefusedError(f"{name} is given twice, for the grid and for all runs")
        for option in columns[name]:  # one by one first: of many combinations the first that is refused may come late
            if name not in ("noise_kind", "noise_level"):
                chapter.validated({**given, name: option})
    runs: dict[str, dict[str, Any]] = {}
    for point in itertools.product(*columns.values()):
        values = chapter.validated({**given, **dict(zip(columns, point, strict=True))})
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        if digest in runs:
            raise RefusedError(f"grid must not hold a value twice, got two runs with {dict(zip(columns, point, strict=True))}")
        runs[digest] = values
    return runs


def _type_of(annotation):
    """Give the type that an annotation names; only those that a command line can read."""
    types = {kind.__name__ if isinstance(kind, type) else str(kind): kind for kind in parameters.READERS}
    if annotation not in types:
        raise ValueError(f"a parameter is one of {', '.join(types)}, not {annotation}")
    return types[annotation]
