"""Runs side by side as tables: in the terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from rich import box
from rich.table import Table
from rich.text import Text

from pilotnet_brain.report.compare_sides import Side
from pilotnet_brain.report.compare_spread import Difference, difference
from pilotnet_brain.report.figure_texts import FIGURES, NOT_MEASURED, FigureText

_KEYS = (
    "lap_times_s", "average_speed", "position_deviation_mae", "position_deviation_max",
    "position_deviation_score", "position_deviation_score_published", "brain_iteration_frequency",
    "mean_inference_time", "inference_time_p99", "frame_age_p50", "frame_age_p99",
    "frames_dropped", "suddenness", "real_time_factor",
)  # fmt: skip
COMPARED = tuple(text for text in FIGURES if text.key in _KEYS)
_NAMES = {"lap_times_s": "best lap"}
_LARGER, _WITHIN, _NO_SPREAD = "larger", "within", "no spread"
NO_SPREAD = (
    "One run a side has no spread: whether such a difference is more than chance, these runs "
    "cannot tell. Compare repetitions, such as those of pilotnet benchmark."
)
METHOD = (
    "Differences: second minus first, with the 95 % interval of Welch's t-test; larger than the "
    "spread where that leaves zero out, else within it. Of twenty figures that do not differ, one "
    "does so by chance."
)


def values_table(circuit: str, sides: Sequence[Side]) -> Table:
    """Return the sides' figures side by side as a rich table."""
    table = _table(circuit)
    table.add_column("")
    for side in sides:
        table.add_column(side.label, justify="right", overflow="fold")
    for cells in value_rows(sides):
        table.add_row(*(Text(cell, style="dim" if cell == NOT_MEASURED else "") for cell in cells))
    return table


def differences_table(sides: Sequence[Side]) -> Table:
    """Return what the other sides differ in from the first as a rich table."""
    table = _table(f"differences from {sides[0].label}")
    table.add_column("")
    for side in sides[1:]:
        table.add_column(side.label, justify="right", overflow="fold")
    styles = {_LARGER: "bold", _WITHIN: "dim"}
    for name, *cells in difference_rows(sides):
        texts = [Text(c, style=styles.get(c.rpartition(": ")[2], "")) for c in cells]
        table.add_row(name, *texts)
    return table


def value_rows(sides: Sequence[Side]) -> list[list[str]]:
    """Return a row a figure: its name, then every side's value, with spread over repetitions."""
    rows = [["laps finished", *(f"{side.finished} of {len(side.runs)}" for side in sides)]]
    for text in COMPARED:
        cells = [_value(text, side.values(text.key)) for side in sides]
        if any(cell != NOT_MEASURED for cell in cells):
            rows.append([_name(text), *cells])
    return rows


def difference_rows(sides: Sequence[Side]) -> list[list[str]]:
    """Return a row a figure: its name, then every other side's difference from the first."""
    rows = []
    for text in COMPARED:
        first = sides[0].values(text.key)
        found = [difference(first, side.values(text.key)) for side in sides[1:]]
        if any(one.mean is not None for one in found):
            rows.append([_name(text), *(_difference(text, one) for one in found)])
    return rows


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
        parts.append(_markdown_table(["", *(s.label for s in sides)], value_rows(sides)))
        parts.append(f"### Differences from {sides[0].label}\n")
        others = ["", *(side.label for side in sides[1:])]
        parts.append(_markdown_table(others, difference_rows(sides)))
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
    head = "circuit,side,figure,runs,mean,std,difference,low_95,high_95,larger_than_spread"
    writer.writerow(head.split(","))
    for circuit, sides in by_circuit.items():
        for side in sides:
            for figure in COMPARED:
                values = side.values(figure.key)
                if not values:
                    continue
                spread = stdev(values) if len(values) > 1 else None
                row = [circuit, side.label, figure.key, len(values), fmean(values), spread]
                one = Difference(None)
                if side is not sides[0]:
                    one = difference(sides[0].values(figure.key), values)
                writer.writerow([*row, one.mean, one.low, one.high, one.larger_than_spread])
    return text.getvalue()


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)


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
    if one.mean is None:
        return NOT_MEASURED
    shown = _number(text, one.mean, "+")
    if one.low is None or one.high is None:
        return f"{shown}: {_NO_SPREAD}"
    verdict = _LARGER if one.larger_than_spread else _WITHIN
    return f"{shown} ({_number(text, one.low, '+')} to {_number(text, one.high, '+')}): {verdict}"


def _number(text: FigureText, value: float, sign: str = "") -> str:
    # One digit more than a run alone shows: spreads are small.
    return f"{value * text.factor:{sign}.{text.digits + 1}f}"


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"
