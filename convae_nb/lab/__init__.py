"""The chapters in JupyterLab, as a reader should meet them: at the first one, asked nothing, and with files that change by their own hand.

JupyterLab's options cannot say all of this. What no option says is in ``extensions/``, a prebuilt extension that JupyterLab is pointed
to, and in a hook; neither is installed anywhere, and what the reader has set stays: other settings, hooks and extensions serve as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convae_nb.errors import RefusedError
from convae_nb.runs import chapters

_EXTENSIONS = Path(__file__).parent / "extensions"


def launch(options: Sequence[str] = ()) -> None:
    """Serve the chapters' folder by JupyterLab, open the first chapter in a browser, and return when the server has ended.

    Parameters
    ----------
    options : sequence of str
        JupyterLab's own, such as ``--port=9999``.

    Raises
    ------
    RefusedError
        If JupyterLab is not installed, or there are no chapters.
    """
    first = chapters.notebooks("0[1-9]_*.ipynb")[0]
    try:
        from jupyterlab.labapp import LabApp
    except ModuleNotFoundError:
        raise RefusedError("lab needs JupyterLab, which is not installed: python -m pip install jupyterlab") from None
    own = (
        f"--ServerApp.root_dir={first.parent}",
        f"--LabApp.default_url=/lab/tree/{first.name}",
        f"--LabApp.extra_labextensions_path={_EXTENSIONS}",
    )
    server = LabApp.initialize_server([*own, *options])
    server.contents_manager.register_pre_save_hook(forget_version)
    server.start()


def forget_version(model: dict[str, Any], **_: Any) -> None:
    """Drop the version of Python from a notebook that is to be saved; nothing else in it is of one machine.

    As soon as a kernel runs, JupyterLab's page writes all that the kernel says of its language into the notebook. Nothing reads the
    version there, and with it a chapter that was only opened and saved would be a change for git. The server is the last that has the
    notebook before it is a file: here saving by hand, by itself every two minutes and under another name all pass.

    Parameters
    ----------
    model : dict
        As Jupyter gives it to a ``pre_save_hook``.
    """
    if model["type"] == "notebook":
        model["content"]["metadata"].get("language_info", {}).pop("version", None)
