"""Small maps of many runs: the road once for each circuit, the driven lines thinned."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.report.page.line import thinned
from pilotnet_brain.report.page.template import LEVELS

_POINTS = 180
_ROAD_POINTS = 220
_NARROWEST_SHARE = 0.028
"""Of the map's size that a road takes at least; it would be a hair on a long circuit."""


@dataclass(frozen=True)
class SmallRoad:
    """A circuit, to be drawn under its runs' lines.

    Attributes:
        view: of the SVG, m, y downwards.
        path: of the centerline.
        width: of the road, m.
    """

    view: str
    path: str
    width: float


def small_road(circuit: Circuit) -> SmallRoad:
    """Return a circuit's road as SVG."""
    line = circuit.centerline
    points = line.position(np.arange(_ROAD_POINTS) * line.length / _ROAD_POINTS)
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    margin = 0.06 * size
    width, height = (high - low + 2.0 * margin).tolist()
    return SmallRoad(
        view=f"{low[0] - margin:.1f} {-high[1] - margin:.1f} {width:.1f} {height:.1f}",
        path=_path(points) + "Z",
        width=round(max(2.0 * circuit.asphalt_half_width, _NARROWEST_SHARE * size), 1),
    )


def small_line(rows: NDArray[np.float64], top: float) -> dict[int, str]:
    """Return the driven line of a run as SVG paths, by the level of their deviation.

    Args:
        rows: (N, 10) as in trajectory.csv, finite but for the commands; N may be 0.
        top: deviation of the highest level, m.
    """
    deviation = np.abs(rows[:, COLUMNS.index("lateral_deviation")])
    if len(rows) < 2:
        return {}
    kept = thinned(deviation, _POINTS)
    points, off = rows[kept, 1:3], np.maximum(deviation[kept][:-1], deviation[kept][1:])
    levels = np.minimum((off / top * LEVELS).astype(int), LEVELS - 1)
    paths: dict[int, str] = {}
    begin = 0
    for end in range(1, len(levels) + 1):
        if end == len(levels) or levels[end] != levels[begin]:
            level = int(levels[begin])
            paths[level] = paths.get(level, "") + _path(points[begin : end + 1])
            begin = end
    return dict(sorted(paths.items()))


def scale_top(largest: list[float]) -> float:
    """Return the deviation of the highest level, m: a round number above most runs' largest."""
    finite = [value for value in largest if math.isfinite(value)]
    most = float(np.percentile(finite, 95)) if finite else 0.0
    return next((top for top in (0.05, 0.1, 0.2, 0.3, 0.5) if most <= top), 1.0)


def _path(points: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f},{-y:.1f}" for x, y in points.tolist())
