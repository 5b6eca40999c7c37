"""The live parts in Chromium: every control moved, and what the page shows compared with what the package computes."""

import base64
import contextlib
import functools
import http.server
import json
import re
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import browser
import numpy as np
import pytest
from PIL import Image
from scipy import special

from convae_nb import checkerboard, data, explorer, live, metrics, models, noise, reference

ROOT = Path(__file__).parents[1]
NETWORKS = ["original_denoiser", "skip_denoiser", "original_basic", "fast_basic", "range_denoiser", "skip_range_denoiser"]
PARTS = ["explorer", "draw", "checkerboards", "code", "generate"]
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>live</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="static/live.css"><script defer src="static/convae.js"></script>
<body style="margin: 8px"><main><h1>Live</h1><div class="convae-live" data-part="{part}"{more}></div>{tail}</main></body></html>"""
DRAWN = """() => ({drawn: new Promise(done => {
  document.querySelector(".convae-live").addEventListener("convae-drawn", ({detail}) => done(detail), {once: true});
})})"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * browser.PATIENCE)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder under a path of its own with a page for each part."""
    folder = tmp_path_factory.mktemp("site") / "courses/convae"
    decoders = [f"fast_basic-{decoder}{bare}/0" for decoder in models.DECODERS for bare in ("", "-bare")]
    live.write(folder / "static", [*NETWORKS, *decoders])
    for name, more in (dict.fromkeys(PARTS, "") | {"front": " data-brief"}).items():
        part = "draw" if name == "front" else name
        tail = '<div style="height: 3000px"></div>' if name == "front" else ""
        (folder / f"{name}.html").write_text(PAGE.format(part=part, more=more, tail=tail), encoding="utf-8")
    both = PAGE.format(part="explorer", more="", tail='<div class="convae-live" data-part="draw"></div>')
    (folder / "both.html").write_text(both, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    root = site.parent.parent
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/courses/convae/"
        server.shutdown()


@contextlib.contextmanager
def visit(chromium, url, script=None, ready="canvas[aria-label*=PSNR]", expected=(), **options):
    """Gives a page whose part has drawn; whatever its console says fails the test."""
    said = []
    with contextlib.closing(chromium.new_context(**options)) as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        # That the test reads pixels is nothing to complain of.
        page.on("console", lambda message: "willReadFrequently" in message.text or said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(url)
        page.wait_for_selector(f".convae-live {ready}")
        yield page
    assert [text for text in said if not any(words in text for words in expected)] == []


def after(page, move):
    """Moves something, and gives the state of which the part then says that it is drawn."""
    waiting = page.evaluate_handle(DRAWN)
    move()
    return waiting.evaluate("({drawn}) => drawn")


def pixels(page, label):
    """What stands on a canvas, as greys from 0 to 255."""
    return np.array(
        page.locator(f"canvas[aria-label^='{label}']").first.evaluate(
            """canvas => {
          const {width, height} = canvas, {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
          return Array.from({length: height}, (_, i) => Array.from({length: width}, (_, j) => data[4 * (i * width + j)]));
        }"""
        )
    )


def choose(page, label, option):
    page.locator("label", has_text=re.compile(f"^{label} ")).locator("select").select_option(option)


def cut(strip):
    return data.as_images(np.stack(np.split(strip.astype("uint8"), strip.shape[1] // 28, axis=1)))


def state_of(page):
    page.wait_for_timeout(400)  # the address is written when the controls rest
    return {key: value for key, (value,) in parse_qs(urlsplit(page.url).fragment).items()}


def first_of_each():
    digits = data.load()
    return digits.x_test[[int(np.flatnonzero(digits.y_test == digit)[0]) for digit in range(10)]]


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_the_explorer_shows_what_the_package_computes(site, address, chromium, protocol):
    with visit(chromium, (address + "explorer.html") if protocol == "http" else (site / "explorer.html").as_uri()) as page:
        clean, noisy, network = (cut(pixels(page, name)) for name in ("clean", "noisy", "network"))
        np.testing.assert_array_equal(clean, data.as_images(first_of_each()))
        # The page rounds what it shows to 256 greys, the network's input as well.
        expected = models.reconstruct(reference.load("original_denoiser"), noisy)
        assert np.abs(network - expected).max() < 0.02
        told = page.locator(".convae-note", has_text="network").first.inner_text()
        psnr, ssim = map(float, re.search(r"PSNR ([\d.]+) dB, SSIM ([\d.]+)", told).groups())
        assert psnr == pytest.approx(metrics.psnr(clean, expected).mean(), abs=0.1)
        assert ssim == pytest.approx(metrics.ssim(clean, expected).mean(), abs=0.01)
        # Another generator draws the noise, from the same distribution.
        assert metrics.psnr(clean, noisy).mean() == pytest.approx(metrics.psnr(clean, noise.corrupt(clean)).mean(), abs=0.3)
        page.locator(".convae-curve svg polyline").first.wait_for()
        assert page.locator(".convae-alert").inner_text() == ""


def test_every_control_of_the_explorer_moves_the_pictures_and_the_address_brings_them_back(address, chromium):
    with visit(chromium, address + "explorer.html") as page:
        seen = [pixels(page, "network")]
        moves = {
            "kind": lambda: choose(page, "noise", "salt and pepper"),
            "level": lambda: page.get_by_role("slider", name="level").press("ArrowRight"),
            "seed": lambda: page.get_by_role("button", name="new noise").click(),
            "network": lambda: choose(page, "network", "skip_denoiser/0"),
            "digits": lambda: choose(page, "digits", "ten times 3"),
        }
        expected = {}
        for key, move in moves.items():
            shown = after(page, move)
            seen.append(pixels(page, "network"))
            assert not np.array_equal(seen[-1], seen[-2]), key
            expected[key] = str(shown[key])
            assert state_of(page)[f"explorer.{key}"] == expected[key]
        assert expected == {"kind": "salt_and_pepper", "level": "0.26", "seed": "1", "network": "skip_denoiser/0", "digits": "ten times 3"}
        link = page.url
    with visit(chromium, link) as again:
        np.testing.assert_array_equal(pixels(again, "network"), seen[-1])
        assert again.locator("label", has_text="digits").locator("select").input_value() == "ten times 3"


def test_a_copied_link_has_one_part_s_state_and_opens_the_page_there(address, chromium):
    catch = "navigator.clipboard.writeText = async (text) => { window.copied = text; };"
    with visit(chromium, address + "both.html", script=catch) as page:
        explorer, drawing = page.locator("[data-part=explorer]"), page.locator("[data-part=draw]")
        explorer.get_by_role("button", name="new noise").click()
        drawing.locator("label", has_text=re.compile("^noise ")).locator("select").select_option("blur")
        assert drawing.get_by_role("button", name="new noise").is_disabled(), "blur has no seed"
        assert state_of(page).items() >= {"explorer.seed": "1", "draw.kind": "blur"}.items()
        drawing.get_by_role("button", name="copy link").click()
        link = page.evaluate("copied")
        assert "at=draw" in link
        assert "explorer" not in urlsplit(link).fragment
        # What is asked for in the address of the open page is shown, too.
        page.evaluate("location.hash = '#explorer.kind=occlusion'")
        page.wait_for_function("document.querySelector('[data-part=explorer] .convae-slider')?.innerText.includes('shorter side')")
    with visit(chromium, link) as page:
        page.wait_for_function("scrollY > 100")
        chosen = page.locator("label", has_text=re.compile("^noise ")).locator("select")
        assert [choice.input_value() for choice in chosen.all()] == ["gaussian", "blur"]


def test_who_comes_back_from_a_heading_keeps_what_is_drawn(address, chromium):
    with visit(chromium, address + "both.html#at=explorer&explorer.level=1.2") as page:
        page.evaluate("window.kept = true; location.hash = '#heading'")
        page.wait_for_selector("[data-part=draw] canvas[aria-label*=PSNR]")
        page.locator(".convae-pad-canvas:visible").scroll_into_view_if_needed()
        draw(page, SEVEN)
        drawn = state_of(page)["draw.drawing"]
        page.go_back()
        page.wait_for_url("**draw.drawing=*")
        assert page.evaluate("window.kept")
        assert state_of(page).items() >= {"explorer.level": "1.2", "draw.drawing": drawn}.items()


def test_a_picture_is_taken_over_the_explorer_alone(address, chromium):
    allowed = """place => {
        const moved = new DragEvent("dragover", {bubbles: true, cancelable: true, dataTransfer: new DataTransfer()});
        moved.dataTransfer.dropEffect = "copy";
        document.querySelector(place).dispatchEvent(moved);
        return [moved.defaultPrevented, moved.dataTransfer.dropEffect];
    }"""
    with visit(chromium, address + "both.html") as page:
        assert page.evaluate(allowed, "[data-part=explorer]")[0]
        assert page.evaluate(allowed, "[data-part=draw]") == [True, "none"]


def test_a_network_that_does_not_come_leaves_pale_pictures_and_a_sentence(address, chromium):
    with visit(chromium, address + "explorer.html", expected=["Failed to load"]) as page:
        page.route("**/networks/skip_denoiser-0.js", lambda route: route.abort())
        choose(page, "network", "skip_denoiser/0")
        page.get_by_text("networks/skip_denoiser-0.js could not be loaded. Is there a connection?").wait_for()
        shown = page.locator("canvas[aria-label^=network]").first
        assert shown.evaluate("canvas => getComputedStyle(canvas).opacity") == "0.3"
        page.unroute("**/networks/skip_denoiser-0.js")
        after(page, lambda: page.get_by_role("button", name="new noise").click())
        page.wait_for_function("!document.querySelector('.convae-old')")


@pytest.mark.parametrize("fragment", ["kind=none&level=9e9&seed=-1&network=x&digits=y&drawing=%00&at=z", "level=NaN&drawing=((("])
def test_nonsense_in_the_address_is_passed_over(address, chromium, fragment):
    fragment = "&".join(f"explorer.{part}" for part in fragment.split("&"))
    with visit(chromium, f"{address}explorer.html#{fragment}") as page:
        assert pixels(page, "network").shape == (28, 280)


def test_where_workers_are_refused_the_page_computes_by_itself_and_says_nothing(address, chromium):
    with visit(chromium, address + "explorer.html") as page:
        expected = pixels(page, "network")
    refuse = "window.Worker = class { constructor() { throw new Error('no workers here'); } };"
    with visit(chromium, address + "explorer.html", script=refuse) as page:
        np.testing.assert_array_equal(pixels(page, "network"), expected)
        assert page.locator(".convae-alert").inner_text() == ""


@pytest.mark.parametrize("workers", ["blob:", "'none'"])
def test_a_strict_content_security_policy_is_kept(site, address, chromium, workers):
    policy = re.search(r"```text\n(.*?)```", (ROOT / "book/howto/web.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    policy = " ".join(policy.split()).replace("worker-src blob:", f"worker-src {workers}")
    page_ = (site / "explorer.html").read_text(encoding="utf-8")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    (site / "strict.html").write_text(page_.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{meta}'), encoding="utf-8")
    refused = [] if workers == "blob:" else ["Content Security Policy"]
    with visit(chromium, address + "strict.html", expected=refused) as page:
        assert pixels(page, "network").shape == (28, 280)


def test_a_picture_of_ones_own_is_fitted_into_grey_pixels(address, chromium, tmp_path):
    picture = np.zeros((60, 120, 3), dtype="uint8")
    picture[:, :60] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "red.png")
    (tmp_path / "notes.txt").write_text("no picture")
    with visit(chromium, address + "explorer.html") as page:
        choose(page, "digits", "your picture")
        assert "No picture is chosen" in page.locator(".convae-alert").inner_text()
        after(page, lambda: page.locator("input[type=file]").set_input_files(tmp_path / "red.png"))
        shown = pixels(page, "clean")
        assert shown.shape == (28, 28)
        assert set(np.unique(shown[:7])) == set(np.unique(shown[21:])) == {0}, "the picture is wide: black above and below it"
        assert np.all(shown[8:20, :13] == round(0.299 * 255))
        assert np.all(shown[8:20, 15:] == 0)
        page.locator("input[type=file]").set_input_files(tmp_path / "notes.txt")
        page.get_by_text("notes.txt could not be read as a picture").wait_for()
        # Another is dropped.
        picture[:, :60] = (0, 0, 255)
        Image.fromarray(picture).save(tmp_path / "blue.png")
        held = base64.b64encode((tmp_path / "blue.png").read_bytes()).decode()
        dropped = page.evaluate_handle(
            """held => {
                const bytes = Uint8Array.from(atob(held), (letter) => letter.charCodeAt(0)), data = new DataTransfer();
                data.items.add(new File([bytes], "blue.png", { type: "image/png" }));
                return data;
            }""",
            held,
        )
        after(page, lambda: page.locator(".convae-drop").dispatch_event("drop", {"dataTransfer": dropped}))
        assert np.all(pixels(page, "clean")[8:20, :13] == round(0.114 * 255))
        assert not page.get_by_text("could not be read").is_visible()
        # Ink on paper, and on nothing: bright on black, until one asks for the contrary.
        paper = np.full((56, 56, 4), 255, dtype="uint8")
        paper[20:36, 20:36, :3] = 0
        nothing = np.where(paper[..., :1] == 255, 0, paper)
        nothing[20:36, 20:36] = (0, 0, 0, 255)
        for name, ink in {"paper.png": paper, "nothing.png": nothing}.items():
            Image.fromarray(ink).save(tmp_path / name)
            after(page, lambda name=name: page.locator("input[type=file]").set_input_files(tmp_path / name))
            shown = pixels(page, "clean")
            assert (shown[14, 14], shown[3, 3]) == (255, 0), name
        after(page, lambda: page.get_by_label("exchange dark and light").uncheck())
        shown = pixels(page, "clean")
        assert (shown[14, 14], shown[3, 3]) == (0, 255)


def draw(page, points):
    box = page.locator(".convae-pad-canvas:visible").bounding_box()
    page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    page.mouse.up()


SEVEN = [(50, 60), (170, 60), (100, 200)]


def what_goes_in(page):
    return pixels(page, "What the network is given") if page.locator("canvas[aria-label^='What the network']").count() else None


def is_fitted(picture):
    rows, columns = np.nonzero(picture)
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    centre = [np.average(np.arange(28), weights=picture.sum(axis=axis)) for axis in (1, 0)]
    return max(sides) == 20 and all(13.4 <= place <= 14.6 for place in centre)


def test_a_drawing_by_mouse_is_fitted_as_mnist_was_and_passes_through_the_network(address, chromium):
    with visit(chromium, address + "draw.html") as page:
        assert is_fitted(what_goes_in(page)), "the test digit to begin with"
        page.get_by_role("button", name="clear").click()
        page.get_by_text("Nothing is drawn yet").wait_for()
        assert page.locator("canvas[aria-label^='what the network makes of it']").is_hidden()
        after(page, lambda: draw(page, SEVEN))
        page.wait_for_timeout(300)
        fitted = what_goes_in(page)
        assert is_fitted(fitted)
        noisy, network = (cut(pixels(page, label)) for label in ("what goes in", "what the network makes of it"))
        assert np.abs(network - models.reconstruct(reference.load("original_denoiser"), noisy)).max() < 0.02
        # Six decoders without noise, and the code.
        for decoder in models.DECODERS:
            expected = models.reconstruct(reference.load(f"fast_basic-{decoder}"), fitted[None].astype("uint8"))
            assert np.abs(cut(pixels(page, decoder.replace("_", " "))) - expected).max() < 0.02, decoder
        code = models.encode(reference.load("original_denoiser"), noisy)[0]
        assert np.abs(pixels(page, "the code") / 255 - np.concatenate(np.moveaxis(code, -1, 0), axis=1) / code.max()).max() < 0.03
        page.wait_for_timeout(400)
        link, drawn = page.url, what_goes_in(page)
        after(page, lambda: page.get_by_label("fit it as MNIST was made").uncheck())
        assert not is_fitted(what_goes_in(page))
        assert state_of(page)["draw.drawing"].endswith("!")
        page.get_by_role("button", name="undo").click()
        page.get_by_text("Nothing is drawn yet").wait_for()
    with visit(chromium, link) as again:
        np.testing.assert_array_equal(what_goes_in(again), drawn)


def test_a_finger_draws_and_does_not_scroll_the_page(address, chromium):
    with visit(chromium, address + "front.html", has_touch=True, viewport={"width": 400, "height": 700}) as page:
        page.get_by_role("button", name="clear").click()
        box, fingers = page.locator(".convae-pad-canvas").bounding_box(), page.context.new_cdp_session(page)

        def touch(kind, *points):
            at = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in points]
            fingers.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

        touch("Start", (112, 30))
        for y in range(40, 200, 8):
            touch("Move", (112, y))
        touch("End")
        page.wait_for_function("document.querySelector('canvas[aria-label^=\"What the network\"]')")
        assert is_fitted(what_goes_in(page))
        assert page.evaluate("scrollY") == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_drawing_takes_an_example_s_place_and_every_change_can_be_undone(address, chromium):
    with visit(chromium, address + "front.html", has_touch=True) as page:
        example = what_goes_in(page)
        draw(page, SEVEN)
        page.wait_for_timeout(200)
        seven = what_goes_in(page)
        page.get_by_role("button", name="undo").click()
        page.wait_for_timeout(200)
        np.testing.assert_array_equal(what_goes_in(page), example)
        draw(page, SEVEN)
        page.wait_for_timeout(200)
        np.testing.assert_array_equal(what_goes_in(page), seven)
        page.get_by_role("button", name="clear").click()
        page.get_by_text("Nothing is drawn yet").wait_for()
        draw(page, SEVEN)
        page.wait_for_timeout(200)
        np.testing.assert_array_equal(what_goes_in(page), seven)
        page.locator("label", has_text="begin with").locator("select").select_option("a 3 of the test set")
        page.wait_for_timeout(200)
        assert not np.array_equal(what_goes_in(page), seven)
        page.get_by_role("button", name="undo").click()
        page.wait_for_timeout(200)
        np.testing.assert_array_equal(what_goes_in(page), seven)
        # A second finger, far from the first, draws nothing.
        box, fingers = page.locator(".convae-pad-canvas").bounding_box(), page.context.new_cdp_session(page)
        page.get_by_role("button", name="clear").click()
        for kind, places in {"Start": [(112, 30)], "Move": [(112, 40), (20, 200)], "End": []}.items():
            at = [{"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(places)]
            fingers.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})
        assert len(state_of(page)["draw.drawing"]) == 6, "two points"


def test_a_link_to_the_checkerboards_brings_its_drawing(address, chromium):
    fragment = "#checkerboards.drawing=MxmWZmgBb&checkerboards.picture=your+drawing"
    with visit(chromium, f"{address}checkerboards.html{fragment}", ready="canvas[aria-label^='What the network is given']") as page:
        assert what_goes_in(page).any()


def test_a_damaged_drawing_in_a_link_is_left_out_and_said(address, chromium):
    with visit(chromium, address + "front.html#draw.drawing=4~abcde", ready=".convae-pad-told") as page:
        page.get_by_text("The drawing in the link is damaged").wait_for()
        page.get_by_text("Nothing is drawn yet").wait_for()


def test_keys_alone_draw_undo_and_clear(address, chromium):
    with visit(chromium, address + "front.html") as page:
        pad = page.locator(".convae-pad-canvas")
        pad.focus()
        pad.press("Delete")
        page.get_by_text("Nothing is drawn yet").wait_for()
        pad.press("Space")
        for _ in range(8):
            pad.press("ArrowDown")
        pad.press("Space")
        for _ in range(3):
            pad.press("ArrowRight")
        page.wait_for_function("document.querySelector('canvas[aria-label^=\"What the network\"]')")
        rows, columns = np.nonzero(what_goes_in(page))
        assert np.ptp(rows) + 1 == 20
        assert np.ptp(columns) < 8, "the pen was up when it went to the right"
        pad.press("Backspace")
        page.get_by_text("Nothing is drawn yet").wait_for()
        for control in page.locator(".convae-live :is(button, select, input, canvas[tabindex])").all():
            if control.is_enabled():
                control.focus()
                assert control.evaluate("control => document.activeElement === control")


def slide(page, label, value):
    page.get_by_role("slider", name=label).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", str(value)
    )


@pytest.mark.parametrize(("kernel", "stride", "layers"), [(3, 2, 1), (4, 2, 2), (5, 3, 2), (2, 2, 3)])
def test_the_sliders_count_what_the_package_counts(address, chromium, kernel, stride, layers):
    with visit(chromium, address + "checkerboards.html", ready="canvas[aria-label*=index]") as page:
        for label, value in {"kernel size": kernel, "stride": stride, "layers": layers}.items():
            slide(page, label, value)
        counts = checkerboard.overlap_map((6,), kernel_size=[kernel] * layers, stride=stride)
        told = page.locator(".convae-line + p").inner_text()
        assert f"From 6 equal pixels {len(counts)} outputs" in told
        assert ("does not divide" in told) == (kernel % stride != 0)
        bars = page.locator(".convae-line rect").evaluate_all("all => all.map(bar => +bar.getAttribute('height'))")
        np.testing.assert_allclose(np.array(bars) / max(bars), counts / counts.max(), atol=0.01)
        board = pixels(page, "the same in two dimensions").astype(float)
        square = np.multiply.outer(counts, counts)
        np.testing.assert_allclose(board / 255, (square - square.min()) / max(np.ptp(square), 1), atol=0.01)
        choose(page, "weights", "tied")
        assert "flat" in page.locator(".convae-line + p").inner_text() or layers == 3, "whatever the kernel"


@pytest.mark.parametrize("bare", ["", "-bare"])
def test_the_six_decoders_have_the_indices_that_the_package_measures(address, chromium, bare):
    digit = data.as_images(first_of_each()[7:8])
    fragment = f"#checkerboards.picture=a+7+of+the+test+set&checkerboards.bare={'yes' if bare else 'no'}"
    with visit(
        chromium, address + "checkerboards.html" + fragment, ready=".convae-decoder:last-child canvas[aria-label*='picture: index']"
    ) as page:
        for decoder in models.DECODERS:
            model = reference.load(f"fast_basic-{decoder}{bare}")
            logits = models.predict(model, digit)
            mean = models.encode(model, digit).mean(axis=(0, 1, 2))
            scatter, _ = checkerboard.flat_answer(model.get_layer("decoder"), mean)
            words = decoder.replace("_", " ")
            told = page.locator(".convae-decoder", has=page.get_by_text(words, exact=True)).inner_text()
            numbers = [float(number) for number in re.findall(r"(?:scatter|index)\s+([\d.]+)", told)]
            expected = [
                100 * scatter.loc[8, "as a share"],
                *(checkerboard.checkerboard_index(x).item() for x in (logits, special.expit(logits))),
            ]
            assert np.all(np.abs(np.subtract(numbers, expected)) <= [0.51, 0.006, 0.006]), decoder


def test_a_drawing_from_noise_is_the_network_s_guess_round_by_round(address, chromium):
    with visit(chromium, address + "generate.html", ready="button") as page:
        for way, name in {"through the code": "range_denoiser", "around the code as well": "skip_range_denoiser"}.items():
            shown = after(page, lambda way=way: choose(page, "feature maps pass", way))
            assert shown["way"] == way
            for turn in (1, 12, 25):
                slide(page, "round", turn)
                noisy, guess = cut(pixels(page, "shown to the network")), cut(pixels(page, "its guess"))
                assert np.abs(models.reconstruct(reference.load(name), noisy) - guess).max() < 0.04
        first = pixels(page, "its guess")
        after(page, lambda: page.get_by_role("button", name="draw others").click())
        assert not np.array_equal(pixels(page, "its guess"), first)
        assert state_of(page) == {"generate.seed": "1", "generate.way": "around the code as well"}


@pytest.mark.parametrize(("name", "scheme"), [*((name, "light") for name in PARTS), ("draw", "dark"), ("code", "dark")])
def test_axe_finds_no_barrier(address, chromium, name, scheme):
    from axe_playwright_python import sync_playwright

    options = {"color_scheme": scheme, "viewport": {"width": 400, "height": 900}}
    with visit(chromium, f"{address}{name}.html", ready="button", **options) as page:
        page.wait_for_timeout(1500)
        found = sync_playwright.Axe().run(page).response["violations"]
        assert [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_scripts_ask_for_no_server_and_hold_no_inline_handler():
    text = live.script() + live.pad_module()
    assert not re.search(r"https?://", text.replace("http://www.w3.org", ""))
    assert not re.search(r"\beval\(|new Function|\bon\w+=\"", text)
    assert len(text) < 200_000


def test_a_network_s_file_holds_its_weights_to_the_bit():
    model = reference.load("fast_basic")
    text = live.network_script(model, "fast_basic/0")
    held = json.loads(re.fullmatch(r'convae\.networks\["fast_basic/0"\] = (.*);\n', text)[1])
    assert held["model"] == models.arguments_of(model)
    values = np.frombuffer(base64.b64decode(held["weights"]), dtype="<f4")
    np.testing.assert_array_equal(values, np.concatenate(model.get_weights(), axis=None))
    with pytest.raises(ValueError, match=r"must be of models\.build_autoencoder"):
        live.network_script("fast_basic", "fast_basic/0")


def test_a_pad_of_a_notebook_gives_its_picture_and_refuses_what_is_no_drawing():
    pad = explorer.drawing_pad("4~")
    np.testing.assert_array_equal(pad.image, first_of_each()[4])
    assert "image/png" in pad._repr_mimebundle_()[0]
    assert not explorer.drawing_pad().image.any()
    small = explorer.drawing_pad("4~", image_shape=(14, 10, 3)).image
    assert small.shape == (14, 10, 3)
    assert (small == small[..., :1]).all()
    np.testing.assert_allclose(small[..., 0].mean(), first_of_each()[4].mean(), rtol=0.1)
    for wrong in ("<script>", "4~(", "é", "12~abc"):
        with pytest.raises(ValueError, match="text of a drawing pad"):
            explorer.drawing_pad(wrong)
    assert Path(live.__file__).with_name("pad.js").read_text(encoding="utf-8") in live.pad_module()
