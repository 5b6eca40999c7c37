"""What a move of the live explorer costs in Chromium: from the slider's event to the pictures, and how long the page itself is held up."""

import sys
import tempfile
from pathlib import Path

from protocol import ROOT

from convae_nb import live

sys.path.append(str(ROOT / "tests"))
import browser

MOVES = 60
REPEATS = 3
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>live</title><link rel="stylesheet" href="live.css">
<script defer src="convae.js"></script><body><div class="convae-live" data-part="explorer"></div></body></html>"""
# Moves the slider again and again, each time when the last pictures are there. Where it is asked to, it also sends itself messages, and
# tells how long the page was held up by whatever came between two of them; that takes a core of its own, so times are taken without.
_MOVE = """async ([moves, listening]) => {
  const root = document.querySelector('.convae-live'), slider = root.querySelector('input[type=range]'), times = [];
  const channel = new MessageChannel(), held = [];
  let last = performance.now(), going = listening;
  channel.port1.onmessage = () => {
    const now = performance.now();
    held.push(now - last);
    last = now;
    if (going) channel.port2.postMessage(0);
  };
  if (going) channel.port2.postMessage(0);
  for (let i = 0; i < moves; i++) {
    const drawn = new Promise(done => root.addEventListener('convae-drawn', done, {once: true})), start = performance.now();
    slider.value = (2 * ((i * 0.618) % 1)).toFixed(2);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    await drawn;
    times.push(performance.now() - start);
  }
  going = false;
  const sorted = values => values.sort((a, b) => a - b);
  return {median: sorted(times)[moves >> 1], held: sorted(held)[Math.floor(0.999 * held.length)]};
}"""


def measure(moves=MOVES, repeats=REPEATS):
    """Move the level of the live explorer, with ten digits and with one.

    Returns
    -------
    measured : dict
        Repeats and unit by name.
    notes : list of str
        The browser and its version.
    """
    if lack := browser.lacking():
        return {}, [f"Left out: {lack}."]
    measured = {}
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as chromium:
        live.write(folder, ["original_denoiser"])
        path = Path(folder, "page.html")
        path.write_text(_PAGE, encoding="utf-8")
        for name, fragment in {"ten": "", "one": "#digits=your+drawing&drawing=4~"}.items():
            readings = []
            for _ in range(repeats):
                page = chromium.new_page()
                page.goto(path.as_uri() + fragment)
                page.wait_for_selector("canvas[aria-label*=PSNR]")
                opened = page.evaluate("performance.now()")  # since the page was asked for
                page.wait_for_timeout(3000)  # the curve has been drawn
                page.evaluate(_MOVE, [20, False])  # compiled by the browser
                median = page.evaluate(_MOVE, [moves, False])["median"]
                readings.append(page.evaluate(_MOVE, [moves, True]) | {"median": median, "opened": opened})
                page.close()
            measured[f"live_{name}_ms"] = ([each["median"] for each in readings], "ms")
            measured[f"live_{name}_open_ms"] = ([each["opened"] for each in readings], "ms")
            measured[f"live_{name}_held_ms"] = ([each["held"] for each in readings], "ms")
        return measured, [f"Chromium {chromium.version}, headless."]
