"""The driven line as rows, and trajectory.csv, which holds them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError


class TrajectoryRow(NamedTuple):
    """One pose of the run: where the car was, where that is on the line, what was commanded."""

    time_s: float
    x: float
    y: float
    yaw: float
    speed: float
    yaw_rate: float
    arc_length: float
    lateral_deviation: float
    command_speed: float | None
    command_yaw_rate: float | None


COLUMNS = TrajectoryRow._fields
TrajectoryRows = NDArray[np.float64]
"""Rows (N, 10) of a trajectory.csv in the order of COLUMNS; N may be 0. No command yet is NaN."""
_DECIMALS = 6
"""Micrometres, microradians and microseconds: below what any figure shows."""


class TrajectoryFileError(UserError):
    """A trajectory.csv that cannot be read as one."""


def row_text(row: TrajectoryRow) -> str:
    """Return the row's line of trajectory.csv, with its line end; no command yet is empty."""
    return ",".join("" if v is None else f"{v:.{_DECIMALS}f}" for v in row) + "\n"


def read_trajectory(path: Path) -> TrajectoryRows:
    """Return the rows of a trajectory.csv.

    A last line that was cut off is left out: it is what a killed writer leaves.

    Raises:
        TrajectoryFileError: no such file, other columns, or a line in the middle that is no row.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            text = lines.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise TrajectoryFileError(f"{path}: cannot be read: {problem}") from problem
    complete = text[: text.rfind("\n") + 1]
    rows = list(csv.reader(complete.splitlines()))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise TrajectoryFileError(
            f"{path}: the first line must be {','.join(COLUMNS)}; is this a trajectory.csv?"
        )
    values = np.full((len(rows) - 1, len(COLUMNS)), np.nan)
    for number, row in enumerate(rows[1:]):
        try:
            values[number] = [float(cell) if cell else np.nan for cell in row]
        except ValueError as problem:
            raise TrajectoryFileError(
                f"{path}: line {number + 2} is no row of {len(COLUMNS)} numbers: {row}"
            ) from problem
    return values


def last_epoch(rows: TrajectoryRows) -> TrajectoryRows:
    """Return the rows after the last backward jump of time: the drive since the last reset."""
    restarts = np.flatnonzero(np.diff(rows[:, 0]) <= 0.0)
    return rows[restarts[-1] + 1 :] if len(restarts) else rows


def finite_rows(rows: TrajectoryRows) -> TrajectoryRows:
    """Return the rows whose pose is finite; a command may be missing."""
    poses: TrajectoryRows = rows[:, : COLUMNS.index("command_speed")]
    return rows[np.isfinite(poses).all(axis=1)]


def rows_by_lap(rows: TrajectoryRows, length: float) -> list[tuple[slice, NDArray[np.float64]]]:
    """Return for every lap its rows and their distance (m) along the line since its start.

    Args:
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
        # A last lap of a row or two after the start line is not worth drawing.
        if end - first > 2 or number == 0:
            laps.append((slice(first, end), progress[first:end] - number * length))
    return laps
