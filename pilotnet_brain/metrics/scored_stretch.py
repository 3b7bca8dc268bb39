"""Which part of a reference curve a run is scored on: the part that it drove."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.metrics.deviation_score import position_deviation_score

_LONGEST_STEP_M = 3.0
"""Points of a reference farther apart than this are placed on the line on their own."""


class ScoredReference:
    """A reference curve whose points know their place on the centerline.

    Every lap is scored on its own and the laps' scores are averaged by the points they cover: over
    several laps a point's distance is not that of the lap that came closest. A lap cut short is
    scored over the reference points beside the stretch that was driven, since the car's distance
    from a point it never came to says nothing about how well it drove.

    Args:
        centerline: of the circuit.
        points: (N, 2), m, of the reference curve in driving order.
    """

    def __init__(self, centerline: Centerline, points: NDArray[np.float64]) -> None:
        self._length = centerline.length
        self._points = np.asarray(points, dtype=np.float64)
        places: list[float] = []
        near: float | None = None
        last = (math.inf, math.inf)
        for x, y in self._points.tolist():
            if math.dist(last, (x, y)) > _LONGEST_STEP_M:
                near = None
            near = centerline.project(x, y, near).arc_length
            places.append(near)
            last = (x, y)
        self._arc_lengths = np.array(places)

    def score(
        self,
        driven: NDArray[np.float64],
        begin_arc_length: float,
        span: tuple[float, float],
    ) -> float | None:
        """Return the mean score over the driven laps, None where nothing was driven.

        Args:
            driven: (M, 3) x, y (m) and progress (m) since the begin, in driving order.
            begin_arc_length: where on the line the run began, m.
            span: least and largest progress, m.
        """
        rearmost, farthest = span
        if len(driven) < 2 or farthest - rearmost <= 0.0:
            return None
        ahead = np.mod(self._arc_lengths - begin_arc_length, self._length)
        total, count = 0.0, 0
        for lap in range(max(1, math.ceil(farthest / self._length - 1e-9))):
            lap_begin = lap * self._length
            from_m = 0.0 if lap else min(0.0, rearmost)
            to_m = min(farthest - lap_begin, self._length)
            beside = _covered(ahead, from_m, to_m, self._length)
            score = position_deviation_score(self._points[beside], _lap(driven, lap, self._length))
            if score is not None:
                total += score * int(beside.sum())
                count += int(beside.sum())
        return total / count if count else None


def _covered(
    ahead: NDArray[np.float64], from_m: float, to_m: float, length: float
) -> NDArray[np.bool_]:
    """Which points, `ahead` (m) of the begin on a closed line, lie in [from_m, to_m]."""
    if to_m - from_m >= length - 1e-9:
        return np.ones(len(ahead), dtype=bool)
    return np.mod(ahead - from_m, length) <= to_m - from_m


def _lap(driven: NDArray[np.float64], lap: int, length: float) -> NDArray[np.float64]:
    """Return the points (K, 2) driven from the first begin of a lap to the first of the next.

    The last point before and the first after belong to it, so that the curve has no gap there.
    """
    reached = np.maximum.accumulate(driven[:, 2])
    first = int(np.searchsorted(reached, lap * length, side="left")) if lap else 0
    end = int(np.searchsorted(reached, (lap + 1) * length, side="left"))
    return driven[max(0, first - 1) : end + 1, :2]
