"""What makes points a lap: their unit, no gaps, a closed line, and where the first lap ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHORTEST_LAP_M, _LONGEST_LAP_M = 20.0, 30_000.0
_REPEATED_M = 1e-3
_AWAY_M, _BACK_M = 5.0, 3.0
_SMALL_GAP_M, _GAP_STEPS = 5.0, 10.0
_STRAIGHT_RAD = 0.1
_SMALLEST_M = 1.0
_SAME_DIRECTION = 0.5
"""Cosine of the largest angle between leaving the start and coming back to it."""


def check_unit(points: NDArray[np.float64]) -> None:
    """Raise ValueError for points (N, 2) that cannot be a lap in metres."""
    with np.errstate(over="ignore"):
        width, height = np.ptp(points, axis=0)
    if max(width, height) < _SMALLEST_M:
        raise ValueError(
            f"all its points lie within {width:.3g} m by {height:.3g} m: they must be in metres "
            "(degrees of longitude and latitude must be projected)"
        )
    check_length(points)


def check_length(points: NDArray[np.float64]) -> None:
    """Raise ValueError for points (N, 2), m, that make a line longer than any circuit."""
    length = path_length(points)
    if not length <= _LONGEST_LAP_M:
        raise ValueError(
            f"a line of {length / 1000:.4g} km is longer than any circuit: "
            "its points must be in metres, in driving order"
        )


def check_gaps(points: NDArray[np.float64], closed: bool) -> None:
    """Raise ValueError where points (N, 2), m, leave out a part of the lap.

    That is a step much longer than the others, except along a straight. With `closed` the step
    from the last point to the first counts, too.
    """
    ring = np.vstack([points, points[:2]]) if closed else points
    along = np.diff(ring, axis=0)
    steps = np.linalg.norm(along, axis=1)
    heading = np.arctan2(along[:, 1], along[:, 0])
    turns = np.abs((np.diff(heading) + np.pi) % (2.0 * np.pi) - np.pi)
    before = np.append(turns[-1:] if closed else 0.0, turns)
    after = np.append(turns, 0.0)
    bent = np.maximum(before, after) > _STRAIGHT_RAD
    longest = max(_SMALL_GAP_M, _GAP_STEPS * float(np.median(steps)))
    gaps = np.flatnonzero((steps > longest) & bent)
    if not len(gaps):
        return
    gap = int(gaps[0])
    if gap == len(points) - 1:
        raise ValueError(f"the lap is not closed: it ends {steps[gap]:.1f} m from its start")
    x, y = ring[gap]
    raise ValueError(
        f"a part of the lap is missing: a gap of {steps[gap]:.1f} m after "
        f"{steps[:gap].sum():.1f} m, at x {x:.1f}, y {y:.1f}"
    )


def without_repeats(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (N, 2), m, without repeats of the one before, and of the first at the end."""
    kept = points[np.append(True, _steps(points) > _REPEATED_M)[: len(points)]]
    closes = len(kept) > 1 and float(np.linalg.norm(kept[-1] - kept[0])) <= _REPEATED_M
    return kept[:-1] if closes else kept


def end_of_first_lap(points: NDArray[np.float64]) -> int | None:
    """Return the index of the point that closes the first lap of points (N, 2), m.

    It is where the line comes back nearest to its start, in the same direction, after having left
    it; None if it never does.

    Raises:
        ValueError: the points never leave their start far enough for a lap.
    """
    travelled = path_length(points)
    away = np.linalg.norm(points - points[0], axis=1)
    if travelled < _SHORTEST_LAP_M or away.max() < _AWAY_M:
        raise ValueError(f"it covers {travelled:.1f} m, which is not a lap")
    leaving = points[np.argmax(away > _SMALLEST_M)] - points[0]
    moving = np.gradient(points, axis=0)
    speeds = np.linalg.norm(moving, axis=1) * np.linalg.norm(leaving)
    arriving = moving @ leaving > _SAME_DIRECTION * speeds
    left = int(np.argmax(away > _AWAY_M))
    back = left + np.flatnonzero(away[left:] < _BACK_M)
    for visit in np.split(back, np.flatnonzero(np.diff(back) > 1) + 1):
        if arriving[visit].any():
            return int(visit[np.argmin(away[visit])])
    return None


def resampled(points: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Return points (M, 2), m, every `spacing` m along the line through points (N, 2), m.

    Its end, nearer than half a spacing to the start of the next lap, is left out.
    """
    travelled = np.concatenate([[0.0], np.cumsum(_steps(points))])
    stations = np.arange(0.0, travelled[-1] - 0.5 * spacing, spacing)
    return np.column_stack([np.interp(stations, travelled, points[:, i]) for i in range(2)])


def path_length(points: NDArray[np.float64]) -> float:
    """Return the length, m, of the line through points (N, 2), m."""
    return float(_steps(points).sum())


def _steps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances (N - 1,), m, from point to point."""
    with np.errstate(over="ignore"):
        steps: NDArray[np.float64] = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return steps
