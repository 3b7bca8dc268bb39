"""The circuits there are, by name or by file."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import is_bag, read_odometry_path
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.circuits.lap import (
    check_gaps,
    check_unit,
    end_of_first_lap,
    path_length,
    resampled,
    without_repeats,
)
from pilotnet_brain.circuits.points_file import CircuitFileError, read_points_file
from pilotnet_brain.circuits.random_circuit import FIRST_TRAINING_SEED, random_circuit
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.user_path import user_path

_DATA = Path(__file__).parent / "data"
_OVERLAP_M = 5.0
_RANDOM = re.compile(r"random-(\d{1,9})")


class UnknownCircuitError(UserError):
    """A circuit name that is neither shipped, nor a seed, nor a path."""


# Half width of the asphalt, m, and role. Measured on JdeRobot's circuits; lengths and radii follow
# from the centerline files.
_SHIPPED = {
    "simple_circuit": (1.55, "test"),
    "montreal": (1.50, "test"),
    "montmelo": (1.50, "test"),
    "many_curves": (1.20, "training"),
    "nurburgring": (1.65, "training"),
}


def circuit_names() -> list[str]:
    """Return the names of the shipped circuits."""
    return list(_SHIPPED)


def is_held_out(name: str) -> bool:
    """Return whether a circuit of this name is kept for testing and never trained on.

    These are the shipped ones of the role "test" and the random ones below
    ``FIRST_TRAINING_SEED``. Of a path nothing is known: it is not held out.
    """
    if seeded := _RANDOM.fullmatch(name):
        return int(seeded[1]) < FIRST_TRAINING_SEED
    return name in _SHIPPED and _SHIPPED[name][1] == "test"


def load_circuit(name_or_path: str | Path) -> Circuit:
    """Return a circuit.

    Args:
        name_or_path: a shipped circuit's name; ``random-SEED``; or the path of a centerline: a
            CSV file with the columns x and y (m, one closed lap in driving order), or a rosbag
            (ROS 1 or ROS 2) with the odometry of one lap.

    Raises:
        UnknownCircuitError: neither a known name nor an existing path; lists the known ones.
        CircuitFileError: the file is no centerline.
    """
    name = str(name_or_path)
    if name in _SHIPPED:
        half_width, role = _SHIPPED[name]
        file = _DATA / f"{name}.csv"
        line = _centerline(file, read_points_file(file).points)
        return Circuit(name, line, asphalt_half_width=half_width, role=role)
    if seeded := _RANDOM.fullmatch(name):
        return random_circuit(int(seeded[1]))
    path = user_path(name_or_path)
    if not path.exists():
        raise UnknownCircuitError(
            f"unknown circuit {name!r}: use one of {', '.join(circuit_names())}, random-SEED, "
            "or the path of a CSV file or rosbag of one lap"
        )
    if path.is_dir() or is_bag(path):
        driven = _driven_lap(path, read_odometry_path(path))
        return Circuit(path.stem, _centerline(path, driven))
    read = read_points_file(path)
    line = _centerline(path, _first_lap(path, read.points))
    if read.half_widths is None:
        return Circuit(path.stem, line)
    return Circuit(path.stem, line, asphalt_half_width=_narrowest(path, read.half_widths))


def _centerline(path: Path, points: NDArray[np.float64]) -> Centerline:
    """Return the centerline through a file's points, without repeats of the one before."""
    try:
        return Centerline(without_repeats(points))
    except ValueError as problem:
        raise CircuitFileError(f"{path}: {problem}") from problem


def _first_lap(path: Path, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points (N, 2), m, of the first closed lap of a file's."""
    try:
        check_unit(points)
        points = without_repeats(points)
        end = end_of_first_lap(points)
        if end is not None and end < len(points) - 1:
            beyond = path_length(points[end:])
            if beyond > _OVERLAP_M:
                text = (
                    f"{path}: it goes on for {beyond:.0f} m after its first lap of "
                    f"{path_length(points[: end + 1]):.0f} m, which alone is taken"
                )
                warnings.warn(text, InputWarning, stacklevel=3)
            points = points[:end]
        check_gaps(points, closed=True)
    except ValueError as problem:
        raise CircuitFileError(f"{path}: {problem}") from problem
    return points


def _driven_lap(path: Path, track: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first closed lap of a driven path (N, 2), about a point a metre."""
    try:
        check_unit(track)
        track = without_repeats(track)
        end = end_of_first_lap(track)
        if end is None:
            away = float(np.linalg.norm(track[-1] - track[0]))
            raise ValueError(f"the lap is not closed: it ends {away:.1f} m from its start")
        check_gaps(track[: end + 1], closed=False)
        return resampled(track[: end + 1], spacing=1.0)
    except ValueError as problem:
        raise CircuitFileError(f"{path}: {problem}") from problem


def _narrowest(path: Path, half_widths: NDArray[np.float64]) -> float:
    """Return the asphalt's half width, m, of a road that may vary: a circuit has only one."""
    least, most = float(half_widths.min()), float(half_widths.max())
    if most - least > 0.05:
        text = (
            f"{path}: the road's edges are {least:.2f} to {most:.2f} m from the line: "
            f"{least:.2f} m is taken throughout"
        )
        warnings.warn(text, InputWarning, stacklevel=3)
    return least
