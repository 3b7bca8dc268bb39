"""Our figures beside the published ones, for the circuits that something was published of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pilotnet_brain.metrics.published_figures import PublishedRun, published_on
from pilotnet_brain.report.page.table import Cell, Column, PageTable, Row, number_cell

_COLUMNS = (
    Column("model"),
    Column("circuit"),
    Column("laps finished"),
    Column("average speed", "m/s", numeric=True),
    Column("deviation score", numeric=True),
    Column("brain frequency", "Hz", numeric=True),
    Column("inference time", "ms", numeric=True),
)


def published_table(ours: Sequence[Mapping[str, Any]]) -> PageTable | None:
    """Return the published rows and ours for the same circuits; None where there are none.

    Args:
        ours: figures under the names of metrics.json; besides, ``laps_text`` for what the column
            "laps finished" says, and ``<figure>_spread`` for standard deviations.
    """
    published = published_on({str(run.get("circuit")) for run in ours})
    if not published:
        return None
    compared = {run.circuit for run in published}
    table = PageTable("Published figures beside ours", _COLUMNS)
    for run in ours:
        if run.get("circuit") in compared:
            table.rows.append(Row(_our_cells(run), ours=True))
    table.rows.extend(Row(_published_cells(run)) for run in published)
    return table


def _our_cells(run: Mapping[str, Any]) -> tuple[Cell, ...]:
    def figure(key: str, digits: int, factor: float = 1.0) -> Cell:
        return number_cell(run.get(key), digits, factor, run.get(f"{key}_spread"))

    return (
        Cell(str(run.get("model") or "?")),
        Cell(str(run.get("circuit"))),
        _finished(run),
        figure("average_speed", 2),
        figure("position_deviation_score_published", 2),
        figure("brain_iteration_frequency", 1),
        figure("mean_inference_time", 2, 1e3),
    )


def _finished(run: Mapping[str, Any]) -> Cell:
    done = bool(run.get("lap_completed"))
    return Cell(str(run.get("laps_text") or ("yes" if done else "no")), bad=not done)


def _published_cells(run: PublishedRun) -> tuple[Cell, ...]:
    return (
        Cell(run.method, note=f"published, {run.device}"),
        Cell(run.circuit),
        Cell("yes" if run.finished else "no", bad=not run.finished),
        number_cell(run.average_speed, 2),
        number_cell(run.position_deviation_score_published, 2),
        number_cell(run.brain_iteration_frequency, 1),
        number_cell(run.mean_inference_time, 2, 1e3),
    )
