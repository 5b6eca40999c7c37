"""Execute notebooks in place, as they are to be stored."""

import json
import os
import sys
from collections.abc import Iterable

from tqdm import tqdm

from convae_nb._base.validate import first_line
from convae_nb.errors import RunError
from convae_nb.runs import chapters, execution, notebook

_EXACT = 2**53  # from here on a float stands for more than one whole number


def store(stored: Iterable[int | str | os.PathLike] = ()) -> None:
    """Execute notebooks where they lie, as they are to be stored: without times, paths of this machine, versions or widgets' state.

    Parameters
    ----------
    stored : iterable of int, str or Path
        As `runs.find` takes them; none: all notebooks and their solutions.

    Raises
    ------
    RefusedError
        If there is no such chapter, or it is no notebook; before any of them is executed.
    RunError
        If a cell fails or a path of this machine is in an output; that notebook and those after it stay as they were.
    """
    paths = [chapters.find(chapter) for chapter in stored] or chapters.notebooks("*.ipynb", "solutions/*.ipynb")
    total = sum(len(notebook.code_cells(notebook.read_valid(path))) for path in paths)

    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellControlSignal

    with tqdm(total=total, unit="cell", delay=1, disable=sys.stderr is None) as bar:
        for path in paths:
            executed = nbformat.read(path, as_version=4)
            bar.set_description(path.stem)
            with execution.kernel(path.parent, execution.CELL_TIMEOUT, bar) as (_, options):
                try:
                    NotebookClient(executed, kernel_name="python3", record_timing=False, store_widget_state=False, **options).execute()
                except (CellControlSignal, RuntimeError) as error:
                    raise RunError(f"{path.stem}: {notebook.state(executed)[1] or first_line(error)}") from None
            _clean(executed)
            for local in {str(path.parent.resolve()), sys.prefix}:
                if json.dumps(local, ensure_ascii=False)[1:-1] in json.dumps(executed, ensure_ascii=False):
                    raise RunError(f"{path.stem}: an output or a cell holds this machine's path {local}")
            notebook.write(path, notebook.with_alternative_texts(executed))


def _clean(executed):
    executed.metadata.pop("widgets", None)
    executed.metadata.pop("papermill", None)
    executed.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    executed.metadata["language_info"].pop("version", None)
    for cell in executed.cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
        if cell.metadata.get("jupyter", {}).get("outputs_hidden"):
            cell.metadata["collapsed"] = True  # the older name of the same: JupyterLab saves both
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("data", {}).get("text/plain") != ""]  # Rich leaves such
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
            if "data" in output:
                output.data = _as_saved(output.data)


def _as_saved(value):
    """Give whole numbers as ints: a page's script, and so what JupyterLab saves, knows no other."""
    if isinstance(value, dict):
        return {name: _as_saved(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_saved(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value
