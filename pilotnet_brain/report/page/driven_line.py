"""Driven lines and roads as pages carry them: thinned, without losing where a line was worst.

A run's page has its laps as numbers, which scripts draw; a benchmark's page has every run's line as
a small map of SVG paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows, rows_by_lap
from pilotnet_brain.report.page.template import LEVELS

MOST_POINTS = 9000
"""In a page: more than a screen shows of a lap, and below half a megabyte."""
MOST_LAPS = 30
_ROAD_SPACING_M = 1.0
_MAP_POINTS = 180
_MAP_ROAD_POINTS = 220
_NARROWEST_SHARE = 0.028
"""Of a small map's size that a road takes at least; else it is too thin to see."""
# Name on the page, column of trajectory.csv, digits after the point.
_SERIES = (
    ("x", "x", 3),
    ("y", "y", 3),
    ("arc", "arc_length", 1),
    ("time", "time_s", 2),
    ("speed", "speed", 2),
    ("deviation", "lateral_deviation", 4),
    ("commandSpeed", "command_speed", 2),
    ("commandYawRate", "command_yaw_rate", 3),
)


@dataclass(frozen=True)
class DrivenLine:
    """What a page shows of a run's rows."""

    #: one mapping each, of ``number`` (from 1), ``along`` (m since the lap's start) and the series
    #: of trajectory.csv; None for a missing value
    laps: list[dict[str, object]]
    laps_driven: int  #: laps started; more than `laps` where a page would grow too long
    #: index into `laps`, and of the point in that lap, with the largest deviation; None where
    #: nothing was driven
    worst: tuple[int, int] | None


def driven_line(circuit: Circuit, rows: TrajectoryRows) -> DrivenLine:
    """Return the laps of a run for its page.

    Of more than `MOST_LAPS` laps, those with the largest deviations are kept.

    Args:
        rows: finite but for the commands.
    """
    by_lap = list(enumerate(rows_by_lap(rows, circuit.centerline.length)))
    if not by_lap:
        return DrivenLine([], 0, None)
    deviation = np.abs(rows[:, COLUMNS.index("lateral_deviation")])
    largest = [float(deviation[part].max()) for _, (part, _) in by_lap]
    worst_first = np.argsort(largest, kind="stable")[::-1]
    kept = sorted(worst_first[:MOST_LAPS].tolist())
    share = MOST_POINTS // len(kept)
    laps, worst = [], (0, 0)
    for place, number in enumerate(kept):
        part, along = by_lap[number][1]
        chosen = thinned(deviation[part], share)
        laps.append(_lap(number + 1, rows[part][chosen], along[chosen]))
        if number == worst_first[0]:
            worst = place, int(np.argmax(deviation[part][chosen]))
    return DrivenLine(laps, len(by_lap), worst)


def thinned(deviation: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return the indices (at most `most`) of the points to keep: of each stretch the worst.

    Args:
        deviation: absolute, of every point, m.
        most: at least 3; both ends are among them.
    """
    count = len(deviation)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(1, count - 1, most - 1).astype(int)
    inner = [
        start + int(np.argmax(deviation[start:end]))
        for start, end in zip(edges[:-1], edges[1:], strict=True)
        if end > start
    ]
    return np.array([0, *inner, count - 1], dtype=np.intp)


def road(circuit: Circuit) -> dict[str, object]:
    """Return a circuit as a page draws it: its line's points, m, its length and half width."""
    line = circuit.centerline
    count = max(16, math.ceil(line.length / _ROAD_SPACING_M))
    points = line.position(np.arange(count) * line.length / count)
    return {
        "x": np.round(points[:, 0], 2).tolist(),
        "y": np.round(points[:, 1], 2).tolist(),
        "length": round(line.length, 2),
        "halfWidth": circuit.asphalt_half_width,
    }


def _lap(number: int, rows: TrajectoryRows, along: NDArray[np.float64]) -> dict[str, object]:
    lap: dict[str, object] = {"number": number, "along": np.round(along, 1).tolist()}
    for name, column, digits in _SERIES:
        values = rows[:, COLUMNS.index(column)]
        lap[name] = [
            round(value, digits) if math.isfinite(value) else None for value in values.tolist()
        ]
    return lap


@dataclass(frozen=True)
class SmallRoad:
    """A circuit's road in a small map, drawn under its runs' lines."""

    view: str  #: of the SVG, m, y downwards
    path: str  #: of the centerline
    width: float  #: of the road, m


def small_road(circuit: Circuit) -> SmallRoad:
    """Return a circuit's road as SVG, about its local origin: browsers draw in single precision."""
    line = circuit.about(circuit.local_origin).centerline
    points = line.position(np.arange(_MAP_ROAD_POINTS) * line.length / _MAP_ROAD_POINTS)
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    margin = 0.06 * size
    width, height = (high - low + 2.0 * margin).tolist()
    return SmallRoad(
        view=f"{low[0] - margin:.1f} {-high[1] - margin:.1f} {width:.1f} {height:.1f}",
        path=_path(points) + "Z",
        width=round(max(2.0 * circuit.asphalt_half_width, _NARROWEST_SHARE * size), 1),
    )


def small_line(circuit: Circuit, rows: TrajectoryRows, top: float) -> dict[int, str]:
    """Return the driven line of a run on the small road, as SVG paths by their deviation's level.

    Args:
        circuit: on which it was driven.
        rows: finite but for the commands.
        top: deviation of the highest level, m.
    """
    deviation = np.abs(rows[:, COLUMNS.index("lateral_deviation")])
    if len(rows) < 2:
        return {}
    kept = thinned(deviation, _MAP_POINTS)
    points = rows[kept, 1:3] - circuit.local_origin
    off = np.maximum(deviation[kept][:-1], deviation[kept][1:])
    levels = np.minimum((off / top * LEVELS).astype(int), LEVELS - 1)
    paths: dict[int, str] = {}
    start = 0
    for end in range(1, len(levels) + 1):
        if end == len(levels) or levels[end] != levels[start]:
            level = int(levels[start])
            paths[level] = paths.get(level, "") + _path(points[start : end + 1])
            start = end
    return dict(sorted(paths.items()))


def scale_top(largest: list[float]) -> float:
    """Return the deviation of the highest level, m: a round number above most runs' largest."""
    finite = [value for value in largest if math.isfinite(value)]
    most = float(np.percentile(finite, 95)) if finite else 0.0
    return next((top for top in (0.05, 0.1, 0.2, 0.3, 0.5) if most <= top), 1.0)


def _path(points: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f},{-y:.1f}" for x, y in points.tolist())
