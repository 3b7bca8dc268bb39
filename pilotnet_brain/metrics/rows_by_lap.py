"""A run's rows, lap by lap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.metrics.trajectory import COLUMNS


def rows_by_lap(
    rows: NDArray[np.float64], length: float
) -> list[tuple[slice, NDArray[np.float64]]]:
    """Return for every lap its rows and their distance (m) along the line since its begin.

    Args:
        rows: (N, 10) as in trajectory.csv; N may be 0.
        length: of the circuit's centerline, m.
    """
    if not len(rows):
        return []
    steps = np.diff(rows[:, COLUMNS.index("arc_length")])
    steps -= length * np.round(steps / length)
    progress = np.concatenate([[0.0], np.cumsum(steps)])
    lap = np.floor(np.maximum.accumulate(progress) / length).astype(int)
    laps = []
    for number in range(lap[-1] + 1):
        first, end = np.searchsorted(lap, [number, number + 1])
        # The moment after the line alone makes no lap worth drawing.
        if end - first > 2 or number == 0:
            laps.append((slice(first, end), progress[first:end] - number * length))
    return laps
