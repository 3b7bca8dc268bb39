"""The circuits there are, by name or by file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit, CircuitFileError, read_points
from pilotnet_brain.circuits.random_circuit import FIRST_TRAINING_SEED, random_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.user_path import user_path

_DATA = Path(__file__).parent / "data"
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
        line = _centerline(file, read_points(file))
        return Circuit(name, line, asphalt_half_width=half_width, role=role)
    if seeded := _RANDOM.fullmatch(name):
        return random_circuit(int(seeded[1]))
    path = user_path(name_or_path)
    if not path.exists():
        raise UnknownCircuitError(
            f"unknown circuit {name!r}: use one of {', '.join(circuit_names())}, random-SEED, "
            "or the path of a CSV file or rosbag of one lap"
        )
    if path.suffix.lower() == ".csv":
        points = read_points(path)
    else:
        from pilotnet_brain.bags.reader import read_odometry_path

        points = _one_lap(path, read_odometry_path(path))
    return Circuit(name=path.stem, centerline=_centerline(path, points))


def _centerline(path: Path, points: NDArray[np.float64]) -> Centerline:
    """Return the centerline through a file's points, without repeats of the one before."""
    if len(points) > 1:
        moved = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1) > 1e-3
        points = points[moved]
    try:
        return Centerline(points)
    except ValueError as problem:
        raise CircuitFileError(f"{path}: {problem}") from problem


def _one_lap(path: Path, track: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first closed lap of a driven path (N, 2), about a point a metre.

    The lap closes where the car comes back nearest to its start, after having left it.
    """
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(track, axis=0), axis=1))])
    away = np.linalg.norm(track - track[0], axis=1)
    if travelled[-1] < 20.0 or away.max() < 5.0:
        raise CircuitFileError(
            f"{path}: the odometry covers {travelled[-1]:.1f} m, which is not a lap"
        )
    left = int(np.argmax(away > 5.0))
    back = np.flatnonzero((away < 3.0) & (np.arange(len(track)) > left))
    if not len(back):
        raise CircuitFileError(
            f"{path}: the lap is not closed: it ends {away[-1]:.1f} m from its start"
        )
    # The first time it comes back: the nearest sample of that one visit.
    visit = back[: int(np.argmax(np.diff(back, append=back[-1] + 2) > 1)) + 1]
    closing = int(visit[np.argmin(away[visit])])
    stations = np.arange(0.0, travelled[closing] - 0.5, 1.0)
    return np.column_stack([np.interp(stations, travelled, track[:, i]) for i in range(2)])
