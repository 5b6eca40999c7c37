"""What tests of several modules need."""

import os
from pathlib import Path

import browser
import nbformat
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Solutions and the notebooks beside the chapters take as long as the chapters: `make test` executes these, `make test-all` all."""
    for item in items:
        if item.path.suffix == ".ipynb" and (item.path.parent.name == "solutions" or not item.path.name[0].isdigit()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def chromium():
    """The system's Chromium; without one tests are skipped, or fail where it is required."""
    if lack := browser.lacking():
        if os.environ.get("CONVAE_BROWSER") == "required":
            pytest.fail(lack)
        pytest.skip(lack)
    with browser.chromium() as started:
        yield started


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a notebook into ./notebooks: its parameters cell, then the other cells."""
    monkeypatch.chdir(tmp_path)
    Path("notebooks").mkdir()

    def write(name, parameters, *sources, kernel="python3"):
        cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = Path("notebooks", name)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
        return path

    return write
