"""The deviation score the plain way: all of the driven line is kept, then cut into laps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.metrics.deviation_score import ScoredReference, position_deviation_score


def plain_score(
    reference: ScoredReference,
    driven: NDArray[np.float64],
    begin_arc_length: float,
    span: tuple[float, float],
) -> float | None:
    """Return the mean score over the driven laps; `driven` has x, y, progress (M, 3), m."""
    rearmost, farthest = span
    if len(driven) < 2 or farthest - rearmost <= 0.0:
        return None
    total, count = 0.0, 0
    for lap in range(max(1, math.ceil(farthest / reference.length - 1e-9))):
        from_m = 0.0 if lap else min(0.0, rearmost)
        to_m = min(farthest - lap * reference.length, reference.length)
        along = reference.along(begin_arc_length, from_m, to_m)
        score = position_deviation_score(
            reference.points[along], _lap(driven, lap, reference.length)
        )
        if score is not None:
            total += score * int(along.sum())
            count += int(along.sum())
    return total / count if count else None


def _lap(driven: NDArray[np.float64], lap: int, length: float) -> NDArray[np.float64]:
    reached = np.maximum.accumulate(driven[:, 2])
    first = int(np.searchsorted(reached, lap * length, side="left")) if lap else 0
    end = int(np.searchsorted(reached, (lap + 1) * length, side="left"))
    return driven[max(0, first - 1) : end + 1, :2]
