"""What tests of several modules need."""

import os

import pytest

from images import browser


@pytest.fixture(scope="module")
def chromium():
    """The system's Chromium; without one tests are skipped, or fail where it is required."""
    if lack := browser.lacking():
        if os.environ.get("CONVAE_BROWSER") == "required":
            pytest.fail(lack)
        pytest.skip(lack)
    with browser.chromium() as started:
        yield started
