"""A benchmark's tables and files, from rows worked out by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from benchmark_rows import row

from pilotnet_brain.benchmark.plan_file import plan_of
from pilotnet_brain.benchmark.summary import BY_CIRCUIT, BY_MODEL, summarize
from pilotnet_brain.machine import made_by
from pilotnet_brain.report.benchmark_results import (
    results_markdown,
    summary_table,
    write_results,
)
from pilotnet_brain.report.tables import number_cell, print_tables

ROWS = [
    row("qat", "montreal", 0, average_speed=12.0, mean_inference_time=1e-3, device="cpu"),
    row("qat", "montreal", 1, average_speed=14.0, mean_inference_time=3e-3, device="cpu"),
    row("mine", "montreal", 0, finished=False, device="cpu"),
]
MADE_BY: dict[str, Any] = {"hardware": {"cpu": "a chip"}, "versions": {}, "git_commit": None}


def cells(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [(12.345, 0.678, "12.35 ± 0.68"), (12.345, None, "12.35"), (None, None, "-")],
)
def test_a_spread_is_mean_and_deviation(mean, std, text):
    assert number_cell(mean, 2, spread=std).plain == text


def test_the_table_says_laps_figures_and_units():
    head, _, first, second = cells(summary_table(summarize(ROWS)).markdown())
    by_head = dict(zip(head, first, strict=True))
    assert by_head["model"] == "qat"
    assert by_head["laps"] == "2 of 2"
    assert by_head["average speed, m/s"] == "13.00 ± 1.41"
    assert by_head["inference, ms"] == "2.000 ± 1.414"
    assert by_head["device"] == "cpu"
    assert dict(zip(head, second, strict=True))["laps"] == "0 of 1"
    # Nobody measured it: no column of dashes.
    assert "published score" not in head


def test_disturbances_have_a_column_of_their_own():
    disturbed = {**ROWS[0], "disturbance": "latency", "amount": 50.0}
    texts = cells(summary_table(summarize([*ROWS, disturbed], BY_MODEL)).markdown())
    assert "disturbance" in texts[0]
    assert any("latency 50 ms" in line for line in texts)
    assert "disturbance" not in cells(summary_table(summarize(ROWS)).markdown())[0]


@pytest.mark.parametrize("width", ["40", "80", "150"])
def test_no_figure_and_no_name_is_cut_off(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    name = "models/a_folder_of_models/a_network_with_a_long_name.pt"
    rows = [*ROWS, row(name, "montreal", 2, average_speed=12.0, device="cpu")]
    table = summary_table(summarize(rows, BY_CIRCUIT), "title")
    print_tables(table)
    shown = capsys.readouterr().out
    for line in table.rows:
        for cell in line.cells:
            assert cell.plain in shown
    assert "…" not in shown


def test_the_report_has_published_rows_beside_ours_and_every_reason():
    plan = plan_of({"models": ["qat", "mine"], "circuits": {"montreal": 2}})
    text = results_markdown(plan, ROWS, MADE_BY)
    assert text.startswith("# Benchmark: 2 of 3 runs finished")
    published = text.split("## Published")[1].split("##")[0]
    assert "10.23 | 6.02" in published and "GTX 1050" in published
    assert "simple_circuit" not in published
    assert "left the road: 2 m off the line" in text.split("## Not finished: 1")[1]


def test_over_many_circuits_a_model_has_one_line():
    plan = plan_of({"models": ["qat"], "circuits": ["random-1..20"]})
    rows = [row("qat", f"random-{n}", average_speed=float(n)) for n in range(1, 21)]
    text = results_markdown(plan, rows, MADE_BY)
    (line,) = [line for line in text.splitlines() if line.startswith("| qat")]
    assert "| 20 | 20 of 20 |" in line and "10.50 ± 5.92" in line


@pytest.mark.parametrize(
    # Clopper and Pearson's interval: of n laps that all were finished (0.025)^(1/n) to 1.
    ("finished", "said"),
    [(100, "100 of 100 (96.4 to 100.0 %)"), (97, "97 of 100 (91.5 to 99.4 %)")],
)
def test_laps_of_many_circuits_have_an_interval(finished: int, said: str) -> None:
    rows = [row(circuit=f"random-{n}", finished=n < finished) for n in range(100)]
    assert f"| {said} |" in summary_table(summarize(rows, BY_MODEL)).markdown()


def test_laps_of_different_circuits_have_no_common_lap_time(tmp_path: Path):
    rows = [row("qat", name, lap_times_s=[time]) for name, time in (("a", 30.0), ("b", 90.0))]
    (total,) = summarize(rows, BY_MODEL)
    assert total["lap_time_s"]["mean"] is None and total["best_lap_time_s"] is None
    assert [entry["lap_time_s"]["mean"] for entry in summarize(rows)] == [30.0, 90.0]
    older = total | {"lap_time_s": {"mean": 60.0, "std": None, "n": 2}}  # of a results.json
    for summary in ([total], [older]):
        assert "lap time, s" not in [column.head for column in summary_table(summary).columns]


def test_a_reason_cannot_break_the_table():
    hostile = row("a|b", "c", finished=False, ending="x | y\n## heading")
    text = results_markdown(plan_of({"models": ["a|b"], "circuits": ["c"]}), [hostile], MADE_BY)
    assert "| x \\| y ## heading |" in text
    assert not any(line.startswith("## heading") for line in text.splitlines())


def test_all_three_files_hold_every_row(tmp_path: Path):
    plan = plan_of({"models": ["qat", "mine"], "circuits": {"montreal": 2}})
    write_results(tmp_path, plan, ROWS, made_by())
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["rows"] == ROWS
    assert plan_of(results["plan"]) == plan
    assert results["summary"] == summarize(ROWS)
    assert [run["position_deviation_score_published"] for run in results["published"]] == [6.02]
    assert {"hardware", "versions", "git_commit"} == set(results["machine"])
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        assert [r["average_speed"] for r in csv.DictReader(file)] == ["12.0", "14.0", ""]
    assert (tmp_path / "results.md").read_text().startswith("# Benchmark")


def test_a_benchmark_without_a_row_yet_has_a_report(tmp_path: Path):
    write_results(tmp_path, plan_of({"circuits": ["montmelo"]}), [], MADE_BY)
    assert "0 of 0 runs" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "results.csv").read_text().strip() == ""
