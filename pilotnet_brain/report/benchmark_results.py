"""A benchmark's tables, and its results.json, results.csv and results.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.benchmark.plan import UNDISTURBED, BenchmarkPlan
from pilotnet_brain.benchmark.row import Row as ResultRow
from pilotnet_brain.benchmark.summary import BY_CIRCUIT, BY_MODEL, summarize
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.published_figures import published_on
from pilotnet_brain.report.compare.tables import CONFIDENCE
from pilotnet_brain.report.figures import FigureText, published_table
from pilotnet_brain.report.tables import (
    NOT_MEASURED,
    Cell,
    Column,
    Row,
    Table,
    csv_text,
    number_cell,
)

DISTURBANCES_PNG = "disturbances.png"
CIRCUITS_IN_A_TABLE = 10
"""With more circuits than that, the tables give one line a model, over all circuits."""
_CIRCUITS_OF_A_SAMPLE = 50
Entry = Mapping[str, Any]

_LAP_TIME = FigureText("lap_time_s", "lap time", "s")
_FIGURES = (
    FigureText("average_speed", "average speed", "m/s"),
    FigureText("position_deviation_mae", "deviation (MAE)", "m", digits=3),
    FigureText("position_deviation_score_published", "published score"),
    FigureText("brain_iteration_frequency", "brain", "Hz", digits=0),
    FigureText("mean_inference_time", "inference", "ms", 1e3, digits=3),
    FigureText("real_time_factor", "real-time factor", digits=3),
    FigureText("position_deviation_max", "largest deviation", "m", digits=3),
    FigureText("suddenness", "suddenness", digits=4),
    FigureText("position_deviation_score", "score (centerline)"),
    FigureText("frames_dropped", "frames dropped", digits=1),
)


def write_results(
    folder: Path, plan: BenchmarkPlan, rows: Sequence[ResultRow], made_by: Entry
) -> None:
    """Write the three files of the rows so far, each whole or not at all.

    Raises:
        UserError: the folder cannot be written.
    """
    results = {
        "plan": plan.as_dict(),
        "machine": dict(made_by),
        "published": published_on(plan.circuits),
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


def shown_summary(plan: BenchmarkPlan, rows: Sequence[ResultRow]) -> list[dict[str, Any]]:
    """Return the summary that a person can take in: by circuit, or over all of many circuits."""
    few = len(plan.circuits) <= CIRCUITS_IN_A_TABLE and not plan.disturbances
    return summarize(rows, BY_CIRCUIT if few else BY_MODEL)


def draw_curves(folder: Path, plan: BenchmarkPlan, rows: Sequence[ResultRow]) -> None:
    """Draw disturbances.png for a plan with disturbances: laps finished, deviation by amount."""
    if plan.disturbances and rows:
        from pilotnet_brain.report.disturbances import draw_disturbances

        draw_disturbances(rows, folder / DISTURBANCES_PNG)


def summary_table(
    summary: Sequence[Entry], caption: str = "Mean ± standard deviation over the finished runs"
) -> Table:
    """Return a benchmark's summary: one row a group; figures that nobody measured are left out."""
    figures = [
        figure
        for figure in (_LAP_TIME, *_FIGURES)
        if any(_mean(entry, figure.key) is not None for entry in summary)
    ]
    by_circuit = any("circuit" in entry for entry in summary)
    disturbed = any(disturbance_text(entry) != UNDISTURBED for entry in summary)
    columns = [Column("model")]
    columns.append(Column("circuit") if by_circuit else Column("circuits", numeric=True))
    columns += [Column("disturbance")] if disturbed else []
    columns += [Column("laps", numeric=True), *(figure.column for figure in figures)]
    table = Table(caption, (*columns, Column("device")))
    for entry in summary:
        where = entry.get("circuit") or NOT_MEASURED
        circuit = Cell(str(where)) if by_circuit else number_cell(entry.get("circuits"), 0)
        cells = [Cell(str(entry.get("model"))), circuit]
        cells += [Cell(disturbance_text(entry))] if disturbed else []
        cells.append(_laps(entry))
        cells += [figure.cell(_mean(entry, figure.key), _std(entry, figure.key))
                  for figure in figures]  # fmt: skip
        table.rows.append(Row((*cells, Cell(str(entry.get("device") or NOT_MEASURED)))))
    return table


def runs_table(rows: Sequence[Entry], page_of: Callable[[Entry], str]) -> Table:
    """Return every run of a benchmark, linked to its page.

    Args:
        rows: of results.json.
        page_of: returns the relative address of a run's page, the empty text where there is none.
    """
    figures = [f for f in _FIGURES if any(row.get(f.key) is not None for row in rows)]
    disturbed = any(disturbance_text(row) != UNDISTURBED for row in rows)
    columns = [Column("model"), Column("circuit"), Column("run", numeric=True)]
    columns += [Column("disturbance")] if disturbed else []
    columns += [Column("lap"), _LAP_TIME.column, *(figure.column for figure in figures)]
    columns += [Column("looks", numeric=True), Column("start", "m", numeric=True)]
    table = Table("Every run", tuple(columns))
    for row in rows:
        cells = [Cell(str(row.get("model")), href=page_of(row)), Cell(str(row.get("circuit")))]
        cells.append(number_cell(row.get("repetition"), 0))
        cells += [Cell(disturbance_text(row))] if disturbed else []
        cells += [_ending(row), _LAP_TIME.cell(_best_lap(row))]
        cells += [figure.cell(row.get(figure.key)) for figure in figures]
        cells.append(number_cell(row.get("looks_seed"), 0))
        cells.append(number_cell(row.get("start_arc_length"), 1))
        table.rows.append(Row(tuple(cells)))
    return table


def published_next_to(summary: Sequence[Entry]) -> Table | None:
    """Return the undisturbed entries of a summary by circuit with what was published there."""
    ours = [
        {
            "model": entry.get("model"),
            "circuit": entry.get("circuit"),
            "lap_completed": bool(entry.get("laps_started"))
            and entry.get("laps_finished") == entry.get("laps_started"),
            "laps_text": f"{entry.get('laps_finished')} of {entry.get('laps_started')}",
            **{figure.key: _mean(entry, figure.key) for figure in _FIGURES},
            **{f"{figure.key}_spread": _std(entry, figure.key) for figure in _FIGURES},
        }
        for entry in summary
        if disturbance_text(entry) == UNDISTURBED
    ]
    return published_table(ours)


def disturbance_text(entry: Entry) -> str:
    """Return what disturbed a run or a group of runs, with its amount and unit."""
    name = str(entry.get("disturbance") or UNDISTURBED)
    amount = entry.get("amount")
    if name == UNDISTURBED or not isinstance(amount, int | float):
        return name
    # Imports the embedded simulator, which a machine that drives in Gazebo may not have.
    from pilotnet_brain.runs.disturbances import DISTURBANCES

    unit = DISTURBANCES[name].unit if name in DISTURBANCES else ""
    return f"{name} {amount:g} {unit}".rstrip()


def results_markdown(plan: BenchmarkPlan, rows: Sequence[ResultRow], made_by: Entry) -> str:
    """Return the report of the rows so far in Markdown."""
    finished = sum(row["finished"] for row in rows)
    parts = [f"# Benchmark: {finished} of {len(rows)} runs finished\n", _how(plan, made_by)]
    if rows:
        parts.append(_summaries(plan, rows))
        parts.append(
            "Mean ± standard deviation over the finished runs. The published score is measured "
            "against BehaviorMetrics' reference laps, `-` where none was given; suddenness is the "
            "mean step between successive network outputs. Laps of 50 circuits and more have the "
            "95 % interval of the share finished (Clopper and Pearson).\n"
        )
    if plan.disturbances:
        parts.append(f"![Laps finished and deviation over each amount]({DISTURBANCES_PNG})\n")
    if published := published_next_to(summarize(rows, BY_CIRCUIT)):
        parts.append(f"## Published\n\n{published.markdown()}")
    if unfinished := [row for row in rows if not row["finished"]]:
        parts.append(f"## Not finished: {len(unfinished)}\n\n{_unfinished(unfinished).markdown()}")
    return "\n".join(parts)


def _summaries(plan: BenchmarkPlan, rows: Sequence[ResultRow]) -> str:
    """Return a table for each circuit and one for all, of many circuits the latter alone."""
    summary = shown_summary(plan, rows)
    if "circuit" not in summary[0]:
        return summary_table(summary).markdown()
    circuits = dict.fromkeys(entry["circuit"] for entry in summary)
    tables = {
        circuit: summary_table([entry for entry in summary if entry["circuit"] == circuit])
        for circuit in circuits
    }
    if len(circuits) > 1:
        tables["All circuits"] = summary_table(summarize(rows, BY_MODEL))
    return "\n".join(f"## {head}\n\n{table.markdown()}" for head, table in tables.items())


def _unfinished(rows: Sequence[Entry]) -> Table:
    heads = ("model", "circuit", "repetition", "disturbance", "reason")
    table = Table("Not finished", tuple(Column(h, numeric=h == "repetition") for h in heads))
    for row in rows:
        texts = (row["model"], row["circuit"], row["repetition"], disturbance_text(row))
        table.rows.append(Row(tuple(Cell(str(text)) for text in (*texts, row["reason"]))))
    return table


def _how(plan: BenchmarkPlan, made_by: Entry) -> str:
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
        f"{', disturbed by ' + series.disturbance if series.disturbance else ''}"
        for name, series in plan.series.items()
    )


def _listed(values: Any) -> str:
    return values if isinstance(values, str) else ", ".join(f"{value}" for value in values)


def _csv(rows: Sequence[Entry]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return csv_text(columns, ([_plain(row.get(key)) for key in columns] for row in rows))


def _plain(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _laps(entry: Entry) -> Cell:
    finished, started = entry.get("laps_finished"), entry.get("laps_started")
    if not isinstance(finished, int) or not isinstance(started, int):
        return Cell(NOT_MEASURED)
    share = finished / started if started else 0.0
    text = f"{finished} of {started}"
    if (entry.get("circuits") or 0) >= _CIRCUITS_OF_A_SAMPLE:
        # Clopper and Pearson's: exact, also where every lap was finished.
        interval = binomtest(finished, started).proportion_ci(CONFIDENCE)
        text += f" ({100 * interval.low:.1f} to {100 * interval.high:.1f} %)"
    return Cell(text, share, bad=finished < started)


def _ending(row: Entry) -> Cell:
    if row.get("finished"):
        return Cell("finished")
    # Without place and time, which are listed with the runs that did not finish.
    return Cell(str(row.get("reason") or "not finished").split(":")[0], bad=True)


def _best_lap(row: Entry) -> float | None:
    times = row.get("lap_times_s")
    known = [t for t in times if isinstance(t, int | float)] if isinstance(times, list) else []
    return min(known, default=None)


def _mean(entry: Entry, key: str) -> object:
    value = entry.get(key)
    if key == _LAP_TIME.key and entry.get("circuits", 1) != 1:
        return None  # of laps of different circuits, which older results.json files have
    return value.get("mean") if isinstance(value, Mapping) else None


def _std(entry: Entry, key: str) -> object:
    value = entry.get(key)
    return value.get("std") if isinstance(value, Mapping) else None
