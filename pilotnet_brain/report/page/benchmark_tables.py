"""The tables of a benchmark's page: its summary, and every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.report.figure_texts import FIGURES
from pilotnet_brain.report.page.table import Cell, Column, PageTable, Row, number_cell

Entry = Mapping[str, Any]
_BY_KEY = {figure.key: figure for figure in FIGURES}


@dataclass(frozen=True)
class _Figure:
    """A column of both tables: which figure, and its short head."""

    key: str
    label: str
    digits: int | None = None

    @property
    def column(self) -> Column:
        figure = _BY_KEY.get(self.key)
        return Column(self.label, figure.unit if figure else "s", numeric=True)

    def cell(self, value: object, spread: object = None) -> Cell:
        figure = _BY_KEY.get(self.key)
        digits = self.digits if self.digits is not None else figure.digits if figure else 2
        return number_cell(value, digits, figure.factor if figure else 1.0, spread)


_LAP_TIME = _Figure("lap_time_s", "lap time")
_FIGURES = (
    _Figure("average_speed", "average speed"),
    _Figure("position_deviation_mae", "deviation (MAE)"),
    _Figure("position_deviation_score_published", "published score"),
    _Figure("brain_iteration_frequency", "brain", 0),
    _Figure("mean_inference_time", "inference"),
    _Figure("real_time_factor", "real-time factor"),
    _Figure("position_deviation_max", "largest deviation"),
    _Figure("suddenness", "suddenness"),
    _Figure("position_deviation_score", "score (centerline)"),
    _Figure("frames_dropped", "frames dropped", 1),
)


def summary_table(summary: Sequence[Entry]) -> PageTable:
    """Return a benchmark's summary: one row a group, mean and spread of its finished runs."""
    by_circuit = any("circuit" in entry for entry in summary)
    disturbed = any(disturbance_text(entry) != UNDISTURBED for entry in summary)
    figures = [
        f for f in (_LAP_TIME, *_FIGURES) if any(_mean(e, f.key) is not None for e in summary)
    ]
    columns = [
        Column("model"),
        Column("circuit") if by_circuit else Column("circuits", numeric=True),
    ]
    if disturbed:
        columns.append(Column("disturbance"))
    columns.append(Column("laps finished", numeric=True))
    columns.extend(figure.column for figure in figures)
    columns.append(Column("device"))
    table = PageTable("Summary: mean ± standard deviation over the finished runs", tuple(columns))
    for entry in summary:
        cells = [Cell(str(entry.get("model"))), _where(entry, by_circuit)]
        if disturbed:
            cells.append(Cell(disturbance_text(entry)))
        cells.append(_laps(entry))
        cells.extend(f.cell(_mean(entry, f.key), _std(entry, f.key)) for f in figures)
        cells.append(Cell(str(entry.get("device") or "–")))
        table.rows.append(Row(tuple(cells)))
    return table


def runs_table(rows: Sequence[Entry], page_of: Callable[[Entry], str]) -> PageTable:
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
    table = PageTable("Every run", tuple(columns))
    for row in rows:
        cells = [Cell(str(row.get("model")), href=page_of(row)), Cell(str(row.get("circuit")))]
        cells.append(number_cell(row.get("repetition"), 0))
        if disturbed:
            cells.append(Cell(disturbance_text(row)))
        cells += [_ending(row), _LAP_TIME.cell(_best_lap(row))]
        cells.extend(figure.cell(row.get(figure.key)) for figure in figures)
        cells += [
            number_cell(row.get("looks_seed"), 0),
            number_cell(row.get("start_arc_length"), 1),
        ]
        table.rows.append(Row(tuple(cells)))
    return table


def our_figures(summary: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the undisturbed entries of a summary as the published table takes them."""
    return [
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


def disturbance_text(entry: Entry) -> str:
    """Return what disturbed a run or a group of runs, with its amount."""
    name = str(entry.get("disturbance") or UNDISTURBED)
    if name == UNDISTURBED:
        return name
    amount = entry.get("amount")
    return f"{name} {amount:g}" if isinstance(amount, int | float) else name


def _where(entry: Entry, by_circuit: bool) -> Cell:
    if by_circuit:
        return Cell(str(entry.get("circuit") or "–"))
    return number_cell(entry.get("circuits"), 0)


def _laps(entry: Entry) -> Cell:
    finished, started = entry.get("laps_finished"), entry.get("laps_started")
    if not isinstance(finished, int) or not isinstance(started, int):
        return Cell("–")
    share = finished / started if started else 0.0
    return Cell(f"{finished} of {started}", share, bad=finished < started)


def _ending(row: Entry) -> Cell:
    if row.get("finished"):
        return Cell("finished")
    # Without where and when, which stand with the runs that did not finish.
    return Cell(str(row.get("reason") or "not finished").split(":")[0], bad=True)


def _best_lap(row: Entry) -> float | None:
    times = row.get("lap_times_s")
    known = (
        [time for time in times if isinstance(time, int | float)] if isinstance(times, list) else []
    )
    return min(known, default=None)


def _mean(entry: Entry, key: str) -> object:
    value = entry.get(key)
    return value.get("mean") if isinstance(value, Mapping) else None


def _std(entry: Entry, key: str) -> object:
    value = entry.get(key)
    return value.get("std") if isinstance(value, Mapping) else None
