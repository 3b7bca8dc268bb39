"""Writes a benchmark's results.json, results.csv and results.md."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.benchmark.plan import UNDISTURBED, BenchmarkPlan
from pilotnet_brain.benchmark.row import Row
from pilotnet_brain.benchmark.summary import BY_CIRCUIT, BY_MODEL, summarize
from pilotnet_brain.errors import UserError
from pilotnet_brain.machine import git_commit, hardware, versions
from pilotnet_brain.metrics.published_figures import published_on
from pilotnet_brain.report.benchmark_table import (
    published_markdown,
    summary_markdown,
    unfinished_markdown,
)

DISTURBANCES_PNG = "disturbances.png"
CIRCUITS_IN_A_TABLE = 10
"""With more circuits than that, the tables give one line a model, over all circuits."""


def machine() -> dict[str, Any]:
    """Return what the figures were made by: hardware, versions, commit."""
    return {
        "hardware": hardware(),
        "versions": versions(),
        "git_commit": git_commit(Path(__file__)),
    }


def write_results(
    folder: Path, plan: BenchmarkPlan, rows: Sequence[Row], made_by: Mapping[str, Any]
) -> None:
    """Write the three files of the rows so far, each whole or not at all.

    Raises:
        UserError: the folder cannot be written.
    """
    results = {
        "plan": plan.as_dict(),
        "machine": dict(made_by),
        "published": [asdict(run) for run in published_on(plan.circuits)],
        "rows": list(rows),
        "summary": summarize(rows, BY_CIRCUIT),
        "totals": summarize(rows, BY_MODEL),
    }
    texts = {
        "results.json": json.dumps(results, indent=1, allow_nan=False) + "\n",
        "results.csv": _csv(rows),
        "results.md": results_markdown(plan, rows, made_by),
    }
    try:
        for name, text in texts.items():
            write_atomically(folder / name, text.encode())
    except OSError as problem:
        raise UserError(f"{folder}: cannot be written: {problem}") from problem


def shown_summary(plan: BenchmarkPlan, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the summary that a person can take in: by circuit, or over all of many circuits."""
    few = len(plan.circuits) <= CIRCUITS_IN_A_TABLE and not plan.disturbances
    return summarize(rows, BY_CIRCUIT if few else BY_MODEL)


def draw_curves(folder: Path, rows: Sequence[Row]) -> None:
    """Draw disturbances.png where runs were disturbed: laps finished, deviation over the amount."""
    if not any(row["disturbance"] != UNDISTURBED for row in rows):
        return
    from pilotnet_brain.report.disturbance_picture import draw_disturbances

    draw_disturbances(rows, folder / DISTURBANCES_PNG)


def results_markdown(plan: BenchmarkPlan, rows: Sequence[Row], made_by: Mapping[str, Any]) -> str:
    """Return the report of the rows so far in Markdown."""
    finished = sum(row["finished"] for row in rows)
    parts = [f"# Benchmark: {finished} of {len(rows)} runs finished\n", _how(plan, made_by)]
    if rows:
        parts.append(_tables(plan, rows))
        parts.append(
            "Mean ± standard deviation over the finished runs. The published score is measured "
            "against BehaviorMetrics' reference laps, `-` where none was given; suddenness is the "
            "mean step between successive network outputs.\n"
        )
    if plan.disturbances:
        parts.append(f"![Laps finished and deviation over each amount]({DISTURBANCES_PNG})\n")
    if runs := published_on(plan.circuits):
        parts.append("## Published\n")
        parts.append(published_markdown(runs))
    if unfinished := [row for row in rows if not row["finished"]]:
        parts.append(f"## Not finished: {len(unfinished)}\n")
        parts.append(unfinished_markdown(unfinished))
    return "\n".join(parts)


def _tables(plan: BenchmarkPlan, rows: Sequence[Row]) -> str:
    summary = shown_summary(plan, rows)
    if "circuit" not in summary[0]:
        return summary_markdown(summary)
    circuits = dict.fromkeys(entry["circuit"] for entry in summary)
    sections = [
        f"## {circuit}\n\n{summary_markdown([e for e in summary if e['circuit'] == circuit])}"
        for circuit in circuits
    ]
    if len(circuits) > 1:
        sections.append(f"## All circuits\n\n{summary_markdown(summarize(rows, BY_MODEL))}")
    return "\n".join(sections)


def _how(plan: BenchmarkPlan, made_by: Mapping[str, Any]) -> str:
    hardware_, versions_ = made_by["hardware"], made_by["versions"]
    what = (
        f"live over DDS in real time, simulator {plan.simulator}"
        if plan.mode == "live"
        else "in lock-step, simulator and model in one process"
    )
    return (
        f"Driven {what}; {plan.laps} lap(s) a run; {_series(plan)}.\n"
        f"{hardware_.get('cpu')}, {hardware_.get('cores')} cores, "
        f"{_listed(hardware_.get('gpu') or 'no GPU')}; Python {versions_.get('python')}, torch "
        f"{versions_.get('torch')}, mujoco {versions_.get('mujoco')}, ROS 2 "
        f"{versions_.get('ros_distro')}; commit {(made_by.get('git_commit') or 'unknown')[:12]}.\n"
    )


def _series(plan: BenchmarkPlan) -> str:
    """Return each series' looks and start points in words."""
    return "; ".join(
        f"{name + ': ' if name else ''}looks {_listed(series.looks)}, start points "
        f"{_listed(series.start_points)}"
        for name, series in plan.series.items()
    )


def _listed(values: Any) -> str:
    return values if isinstance(values, str) else ", ".join(f"{value}" for value in values)


def _csv(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _csv_value(value) for key, value in row.items()})
    return text.getvalue()


def _csv_value(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value
