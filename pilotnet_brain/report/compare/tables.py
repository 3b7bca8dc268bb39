"""Runs side by side as tables: in the terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

from rich import box
from rich.table import Table
from rich.text import Text

from pilotnet_brain.report.compare.sides import Side, compared_with
from pilotnet_brain.report.compare.spread import Difference, difference
from pilotnet_brain.report.figure_texts import FIGURES, NOT_MEASURED, FigureText

_KEYS = (
    "lap_times_s", "average_speed", "position_deviation_mae", "position_deviation_max",
    "position_deviation_score", "position_deviation_score_published", "brain_iteration_frequency",
    "mean_inference_time", "inference_time_p99", "frame_age_p50", "frame_age_p99",
    "frames_dropped", "suddenness", "real_time_factor",
)  # fmt: skip
COMPARED = tuple(text for text in FIGURES if text.key in _KEYS)
_MAIN = (
    FigureText("average_speed", "speed", "m/s"),
    FigureText("position_deviation_mae", "MAE", "m", digits=3),
    FigureText("position_deviation_score_published", "published score"),
    FigureText("mean_inference_time", "inference", "ms", 1e3),
)
_MANY = 3
"""Sides that fit beside each other into a terminal; more stand below each other."""
_CSV_HEAD = (
    "circuit", "side", "figure", "runs", "mean", "std", "compared_with", "difference", "low_95",
    "high_95", "larger_than_spread",
)  # fmt: skip
_NAMES = {"lap_times_s": "best lap"}
_LARGER, _WITHIN, _NO_SPREAD = "larger", "within", "no spread"
NO_SPREAD = (
    "One run a side has no spread: whether such a difference is more than chance, these runs "
    "cannot tell. Compare repetitions, such as those of pilotnet benchmark."
)
METHOD = (
    "Differences have the 95 % interval of Welch's t-test; they are larger than the "
    "spread where that leaves zero out, else within it. Of twenty figures that do not differ, one "
    "does so by chance."
)


def values_table(circuit: str, sides: Sequence[Side]) -> Table:
    """Return the sides' figures side by side as a rich table, of many sides the main figures."""
    return _rich(circuit, value_cells(sides, COMPARED if len(sides) <= _MANY else _MAIN))


def differences_table(sides: Sequence[Side]) -> Table:
    """Return what the sides differ in as a rich table, of many sides in short."""
    if len(sides) <= _MANY:
        return _rich("differences", difference_cells(sides))
    return _rich("differences", difference_cells(sides, _MAIN, _short_difference))


def value_cells(sides: Sequence[Side], figures: Sequence[FigureText] = COMPARED) -> list[list[str]]:
    """Return every side's values, with their spread over repetitions, as a table's cells.

    The first row is the head. A side is a column; of many sides, each is a row.
    """
    cells = [["", *(side.label for side in sides)]]
    cells.append(["laps finished", *(f"{side.finished} of {len(side.runs)}" for side in sides)])
    for text in figures:
        values = [_value(text, side.values(text.key)) for side in sides]
        if any(value != NOT_MEASURED for value in values):
            cells.append([_name(text), *values])
    return _laid_out(cells, sides)


def difference_cells(
    sides: Sequence[Side],
    figures: Sequence[FigureText] = COMPARED,
    written: Callable[[FigureText, Difference], str] | None = None,
) -> list[list[str]]:
    """Return every side's differences, see `compared_with`, laid out as `value_cells`."""
    pairs = [(compared_with(side, sides), side) for side in sides]
    written = written or _difference
    known = [(first, second) for first, second in pairs if first is not None]
    cells = [["", *(f"{second.label} - {first.label}" for first, second in known)]]
    for text in figures:
        found = [difference(a.values(text.key), b.values(text.key)) for a, b in known]
        if any(one.mean is not None for one in found):
            cells.append([_name(text), *(written(text, one) for one in found)])
    return _laid_out(cells, sides)


def without_spread(sides: Sequence[Side]) -> bool:
    """Whether a side has too few runs to tell a difference from chance."""
    return any(len(side.runs) < 2 for side in sides)


def markdown(by_circuit: Mapping[str, Sequence[Side]], pictures: Mapping[str, str]) -> str:
    """Return all tables in Markdown.

    Args:
        by_circuit: the sides on each circuit.
        pictures: circuit -> file name of its picture, where there is one.
    """
    parts = ["# Runs compared\n"]
    for circuit, sides in by_circuit.items():
        parts.append(f"## {circuit}\n")
        parts.append(_markdown_table(value_cells(sides)))
        parts.append(_markdown_table(difference_cells(sides)))
        if circuit in pictures:
            parts.append(f"![The driven lines on {circuit}]({pictures[circuit]})\n")
    parts.append(METHOD + "\n")
    if any(map(without_spread, by_circuit.values())):
        parts.append(NO_SPREAD + "\n")
    return "\n".join(parts)


def comma_separated(by_circuit: Mapping[str, Sequence[Side]]) -> str:
    """Return every figure of every side with its difference from the first, SI units, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEAD)
    for circuit, sides in by_circuit.items():
        for side in sides:
            for figure in COMPARED:
                values = side.values(figure.key)
                if not values:
                    continue
                spread = stdev(values) if len(values) > 1 else None
                row = [circuit, side.label, figure.key, len(values), fmean(values), spread]
                first = compared_with(side, sides)
                one = difference(first.values(figure.key) if first else [], values)
                versus = first.label if first else None
                writer.writerow([*row, versus, one.mean, one.low, one.high, one.larger_than_spread])
    return text.getvalue()


def _laid_out(cells: list[list[str]], sides: Sequence[Side]) -> list[list[str]]:
    if len(sides) <= _MANY:
        return cells
    return [list(row) for row in zip(*cells, strict=True)]


def _rich(title: str, cells: list[list[str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(cells[0][0], overflow="fold")
    for name in cells[0][1:]:
        table.add_column(name, justify="right")
    for name, *values in cells[1:]:
        table.add_row(name, *(Text(value, style=_style(value)) for value in values))
    return table


def _style(value: str) -> str:
    if value == NOT_MEASURED or value.endswith(_WITHIN):
        return "dim"
    return "bold" if value.endswith(_LARGER) else ""


def _name(text: FigureText) -> str:
    label = _NAMES.get(text.key, text.label)
    return f"{label}, {text.unit}" if text.unit else label


def _value(text: FigureText, values: Sequence[float]) -> str:
    if not values:
        return NOT_MEASURED
    shown = _number(text, fmean(values))
    if len(values) < 2:
        return shown
    return f"{shown} ± {_number(text, stdev(values))}"


def _difference(text: FigureText, one: Difference) -> str:
    if one.low is None or one.high is None:
        return _short_difference(text, one)
    shown = _number(text, one.mean or 0.0, "+")
    interval = f"{_number(text, one.low, '+')} to {_number(text, one.high, '+')}"
    return f"{shown} ({interval}): {_verdict(one)}"


def _short_difference(text: FigureText, one: Difference) -> str:
    if one.mean is None:
        return NOT_MEASURED
    return f"{_number(text, one.mean, '+')}: {_verdict(one)}"


def _verdict(one: Difference) -> str:
    return {None: _NO_SPREAD, True: _LARGER, False: _WITHIN}[one.larger_than_spread]


def _number(text: FigureText, value: float, sign: str = "") -> str:
    # One digit more than a run alone shows: spreads are small.
    return f"{value * text.factor:{sign}.{text.digits + 1}f}"


def _markdown_table(cells: list[list[str]]) -> str:
    head, *rows = cells
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"
