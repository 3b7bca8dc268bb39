"""A run's figures for people: names, units and order, as a table, and in one line.

Said once for every report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from pilotnet_brain.metrics.published_figures import PublishedRun, published_on
from pilotnet_brain.report.tables import (
    NOT_MEASURED,
    Cell,
    Column,
    Row,
    Table,
    is_number,
    number_cell,
)

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class FigureText:
    """How one figure of metrics.json is written."""

    key: str  #: in metrics.json
    label: str  #: what it is called
    unit: str = ""  #: after the number, may be empty
    factor: float = 1.0  #: from the file's SI unit to `unit`
    digits: int = 2  #: after the decimal point

    @property
    def column(self) -> Column:
        """The head of a column of this figure."""
        return Column(self.label, self.unit, numeric=True)

    def cell(self, value: object, spread: object = None) -> Cell:
        """Return a value, and its standard deviation, both in SI units, as a cell without unit."""
        return number_cell(value, self.digits, self.factor, spread)

    def of(self, figures: Figures) -> str:
        """Return the figure with its unit, ``-`` where it was not measured."""
        value = figures.get(self.key)
        if value is None:
            return NOT_MEASURED
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(f"{item * self.factor:.{self.digits}f}" for item in value) + (
                f" {self.unit}" if value and self.unit else ""
            )
        if not isinstance(value, int | float):
            return str(value)
        return f"{self._number(value * self.factor)} {self.unit}".rstrip()

    def _number(self, value: float) -> str:
        return f"{value:.3g}" if abs(value) >= 1e6 else f"{value:.{self.digits}f}"


FIGURES = (
    FigureText("circuit", "circuit"),
    FigureText("model", "model"),
    FigureText("device", "device"),
    FigureText("simulator", "simulator"),
    FigureText("lap_completed", "laps completed"),
    FigureText("completion", "driven", "%", 100.0, 1),
    FigureText("ending", "ended by"),
    FigureText("laps", "laps", digits=0),
    FigureText("lap_times_s", "lap times", "s"),
    FigureText("distance_m", "distance", "m", digits=1),
    FigureText("average_speed", "average speed", "m/s"),
    FigureText("position_deviation_mae", "position deviation (MAE)", "m", digits=3),
    FigureText("position_deviation_max", "largest deviation", "m", digits=3),
    FigureText("position_deviation_score", "deviation score (centerline)"),
    FigureText("position_deviation_score_published", "deviation score (published)"),
    FigureText("brain_iteration_frequency", "brain iteration frequency", "Hz", digits=1),
    FigureText("brain_rate_hz", "brain rate (real time)", "Hz", digits=1),
    FigureText("mean_inference_time", "mean inference time", "ms", 1e3),
    FigureText("inference_time_p50", "inference time, median", "ms", 1e3),
    FigureText("inference_time_p99", "inference time, p99", "ms", 1e3),
    FigureText("frame_age_p50", "frame age, median", "ms", 1e3),
    FigureText("frame_age_p99", "frame age, p99", "ms", 1e3),
    FigureText("stamp_to_command_p50", "frame to command, simulated, median", "ms", 1e3, 0),
    FigureText("stamp_to_command_p99", "frame to command, simulated, p99", "ms", 1e3, 0),
    FigureText("command_to_motion", "command to motion, simulated", "ms", 1e3, 0),
    FigureText("delay_compensated_p50", "delay compensated, median", "ms", 1e3, 0),
    FigureText("frames_received", "frames received", digits=0),
    FigureText("frames_dropped", "frames dropped", digits=0),
    FigureText("frames_late", "frames late", digits=0),
    FigureText("frames_broken", "frames broken", digits=0),
    FigureText("suddenness", "suddenness", digits=4),
    FigureText("takeovers", "takeovers by a person", digits=0),
    FigureText("taken_over_s", "driven by a person", "s", digits=1),
    FigureText("autonomy", "autonomy", "%", 100.0, 1),
    FigureText("real_time_factor", "real-time factor", digits=3),
    FigureText("simulated_time_s", "simulated time", "s"),
    FigureText("real_time_s", "real time", "s"),
)
"""In the order of the table."""
TILES = (
    ("average_speed", "average speed"),
    ("position_deviation_mae", "deviation (MAE)"),
    ("position_deviation_max", "largest deviation"),
    ("position_deviation_score", "deviation score"),
    ("brain_iteration_frequency", "brain frequency"),
    ("mean_inference_time", "inference time"),
    ("frames_dropped", "frames dropped"),
    ("real_time_factor", "real-time factor"),
)
"""The figures at the head of a run's picture and page, with their short names."""
_BY_KEY = {text.key: text for text in FIGURES}
_OF_TAKEOVERS = {"takeovers", "taken_over_s", "autonomy"}
_RUN_BY = ("circuit", "model", "device", "simulator")
_BOLD = {"average_speed", "position_deviation_mae", "brain_iteration_frequency"}


def figure_text(figures: Figures, key: str) -> str:
    """Return one figure with its unit, ``-`` where it was not measured."""
    return _BY_KEY[key].of(figures)


def outcome(figures: Figures) -> str:
    """Return in one phrase how the run ended: the lap times, or why it was cut short."""
    times = figures.get("lap_times_s") or []
    if figures.get("lap_completed"):
        if not times:
            return "lap completed"
        if len(times) == 1:
            return f"lap completed in {times[0]:.2f} s"
        return f"{len(times)} laps completed, best {min(times):.2f} s"
    ending = figures.get("ending") or "not ended yet"
    if figures.get("completion") is None:
        return f"nothing driven: {ending}"
    return f"cut short at {figure_text(figures, 'completion')}: {ending}"


def run_by(figures: Figures, keys: Sequence[str] = _RUN_BY) -> str:
    """Return circuit, model, device and simulator, as far as known, in one line."""
    return " · ".join(str(figures[key]) for key in keys if figures.get(key))


def run_table(figures: Figures) -> RichTable:
    """Return a run's figures with units for the terminal; ``-`` where one was not measured."""
    table = RichTable(
        title=Text(run_by(figures), style="bold"),
        caption=Text(outcome(figures)),
        caption_style="bold green" if figures.get("lap_completed") else "bold yellow",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
        pad_edge=False,
    )
    table.add_column("figure")
    table.add_column("value", justify="right", overflow="fold")
    for text in FIGURES:
        if text.key in _RUN_BY or text.key == "ending":
            continue
        if text.key in _OF_TAKEOVERS and not figures.get("takeovers"):
            continue
        value = text.of(figures)
        style = "dim" if value == NOT_MEASURED else "bold" if text.key in _BOLD else ""
        table.add_row(Text(text.label, style=style), Text(value, style=style))
    return table


def run_summary(figures: Figures) -> str:
    """Return the run in one line: circuit, model, how it ended, how fast, how far off the line.

    A line for each of its warnings follows.
    """
    run = " with ".join(str(figures[key]) for key in ("circuit", "model") if figures.get(key))
    parts = [f"{run}: {outcome(figures)}" if run else outcome(figures)]
    for key, words in (
        ("average_speed", "{}"),
        ("position_deviation_mae", "{} off the line"),
        ("brain_iteration_frequency", "brain {}"),
    ):
        if figures.get(key) is not None:
            parts.append(words.format(figure_text(figures, key)))
    return ", ".join(parts)


def warning_lines(figures: Figures) -> list[str]:
    """Return what the run noticed about its inputs, a line each."""
    return [f"warning: {text}" for text in figures.get("warnings") or ()]


def progress_line(progress: Figures) -> str:
    """Return RunMetrics' progress as one line."""
    if progress.get("completion") is None:
        return "waiting for the car's pose"
    parts = [
        f"{100.0 * progress['completion']:5.1f} %",
        f"lap {progress['laps']} done" if progress["laps"] else "lap 1",
    ]
    for key, form in (
        ("time_s", "{:6.1f} s"),
        ("speed", "{:5.1f} m/s"),
        ("lateral_deviation", "{:+.3f} m off the line"),
        ("frame_rate_hz", "{:4.1f} frames/s"),
    ):
        if progress[key] is not None:
            parts.append(form.format(progress[key]))
    return "  ".join(parts)


def figures_table(figures: Figures) -> Table:
    """Return all figures of a run, one a row, for a page."""
    columns = (Column("figure"), Column("value", numeric=True), Column("unit"))
    table = Table("Figures of the run", columns)
    for figure in FIGURES:
        shown = figure.of(figures)
        if shown != NOT_MEASURED and figure.unit:
            shown = shown.removesuffix(figure.unit).rstrip()
        value = figures.get(figure.key)
        if isinstance(value, list) and value and all(map(is_number, value)):
            value = min(value)
        number = float(value) * figure.factor if is_number(value) else None
        table.rows.append(Row((Cell(figure.label), Cell(shown, number), Cell(figure.unit))))
    return table


_COMPARED_WITH_PUBLISHED = (
    FigureText("average_speed", "average speed", "m/s"),
    FigureText("position_deviation_score_published", "published score"),
    FigureText("brain_iteration_frequency", "brain frequency", "Hz", digits=1),
    FigureText("mean_inference_time", "inference time", "ms", 1e3),
)


def published_table(ours: Sequence[Figures]) -> Table | None:
    """Return the published rows next to ours for the same circuits; None where there are none.

    Args:
        ours: figures under the names of metrics.json; ``laps_text``, where given, is the text of
            the column "laps finished", and ``<figure>_spread`` a figure's standard deviation.
    """
    published = published_on({str(run.get("circuit")) for run in ours})
    if not published:
        return None
    compared = {run["circuit"] for run in published}
    columns = (Column("model"), Column("circuit"), Column("laps finished"))
    figures = _COMPARED_WITH_PUBLISHED
    table = Table(
        "Published figures next to ours", (*columns, *(figure.column for figure in figures))
    )
    for run in ours:
        if run.get("circuit") in compared:
            done = bool(run.get("lap_completed"))
            finished = Cell(str(run.get("laps_text") or ("yes" if done else "no")), bad=not done)
            cells = [f.cell(run.get(f.key), run.get(f"{f.key}_spread")) for f in figures]
            model = Cell(str(run.get("model") or "?"))
            table.rows.append(Row((model, Cell(str(run["circuit"])), finished, *cells), ours=True))
    table.rows.extend(Row(_published_cells(run)) for run in published)
    return table


def _published_cells(run: PublishedRun) -> tuple[Cell, ...]:
    counterpart = f"; ours: {run['ours']}" if run["ours"] else ""
    return (
        Cell(run["method"], note=f"published, {run['device']}{counterpart}"),
        Cell(run["circuit"]),
        Cell("yes" if run["finished"] else "no", bad=not run["finished"]),
        *(figure.cell(run[figure.key]) for figure in _COMPARED_WITH_PUBLISHED),
    )
