"""What tests of several modules need."""

import os
from pathlib import Path

import browser
import nbformat
import pytest
from executed import LONG


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the notebooks `make test` executes the chapters alone, and `make test-all` those beside them that do not train for long."""
    for item in items:
        if item.path.suffix == ".ipynb" and (item.path.parent.name == "solutions" or not item.path.name[0].isdigit()):
            item.add_marker(pytest.mark.long if f"{item.path.parent.name}/{item.path.stem}" in LONG else pytest.mark.slow)


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
