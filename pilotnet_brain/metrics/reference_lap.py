"""A recorded reference lap, which the published deviation score is measured against."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import is_bag, read_odometry_path
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.circuits.lap import check_gaps, check_unit, without_repeats
from pilotnet_brain.circuits.points_file import read_points_file
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.user_path import user_path

_FARTHEST_FROM_LINE_M = 5.0
_LONGEST_LEFT_OUT = 0.05
"""Of the circuit's length. The points that are looked at lie 0.5 % apart."""


class ReferenceLapError(UserError):
    """A reference lap that cannot be read, or is not one of this circuit."""


def read_reference_lap(path: str | Path) -> NDArray[np.float64]:
    """Return the points (N, 2), m, of a reference lap, in driving order.

    Args:
        path: a CSV file as of a circuit, or a bag with odometry, such as those that
            BehaviorMetrics keeps as its perfect laps: /F1ROS/odom or the only one.

    Raises:
        UserError: no such file, or no reference lap in it.
    """
    path = user_path(path)
    if not path.exists():
        raise ReferenceLapError(f"{path}: no such reference lap; give a CSV of x,y or a bag")
    points = read_odometry_path(path) if is_bag(path) else read_points_file(path).points
    if len(points) < 2:
        raise ReferenceLapError(f"{path}: a reference lap needs two points or more")
    try:
        check_unit(points)
        check_gaps(without_repeats(points), closed=False)
    except ValueError as problem:
        raise ReferenceLapError(f"{path}: {problem}") from problem
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

    A published score against another circuit's lap would be a number without meaning. One that
    leaves out a part of the circuit gives an InputWarning.
    """
    sparse = points[:: max(1, len(points) // 200)]
    line = circuit.centerline
    places = [line.project(x, y) for x, y in sparse.tolist()]
    off = max(abs(place.lateral_deviation) for place in places)
    if off > _FARTHEST_FROM_LINE_M:
        raise ReferenceLapError(
            f"{path}: up to {off:.0f} m off the line of {circuit.name}: "
            "this reference lap is of another circuit"
        )
    passed = np.sort([place.arc_length for place in places])
    left_out = float(np.diff(passed, append=passed[0] + line.length).max())
    if left_out > _LONGEST_LEFT_OUT * line.length:
        text = f"{path}: this reference lap leaves out {left_out:.0f} m of {circuit.name}"
        warnings.warn(text, InputWarning, stacklevel=2)
