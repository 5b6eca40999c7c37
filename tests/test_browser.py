"""The explorer as a reader meets it: in Chromium, served by JupyterLab and by voila, with a kernel behind it."""

import base64
import contextlib
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import browser
import nbformat
import numpy as np
import pytest
from PIL import Image

from convae_nb import data, noise, plots

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTER, NOTEBOOK = NOTEBOOKS / "04_denoising.ipynb", NOTEBOOKS / "noise_explorer.ipynb"
EXPLORER = ".convae-explorer svg[role=img]"  # drawn last
ROWS = ["clean", "noisy", "network", "baseline", "error"]
LAB = ("--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=t", "--expose-app-in-browser", "--allow-root")
# Which waits for the last cell.
RUN_ALL = """async () => {
    const {context, sessionContext} = window.jupyterapp.shell.currentWidget;
    await context.ready;
    await sessionContext.ready;
    await sessionContext.session.kernel.info;
    await window.jupyterapp.commands.execute('notebook:run-all-cells');
}"""
# Which waits for its kernel.
OPEN = """async path => {
    const {context, sessionContext} = await window.jupyterapp.commands.execute('docmanager:open', {path});
    await context.ready;
    await sessionContext.ready;
    await sessionContext.session.kernel.info;
}"""
SAVE_AND_CLOSE = """async () => {
    const {currentWidget} = window.jupyterapp.shell;
    await currentWidget.context.save();
    await currentWidget.sessionContext.shutdown();
    currentWidget.dispose();
}"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * browser.PATIENCE)]


@pytest.fixture(scope="module")
def app(chromium):
    with browser.served("voila", NOTEBOOK.name, "--Voila.ip=127.0.0.1", folder=NOTEBOOK.parent) as address:
        yield address


mnist = functools.cache(data.load)


@contextlib.contextmanager
def visitors(chromium):
    """Gives a function that opens an address as a visitor of its own; what a browser's console calls an error fails the test.

    It takes a list for the addresses that the page asks for, and the options of playwright's contexts.
    """
    pages, errors = [], []

    def visit(address, asked=None, **options):
        page = browser.new_page(chromium, **options)
        pages.append(page)
        if asked is not None:
            page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    try:
        yield visit
    finally:
        for page in pages:
            page.context.close()
    assert errors == []


def picture(page, row):
    """The pixels of a row's picture at its own size, grey, (height, width)."""
    draw = """image => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext('2d').drawImage(image, 0, 0);
        return canvas.toDataURL();
    }"""
    url = page.locator(".convae-explorer img").nth(ROWS.index(row)).evaluate(draw)
    if url == "data:,":
        return np.empty(0)  # the next picture is not decoded yet
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"))


def expected(kind, level):
    """The noisy row that belongs to a state, computed here: the first digit of each class."""
    digits = mnist()
    firsts = [int(np.argmax(digits.y_test == label)) for label in range(10)]
    return np.rint(255 * np.concatenate(noise.corrupt(digits.x_test[firsts], kind, level)[..., 0], axis=1))


def shows(page, kind, level):
    """Wait until the noisy row is that of this state, to the pixel."""
    wanted, until = expected(kind, level), time.monotonic() + browser.PATIENCE
    while not np.array_equal(picture(page, "noisy"), wanted):
        assert time.monotonic() < until, f"not {kind} of {level}, but {page.locator(EXPLORER).get_attribute('aria-label')}"
        page.wait_for_timeout(50)
    page.wait_for_timeout(500)  # in which the page may answer
    return np.array_equal(picture(page, "noisy"), wanted) and page.locator(".convae-explorer [role=alert]").count() == 0


def press(page, key, times):
    handle = page.get_by_role("slider")
    handle.focus()
    for _ in range(times):
        handle.press(key)


def command(target):
    """What make has Python do for a target, once all is installed: the words that follow ``python -m``."""
    makefile = (NOTEBOOKS.parent / "Makefile").read_text("utf-8")
    # What may stand before it is for the Chinese edition.
    return re.search(rf"^{target}: .*\n\t(?:\$\(IN\))?\.venv/bin/python -m (.*)$", makefile, re.MULTILINE)[1].split()


@pytest.mark.timeout(8 * browser.PATIENCE)
def test_make_lab_opens_the_first_chapter_asks_nothing_and_saves_chapters_as_they_are_stored(chromium, tmp_path):
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    chapters = sorted(path.name for path in NOTEBOOKS.glob("0[1-9]_*.ipynb"))
    asked = []
    with browser.served(*command("lab"), *LAB, folder=tmp_path) as address, visitors(chromium) as visit:
        page = visit(f"{address}/?token=t", asked, viewport={"width": 1400, "height": 900})
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
        assert page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path") == chapters[0]
        for name in chapters:
            page.evaluate(OPEN, name)
            page.wait_for_function("() => window.jupyterapp.shell.currentWidget.model.sharedModel.metadata.language_info.version")
            label = page.locator(".lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabLabel")
            assert label.inner_text() == name
            assert label.evaluate("label => label.scrollWidth <= label.clientWidth"), f"{name} is cut off"
            page.evaluate(SAVE_AND_CLOSE)
            assert (tmp_path / "notebooks" / name).stat().st_mtime_ns > (NOTEBOOKS / name).stat().st_mtime_ns
            assert (tmp_path / "notebooks" / name).read_bytes() == (NOTEBOOKS / name).read_bytes()
        assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    assert [url for url in asked if not re.match(rf"{address}/|data:|blob:", url)] == []
    assert [url for url in asked if re.search("/lab/api/(news|update)", url)] == []


@pytest.mark.timeout(8 * browser.PATIENCE)
@pytest.mark.parametrize("notebook", [NOTEBOOK, pytest.param(CHAPTER, marks=pytest.mark.long)], ids=lambda path: path.stem)
def test_jupyterlab_runs_a_notebook_and_a_key_moves_its_explorer(chromium, tmp_path, notebook):
    text = notebook.read_text("utf-8")
    assert text.count("train_digits: int = 0") == (notebook == CHAPTER)
    (tmp_path / notebook.name).write_text(text.replace("train_digits: int = 0", "train_digits: int = 5000"), "utf-8")  # to keep it short
    shutil.copytree(NOTEBOOKS / "images", tmp_path / "images")
    with (
        browser.served("jupyter", "lab", *LAB, f"--ServerApp.root_dir={tmp_path}", folder=tmp_path) as address,
        visitors(chromium) as visit,
    ):
        page = visit(f"{address}/lab/tree/{notebook.name}?token=t")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
        page.evaluate(RUN_ALL)
        page.locator(".jp-WindowedPanel-outer").hover()
        while not page.locator(EXPLORER).is_visible():  # the page holds only the cells near those in view
            page.mouse.wheel(0, 400)
            page.wait_for_timeout(50)
        assert shows(page, "gaussian", 0.5)
        clean, network = picture(page, "clean"), picture(page, "network")
        press(page, "ArrowRight", 5)
        assert shows(page, "gaussian", 0.6)
        assert not np.array_equal(picture(page, "network"), network)
        assert np.array_equal(picture(page, "clean"), clean)
        assert page.locator("[data-mime-type*=stderr], [data-mime-type*=error]").count() == 0


@pytest.mark.skipif(os.name == "nt", reason="the browser is a shell script")
@pytest.mark.parametrize("there", [True, False])
def test_make_app_opens_the_browser_that_is_there_and_says_its_address(tmp_path, there):
    (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" >"{tmp_path}/opened"\n')
    (tmp_path / "browser").chmod(0o755)
    # Without the tools of this machine, among which there may be a browser.
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    environment |= {"PATH": str(tmp_path / "no tools"), "TMPDIR": str(tmp_path), "BROWSER": f"{tmp_path}/browser %s" if there else ""}
    serving = [sys.executable, "-m", *command("app")]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(serving, cwd=NOTEBOOKS.parent, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        awaited = ("opened", "\n") if there else ("log", "No web browser found")
        wait_for(tmp_path / awaited[0], awaited[1])
        (address,) = re.findall(r"running at:\n(http://127\.0\.0\.1:\d+/)\n", (tmp_path / "log").read_text("utf-8"))
        if there:
            # The browser is given a page on the disk, which leads on.
            page = urllib.request.url2pathname((tmp_path / "opened").read_text("utf-8").strip().removeprefix("file://"))
            assert address in Path(page).read_text("utf-8")
    finally:
        server.terminate()
        server.wait()


def wait_for(path, text):
    until = time.monotonic() + browser.PATIENCE
    while not path.exists() or text not in path.read_text("utf-8"):
        assert time.monotonic() < until, f"no {text!r} in {path.name}"
        time.sleep(0.1)


def test_voila_serves_two_visitors_who_do_not_disturb_each_other(chromium, app):
    with visitors(chromium) as visit:
        one, other = visit(app), visit(app)
        for page in (one, other):
            page.locator(EXPLORER).wait_for()
            assert shows(page, "gaussian", 0.5)
        press(one, "ArrowLeft", 10)
        other.get_by_label("noise", exact=True).select_option("blur")
        assert shows(one, "gaussian", 0.3)
        assert shows(other, "blur", 1.25)
        press(other, "ArrowRight", 5)
        assert shows(other, "blur", 1.5)
        press(other, "End", 1)
        assert shows(other, "blur", 5.0)
        other.get_by_label("noise", exact=True).select_option("occlusion")
        assert shows(other, "occlusion", 1.0)
        assert other.get_by_role("slider").count() == 1
        assert shows(one, "gaussian", 0.3)
        assert one.locator("pre").count() == 0  # voila hides the code


def test_pixels_are_of_one_size_and_a_page_of_400_pixels_is_wide_enough(chromium, app):
    with visitors(chromium) as visit:
        page = visit(app)
        page.locator(EXPLORER).wait_for()
        page.get_by_label("noise", exact=True).select_option("speckle")  # its unit is the longest
        page.get_by_label("baseline").select_option("median filter")
        pictures = page.locator(".convae-explorer img")
        for width, whole in ((1280, 840), (1000, 560), (400, None)):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(500)
            across = [pictures.nth(i).bounding_box()["width"] for i in range(len(ROWS))]
            assert min(across) == max(across)
            assert across[0] == whole or (whole is None and across[0] > 340)
            parts = page.locator(".convae-explorer *:visible").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
            assert max(parts) <= width
            assert page.locator(".noUi-target").bounding_box()["width"] > 100, "room for the slider to move"


PAD = """import ipywidgets
from convae_nb import explorer
pad, told = explorer.drawing_pad(), ipywidgets.Label("nothing")
pad.observe(lambda _: setattr(told, "value", f"the kernel has {pad.image.sum()}"), "pixels")
ipywidgets.VBox([pad, told])"""


@pytest.mark.timeout(8 * browser.PATIENCE)
@pytest.mark.parametrize("server", ["voila", "lab"])
def test_what_is_drawn_on_a_pad_reaches_the_kernel(chromium, tmp_path, server):
    kernel = {"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PAD)], metadata=kernel), tmp_path / "pad.ipynb")
    starts = {
        "voila": ("voila", "pad.ipynb", "--Voila.ip=127.0.0.1"),
        "lab": ("jupyter", "lab", *LAB, f"--ServerApp.root_dir={tmp_path}"),
    }
    with browser.served(*starts[server], folder=tmp_path) as address, visitors(chromium) as visit:
        page = visit(address if server == "voila" else f"{address}/lab/tree/pad.ipynb?token=t")
        if server == "lab":
            page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
            page.evaluate(RUN_ALL)
        pad = page.locator(".convae-pad-canvas")
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 160, box["y"] + 190, steps=10)
        page.mouse.up()
        told = page.locator(".widget-label", has_text="the kernel has")
        told.wait_for()
        page.wait_for_timeout(1000)
        seen = page.locator(".convae-pad-seen").evaluate("""canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, 28, 28);
            return data.reduce((sum, value, i) => sum + (i % 4 ? 0 : value), 0);
        }""")
        assert seen > 5000
        # A canvas rounds greys half up, as the pad does, or down.
        assert int(told.inner_text().split()[-1]) == pytest.approx(seen, abs=100)
        pad.press("Delete")
        page.locator(".widget-label", has_text=re.compile("^the kernel has 0$")).wait_for()


def test_frames_obey_the_keyboard_on_a_page_without_a_kernel(chromium):
    shown = plots.Frames(plots.overlap, start={"kernel_size": 3, "stride": 2}, kernel_size=[2, 3, 4], stride=[1, 2])
    wanted = plots.Frames(plots.overlap, start={"kernel_size": 4, "stride": 1}, kernel_size=[4], stride=[1])
    with visitors(chromium) as visit:
        page = visit("about:blank")
        page.set_content(shown._repr_mimebundle_()["text/html"])
        page.get_by_label("kernel size").press("ArrowRight")
        page.get_by_label("stride").press("ArrowLeft")
        drawn = page.locator("img")
        assert drawn.get_attribute("src") == f"data:image/png;base64,{wanted._repr_mimebundle_()['image/png']}"
        assert drawn.get_attribute("alt") == "kernel size 4, stride 1"
        assert page.locator("output").all_text_contents() == ["4", "1"]
        assert page.get_by_label("stride").get_attribute("aria-valuetext") == "1"
