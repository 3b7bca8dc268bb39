"""Tables of figures, said once and shown three ways: in the terminal, as Markdown, on a page.

Nothing is cut off: a table that does not fit a terminal is turned, so that each of its rows becomes
a column, and where the output is no terminal it takes the width that it needs.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

NOT_MEASURED = "-"
_WIDEST = 10_000


@dataclass(frozen=True)
class Cell:
    """One cell."""

    text: str  #: that is shown
    #: by which a page sorts the column; None: by the text, after all numbers
    number: float | None = None
    note: str = ""  #: shown after the text, small on a page, such as a spread
    href: str = ""  #: relative address that the text links to on a page
    bad: bool = False  #: whether the text reports a failure
    bold: bool = False  #: whether the text stands out in the terminal

    @property
    def plain(self) -> str:
        """The text with its note."""
        return f"{self.text} {self.note}".rstrip()


@dataclass(frozen=True)
class Column:
    """A column's head."""

    label: str
    unit: str = ""
    numeric: bool = False

    @property
    def head(self) -> str:
        """The label with its unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


@dataclass(frozen=True)
class Row:
    """A row; `ours` ones stand out on a page."""

    cells: tuple[Cell, ...]
    ours: bool = False


@dataclass(frozen=True)
class Table:
    """A table."""

    caption: str  #: what it shows
    columns: tuple[Column, ...]  #: heads
    #: in their first order; on a page the heads sort them
    rows: list[Row] = field(default_factory=list)

    def turned(self) -> Table:
        """Return the table with rows and columns exchanged; the first column becomes the head."""
        names = [row.cells[0].plain for row in self.rows]
        columns = (Column(self.columns[0].head), *(Column(name, numeric=True) for name in names))
        rows = [
            Row((Cell(column.head), *(row.cells[place] for row in self.rows)))
            for place, column in enumerate(self.columns[1:], start=1)
        ]
        return Table(self.caption, columns, rows)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [
            [column.head for column in self.columns],
            ["---:" if column.numeric else "---" for column in self.columns],
            *([cell.plain for cell in row.cells] for row in self.rows),
        ]
        return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def number_cell(value: object, digits: int, factor: float = 1.0, spread: object = None) -> Cell:
    """Return a number's cell; anything but a finite number was not measured.

    Args:
        value: in SI units.
        digits: after the decimal point.
        factor: to the column's unit.
        spread: standard deviation, in SI units; None: there is none.
    """
    if not is_number(value):
        return Cell(NOT_MEASURED)
    number = float(value) * factor
    note = f"± {float(spread) * factor:.{digits}f}" if is_number(spread) else ""
    return Cell(f"{number:.{digits}f}", number, note)


def mapping_table(caption: str, head: str, values: Mapping[str, Any]) -> Table:
    """Return a mapping, such as versions, as two columns; nested ones as ``a.b``."""
    table = Table(caption, (Column(head), Column("value")))
    for name, value in _flat(values):
        shown = NOT_MEASURED if value is None or value == "" else str(value)
        table.rows.append(Row((Cell(name), Cell(shown))))
    return table


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV with a head: numbers in full precision, empty for None."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def print_tables(*parts: Table | RenderableType) -> None:
    """Print tables and texts to standard output without cutting anything off."""
    console = Console(highlight=False)
    given = console.width
    for part in parts:
        shown = part
        if isinstance(part, Table):
            shown = _fitting(part, console, given if console.is_terminal else _WIDEST)
        if isinstance(shown, RichTable):
            needed = _measured(console, shown)
            least = needed.minimum if console.is_terminal else needed.maximum
            console.width = max(given, least)
        console.print(shown, crop=False)
        console.width = given


def rich_table(table: Table) -> RichTable:
    """Return a table for the terminal; only its heads may break into lines."""
    shown = RichTable(
        title=table.caption, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for place, column in enumerate(table.columns):
        texts = [row.cells[place].plain for row in table.rows]
        shown.add_column(
            column.head,
            justify="right" if column.numeric else "left",
            min_width=max(map(len, [*column.head.split(), *texts]), default=1),
        )
    for row in table.rows:
        shown.add_row(*(Text(cell.plain, style=_style(cell)) for cell in row.cells))
    return shown


def _fitting(table: Table, console: Console, width: int) -> RichTable:
    """Return the table, turned where it is too wide and narrower that way."""
    upright, turned = rich_table(table), rich_table(table.turned())
    if _measured(console, upright).minimum <= width:
        return upright
    return min(upright, turned, key=lambda shown: _measured(console, shown).minimum)


def _measured(console: Console, table: RichTable) -> Measurement:
    return Measurement.get(console, console.options.update(width=_WIDEST), table)


def _style(cell: Cell) -> str:
    if cell.text == NOT_MEASURED:
        return "dim"
    return "yellow" if cell.bad else "bold" if cell.bold else ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.extend(_flat(value, f"{prefix}{name}."))
        elif isinstance(value, list | tuple):
            flat.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            flat.append((f"{prefix}{name}", value))
    return flat


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
