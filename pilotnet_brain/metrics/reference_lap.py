"""A recorded reference lap, which the published deviation score is measured against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import is_bag, read_odometry_path
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.user_path import user_path

_FARTHEST_FROM_LINE_M = 5.0


class ReferenceLapError(UserError):
    """A reference lap that cannot be read, or is not one of this circuit."""


def read_reference_lap(path: str | Path) -> NDArray[np.float64]:
    """Return the points (N, 2), m, of a reference lap, in driving order.

    Args:
        path: a CSV file with the columns x and y, or a bag with odometry, such as those that
            BehaviorMetrics keeps as its perfect laps: /F1ROS/odom or the only one.

    Raises:
        UserError: no such file, or no reference lap in it.
    """
    path = user_path(path)
    if not path.exists():
        raise ReferenceLapError(f"{path}: no such reference lap; give a CSV of x,y or a bag")
    points = read_odometry_path(path) if is_bag(path) else _read_csv(path)
    if len(points) < 2:
        raise ReferenceLapError(f"{path}: a reference lap needs two points or more")
    return points


def read_reference_lap_of(circuit: Circuit, path: str | Path) -> NDArray[np.float64]:
    """Return the points (N, 2), m, of a circuit's reference lap.

    Raises:
        UserError: no reference lap there, or one of another circuit.
    """
    points = read_reference_lap(path)
    check_on_circuit(path, points, circuit)
    return points


def check_on_circuit(path: str | Path, points: NDArray[np.float64], circuit: Circuit) -> None:
    """Raise ReferenceLapError for a lap that lies elsewhere than the circuit.

    A published score against another circuit's lap would be a number without meaning.
    """
    sparse = points[:: max(1, len(points) // 200)]
    line = circuit.centerline
    off = max(abs(line.project(x, y).lateral_deviation) for x, y in sparse.tolist())
    if off > _FARTHEST_FROM_LINE_M:
        raise ReferenceLapError(
            f"{path}: up to {off:.0f} m off the line of {circuit.name}: "
            "this reference lap is of another circuit"
        )


def _read_csv(path: Path) -> NDArray[np.float64]:
    try:
        with path.open(encoding="utf-8") as lines:
            header = [column.strip().lower() for column in lines.readline().split(",")]
            if "x" not in header or "y" not in header:
                raise ReferenceLapError(
                    f"{path}: the first line must name the columns x and y, it is {header}"
                )
            columns = (header.index("x"), header.index("y"))
            points = np.loadtxt(lines, delimiter=",", usecols=columns, ndmin=2)
    except (OSError, ValueError) as problem:
        raise ReferenceLapError(f"{path}: not a reference lap: {problem}") from problem
    if not np.isfinite(points).all():
        raise ReferenceLapError(f"{path}: a reference lap's points must be finite numbers")
    return points
