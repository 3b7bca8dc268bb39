"""BehaviorMetrics' position deviation score, over the part of a reference that was driven."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pilotnet_brain.circuits.centerline import Centerline

SCORE_BASE = 1000.0
REFERENCE_SPACING_M = 0.25
_LONGEST_SEGMENT_M = 0.5
# 1000^100 is 1e300: farther away, the score of one point would no longer be a number.
_FARTHEST_M = 100.0
_LONGEST_STEP_M = 3.0
"""Points of a reference farther apart than this are placed on the line on their own."""


def centerline_reference(centerline: Centerline) -> NDArray[np.float64]:
    """Return the centerline as a reference curve: points (N, 2), m, about 0.25 m apart."""
    count = max(1, round(centerline.length / REFERENCE_SPACING_M))
    return centerline.position(np.arange(count) * (centerline.length / count))


def position_deviation_score(
    reference: NDArray[np.float64], driven: NDArray[np.float64]
) -> float | None:
    """Return the mean over the reference points of 1000^d.

    d is the distance in metres from the point to the driven curve, taken as the polyline through
    its points. A curve that meets every reference point scores 1. This is BehaviorMetrics'
    "position deviation MAE", which is no mean absolute error: one metre costs a thousand times
    what no deviation costs. Distances count up to 100 m.

    Args:
        reference: (N, 2), m.
        driven: (M, 2), m, in driving order.

    Returns:
        The score, or None where there is no reference point or no driven one.
    """
    if len(reference) == 0 or len(driven) == 0:
        return None
    distance = np.minimum(distances_to_polyline(reference, driven), _FARTHEST_M)
    return float(np.mean(SCORE_BASE**distance))


def distances_to_polyline(
    points: NDArray[np.float64], polyline: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance (N,), m, of each point (N, 2) from a polyline (M, 2), M >= 1. Exact.

    A point's nearest segment has an end no farther than the nearest corner plus half a segment's
    length, so only the segments at the corners within that radius are measured.
    """
    corners = _with_short_segments(np.asarray(polyline, dtype=np.float64))
    points = np.asarray(points, dtype=np.float64)
    tree = cKDTree(corners)
    nearest: NDArray[np.float64] = tree.query(points)[0]
    if len(corners) == 1:
        return nearest
    longest = float(np.max(np.linalg.norm(np.diff(corners, axis=0), axis=1)))
    candidates = tree.query_ball_point(points, nearest + 0.5 * longest + 1e-9)
    counts = np.fromiter((len(found) for found in candidates), dtype=np.intp, count=len(points))
    owner = np.repeat(np.arange(len(points)), counts)
    corner = np.concatenate([np.asarray(found, dtype=np.intp) for found in candidates])
    last_segment = len(corners) - 2
    best = nearest.copy()
    for segment in (np.maximum(corner - 1, 0), np.minimum(corner, last_segment)):
        distance = _distances_to_segments(points[owner], corners[segment], corners[segment + 1])
        np.minimum.at(best, owner, distance)
    return best


def _with_short_segments(polyline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same curve with corners added so that no segment is longer than half a metre."""
    lengths = np.linalg.norm(np.diff(polyline, axis=0), axis=1)
    pieces = np.maximum(1, np.ceil(lengths / _LONGEST_SEGMENT_M)).astype(np.intp)
    if pieces.sum() == len(lengths):
        return polyline
    start = np.concatenate([[0], np.cumsum(pieces)])
    stations = np.interp(np.arange(start[-1] + 1), start, np.arange(len(polyline)))
    return np.column_stack(
        [np.interp(stations, np.arange(len(polyline)), polyline[:, axis]) for axis in (0, 1)]
    )


def _distances_to_segments(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance (N,) of each point (N, 2) from its own segment."""
    along = end - start
    squared = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", points - start, along) / np.where(squared > 0.0, squared, 1.0)
    away = points - start - np.clip(share, 0.0, 1.0)[:, None] * along
    distance: NDArray[np.float64] = np.hypot(away[:, 0], away[:, 1])
    return distance


class ScoredReference:
    """A reference curve whose points know their place on the centerline.

    Every lap is scored on its own and the laps' scores are averaged by the points they cover: over
    several laps a point's distance is not that of the lap that came closest. A lap cut short is
    scored over the reference points along the stretch that was driven, since the car's distance
    from a point it never came to says nothing about how well it drove.

    Args:
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
            driven: (M, 3) x, y (m) and progress (m) since the start, in driving order.
            begin_arc_length: where on the line the run began, m.
            span: least and largest progress, m.
        """
        rearmost, farthest = span
        if len(driven) < 2 or farthest - rearmost <= 0.0:
            return None
        # How far (m) each reference point lies ahead of the start, on the closed line.
        ahead = np.mod(self._arc_lengths - begin_arc_length, self._length)
        total, count = 0.0, 0
        for lap in range(max(1, math.ceil(farthest / self._length - 1e-9))):
            lap_begin = lap * self._length
            from_m = 0.0 if lap else min(0.0, rearmost)
            to_m = min(farthest - lap_begin, self._length)
            along = np.mod(ahead - from_m, self._length) <= to_m - from_m
            if to_m - from_m >= self._length - 1e-9:
                along = np.ones(len(ahead), dtype=bool)
            score = position_deviation_score(self._points[along], _lap(driven, lap, self._length))
            if score is not None:
                total += score * int(along.sum())
                count += int(along.sum())
        return total / count if count else None


def _lap(driven: NDArray[np.float64], lap: int, length: float) -> NDArray[np.float64]:
    """Return the points (K, 2) driven from the first begin of a lap to the first of the next.

    The last point before and the first after belong to it, so that the curve has no gap there.
    """
    reached = np.maximum.accumulate(driven[:, 2])
    first = int(np.searchsorted(reached, lap * length, side="left")) if lap else 0
    end = int(np.searchsorted(reached, (lap + 1) * length, side="left"))
    return driven[max(0, first - 1) : end + 1, :2]
