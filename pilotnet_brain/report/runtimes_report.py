"""The comparison of runtimes as a table."""

from __future__ import annotations

from collections.abc import Sequence

from pilotnet_brain.learning.offline.runtimes import RuntimeRow
from pilotnet_brain.learning.offline.timing import Durations
from pilotnet_brain.report.tables import Cell, Column, Row, Table, number_cell

_COLUMNS = (
    Column("model"),
    Column("runtime"),
    Column("file", "MB", numeric=True),
    Column("warm: median (p99)", "ms", numeric=True),
    Column("at 20 Hz: median (p99)", "ms", numeric=True),
    Column("first command after", "s", numeric=True),
    Column("memory", "MB", numeric=True),
)


def runtimes_table(rows: Sequence[RuntimeRow]) -> Table:
    """Return the rows as a table, the fastest runtime of each model in bold."""
    fastest = {row.model: min(_warm(other) for other in _of(rows, row.model)) for row in rows}
    table = Table("Runtimes, one frame, one thread of the CPU", _COLUMNS)
    for row in rows:
        cells = (
            Cell(row.model),
            Cell(row.runtime, bold=_warm(row) == fastest[row.model]),
            number_cell(row.file_bytes, 2, 1e-6),
            _milliseconds(row.warm),
            _milliseconds(row.paced),
            number_cell(row.first_command_s, 2),
            number_cell(row.memory_bytes, 0, 1e-6),
        )
        table.rows.append(Row(cells))
    return table


def _of(rows: Sequence[RuntimeRow], model: str) -> list[RuntimeRow]:
    return [row for row in rows if row.model == model]


def _warm(row: RuntimeRow) -> float:
    return row.warm.median_s


def _milliseconds(times: Durations) -> Cell:
    return Cell(f"{1e3 * times.median_s:.3f}", 1e3 * times.median_s, f"({1e3 * times.p99_s:.3f})")
