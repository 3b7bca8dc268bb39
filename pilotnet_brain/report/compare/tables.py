"""Runs side by side as tables, with whether they differ by more than their repetitions spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import ttest_ind

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError
from pilotnet_brain.report.compare.sides import Side, compared_with
from pilotnet_brain.report.figures import FIGURES, FigureText
from pilotnet_brain.report.tables import NOT_MEASURED, Cell, Column, Row, Table, csv_text

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The difference of two means, second minus first."""

    mean: float | None  #: of the difference; None where a side has no value
    #: lower end of its 95 % interval (Welch's t-test); None without repetitions
    low: float | None = None
    high: float | None = None  #: upper end

    @property
    def larger_than_spread(self) -> bool | None:
        """Whether the interval excludes zero; None without a spread."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0.0 or self.high < 0.0


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare repetitions by Welch's t-test, which lets the two sides spread differently.

    Each side needs two runs or more for an interval: one run has no spread. Where the repetitions
    of both sides are all the same, as in lock-step with one seed, the difference is exact.
    """
    if not first or not second:
        return Difference(None)
    mean = fmean(second) - fmean(first)
    if len(first) < 2 or len(second) < 2:
        return Difference(mean)
    if stdev(first) == 0.0 and stdev(second) == 0.0:
        return Difference(mean, mean, mean)
    interval = ttest_ind(second, first, equal_var=False).confidence_interval(CONFIDENCE)
    low, high = float(interval.low), float(interval.high)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Difference(mean)
    return Difference(mean, low, high)


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
"""With more sides than that, each is a row instead of a column, and only `_MAIN` is printed."""
_CSV_HEAD = (
    "circuit", "side", "figure", "runs", "mean", "std", "compared_with", "difference", "low_95",
    "high_95", "larger_than_spread",
)  # fmt: skip
_NAMES = {"lap_times_s": "best lap"}
NO_SPREAD = (
    "One run a side has no spread: these runs cannot show whether such a difference is more than "
    "chance. Compare repetitions, such as those of pilotnet benchmark."
)
METHOD = (
    "Differences have the 95 % interval of Welch's t-test; they are larger than the spread where "
    "that excludes zero, else within it. Of twenty figures that do not differ, one does so by "
    "chance."
)


def printed_tables(circuit: str, sides: Sequence[Side]) -> tuple[Table, Table]:
    """Return values and differences for the terminal; of many sides the main figures, in short."""
    if len(sides) <= _MANY:
        return values_table(sides, circuit), differences_table(sides)
    short = differences_table(sides, _MAIN, _short_difference)
    return values_table(sides, circuit, _MAIN), short


def values_table(
    sides: Sequence[Side], caption: str = "values", figures: Sequence[FigureText] = COMPARED
) -> Table:
    """Return every side's values, with their spread over repetitions.

    A side is a column; of many sides, each is a row.
    """
    table = Table(caption, _heads([side.label for side in sides]))
    finished = (Cell(f"{side.finished} of {len(side.runs)}") for side in sides)
    table.rows.append(Row((Cell("laps finished"), *finished)))
    for text in figures:
        values = [_value(text, side.values(text.key)) for side in sides]
        if any(value != NOT_MEASURED for value in values):
            table.rows.append(Row((Cell(_name(text)), *map(Cell, values))))
    return table if len(sides) <= _MANY else table.turned()


def differences_table(
    sides: Sequence[Side],
    figures: Sequence[FigureText] = COMPARED,
    written: Callable[[FigureText, Difference], Cell] | None = None,
) -> Table:
    """Return every side's differences, see `compared_with`, laid out as `values_table`."""
    pairs = [(compared_with(side, sides), side) for side in sides]
    known = [(first, second) for first, second in pairs if first is not None]
    heads = [f"{second.label} - {first.label}" for first, second in known]
    table = Table("differences", _heads(heads))
    for text in figures:
        found = [difference(a.values(text.key), b.values(text.key)) for a, b in known]
        if any(one.mean is not None for one in found):
            cells = [(written or _difference)(text, one) for one in found]
            table.rows.append(Row((Cell(_name(text)), *cells)))
    return table if len(sides) <= _MANY else table.turned()


def closing_notes(by_circuit: Mapping[str, Sequence[Side]]) -> list[str]:
    """Return what has to be said of the differences."""
    single = any(len(side.runs) < 2 for sides in by_circuit.values() for side in sides)
    return [METHOD, NO_SPREAD] if single else [METHOD]


def markdown(by_circuit: Mapping[str, Sequence[Side]], pictures: Mapping[str, str]) -> str:
    """Return all tables in Markdown.

    Args:
        pictures: circuit -> file name of its picture, where there is one.
    """
    parts = ["# Runs compared\n"]
    for circuit, sides in by_circuit.items():
        parts.append(f"## {circuit}\n")
        parts += [values_table(sides).markdown(), differences_table(sides).markdown()]
        if circuit in pictures:
            parts.append(f"![The driven lines on {circuit}]({pictures[circuit]})\n")
    parts += [f"{note}\n" for note in closing_notes(by_circuit)]
    return "\n".join(parts)


def write_comparison(out: Path, by_circuit: Mapping[str, Sequence[Side]]) -> None:
    """Write compare.md, compare.csv and a picture of each circuit's driven lines into a folder.

    Raises:
        UserError: the folder cannot be written, or a circuit is no longer there.
    """
    from pilotnet_brain.report.compare.picture import draw_comparison

    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = {}
        for circuit, sides in by_circuit.items():
            picture = f"{Path(circuit).stem}.png"
            if draw_comparison(out / picture, sides):
                pictures[circuit] = picture
        write_atomically(out / "compare.md", markdown(by_circuit, pictures).encode())
        write_atomically(out / "compare.csv", comma_separated(by_circuit).encode())
    except OSError as problem:
        raise UserError(f"{out}: cannot be written ({problem}); choose another --out") from problem


def comma_separated(by_circuit: Mapping[str, Sequence[Side]]) -> str:
    """Return every figure of every side with its difference from the first, SI units, as CSV."""
    rows: list[list[object]] = []
    for circuit, sides in by_circuit.items():
        for side in sides:
            for figure in COMPARED:
                values = side.values(figure.key)
                if not values:
                    continue
                spread = stdev(values) if len(values) > 1 else None
                rows.append([circuit, side.label, figure.key, len(values), fmean(values), spread])
                first = compared_with(side, sides)
                one = difference(first.values(figure.key) if first else [], values)
                versus = first.label if first else None
                rows[-1] += [versus, one.mean, one.low, one.high, one.larger_than_spread]
    return csv_text(_CSV_HEAD, rows)


def _heads(labels: Sequence[str]) -> tuple[Column, ...]:
    return (Column(""), *(Column(label, numeric=True) for label in labels))


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


def _difference(text: FigureText, one: Difference) -> Cell:
    if one.low is None or one.high is None:
        return _short_difference(text, one)
    interval = f" ({_number(text, one.low, '+')} to {_number(text, one.high, '+')})"
    return _verdict(text, one, interval)


def _short_difference(text: FigureText, one: Difference) -> Cell:
    return Cell(NOT_MEASURED) if one.mean is None else _verdict(text, one)


def _verdict(text: FigureText, one: Difference, interval: str = "") -> Cell:
    larger = one.larger_than_spread
    verdict = {None: "no spread", True: "larger", False: "within"}[larger]
    return Cell(f"{_number(text, one.mean or 0.0, '+')}{interval}: {verdict}", bold=larger is True)


def _number(text: FigureText, value: float, sign: str = "") -> str:
    # One digit more than a run alone shows: spreads are small.
    return f"{value * text.factor:{sign}.{text.digits + 1}f}"
