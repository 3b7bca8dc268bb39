"""The driven lines of compared runs on one map, with deviation and speed along the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows, rows_by_lap
from pilotnet_brain.report import track_drawing as track
from pilotnet_brain.report.compare.sides import Side
from pilotnet_brain.report.run_data import driven_rows
from pilotnet_brain.runs.folder import RunFolder

_COLOURS = ("#1f6f8b", "#d1495b", "#edae49", "#3c8d5a", "#7b5ea7", "#5c6b73")
MOST_SIDES = len(_COLOURS)
_REACH_PT = 7.0
"""How far from the line the largest deviation is drawn on the map, points."""

DrivenLap = tuple[str, NDArray[np.float64]]
"""Label, and rows (N, 10) as in trajectory.csv."""


def draw_comparison(path: Path, sides: Sequence[Side]) -> bool:
    """Draw the first lap of each side's first run that kept its driven line.

    Args:
        sides: all on one circuit; those beyond the sixth are left out.

    Returns:
        Whether there were lines to draw; without two of them nothing is written.

    Raises:
        UserError: the circuit is no longer there, or the picture cannot be written.
    """
    shown = [(side, folder) for side in sides[:MOST_SIDES] if (folder := _driven_run(side))]
    if len(shown) < 2:
        return False
    circuit = shown[0][1].circuit()
    laps = [lap for side, folder in shown for lap in _first_lap(side.label, folder, circuit)]
    if len(laps) < 2:
        return False
    points = track.closed_points(circuit)
    figure = Figure(figsize=(11.0, 9.6), dpi=110, facecolor="white", layout="constrained")
    map_axes, deviation_axes, speed_axes = figure.subplots(3, 1, height_ratios=[3.2, 1.2, 1.2])
    _draw_map(map_axes, circuit, points, laps)
    for (label, rows), colour in zip(laps, _COLOURS, strict=False):
        along, lateral, speed = _from_start_line(rows, circuit.centerline.length).T
        deviation_axes.plot(along, lateral, color=colour, linewidth=1.2)
        speed_axes.plot(along, speed, color=colour, linewidth=1.2, label=label)
    deviation_axes.axhline(0.0, color=track.FAINT_INK, linewidth=0.8)
    for axes, label in ((deviation_axes, "off the line, m"), (speed_axes, "speed, m/s")):
        track.style_graph(axes, label)
        axes.set_xlim(0.0, circuit.centerline.length)
    speed_axes.set_xlabel("along the line from the start line, m", color=track.FAINT_INK)
    figure.legend(
        *speed_axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(laps),
        frameon=False,
    )  # fmt: skip
    track.save_picture(figure, path)
    return True


def _driven_run(side: Side) -> RunFolder | None:
    """Return the folder of a side's first run that kept its driven line."""
    folders = (RunFolder(run.folder) for run in side.runs if run.folder is not None)
    return next((folder for folder in folders if folder.trajectory_csv.is_file()), None)


def _first_lap(label: str, folder: RunFolder, circuit: Circuit) -> list[DrivenLap]:
    rows = driven_rows(folder)
    laps = rows_by_lap(rows, circuit.centerline.length)
    return [(label, rows[laps[0][0]])] if len(rows) > 2 else []


def _from_start_line(rows: TrajectoryRows, length: float) -> NDArray[np.float64]:
    """Return arc length, deviation and speed (N, 3), with a gap where the start line was crossed.

    Runs may start anywhere; each place of the circuit has one place in the graph.
    """
    columns = [COLUMNS.index(name) for name in ("arc_length", "lateral_deviation", "speed")]
    values = rows[:, columns]
    crossings = np.flatnonzero(np.abs(np.diff(values[:, 0])) > 0.5 * length) + 1
    return np.insert(values, crossings, np.nan, axis=0)


def _draw_map(
    axes: Axes, circuit: Circuit, points: NDArray[np.float64], laps: Sequence[DrivenLap]
) -> None:
    """Draw the lines with their deviations exaggerated: centimetres are less than a pixel here."""
    metres_per_point = track.frame_map(axes, points)
    track.draw_road(axes, circuit, metres_per_point)
    axes.plot(*points.T, color="white", linewidth=0.8, zorder=3)
    lateral_column, arc_column = COLUMNS.index("lateral_deviation"), COLUMNS.index("arc_length")
    largest = max(float(np.abs(rows[:, lateral_column]).max()) for _, rows in laps)
    times = max(1.0, _REACH_PT * metres_per_point / max(largest, 1e-3))
    for (_, rows), colour in zip(laps, _COLOURS, strict=False):
        arc_lengths = rows[:, arc_column]
        heading = circuit.centerline.heading(arc_lengths)
        left = np.column_stack([-np.sin(heading), np.cos(heading)])
        away = times * rows[:, lateral_column, None] * left
        place = circuit.centerline.position(arc_lengths) + away
        axes.plot(*place.T, color=colour, linewidth=1.5, zorder=5)
    start = laps[0][1][0, arc_column]
    x, y = circuit.centerline.position(start).tolist()
    track.draw_start(axes, x, y, float(circuit.centerline.heading(start)), metres_per_point)
    track.draw_scale(axes)
    axes.set_title(
        f"{circuit.name}, deviations drawn {times:.0f} times as large", fontsize=10,
        color=track.FAINT_INK,
    )  # fmt: skip
