"""A browser without a window, the system's own, and Jupyter's servers for it, on this machine alone."""

import contextlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

PATIENCE = 180  # seconds for a server, or a kernel with TensorFlow, on a busy machine
_LAST = 10  # seconds that a server has to end its kernels
_LOCAL = re.compile(r"^\w+://127\.0\.0\.1\b")
_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
)


def lacking():
    """Say what is missing for a browser to run, and how it comes; nothing is downloaded here. None if all is there."""
    if _executable() is None:
        return "there is no Chromium: apt-get install chromium"
    if importlib.util.find_spec("playwright") is None:
        return "there is no playwright: python -m pip install -r requirements-dev.txt"
    return None


@contextlib.contextmanager
def chromium():
    """Start Chromium, give it as a playwright Browser, and close it in the end."""
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(), args=_QUIET.split())
        try:
            yield browser
        finally:
            browser.close()


def new_page(chromium, **options):
    """Give a page of a visitor of its own, who comes no further than this machine; `options` are those of playwright's contexts."""
    context = chromium.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE)
    # Voila's page asks for a font from elsewhere.
    context.route(lambda url: not _LOCAL.match(url), lambda route: route.fulfill(body=""))
    return context.new_page()


@contextlib.contextmanager
def served(*arguments, folder):
    """Run ``python -m …`` with a port of its own, give the address at which it answers, and end it with all that it started.

    Parameters
    ----------
    *arguments : str
        Such as "voila" and what follows it; among them what keeps the server to 127.0.0.1.
    folder : str or Path
        Where it runs.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="convae-") as own:
        # The reader's settings, workspaces and history are neither used nor changed.
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
        environment = os.environ | {name: str(Path(own, name)) for name in names}
        command = [sys.executable, "-m", *arguments, "--no-browser", f"--port={port}"]
        log = Path(own, "log")
        with log.open("w") as written:
            server = psutil.Popen(command, cwd=folder, env=environment, stdout=written, stderr=subprocess.STDOUT)
        try:
            _wait(server, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            _end(server)


def _executable():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _wait(server, port, log):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not answer: {log.read_text()}")


def _end(server):
    # Kernels have process groups of their own: they are found by descent, and that before their parent is gone.
    started = [server, *server.children(recursive=True)] if server.poll() is None else []
    if started:
        server.terminate()
    for process in psutil.wait_procs(started, timeout=_LAST)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.wait()
