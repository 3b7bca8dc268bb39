"""lap.png: the track with the driven line, speed and deviation along it, the run's figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows, finite_rows, rows_by_lap
from pilotnet_brain.report import track_drawing as track
from pilotnet_brain.report.figures import TILES, figure_text, outcome, run_by
from pilotnet_brain.report.run_data import driven_rows
from pilotnet_brain.runs.folder import RunFolder

_WIDTH_IN = 11.0
_DPI = 120
_COMMANDED = "#e0a458"


def draw_lap(folder: RunFolder) -> Path:
    """Draw a run's lap.png from its trajectory.csv and metrics.json.

    Raises:
        UserError: no readable trajectory.csv, or a circuit that is no longer there.
    """
    figures = folder.read_metrics() or {}
    rows = driven_rows(folder)
    return draw_lap_picture(folder.lap_png, folder.circuit(), rows, figures)


def draw_lap_picture(
    path: Path, circuit: Circuit, rows: TrajectoryRows, figures: Mapping[str, Any]
) -> Path:
    """Draw the picture of a run with its figures, named as in metrics.json."""
    points = track.closed_points(circuit)
    rows = finite_rows(rows)
    figure, map_axes, speed_axes, deviation_axes = _layout(points)
    _write_head(figure, circuit, figures)
    norm = track.deviation_norm(rows[:, COLUMNS.index("lateral_deviation")])
    _draw_map(map_axes, circuit, points, rows, figures, norm)
    laps = rows_by_lap(rows, circuit.centerline.length)
    _draw_speed(speed_axes, rows, laps)
    _draw_deviation(deviation_axes, circuit, rows, laps, norm)
    return track.save_picture(figure, path)


def _layout(points: NDArray[np.float64]) -> tuple[Figure, Axes, Axes, Axes]:
    """Make the figure; the map's height follows the circuit's form."""
    width, height = np.ptp(points, axis=0)
    map_in = float(np.clip(0.9 * _WIDTH_IN * height / max(width, 1.0), 3.6, 7.2))
    head_in, graph_in, foot_in, gap_in = 1.45, 1.5, 0.6, 0.25
    total = head_in + map_in + gap_in + 2 * graph_in + gap_in + foot_in
    figure = Figure(figsize=(_WIDTH_IN, total), dpi=_DPI, facecolor="white")
    top, left, right = 1.0 - head_in / total, 0.065, 0.975
    map_grid = GridSpec(1, 1, figure, left=0.03, right=0.9, top=top, bottom=top - map_in / total)
    graphs = GridSpec(
        2, 1, figure, left=left, right=right, top=top - (map_in + gap_in) / total,
        bottom=foot_in / total, hspace=2 * gap_in / graph_in / 2,
    )  # fmt: skip
    map_axes = figure.add_subplot(map_grid[0])
    speed_axes = figure.add_subplot(graphs[0])
    return figure, map_axes, speed_axes, figure.add_subplot(graphs[1], sharex=speed_axes)


def _write_head(figure: Figure, circuit: Circuit, figures: Mapping[str, Any]) -> None:
    """Title, outcome, and the main figures as a row of tiles."""
    height = figure.get_size_inches()[1]

    def write(x: float, inches_down: float, text: str, **style: Any) -> None:
        figure.text(x, 1.0 - inches_down / height, text, va="top", **style)

    left = 0.03
    write(left, 0.18, circuit.name, fontsize=19, fontweight="bold", color=track.INK)
    run = run_by(figures, ("model", "device", "simulator"))
    write(0.975, 0.26, run, fontsize=11, color=track.FAINT_INK, ha="right")
    done = bool(figures.get("lap_completed"))
    ending = shorten(outcome(figures) if figures else "", 130, placeholder=" ...")
    write(left, 0.56, ending, fontsize=11, color=track.FAINT_INK if done else track.WARNING)
    for i, (key, label) in enumerate(TILES):
        x = left + i * (0.945 / len(TILES))
        text = figure_text(figures, key)
        write(x, 0.9, text, fontsize=13, fontweight="bold", color=track.INK)
        write(x, 1.16, label, fontsize=8.5, color=track.FAINT_INK)


def _draw_map(
    axes: Axes,
    circuit: Circuit,
    points: NDArray[np.float64],
    rows: TrajectoryRows,
    figures: Mapping[str, Any],
    norm: Normalize,
) -> None:
    driven = rows[:, 1:3]
    metres_per_point = track.frame_map(axes, points)
    track.draw_road(axes, circuit, metres_per_point)
    axes.plot(*points.T, color="white", linewidth=0.8, zorder=3)
    if len(rows):
        start = rows[0, COLUMNS.index("arc_length")]
        x, y = circuit.centerline.position(start)
        heading = float(circuit.centerline.heading(start))
        track.draw_start(axes, float(x), float(y), heading, metres_per_point)
    if len(rows) > 1:
        deviation = np.abs(rows[:, COLUMNS.index("lateral_deviation")])
        axes.add_collection(track.coloured_line(driven, deviation, norm, 3.0))
        worst = int(np.argmax(deviation))
        axes.plot(*driven[worst], "o", markersize=9, markerfacecolor="none",
                  markeredgecolor=track.INK, markeredgewidth=1.3, zorder=7)  # fmt: skip
        axes.annotate(
            f"{deviation[worst]:.2f} m", driven[worst], xytext=(9, 7), textcoords="offset points",
            fontsize=9, color=track.INK, zorder=9,
            path_effects=[withStroke(linewidth=3.0, foreground="white")],
        )  # fmt: skip
    if len(rows) and figures.get("lap_completed") is False:
        axes.plot(*driven[-1], "X", markersize=12, color=track.WARNING,
                  markeredgecolor="white", zorder=8)  # fmt: skip
    track.draw_scale(axes)
    box = axes.get_position(original=True)
    place = (0.925, box.y0 + 0.12 * box.height, 0.012, 0.62 * box.height)
    track.draw_colour_bar(axes, norm, track.DEVIATION_COLOURS, "off the\nline, m", place)


def _draw_speed(
    axes: Axes, rows: TrajectoryRows, laps: list[tuple[slice, NDArray[np.float64]]]
) -> None:
    track.style_graph(axes, "speed, m/s")
    axes.yaxis.set_label_coords(-0.045, 0.5)
    axes.tick_params(labelbottom=False)
    for number, (part, along) in enumerate(laps):
        command = rows[part, COLUMNS.index("command_speed")]
        speed = rows[part, COLUMNS.index("speed")]
        last = number == len(laps) - 1
        if last and np.isfinite(command).any():
            # Wider than the driven line over it: the two are often the same.
            axes.plot(along, command, color=_COMMANDED, linewidth=4.0, label="commanded")
        axes.plot(along, speed, color=track.DRIVEN, linewidth=1.2, alpha=1.0 if last else 0.3,
                  label="driven" if last else None)  # fmt: skip
    if laps:
        low, high = axes.get_ylim()
        axes.set_ylim(min(0.0, low), high + 0.08 * (high - low))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8.5, frameon=True, framealpha=0.8, ncol=2,
                    edgecolor="none", labelcolor=track.FAINT_INK, borderpad=0.3)  # fmt: skip


def _draw_deviation(
    axes: Axes,
    circuit: Circuit,
    rows: TrajectoryRows,
    laps: list[tuple[slice, NDArray[np.float64]]],
    norm: Normalize,
) -> None:
    track.style_graph(axes, "off the line, m")
    axes.yaxis.set_label_coords(-0.045, 0.5)
    axes.axhline(0.0, color=track.FAINT_INK, linewidth=0.8, zorder=2)
    for number, (part, along) in enumerate(laps):
        deviation = rows[part, COLUMNS.index("lateral_deviation")]
        if number < len(laps) - 1:
            axes.plot(along, deviation, color=track.DRIVEN, linewidth=1.0, alpha=0.3)
            continue
        axes.fill_between(along, deviation, color=track.GRID, zorder=1)
        if len(deviation) > 1:
            line = np.column_stack([along, deviation])
            axes.add_collection(track.coloured_line(line, np.abs(deviation), norm, 1.6))
    reach = 1.15 * float(norm.vmax or 1.0)
    axes.set_ylim(-reach, reach)
    if reach > circuit.asphalt_half_width:
        for edge in (-circuit.asphalt_half_width, circuit.asphalt_half_width):
            axes.axhline(edge, color=track.WARNING, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xlim(0.0, circuit.centerline.length)
    axes.set_xlabel("along the line from the start of the lap, m     (left of the line positive)",
                    fontsize=9, color=track.FAINT_INK)  # fmt: skip
