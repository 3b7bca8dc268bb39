"""BehaviorMetrics' position deviation score, and the exact distances it is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pilotnet_brain.circuits.centerline import Centerline

SCORE_BASE = 1000.0
REFERENCE_SPACING_M = 0.25
_LONGEST_SEGMENT_M = 0.5
# 1000^100 is 1e300: farther away, the score of one point would no longer be a number.
_FARTHEST_M = 100.0


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
