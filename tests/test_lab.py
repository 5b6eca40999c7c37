"""The chapters in JupyterLab, without a browser; `test_browser.py` has the page."""

import copy
import json
import shutil
import sys
import types
import urllib.request
from pathlib import Path

import browser
import pytest

from convae_nb import cli, lab

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OWN_SETTINGS = """
def forget_titles(model, **_):
    model["content"]["metadata"].pop("title", None)

c.ContentsManager.pre_save_hook = forget_titles
c.ServerApp.jpserver_extensions = {"jupyter_server_terminals": False}
"""


@pytest.mark.parametrize("told", [{"name": "python", "version": "3.12.1"}, {"name": "python"}, None])
def test_a_notebook_forgets_the_version_of_python_and_nothing_else(told):
    metadata = {"kernelspec": {"name": "python3"}, "version": "1"} | ({} if told is None else {"language_info": told})
    model = {"type": "notebook", "content": {"metadata": metadata, "cells": [{"metadata": {"version": 2}}], "nbformat": 4}}
    wanted = copy.deepcopy(model)
    if told is not None:
        wanted["content"]["metadata"]["language_info"] = {"name": "python"}
    lab.forget_version(model=model, path="01_data.ipynb", contents_manager=None)
    assert model == wanted


def test_a_file_that_is_no_notebook_stays_as_it_is():
    model = {"type": "file", "format": "text", "content": "version"}
    lab.forget_version(model=model, path="notes.txt", contents_manager=None)
    assert model == {"type": "file", "format": "text", "content": "version"}


class FakeLab:
    """Stands for JupyterLab's application: keeps what it was started with."""

    def initialize_server(self, argv):
        self.argv, self.hooks, self.started = argv, [], False
        self.contents_manager = types.SimpleNamespace(register_pre_save_hook=self.hooks.append)
        return self

    def start(self):
        self.started = True


def test_the_first_chapter_of_this_folder_is_opened_and_jupyterlab_has_the_further_options(write, monkeypatch):
    fake = FakeLab()
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", types.SimpleNamespace(LabApp=fake))
    for name in ("02_second.ipynb", "01_first.ipynb", "aside.ipynb"):
        write(name, "")
    assert cli.main(["lab", "--port", "9999", "--no-browser"]) == 0
    assert fake.argv[:2] == ["--ServerApp.root_dir=notebooks", "--LabApp.default_url=/lab/tree/01_first.ipynb"]
    assert fake.argv[-3:] == ["--port", "9999", "--no-browser"]
    assert fake.started
    assert fake.hooks == [lab.forget_version]


def test_without_jupyterlab_one_sentence_says_how_it_comes(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    monkeypatch.delitem(sys.modules, "jupyterlab.labapp", raising=False)
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == "lab needs JupyterLab, which is not installed: python -m pip install jupyterlab\n"


def test_other_commands_take_no_further_options(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["parameters", "1", "--port=9999"])
    assert capsys.readouterr().err.endswith("convae: error: unrecognized arguments: --port=9999\n")


@pytest.mark.slow
def test_a_reader_s_own_settings_hold_beside(tmp_path, monkeypatch):
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/jupyter_server_config.py").write_text(OWN_SETTINGS)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "settings"))
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    notebook = json.loads((NOTEBOOKS / "01_data.ipynb").read_text("utf-8"))
    notebook["metadata"] |= {"title": "gone", "author": "kept"}
    notebook["metadata"]["language_info"]["version"] = "3.12.1"
    with browser.served("convae_nb", "lab", "--IdentityProvider.token=t", "--allow-root", folder=tmp_path) as address:

        def ask(path, **model):
            headers = {"Authorization": "token t", "Content-Type": "application/json"}
            method, body = ("PUT", json.dumps(model).encode()) if model else ("GET", None)
            request = urllib.request.Request(f"{address}/{path}", data=body, headers=headers, method=method)
            with urllib.request.urlopen(request, timeout=browser.PATIENCE) as answer:
                return answer.read()

        ask("api/contents/01_data.ipynb", type="notebook", format="json", content=notebook)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask("api/terminals")
    saved = json.loads((tmp_path / "notebooks/01_data.ipynb").read_text("utf-8"))
    assert saved["metadata"].keys() == {"kernelspec", "language_info", "author"}
    assert "version" not in saved["metadata"]["language_info"]
