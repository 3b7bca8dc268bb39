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
_BLOCK = 256
"""Driven points that are measured together."""


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

    Args:
        points: (N, 2), m, of the reference curve in driving order.
    """

    def __init__(self, centerline: Centerline, points: NDArray[np.float64]) -> None:
        self.length = centerline.length
        self.points = np.asarray(points, dtype=np.float64)
        places: list[float] = []
        near: float | None = None
        last = (math.inf, math.inf)
        for x, y in self.points.tolist():
            if math.dist(last, (x, y)) > _LONGEST_STEP_M:
                near = None
            near = centerline.project(x, y, near).arc_length
            places.append(near)
            last = (x, y)
        self._arc_lengths = np.array(places)

    def along(self, begin_arc_length: float, from_m: float, to_m: float) -> NDArray[np.bool_]:
        """Return which points (N,) lie along a stretch: m of progress from where a run began."""
        if to_m - from_m >= self.length - 1e-9:
            return np.ones(len(self.points), dtype=bool)
        # How far (m) each reference point lies ahead of the start, on the closed line.
        ahead = np.mod(self._arc_lengths - begin_arc_length, self.length)
        along: NDArray[np.bool_] = np.mod(ahead - from_m, self.length) <= to_m - from_m
        return along


class DrivenScore:
    """The score of a drive against a reference, point by point, in constant memory.

    Every lap is scored on its own and the laps' scores are averaged by the points they cover: over
    several laps a point's distance is not that of the lap that came closest. A lap cut short is
    scored over the reference points along the stretch that was driven, since the car's distance
    from a point it never came to says nothing about how well it drove.

    A lap is driven from the first time that the car reaches its begin to the first time that it
    reaches the next one's. The last point before and the first after belong to it, so that the
    curve has no gap there. Of a lap under way each reference point keeps its distance so far.
    """

    def __init__(self, reference: ScoredReference) -> None:
        self._reference = reference
        self._count = self._lap = 0
        self._full_laps = 0.0
        self._start_lap([])

    def _start_lap(self, points: list[tuple[float, float]]) -> None:
        self._block = points
        self._distances = np.full(len(self._reference.points), _FARTHEST_M)

    def add(self, x: float, y: float, progress: float) -> None:
        """Take the next driven point, with its progress since the start; all in metres."""
        self._count += 1
        self._block.append((x, y))
        while progress >= (self._lap + 1) * self._reference.length:
            last_two = self._block[-2:]
            self._measure_block()
            self._full_laps += float(np.sum(SCORE_BASE**self._distances))
            self._lap += 1
            self._start_lap(last_two)
        if len(self._block) >= _BLOCK:
            self._measure_block()

    def score(self, begin_arc_length: float, span: tuple[float, float]) -> float | None:
        """Return the mean score over the laps so far, None where nothing was driven.

        Args:
            begin_arc_length: where on the line the run began, m.
            span: least and largest progress, m.
        """
        rearmost, farthest = span
        if self._count < 2 or farthest - rearmost <= 0.0:
            return None
        total, count = self._full_laps, self._lap * len(self._distances)
        length = self._reference.length
        if self._lap < max(1, math.ceil(farthest / length - 1e-9)):
            self._measure_block()
            from_m = 0.0 if self._lap else min(0.0, rearmost)
            to_m = min(farthest - self._lap * length, length)
            along = self._reference.along(begin_arc_length, from_m, to_m)
            total += float(np.sum(SCORE_BASE ** self._distances[along]))
            count += int(along.sum())
        return total / count if count else None

    def _measure_block(self) -> None:
        """Bring the distances up to date; the block's last point begins the next block."""
        curve, points = np.array(self._block), self._reference.points
        beyond = np.maximum(curve.min(axis=0) - points, points - curve.max(axis=0))
        near = np.hypot(*np.maximum(beyond, 0.0).T) < self._distances
        if near.any():
            closer = distances_to_polyline(points[near], curve)
            self._distances[near] = np.minimum(self._distances[near], closer)
        self._block = self._block[-1:]
