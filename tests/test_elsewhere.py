"""Where others than make set up: the dev container, the workflow for forks, the cell for Google Colab."""

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_server.serverapp import DEFAULT_JUPYTER_SERVER_PORT

ROOT = Path(__file__).parents[1]
SERVED = ["3.11", "3.12", "3.13"]
WORKFLOW = ROOT / ".github/workflows/test.yml"


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def jobs():
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_container_has_a_python_that_serves_what_make_installs_and_jupyterlabs_port():
    container = json.loads(text(".devcontainer/devcontainer.json"))
    assert container["image"].rpartition(":")[2] in SERVED
    make, target = container["postCreateCommand"].split()
    assert make == "make"
    assert re.search(f"^{re.escape(target)}:", text("Makefile"), re.MULTILINE)
    assert container["forwardPorts"] == [DEFAULT_JUPYTER_SERVER_PORT]
    assert container["portsAttributes"].keys() == {str(DEFAULT_JUPYTER_SERVER_PORT)}


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_workflow_keeps_to_the_published_schema_and_each_job_has_its_end(schema):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(WORKFLOW)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_workflow_may_only_read_and_runs_once_at_a_time():
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert "secrets." not in WORKFLOW.read_text(encoding="utf-8")


def test_the_workflow_takes_every_python_on_every_system(jobs):
    assert [job["runs-on"].partition("-")[0] for job in jobs.values()] == ["ubuntu", "macos", "windows"]
    assert all(job["strategy"]["matrix"]["python"] == SERVED for job in jobs.values())


def test_the_workflow_runs_what_ci_runs_and_what_the_readme_types_without_make(jobs):
    assert commands(jobs["linux"]) == [".ci/run"]
    blocks = re.findall(r"```\w+\n(.*?)```", text("README.md").partition("### Without make")[2], re.DOTALL)
    for system, block in zip(["macos", "windows"], blocks, strict=False):
        *typed, lab, app = re.sub(r"^py -3\.\d+ ", "python ", block).splitlines()
        assert commands(jobs[system]) == typed
        assert lab.endswith(" lab")  # serves until it is ended, as does the next
        assert " -m voila " in app


def test_the_cell_for_colab_installs_the_wheel_that_is_uploaded(monkeypatch):
    (cell,) = re.findall(r"```python\n(.*?)```", text("book/howto/elsewhere.md"), re.DOTALL)
    name, asked = "convae_nb-0.1.0-py3-none-any.whl", []
    files = types.SimpleNamespace(upload=lambda: {name: b"PK"})
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(files=files))
    there = {"get_ipython": lambda: types.SimpleNamespace(run_line_magic=lambda *magic: asked.append(magic))}
    exec(TransformerManager().transform_cell(cell), there)
    ((magic, line),) = asked
    assert (magic, line.format(**there)) == ("pip", f"install --quiet ./{name} anywidget")
