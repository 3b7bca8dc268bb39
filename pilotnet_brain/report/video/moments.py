"""The run at the times of a video's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.report.cameras import CarPose

_YAW = COLUMNS.index("yaw")


@dataclass(frozen=True)
class Moment:
    """What is known of the run at one picture's time.

    Attributes:
        pose: of the car, between two rows of the trajectory.
        row: the newest row of the trajectory at that time.
        values: that row's columns by name (see `COLUMNS`); no command yet is NaN.
        progress: the run's figures up to here, see ``RunMetrics.progress``.
    """

    pose: CarPose
    row: int
    values: dict[str, float]
    progress: dict[str, Any]


def picture_times(
    rows: NDArray[np.float64], from_s: float, until_s: float | None, fps: float
) -> NDArray[np.float64]:
    """Return the simulated times of a video's pictures, s.

    Args:
        rows: (N, 10) as in trajectory.csv, N >= 1.
        from_s: of the stretch, s after the first row.
        until_s: its end; None: that of the run.
        fps: pictures a second.

    Raises:
        UserError: the stretch lies outside the run or is empty.
    """
    start_s, length_s = float(rows[0, 0]), float(rows[-1, 0] - rows[0, 0])
    end_s = length_s if until_s is None else min(until_s, length_s)
    if from_s < 0.0 or end_s < from_s or from_s > length_s:
        asked = f"{from_s:g} s to " + ("the end" if until_s is None else f"{until_s:g} s")
        raise UserError(f"nothing was driven from {asked}: the run took {length_s:.2f} s")
    count = int((end_s - from_s) * fps + 1e-6) + 1
    return start_s + from_s + np.arange(count) / fps


def moments(
    rows: NDArray[np.float64], circuit: Circuit, laps: int, times: NDArray[np.float64]
) -> Iterator[Moment]:
    """Yield the run at each of the times, which ascend.

    Args:
        rows: (N, 10) as in trajectory.csv, N >= 1.
        circuit: that was driven on.
        laps: of the run; 0: no limit.
        times: simulated times, s.
    """
    metrics = RunMetrics(circuit, Rules(laps=laps))
    yaws = np.unwrap(rows[:, _YAW])
    newest = -1
    for time in times.tolist():
        while newest + 1 < len(rows) and (newest < 0 or rows[newest + 1, 0] <= time + 1e-6):
            newest += 1
            metrics.add_pose(*rows[newest, :6].tolist())
        x, y, yaw = (
            float(np.interp(time, rows[:, 0], column)) for column in (rows[:, 1], rows[:, 2], yaws)
        )
        values = dict(zip(COLUMNS, rows[newest].tolist(), strict=True))
        pose = CarPose(time, x, y, yaw, values["arc_length"])
        yield Moment(pose, newest, values, dict(metrics.progress()))
