import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from convae_nb import frames, plots


@pytest.fixture(scope="module")
def shown():
    return frames.Frames(plots.overlap, start={"kernel_size": 3, "stride": 2}, kernel_size=[2, 3, 4], stride=[1, 2])


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
        frames.Frames(plots.overlap, start=start, kernel_size=[2, 3], stride=[1, 2])


def test_numpys_numbers_serve_as_values():
    shown = frames.Frames(plots.overlap, start={"kernel_size": 3, "stride": 1}, kernel_size=np.arange(2, 4), stride=[1])
    assert frames_of(shown._repr_mimebundle_())["texts"] == ["kernel size 2, stride 1", "kernel size 3, stride 1"]
