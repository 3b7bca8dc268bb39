"""Tables of a page: cells that know by what they are sorted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pilotnet_brain.report.figure_texts import FIGURES, NOT_MEASURED

_NOT_MEASURED_TEXT = "–"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: that is shown.
        number: by which the column is sorted; None: by the text, after all numbers.
        note: shown small behind the text, such as a spread.
        href: relative address that the text links to.
        bad: whether the text tells of a failure.
    """

    text: str
    number: float | None = None
    note: str = ""
    href: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Column:
    """A column's head."""

    label: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Row:
    """A row; `ours` ones stand out."""

    cells: tuple[Cell, ...]
    ours: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table whose columns sort it.

    Attributes:
        caption: what it shows, for who does not see it.
        columns: heads.
        rows: in their first order.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)


def number_cell(value: object, digits: int, factor: float = 1.0, spread: object = None) -> Cell:
    """Return a number's cell; what is no finite number was not measured.

    Args:
        value: in SI units.
        digits: behind the point.
        factor: to the column's unit.
        spread: standard deviation, in SI units; None: there is none.
    """
    if not _is_number(value):
        return Cell(_NOT_MEASURED_TEXT)
    number = float(value) * factor  # type: ignore[arg-type]
    note = ""
    if _is_number(spread):
        note = f"± {float(spread) * factor:.{digits}f}"  # type: ignore[arg-type]
    return Cell(f"{number:.{digits}f}", number, note)


def figures_table(figures: Mapping[str, Any]) -> PageTable:
    """Return all figures of a run, one a row."""
    table = PageTable(
        "Figures of the run",
        (Column("figure"), Column("value", numeric=True), Column("unit")),
    )
    for figure in FIGURES:
        text = figure.of(figures)
        value = figures.get(figure.key)
        if text == NOT_MEASURED:
            cell, unit = Cell(_NOT_MEASURED_TEXT), figure.unit
        else:
            shown = text.removesuffix(figure.unit).rstrip() if figure.unit else text
            cell, unit = Cell(shown, _sorted_by(value, figure.factor)), figure.unit
        table.rows.append(Row((Cell(figure.label), cell, Cell(unit))))
    return table


def mapping_table(caption: str, head: str, values: Mapping[str, Any]) -> PageTable:
    """Return a mapping, such as versions, as two columns; nested ones as ``a.b``."""
    table = PageTable(caption, (Column(head), Column("value")))
    for name, value in _flat(values):
        shown = _NOT_MEASURED_TEXT if value is None or value == "" else str(value)
        table.rows.append(Row((Cell(name), Cell(shown))))
    return table


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


def _sorted_by(value: object, factor: float) -> float | None:
    if isinstance(value, list) and value and all(map(_is_number, value)):
        return float(min(value)) * factor
    return float(value) * factor if _is_number(value) else None  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
