"""Keeps a lock-step run's results in a folder of its own, as a live run's nodes do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.folder import RunFolder, TrajectoryWriter


def keep_run(
    path: Path,
    parameters: Mapping[str, object],
    figures: Figures,
    trajectory: NDArray[np.float64],
    made_by: Mapping[str, object],
) -> RunFolder:
    """Write a run's folder: metrics.json, trajectory.csv, run.yaml.

    Args:
        path: the folder; what is in it is removed.
        parameters: what was asked of the run: circuit, model, laps...
        figures: of the run.
        trajectory: (N, 10), the columns of trajectory.csv; a command not yet given is NaN.
        made_by: versions and hardware, for run.yaml.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = RunFolder.make(path)
    folder.write_run_record(
        {
            "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "parameters": dict(parameters),
            **made_by,
        }
    )
    with TrajectoryWriter(folder.trajectory_csv) as writer:
        writer.append(_row(values) for values in trajectory.tolist())
    folder.write_metrics(figures)
    return folder


def _row(values: list[float]) -> TrajectoryRow:
    *pose, speed, yaw_rate = values
    commands = (None if math.isnan(value) else value for value in (speed, yaw_rate))
    return TrajectoryRow(*pose, *commands)
