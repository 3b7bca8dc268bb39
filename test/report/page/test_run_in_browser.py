"""A run's page in a real browser: it draws, responds to pointer and keys, and fits a phone."""

import pytest
from driven_runs import SPEED, WORST, WORST_AT, driven_run
from playwright.sync_api import Page

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.report.page.run import write_run_page

HOSTILE = "\"><script>window.hacked = 1</script></script><img src=x onerror='window.hacked=2'>"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of the page of two laps."""
    return write_run_page(driven_run(tmp_path_factory.mktemp("runs") / "run", laps=2)).as_uri()


@pytest.fixture
def page(open_page, address) -> Page:
    """That page on a desktop in the light."""
    return open_page(address)


def text_of(page: Page, identity: str) -> str:
    return page.evaluate(f"document.getElementById({identity!r}).textContent")


def place_of(page: Page, selector: str) -> tuple[float, float]:
    """The middle of an element in the window, once it is scrolled into it."""
    x, y = page.evaluate(
        "(s) => { const e = document.querySelector(s); e.scrollIntoView({block: 'center'});"
        "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }",
        selector,
    )
    return x, y


def test_it_draws_every_graph_and_the_map(page):
    drawn = page.evaluate(
        "[...document.querySelectorAll('.graph path.curve-line')].filter((p) =>"
        " p.getBoundingClientRect().width > 300).length"
    )
    assert drawn >= 6  # of two laps: speed, deviation, yaw rate; and the commanded speed
    assert page.evaluate("document.querySelectorAll('#map path.driven').length") > 5
    assert page.evaluate("document.querySelector('figure img').naturalWidth") == 640


def test_it_opens_at_the_largest_deviation(page):
    assert text_of(page, "at-deviation") == f"−{abs(WORST):.3f}\u00a0m"
    away = float(text_of(page, "at-arc").split("\u00a0")[0]) - WORST_AT
    assert abs(away) < 1.0


def test_pointing_at_the_map_shows_the_values_there(page):
    ring = place_of(page, "#map .worst")
    start = place_of(page, "#map .start")
    page.mouse.move(*start)
    at_start = float(text_of(page, "at-arc").split("\u00a0")[0])
    length = load_circuit("simple_circuit").centerline.length
    assert min(at_start, length - at_start) < 10.0
    tip = page.evaluate("document.querySelector('.tip').textContent")
    assert f"{SPEED:.2f}\u00a0m/s" in tip
    assert "command 12.50\u00a0m/s, +0.10\u00a0rad/s" in tip
    page.mouse.move(*ring)
    assert abs(float(text_of(page, "at-arc").split("\u00a0")[0]) - WORST_AT) < 10.0


def test_pointing_at_a_graph_moves_the_mark_on_the_map(page):
    def mark():
        return page.evaluate("document.querySelector('#map .here').getAttribute('cx')")

    before = mark()
    page.mouse.move(*place_of(page, "#speed-graph svg"))
    assert mark() != before
    # The graph's middle is about the middle of the lap.
    along = float(text_of(page, "at-arc").split("\u00a0")[0])
    assert along == pytest.approx(0.5 * load_circuit("simple_circuit").centerline.length, abs=20.0)


def test_keys_walk_along_the_lap(page):
    page.evaluate("document.getElementById('along').focus()")
    before = text_of(page, "at-time")
    page.keyboard.press("ArrowRight")
    after = text_of(page, "at-time")
    assert float(after.split("\u00a0")[0]) == pytest.approx(
        float(before.split("\u00a0")[0]) + 0.05, abs=0.011
    )
    told = page.evaluate("document.getElementById('along').getAttribute('aria-valuetext')")
    assert after in told


def colours_on_the_map(page: Page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('#map path.driven')].map((p) => getComputedStyle(p).stroke)"
    )


def test_the_map_can_be_coloured_by_speed(page):
    by_deviation = colours_on_the_map(page)
    page.evaluate("document.querySelector('[data-colouring=speed]').click()")
    assert len(set(by_deviation)) > 2
    assert len(set(colours_on_the_map(page))) == 1  # the car never changed its speed
    assert text_of(page, "high").endswith("m/s")


def test_another_lap_can_be_chosen(page):
    shown = "[...document.querySelectorAll('#lap option')].map((o) => o.textContent)"
    assert page.evaluate(shown) == ["1", "2"]
    page.evaluate(
        "(() => { const s = document.getElementById('lap'); s.value = '1';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    length = load_circuit("simple_circuit").centerline.length
    assert float(text_of(page, "at-time").split("\u00a0")[0]) >= length / SPEED - 0.1


def column(page: Page, table: int, index: int) -> list[str]:
    return page.evaluate(
        f"[...document.querySelectorAll('table.sortable')[{table}].tBodies[0].rows]"
        f".map((row) => row.cells[{index}].textContent.trim())"
    )


def test_heads_sort_their_columns_as_numbers(page):
    head = "document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[4]"
    page.evaluate(f"{head}.querySelector('button').focus()")
    page.keyboard.press("Enter")
    assert page.evaluate(f"{head}.getAttribute('aria-sort')") == "ascending"
    scores = column(page, 0, 4)
    known = [float(score) for score in scores if score != "–"]
    assert known == [4.61, 5.06, 7.41, 11.5, 14.2, 17.0]
    assert set(scores[len(known) :]) == {"–"}  # what was not measured comes last, both ways
    page.keyboard.press("Enter")
    assert page.evaluate(f"{head}.getAttribute('aria-sort')") == "descending"
    assert [float(score) for score in column(page, 0, 4)[: len(known)]] == known[::-1]


def test_it_fits_a_phone_and_responds_to_a_tap(open_page, address):
    page = open_page(address, phone=True)
    before = text_of(page, "at-arc")
    page.touchscreen.tap(*place_of(page, "#map .start"))
    assert text_of(page, "at-arc") != before


def test_the_dark_has_its_own_colours(page):
    def colours():
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.body).color")
        return [sum(map(int, c[4:-1].split(","))) / 3 for c in (ground, ink)]

    ground, ink = colours()
    on_light = colours_on_the_map(page)
    assert ground > 230 and ink < 60
    page.emulate_media(color_scheme="dark")
    ground, ink = colours()
    assert ground < 40 and ink > 200
    assert set(colours_on_the_map(page)) != set(on_light)


def test_hostile_names_stay_text(open_page, tmp_path):
    run = driven_run(tmp_path / "run", model=HOSTILE, until_s=3.0)
    run.write_metrics(run.read_metrics() | {"ending": HOSTILE, "device": HOSTILE})
    page = open_page(write_run_page(run).as_uri())
    assert page.evaluate("window.hacked === undefined")
    assert HOSTILE in page.evaluate("document.querySelector('h1').textContent")
    assert page.evaluate("document.querySelectorAll('#map path.driven').length") > 0


def test_an_empty_run_draws_without_errors(open_page, tmp_path):
    run = driven_run(tmp_path / "run", until_s=1.0)
    run.trajectory_csv.unlink()
    page = open_page(write_run_page(run).as_uri())
    assert "Nothing was driven" in page.evaluate("document.body.textContent")
