"""Lets the tests of this room share the metrics' known lines, the circuits' bags, a benchmark's
rows and a browser."""

import sys
from pathlib import Path

import pytest

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / room) for room in ("report", "metrics", "bags", "benchmark")]


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all pages; `requirements/make_environment.sh` installs it."""
    from browser import Browser, find_browser

    program = find_browser()
    if program is None:
        pytest.skip("THE PAGES ARE NOT TESTED: no Chromium found: sudo apt-get install chromium")
    started = Browser(program)
    yield started
    started.close()
