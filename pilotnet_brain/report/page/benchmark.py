"""report.html of a benchmark: one file that shows all its runs and links to their own pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.errors import UserError
from pilotnet_brain.report.benchmark_results import (
    CIRCUITS_IN_A_TABLE,
    disturbance_text,
    published_next_to,
    runs_table,
    summary_table,
)
from pilotnet_brain.report.disturbances import disturbance_curves
from pilotnet_brain.report.figures import figure_text
from pilotnet_brain.report.page.driven_line import SmallRoad, scale_top, small_line, small_road
from pilotnet_brain.report.page.run import machine_table, mapping, write_run_page
from pilotnet_brain.report.page.template import LEVELS, write_page
from pilotnet_brain.report.run_data import driven_rows
from pilotnet_brain.report.tables import mapping_table
from pilotnet_brain.runs.folder import RunFolder

PAGE = "report.html"
MOST_MAPS = 150
MOST_ROWS = 2000
"""In a page: with both it has a few megabytes. What did not finish comes first."""

Row = Mapping[str, Any]


def is_benchmark(folder: Path) -> bool:
    """Whether a folder holds a benchmark's results."""
    return (folder / "results.json").is_file()


def write_benchmark_page(folder: Path) -> Path:
    """Write a benchmark's report.html from its results.json and the folders of its runs.

    What is missing from them is missing from the page. Runs that have their own report.html are
    linked to it (see `write_missing_run_pages`).

    Raises:
        UserError: no results.json, or one that cannot be read.
    """
    results = _results(folder)
    rows = _entries(results, "rows")
    shown = sorted(rows, key=lambda row: bool(row.get("finished")))
    summary = _shown_summary(results, rows)
    roads, maps, top = _maps(folder, shown[:MOST_MAPS])
    listed = rows if len(rows) <= MOST_ROWS else shown[:MOST_ROWS]
    return write_page(
        folder / PAGE,
        "benchmark.html",
        title=f"Benchmark {folder.resolve().name}",
        folder_name=folder.resolve().name,
        rows=rows,
        finished=sum(bool(row.get("finished")) for row in rows),
        unfinished=_unfinished(shown, _page_of(folder)),
        how=_how(results),
        summary=summary_table(summary) if summary else None,
        published=published_next_to(_entries(results, "summary")),
        score_missing=all(row.get("position_deviation_score_published") is None for row in rows),
        roads=roads,
        maps=maps,
        top=top,
        levels=LEVELS,
        runs=runs_table(listed, _page_of(folder)) if rows else None,
        most_rows=MOST_ROWS,
        machine=machine_table(mapping(results.get("machine"))),
        plan=mapping_table("Plan", "key", mapping(results.get("plan"))),
        data={"curves": disturbance_curves(rows)},
    )


def write_missing_run_pages(folder: Path, on_page: Callable[[int, int], None]) -> None:
    """Write the pages of a benchmark's runs that have a driven line and no page yet.

    Args:
        on_page: called with the number of pages written and of all that are missing.

    Raises:
        UserError: no results.json, or one that cannot be read.
    """
    rows = _entries(_results(folder), "rows")
    runs = [run for row in rows if (run := _run_folder(folder, row)) is not None]
    to_do = [run for run in runs if run.trajectory_csv.exists() and not run.report_html.exists()]
    for number, run in enumerate(to_do, start=1):
        try:
            write_run_page(run)
        except UserError:
            continue  # of a circuit that is no longer there: the row stays without a page
        finally:
            on_page(number, len(to_do))


def _results(folder: Path) -> dict[str, Any]:
    path = folder / "results.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"{path}: cannot be read: {problem}") from problem
    if not isinstance(results, dict):
        raise UserError(f"{path}: not the results of a benchmark")
    return results


def _unfinished(rows: Sequence[Row], page_of: Callable[[Row], str]) -> list[dict[str, str]]:
    """Return which runs did not finish, and why."""
    return [
        {
            "run": f"{row.get('model')} on {row.get('circuit')}",
            "details": f"repetition {row.get('repetition')}"
            + (f", {text}" if (text := disturbance_text(row)) != UNDISTURBED else ""),
            "reason": str(row.get("reason") or "no reason is known"),
            "href": page_of(row),
        }
        for row in rows[:MOST_ROWS]
        if not row.get("finished")
    ]


def _shown_summary(results: Mapping[str, Any], rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """Return the summary by circuit, over all circuits where there are many."""
    many = len({row.get("circuit") for row in rows}) > CIRCUITS_IN_A_TABLE
    return (_entries(results, "totals") if many else []) or _entries(results, "summary")


def _how(results: Mapping[str, Any]) -> str:
    plan = mapping(results.get("plan"))
    mode = {
        "live": "live over DDS in real time",
        "lockstep": "in lock-step, simulator and model in one process",
    }.get(str(plan.get("mode")), "")
    laps = plan.get("laps")
    return ", ".join(
        part
        for part in (
            f"driven {mode}" if mode else "",
            f"simulator {plan['simulator']}" if plan.get("simulator") else "",
            f"{laps} lap{'s' if laps != 1 else ''} a run" if laps else "",
        )
        if part
    )


def _run_folder(folder: Path, row: Row) -> RunFolder | None:
    """Return the folder of a run; None where it has none, or one outside the benchmark's."""
    run = row.get("run")
    if not isinstance(run, str) or not run:
        return None
    try:
        path = (folder / run).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_dir()
    except (OSError, ValueError):
        return None
    return RunFolder(path) if inside else None


def _page_of(folder: Path) -> Callable[[Row], str]:
    def address(row: Row) -> str:
        run = _run_folder(folder, row)
        if run is None or not run.report_html.exists():
            return ""
        return quote(f"{row['run']}/{run.report_html.name}")

    return address


def _maps(folder: Path, rows: Sequence[Row]) -> tuple[list[SmallRoad], list[Row], float]:
    """Return the roads, the maps of the runs on them, and the top of their common scale, m.

    A map has its road's number, the driven line's paths by level, texts, and the run's page.
    """
    largest = [row.get("position_deviation_max") for row in rows]
    top = scale_top([float(value) for value in largest if isinstance(value, int | float)])
    page_of = _page_of(folder)
    roads: dict[str, SmallRoad] = {}
    maps = []
    for row in rows:
        run, name = _run_folder(folder, row), str(row.get("circuit"))
        if run is None:
            continue
        try:
            circuit = run.circuit()
            line = small_line(circuit, driven_rows(run), top)
            if name not in roads:
                roads[name] = small_road(circuit)
        except UserError:
            continue  # nothing was driven, or the circuit is no longer there
        maps.append(
            {
                "road": list(roads).index(name),
                "line": line,
                "model": str(row.get("model")),
                "circuit": name,
                "result": _result_text(row),
                "finished": bool(row.get("finished")),
                "href": page_of(row),
            }
        )
    return list(roads.values()), sorted(maps, key=lambda one: (one["road"], one["model"])), top


def _result_text(row: Row) -> str:
    if not row.get("finished"):
        return str(row.get("reason") or "not finished")
    return (
        f"{figure_text(row, 'average_speed')}, {figure_text(row, 'position_deviation_mae')} "
        f"off the line, at most {figure_text(row, 'position_deviation_max')}"
    )


def _entries(results: Mapping[str, Any], key: str) -> list[Row]:
    """Return the mappings of a list in the results; anything else is left out."""
    values = results.get(key)
    return [v for v in values if isinstance(v, Mapping)] if isinstance(values, list) else []
