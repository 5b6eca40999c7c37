import base64
import html
import io
import itertools
import json
import re

import bs4
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from convae_nb import plots


@pytest.fixture(scope="module")
def shown():
    return plots.Frames(plots.overlap, start={"kernel_size": 3, "stride": 2}, kernel_size=[2, 3, 4], stride=[1, 2])


def decoded(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def frames_of(bundle):
    return json.loads(html.unescape(re.search(r'data-frames="(.*?)"', bundle["text/html"])[1]))


def test_there_is_a_picture_for_every_combination_in_the_order_of_the_sliders(shown):
    held = frames_of(shown._repr_mimebundle_())
    assert held["texts"] == [f"kernel size {size}, stride {stride}" for size in (2, 3, 4) for stride in (1, 2)]
    assert len(set(held["pictures"])) == 6
    assert {decoded(picture).size for picture in held["pictures"]} == {decoded(held["pictures"][0]).size}, "the page does not jump"


def test_the_start_is_what_the_sliders_and_the_still_picture_show(shown):
    bundle = shown._repr_mimebundle_()
    held = frames_of(bundle)
    assert bundle["image/png"] == held["pictures"][held["texts"].index("kernel size 3, stride 2")]
    assert f'src="data:image/png;base64,{bundle["image/png"]}" alt="kernel size 3, stride 2"' in bundle["text/html"]
    assert re.findall(r'max="(\d)" value="(\d)"', bundle["text/html"]) == [("2", "1"), ("1", "1")]


def test_a_page_asks_for_nothing_from_elsewhere(shown):
    page = re.sub(r"[\w+/=]{200,}", "", html.unescape(shown._repr_mimebundle_()["text/html"]))  # without the pictures
    assert "stride" in page
    assert not re.search(r"//|url\(|src=\"(?!data:)", page)


@pytest.mark.parametrize("start", [{"kernel_size": 3}, {"kernel_size": 9, "stride": 2}, {"kernel_size": 3, "stride": 2, "x": 1}])
def test_a_start_outside_the_ranges_is_refused(start):
    with pytest.raises(ValueError, match="start must have a value of each range, got"):
        plots.Frames(plots.overlap, start=start, kernel_size=[2, 3], stride=[1, 2])


def test_numpys_numbers_serve_as_values():
    shown = plots.Frames(plots.overlap, start={"kernel_size": 3, "stride": 1}, kernel_size=np.arange(2, 4), stride=[1])
    assert frames_of(shown._repr_mimebundle_())["texts"] == ["kernel size 2, stride 1", "kernel size 3, stride 1"]


@pytest.fixture(scope="module")
def hostile():
    """Frames whose arguments' values would leave their attribute, and begin a script, if they were not escaped."""
    values = ['"><script>alert(1)</script>', "'&<b>"]
    return values, plots.Frames(lambda **_: Figure(), start={"kind": values[0]}, kind=values)


def test_values_come_as_text_wherever_they_stand(hostile):
    values, shown = hostile
    page = bs4.BeautifulSoup(shown._repr_mimebundle_()["text/html"], "html.parser")
    assert page.find("script") is None
    assert page.find("b") is None
    (handle,) = page.find_all("input")
    assert handle["aria-valuetext"] == values[0]
    assert json.loads(handle["data-values"]) == values
    assert page.output.get_text() == values[0]
    assert page.img["alt"] == f"kind {values[0]}"
    assert json.loads(page.div["data-frames"])["texts"] == [f"kind {value}" for value in values]


def test_the_page_of_frames_is_the_tags_of_its_own_alone(hostile):
    page = bs4.BeautifulSoup(hostile[1]._repr_mimebundle_()["text/html"], "html.parser")
    assert [tag.name for tag in page.find_all(True)] == ["div", "label", "input", "output", "div", "img"]
    attributes = ["type", "min", "max", "value", "data-values", "aria-valuetext", "oninput"]
    assert list(page.input.attrs) == attributes
    assert list(page.div.attrs) == ["class", "data-lm-suppress-shortcuts", "data-frames"]


def test_a_frame_is_what_the_function_draws_of_its_arguments(shown):
    held = frames_of(shown._repr_mimebundle_())
    for picture, (size, stride) in zip(held["pictures"], itertools.product((2, 3, 4), (1, 2)), strict=True):
        file = io.BytesIO()
        plots.overlap(kernel_size=size, stride=stride).savefig(file, dpi=80)
        np.testing.assert_array_equal(decoded(picture), Image.open(file))


def test_frames_without_a_range_are_refused():
    with pytest.raises(ValueError, match=r"start must have a value of each range, got \{\} for \{\}"):
        plots.Frames(plots.overlap, start={})
