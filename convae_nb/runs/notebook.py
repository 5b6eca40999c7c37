"""Notebooks as files: read, validated, written atomically, and what became of the run that one holds."""

import json
import os
from pathlib import Path

from convae_nb._base.files import write_atomically
from convae_nb._base.validate import first_line
from convae_nb.errors import RefusedError

#: What reading the file of another can raise.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def read(path: str | os.PathLike) -> dict:
    """Read a notebook as plain JSON values; what is none raises one of `UNREADABLE`."""
    return json.loads(Path(path).read_text("utf-8"))


def read_valid(path: str | os.PathLike) -> dict:
    """Read a notebook that is to be executed, and validate what an execution takes for granted.

    Raises
    ------
    RefusedError
        If it is no notebook of version 4, as after a merge conflict, or a cell lacks its text.
    """
    try:
        notebook = read(path)
        notebook["metadata"].items()
        if notebook["nbformat"] != 4:
            raise ValueError(f"nbformat {notebook['nbformat']}, not 4")
        for cell in notebook["cells"]:
            "".join(cell["metadata"].get("tags", []))
            "".join(cell["source"]).encode()  # half a character could not be written
            cell["cell_type"].strip()
    except UNREADABLE as error:
        raise RefusedError(f"{path} must be a notebook that can be read, got {type(error).__name__}: {first_line(error)}") from None
    return notebook


def text(notebook: dict) -> str:
    """Give a notebook as the text of its file."""
    import nbformat

    return nbformat.writes(nbformat.from_dict(notebook)) + "\n"


def write(path: str | os.PathLike, notebook: dict | str) -> None:
    """Write a notebook, or the text of one, atomically: whoever reads `path` finds the old file or the whole new one."""
    with write_atomically(Path(path)) as file:
        file.write((notebook if isinstance(notebook, str) else text(notebook)).encode())


def with_alternative_texts(notebook: dict) -> dict:
    """Give the figures of executed cells the alternative text that their cells hold for the book; nbconvert reads it beside the figure."""
    for cell in notebook["cells"]:
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
        for output in cell.get("outputs", []) if alt else []:
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    output["metadata"][kind] = output["metadata"].get(kind, {}) | {"alt": alt}
    return notebook


def code_cells(notebook: dict) -> list[dict]:
    """Give the cells that have code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def is_run(path: str | os.PathLike) -> bool:
    """Say whether a file is an executed notebook of papermill's."""
    try:
        return "papermill" in read(path)["metadata"]
    except UNREADABLE:
        return False


def state(notebook: dict) -> tuple[str, str]:
    """Give what became of a run: done, failed or unfinished; and in one line why it failed.

    papermill's metadata call a run well whose kernel died or whose cell took too long: what counts is that every cell ran, and that no
    output is an error, widgets' included.
    """
    cells = code_cells(notebook)
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return "failed", _reason(output, cell)
    shown = {view: cell for cell in cells for output in cell["outputs"] for view in _views(output)}
    for model, widget in _widgets(notebook).items():
        for output in widget["state"].get("outputs", ()):
            if output["output_type"] == "error":
                return "failed", _reason(output, shown.get(model), "in a widget ")
    statuses = {cell.get("metadata", {}).get("papermill", {}).get("status", "completed") for cell in cells}
    ran = all(cell["execution_count"] is not None for cell in cells) and statuses <= {"completed", "failed"}
    return "done" if ran else "unfinished", ""


def _reason(output, cell, where=""):
    count = cell["execution_count"] if cell else None
    return f"{output['ename']}: {first_line(output['evalue'], '')} {where}{f'in cell [{count}]' if count else ''}".rstrip()


def _views(output):
    view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json", {})
    return [view["model_id"]] if "model_id" in view else []


def _widgets(notebook):
    return notebook["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
