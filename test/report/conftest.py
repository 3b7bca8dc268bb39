"""Lets the tests of this room share the metrics' known lines, the circuits' bags, a benchmark's
rows and a browser."""

import shutil
import sys
from pathlib import Path

import pytest

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / room) for room in ("report", "metrics", "bags", "benchmark")]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def chromium():
    """The machine's own Chromium, headless; `requirements/make_environment.sh` installs it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("THE PAGES ARE NOT TESTED: no Chromium found: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens an address on a desktop or a phone, light or dark, and returns Playwright's Page.

    No page may write errors or warnings into its console, or ask for another file.
    """
    problems, contexts = [], []

    def opened(address, phone=False, scheme="light"):
        size = {"width": 360, "height": 740} if phone else {"width": 1280, "height": 900}
        context = chromium.new_context(
            viewport=size, is_mobile=phone, has_touch=phone, color_scheme=scheme,
            device_scale_factor=2 if phone else 1,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda asked: asked.url.startswith(("file:", "data:")) or problems.append(asked.url),
        )
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
