"""A run's page in a real browser: it draws, answers to pointer and keys, and fits a phone."""

import pytest
from browser import Browser, find_browser
from driven_runs import SPEED, WORST, WORST_AT, driven_run

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.report.page.run import write_run_page

HOSTILE = "\"><script>window.hacked = 1</script></script><img src=x onerror='window.hacked=2'>"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of the page of two laps."""
    return write_run_page(driven_run(tmp_path_factory.mktemp("runs") / "run", laps=2)).as_uri()


@pytest.fixture
def opened(browser, page):
    """The browser with that page, on a desktop in the light."""
    browser.prefer("light")
    browser.resize(1280, 900)
    browser.open(page)
    return browser


def text_of(browser: Browser, identity: str) -> str:
    return browser.evaluate(f"document.getElementById({identity!r}).textContent")


def place_of(browser: Browser, script: str) -> tuple[float, float]:
    """The middle of an element in the window, once it is scrolled into it."""
    x, y = browser.evaluate(
        f"(() => {{ const e = {script}; e.scrollIntoView({{block: 'center'}});"
        "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    return x, y


def test_it_draws_without_a_word_in_the_console(opened):
    assert opened.problems == []
    assert opened.requests == []
    drawn = opened.evaluate(
        "[...document.querySelectorAll('.graph path.curve-line')].filter((p) =>"
        " p.getBoundingClientRect().width > 300).length"
    )
    assert drawn >= 6  # of two laps: speed, deviation, yaw rate; and the commanded speed
    assert opened.evaluate("document.querySelectorAll('#map path.driven').length") > 5
    assert opened.evaluate("document.querySelector('figure img').naturalWidth") == 640


def test_it_opens_at_the_largest_deviation(opened):
    assert text_of(opened, "at-deviation") == f"−{abs(WORST):.3f}\u00a0m"
    away = float(text_of(opened, "at-arc").split("\u00a0")[0]) - WORST_AT
    assert abs(away) < 1.0


def test_pointing_at_the_map_shows_the_values_there(opened):
    ring = place_of(opened, "document.querySelector('#map .worst')")
    start = place_of(opened, "document.querySelector('#map .start')")
    opened.point(*start)
    at_start = float(text_of(opened, "at-arc").split("\u00a0")[0])
    length = load_circuit("simple_circuit").centerline.length
    assert min(at_start, length - at_start) < 10.0
    tip = opened.evaluate("document.querySelector('.tip').textContent")
    assert f"{SPEED:.2f}\u00a0m/s" in tip
    assert "command 12.50\u00a0m/s, +0.10\u00a0rad/s" in tip
    opened.point(*ring)
    assert abs(float(text_of(opened, "at-arc").split("\u00a0")[0]) - WORST_AT) < 10.0


def test_pointing_at_a_graph_moves_the_mark_on_the_map(opened):
    def mark():
        return opened.evaluate("document.querySelector('#map .here').getAttribute('cx')")

    before = mark()
    opened.point(*place_of(opened, "document.querySelector('#speed-graph svg')"))
    assert mark() != before
    # The graph's middle is about the middle of the lap.
    along = float(text_of(opened, "at-arc").split("\u00a0")[0])
    assert along == pytest.approx(0.5 * load_circuit("simple_circuit").centerline.length, abs=20.0)


def test_keys_walk_along_the_lap(opened):
    opened.evaluate("document.getElementById('along').focus()")
    before = text_of(opened, "at-time")
    opened.press("ArrowRight")
    after = text_of(opened, "at-time")
    assert float(after.split("\u00a0")[0]) == pytest.approx(
        float(before.split("\u00a0")[0]) + 0.05, abs=0.011
    )
    told = opened.evaluate("document.getElementById('along').getAttribute('aria-valuetext')")
    assert after in told


def colours_on_the_map(browser: Browser) -> list[str]:
    return browser.evaluate(
        "[...document.querySelectorAll('#map path.driven')].map((p) => getComputedStyle(p).stroke)"
    )


def test_the_map_can_be_coloured_by_speed(opened):
    by_deviation = colours_on_the_map(opened)
    opened.evaluate("document.querySelector('[data-colouring=speed]').click()")
    assert len(set(by_deviation)) > 2
    assert len(set(colours_on_the_map(opened))) == 1  # the car never changed its speed
    assert text_of(opened, "high").endswith("m/s")


def test_another_lap_can_be_chosen(opened):
    shown = "[...document.querySelectorAll('#lap option')].map((o) => o.textContent)"
    assert opened.evaluate(shown) == ["1", "2"]
    opened.evaluate(
        "(() => { const s = document.getElementById('lap'); s.value = '1';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    length = load_circuit("simple_circuit").centerline.length
    assert float(text_of(opened, "at-time").split("\u00a0")[0]) >= length / SPEED - 0.1


def column(browser: Browser, table: int, index: int) -> list[str]:
    return browser.evaluate(
        f"[...document.querySelectorAll('table.sortable')[{table}].tBodies[0].rows]"
        f".map((row) => row.cells[{index}].textContent.trim())"
    )


def test_heads_sort_their_columns_as_numbers(opened):
    head = "document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[4]"
    opened.evaluate(f"{head}.querySelector('button').focus()")
    opened.press("Enter")
    assert opened.evaluate(f"{head}.getAttribute('aria-sort')") == "ascending"
    scores = column(opened, 0, 4)
    known = [float(score) for score in scores if score != "–"]
    assert known == [4.61, 5.06, 7.41, 11.5, 14.2, 17.0]
    assert set(scores[len(known) :]) == {"–"}  # what was not measured comes last, both ways
    opened.press("Enter")
    assert opened.evaluate(f"{head}.getAttribute('aria-sort')") == "descending"
    assert [float(score) for score in column(opened, 0, 4)[: len(known)]] == known[::-1]


def test_it_fits_a_phone_and_answers_to_a_tap(browser, page):
    browser.prefer("light")
    browser.resize(360, 740, phone=True)
    browser.open(page)
    assert browser.evaluate("document.documentElement.scrollWidth") == 360
    assert browser.problems == []
    before = text_of(browser, "at-arc")
    browser.tap(*place_of(browser, "document.querySelector('#map .start')"))
    assert text_of(browser, "at-arc") != before


def test_the_dark_has_its_own_colours(opened):
    def colours():
        ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = opened.evaluate("getComputedStyle(document.body).color")
        return [sum(map(int, c[4:-1].split(","))) / 3 for c in (ground, ink)]

    ground, ink = colours()
    on_light = colours_on_the_map(opened)
    assert ground > 230 and ink < 60
    opened.prefer("dark")
    ground, ink = colours()
    assert ground < 40 and ink > 200
    assert set(colours_on_the_map(opened)) != set(on_light)


def test_hostile_names_stay_text(browser, tmp_path):
    run = driven_run(tmp_path / "run", model=HOSTILE, until_s=3.0)
    run.write_metrics(run.read_metrics() | {"ending": HOSTILE, "device": HOSTILE})
    browser.resize(1280, 900)
    browser.open(write_run_page(run).as_uri())
    assert browser.evaluate("window.hacked === undefined")
    assert browser.problems == []
    assert HOSTILE in browser.evaluate("document.querySelector('h1').textContent")
    assert browser.evaluate("document.querySelectorAll('#map path.driven').length") > 0


def test_an_empty_run_draws_without_errors(browser, tmp_path):
    run = driven_run(tmp_path / "run", until_s=1.0)
    run.trajectory_csv.unlink()
    browser.open(write_run_page(run).as_uri())
    assert browser.problems == []
    assert "Nothing was driven" in browser.evaluate("document.body.textContent")


def test_a_browser_is_found_by_its_usual_names(monkeypatch, tmp_path):
    program = tmp_path / "google-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() == str(program)
    program.unlink()
    assert find_browser() is None
