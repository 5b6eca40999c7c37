"""A progress line: on standard error in a terminal, as plain text in one replaced output in a notebook."""

import io
import sys

from tqdm import tqdm


class _NotebookBar(tqdm):
    """A stored notebook keeps its last state as a line of text, and none if it was never shown."""

    def __init__(self, *args, **options):
        self._line = None
        super().__init__(*args, file=io.StringIO(), ascii=False, **options)

    def display(self, msg=None, pos=None):
        from IPython import display

        if self._line is None:
            self._line = display.display({"text/plain": ""}, raw=True, display_id=True)
        self._line.update({"text/plain": str(self) if msg is None else msg}, raw=True)


def progress_bar(*args, progress: bool = True, **options) -> tqdm:
    """Give a progress bar of tqdm, of the arguments and options that tqdm takes; it shows nothing unless `progress`."""
    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None
    return (_NotebookBar if in_notebook and progress else tqdm)(*args, disable=not progress or sys.stderr is None, **options)
