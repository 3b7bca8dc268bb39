"""The driven line as a page carries it: lap by lap, thinned, without losing where it was worst."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.rows_by_lap import rows_by_lap
from pilotnet_brain.metrics.trajectory import COLUMNS

MOST_POINTS = 9000
"""Of a page: more than a screen shows of a lap, and below half a megabyte."""
MOST_LAPS = 30
_ROAD_SPACING_M = 1.0
# Name on the page, column of trajectory.csv, digits behind the point.
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
    """What a page shows of a run's rows.

    Attributes:
        laps: one mapping each, of ``number`` (from 1), ``along`` (m since the lap's begin) and the
            series of trajectory.csv; None stands for a value that is not there.
        laps_driven: begun laps; more than `laps` where a page would grow too long.
        worst: index into `laps`, and of the point in that lap, with the largest deviation; None
            where nothing was driven.
    """

    laps: list[dict[str, object]]
    laps_driven: int
    worst: tuple[int, int] | None


def finite_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows (N, 10) whose pose is finite; a command may be missing."""
    usable: NDArray[np.float64] = rows[
        np.isfinite(rows[:, : COLUMNS.index("command_speed")]).all(axis=1)
    ]
    return usable


def driven_line(circuit: Circuit, rows: NDArray[np.float64]) -> DrivenLine:
    """Return the laps of a run for its page.

    Of more than `MOST_LAPS` laps, those with the largest deviations are kept.

    Args:
        circuit: that was driven on.
        rows: (N, 10) as in trajectory.csv, finite but for the commands.
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
        begin + int(np.argmax(deviation[begin:end]))
        for begin, end in zip(edges[:-1], edges[1:], strict=True)
        if end > begin
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


def _lap(number: int, rows: NDArray[np.float64], along: NDArray[np.float64]) -> dict[str, object]:
    lap: dict[str, object] = {"number": number, "along": np.round(along, 1).tolist()}
    for name, column, digits in _SERIES:
        values = rows[:, COLUMNS.index(column)]
        lap[name] = [
            round(value, digits) if math.isfinite(value) else None for value in values.tolist()
        ]
    return lap
