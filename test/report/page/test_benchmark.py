"""A benchmark's page: its tables, maps, curves and links, in the file and in a browser."""

import json
import re

import numpy as np
import pytest
from driven_benchmarks import OFF_THE_ROAD, driven_benchmark
from driven_runs import driven_run

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.report.disturbances import disturbance_curves
from pilotnet_brain.report.page.benchmark import (
    MOST_MAPS,
    write_benchmark_page,
    write_missing_run_pages,
)
from pilotnet_brain.report.page.driven_line import scale_top, small_line, small_road

HOSTILE = '"><script>window.hacked = 1</script>'
MODELS = {"tiny": 0.01, "baseline": 0.03}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A benchmark of two models with the pages of its runs."""
    made = driven_benchmark(tmp_path_factory.mktemp("benchmark") / "two", MODELS)
    write_missing_run_pages(made, lambda done, count: None)
    write_benchmark_page(made)
    return made


def test_every_run_is_linked_to_its_page(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="(runs/[^"]+)"', page))
    assert len(links) == 6
    assert all((folder / link).is_file() for link in links)


def test_only_missing_run_pages_are_written(folder):
    told = []
    write_missing_run_pages(folder, lambda done, count: told.append((done, count)))
    assert told == []
    next(folder.glob("runs/*-montreal-0/report.html")).unlink()
    write_missing_run_pages(folder, lambda done, count: told.append((done, count)))
    assert told == [(1, 1)]


def test_curves_are_those_of_the_rows():
    rows = [
        {"model": "a", "disturbance": "latency", "amount": amount, "finished": finished,
         "position_deviation_mae": deviation}
        for amount, finished, deviation in (
            (50.0, True, 0.02), (50.0, True, 0.04), (200.0, False, 0.9), (200.0, True, 0.1))
    ]  # fmt: skip
    (curve,) = disturbance_curves(rows)
    assert (curve["name"], curve["unit"]) == ("latency", "ms")
    (series,) = curve["series"]
    assert series["points"] == [
        {"amount": 50.0, "finished": 1.0, "deviation": 0.03, "runs": 2},
        {"amount": 200.0, "finished": 0.5, "deviation": 0.1, "runs": 2},
    ]
    assert disturbance_curves([{"model": "a", "disturbance": "none"}]) == []


def test_undisturbed_runs_of_the_same_circuits_begin_a_curve():
    rows = [
        {"model": "a", "circuit": circuit, "disturbance": disturbance, "amount": amount,
         "finished": finished}
        for circuit, disturbance, amount, finished in (
            ("here", "frame_rate", 5.0, True), ("here", "none", 0.0, True),
            ("there", "none", 0.0, False))
    ]  # fmt: skip
    (curve,) = disturbance_curves(rows)
    points = curve["series"][0]["points"]
    # Twenty frames a second are what the camera gives undisturbed.
    assert [(p["amount"], p["finished"], p["runs"]) for p in points] == [(5, 1, 1), (20, 1, 1)]


def test_the_scale_of_the_maps_is_a_round_number():
    assert scale_top([0.04] * 99 + [1.9]) == 0.05
    assert scale_top([0.12]) == 0.2
    assert scale_top([]) == 0.05


def test_maps_of_far_circuits_bear_a_browser_s_single_precision():
    """The same road a whole number of kilometres away has the same paths."""
    near = load_circuit("simple_circuit")
    shift = (440000.0, 4474000.0)
    far = near.about((-shift[0], -shift[1]))
    rows = np.zeros((50, len(COLUMNS)))
    rows[:, 1:3] = near.centerline.position(np.arange(50.0))
    far_rows = rows.copy()
    far_rows[:, 1:3] += shift
    assert small_line(far, far_rows, 0.1) == small_line(near, rows, 0.1)
    assert small_road(far).view == small_road(near).view
    assert np.abs(numbers(small_road(far).path) - numbers(small_road(near).path)).max() < 0.11


def numbers(path):
    """All coordinates of an SVG path."""
    return np.array([float(number) for number in re.findall(r"-?[\d.]+", path)])


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_results_that_are_none_are_refused_by_name(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json"):
        write_benchmark_page(tmp_path)


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"rows": []},
        {"rows": [{}], "summary": [{}]},
        {"rows": ["a", None, {"model": "m", "run": "../../.."}], "summary": [3]},
        {"rows": [{"model": "m", "circuit": "nowhere", "run": "runs/none", "finished": True}]},
        {"plan": [], "machine": 3, "summary": [{"model": "m", "average_speed": {"mean": "x"}}]},
    ],
)
def test_results_with_missing_keys_have_a_page(tmp_path, results):
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert "Benchmark" in write_benchmark_page(tmp_path).read_text(encoding="utf-8")


def test_a_large_benchmark_stays_light(tmp_path):
    """Nine models on seven circuits, a thousand points each, and their map in less than a MB."""
    run = driven_run(tmp_path / "runs" / "one", "montreal")
    row = {"model": "m", "circuit": "montreal", "run": "runs/one", "finished": True,
           "average_speed": 12.0, "position_deviation_max": 0.24}  # fmt: skip
    assert run.trajectory_csv.stat().st_size > 150_000
    (tmp_path / "results.json").write_text(json.dumps({"rows": [row] * 63}))
    assert write_benchmark_page(tmp_path).stat().st_size < 1_000_000
    (tmp_path / "results.json").write_text(json.dumps({"rows": [row] * 5000}))
    path = write_benchmark_page(tmp_path)
    assert path.stat().st_size < 4_000_000
    page = path.read_text(encoding="utf-8")
    assert page.count("<figure") == MOST_MAPS
    assert "2000 of 5000 runs are listed" in page


@pytest.mark.parametrize("phone", [False, True])
def test_it_draws_and_fits(open_page, folder, phone):
    page = open_page((folder / "report.html").as_uri(), phone=phone)
    maps = "[...document.querySelectorAll('.maps svg')].map((m) => m.querySelectorAll('.driven')"
    assert all(page.evaluate(f"{maps}.length)"))
    drawn = "[...document.querySelectorAll('.curve')].map((c) => c.querySelectorAll('path').length)"
    assert page.evaluate(drawn) == [2, 2]
    assert OFF_THE_ROAD in page.evaluate("document.querySelector('.unfinished').textContent")


def test_the_summary_sorts_by_its_means(open_page, folder):
    page = open_page((folder / "report.html").as_uri())
    table = "document.querySelector('table.sortable')"
    heads = page.evaluate(f"[...{table}.tHead.rows[0].cells].map((c) => c.textContent)")
    index = next(i for i, head in enumerate(heads) if "deviation (MAE)" in head)
    page.evaluate(f"{table}.tHead.rows[0].cells[{index}].querySelector('button').click()")
    cells = page.evaluate(
        f"[...{table}.tBodies[0].rows].map((r) => r.cells[{index}].textContent.trim())"
    )
    known = [float(cell.split()[0]) for cell in cells if cell != "–"]
    assert known == sorted(known) and len(set(known)) > 3
    # Constant deviations of 0.010 and 0.012 m on simple_circuit: a spread of 0.0014.
    assert "0.011 ± 0.001" in cells
    assert cells[-1] == "–"


def test_hostile_names_stay_text(open_page, tmp_path):
    row = {"model": HOSTILE, "circuit": HOSTILE, "reason": HOSTILE, "run": f"runs/{HOSTILE}",
           "disturbance": HOSTILE, "amount": 1.0}  # fmt: skip
    results = {"rows": [row], "summary": [row], "plan": {HOSTILE: HOSTILE}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    page = open_page(write_benchmark_page(tmp_path).as_uri())
    assert page.evaluate("window.hacked === undefined")
    assert HOSTILE in page.evaluate("document.querySelector('.unfinished').textContent")


def test_the_command_makes_either_page(tmp_path, folder, capsys):
    run = driven_run(tmp_path / "run", until_s=2.0)
    assert main(["report", str(run.path)]) == 0
    assert capsys.readouterr().out.strip() == str(run.report_html)
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "no such run folder" in capsys.readouterr().err
