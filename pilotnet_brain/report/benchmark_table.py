"""A benchmark's summary as tables: for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.metrics.published_figures import PublishedRun
from pilotnet_brain.report.figure_texts import NOT_MEASURED

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a summary's table: its head with the unit, and the text of an entry."""

    head: str
    text: Callable[[Entry], str]
    number: bool = True


def spread_text(value: Mapping[str, Any] | None, factor: float = 1.0, digits: int = 2) -> str:
    """Return ``mean ± standard deviation``, the mean alone of a single value, ``-`` of none."""
    if value is None or value["mean"] is None:
        return NOT_MEASURED
    mean = f"{value['mean'] * factor:.{digits}f}"
    return mean if value["std"] is None else f"{mean} ± {value['std'] * factor:.{digits}f}"


def _spread(key: str, factor: float = 1.0, digits: int = 2) -> Callable[[Entry], str]:
    return lambda entry: spread_text(entry.get(key), factor, digits)


def _word(key: str) -> Callable[[Entry], str]:
    return lambda entry: str(entry.get(key) or NOT_MEASURED)


def _disturbance(entry: Entry) -> str:
    if entry["disturbance"] == UNDISTURBED:
        return UNDISTURBED
    # Brings the embedded simulator along, which a machine that drives in Gazebo may not have.
    from pilotnet_brain.runs.disturbances import find_disturbance

    name = entry["disturbance"]
    return f"{name} {entry['amount']:g} {find_disturbance(name).unit}".rstrip()


MODEL = Column("model", _word("model"), number=False)
CIRCUIT = Column("circuit", _word("circuit"), number=False)
CIRCUITS = Column("circuits", _word("circuits"))
DISTURBANCE = Column("disturbance", _disturbance, number=False)
_SCORE_PUBLISHED = "position_deviation_score_published"
FIGURES = (
    Column("laps", lambda entry: f"{entry['laps_finished']} of {entry['laps_started']}"),
    Column("lap time, s", _spread("lap_time_s")),
    Column("average speed, m/s", _spread("average_speed")),
    Column("deviation (MAE), m", _spread("position_deviation_mae", digits=3)),
    Column("largest deviation, m", _spread("position_deviation_max", digits=2)),
    Column("published score", _spread(_SCORE_PUBLISHED)),
    Column("suddenness", _spread("suddenness", digits=4)),
    Column("brain, Hz", _spread("brain_iteration_frequency", digits=0)),
    Column("inference, ms", _spread("mean_inference_time", 1e3, 3)),
    Column("real-time factor", _spread("real_time_factor", digits=3)),
    Column("frames dropped", _spread("frames_dropped", digits=1)),
    Column("device", _word("device"), number=False),
)


def summary_columns(summary: Sequence[Entry]) -> list[Column]:
    """Return the columns that say something of these entries."""
    columns = [MODEL, CIRCUIT if "circuit" in summary[0] else CIRCUITS]
    if any(entry["disturbance"] != UNDISTURBED for entry in summary):
        columns.append(DISTURBANCE)
    empty = {
        column.head
        for column in FIGURES
        if all(column.text(entry) == NOT_MEASURED for entry in summary)
    }
    return columns + [column for column in FIGURES if column.head not in empty]


def summary_table(summary: Sequence[Entry], title: str) -> Table:
    """Return a summary (at least one entry) as a table for the terminal."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = summary_columns(summary)
    for column in columns:
        # Heads may wrap between words, figures must not.
        widest = max(map(len, [*column.head.split(), *(column.text(entry) for entry in summary)]))
        table.add_column(
            column.head, justify="right" if column.number else "left", min_width=widest
        )
    for entry in summary:
        table.add_row(*(column.text(entry) for column in columns))
    return table


def summary_markdown(summary: Sequence[Entry]) -> str:
    """Return a summary (at least one entry) as a Markdown table."""
    columns = summary_columns(summary)
    return _markdown(
        [column.head for column in columns],
        [column.number for column in columns],
        [[column.text(entry) for column in columns] for entry in summary],
    )


def published_markdown(runs: Sequence[PublishedRun]) -> str:
    """Return published runs as a Markdown table, in the units of our own."""
    heads = ("published", "our counterpart", "circuit", "lap", "average speed, m/s",
             "published score", "brain, Hz", "inference, ms", "device")  # fmt: skip
    numbers = (False, False, False, False, True, True, True, True, False)
    rows = [
        [
            run.method,
            run.ours or NOT_MEASURED,
            run.circuit,
            "finished" if run.finished else "not finished",
            _number(run.average_speed),
            _number(run.position_deviation_score_published),
            _number(run.brain_iteration_frequency, digits=1),
            _number(run.mean_inference_time, 1e3, 1),
            run.device,
        ]
        for run in runs
    ]
    return _markdown(heads, numbers, rows)


def unfinished_markdown(rows: Sequence[Entry]) -> str:
    """Return the runs that did not finish, with their reasons, as a Markdown table."""
    return _markdown(
        ("model", "circuit", "repetition", "disturbance", "reason"),
        (False, False, True, False, False),
        [
            [
                str(row["model"]), str(row["circuit"]), str(row["repetition"]), _disturbance(row),
                str(row["reason"]),
            ]
            for row in rows
        ],
    )  # fmt: skip


def _number(value: float | None, factor: float = 1.0, digits: int = 2) -> str:
    return NOT_MEASURED if value is None else f"{value * factor:.{digits}f}"


def _markdown(heads: Sequence[str], numbers: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---:" if number else "---" for number in numbers], *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
