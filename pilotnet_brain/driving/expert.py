"""The expert: pure pursuit of the centerline, on the car's true state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline, Projection
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.command import Command

_PROFILE_SPACING_M = 0.25


@dataclass(frozen=True)
class DrivingStyle:
    """How hard the expert drives."""

    max_speed: float = 16.0  #: on straights, m/s
    min_speed: float = 6.5  #: kept even in the tightest bend, m/s
    #: allowed in bends where min_speed does not need more, m/s^2
    lateral_acceleration: float = 12.0
    braking: float = 25.0  #: with which speed falls before a bend, m/s^2
    pursuit_time_s: float = 0.2  #: how far ahead the pursued point lies, in seconds of driving
    min_pursuit_m: float = 1.3  #: the least distance to the pursued point, m


STANDARD = DrivingStyle()


class Expert:
    """Gives the command for a pose on a circuit. It has no state: same pose, same command.

    It drives in the direction of the circuit's centerline.
    """

    def __init__(self, circuit: Circuit, style: DrivingStyle = STANDARD) -> None:
        self._line = circuit.centerline
        self._style = style
        self._profile = speed_profile(self._line, style)

    def command(self, x: float, y: float, yaw: float, near: float | None = None) -> Command:
        """Return the speed and yaw rate for a pose.

        Pure pursuit (Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", 1992):
        the arc that leaves along the car's heading and meets the line at the pursued point.

        The pose is that of base_link (m, rad); ``near`` is the arc length of the last projection,
        m, where the caller keeps one.
        """
        here = self._line.project(x, y, near)
        speed = self._speed(here, yaw)
        ahead = max(self._style.min_pursuit_m, speed * self._style.pursuit_time_s)
        goal_x, goal_y = self._line.position(here.arc_length + ahead).tolist()
        bearing = math.atan2(goal_y - y, goal_x - x) - yaw
        distance = math.hypot(goal_x - x, goal_y - y)
        return Command(speed, 2.0 * speed * math.sin(bearing) / distance)

    def _speed(self, here: Projection, yaw: float) -> float:
        """The profile's speed, less where the car is off the line or points away from it."""
        station = here.arc_length / _PROFILE_SPACING_M
        low = int(station)
        share, count = station - low, len(self._profile)
        speed = (1.0 - share) * self._profile[low % count] + share * self._profile[
            (low + 1) % count
        ]
        astray = max(0.0, abs(here.lateral_deviation) - 0.15)
        askew = max(0.0, abs(here.heading_error(yaw)) - 0.15)
        return max(self._style.min_speed, float(speed) / (1.0 + 1.5 * astray + 2.0 * askew))


def speed_profile(line: Centerline, style: DrivingStyle) -> NDArray[np.float64]:
    """Return the speed (N,), m/s, at every 0.25 m of arc length from the start line.

    In a bend of curvature k the speed is sqrt(lateral acceleration / abs(k)) within the style's
    limits; before it the speed falls with the style's braking: v^2 = v_bend^2 + 2 a d.
    """
    count = math.ceil(line.length / _PROFILE_SPACING_M)
    stations = np.arange(count) * _PROFILE_SPACING_M
    curvature = np.abs(line.curvature(stations))
    allowed = np.sqrt(style.lateral_acceleration / np.maximum(curvature, 1e-9))
    squared = np.clip(allowed, style.min_speed, style.max_speed) ** 2
    gain = 2.0 * style.braking * _PROFILE_SPACING_M
    # Two laps, since braking for the first bend starts at the end of the lap.
    for i in range(2 * count - 1, -1, -1):
        squared[i % count] = min(squared[i % count], squared[(i + 1) % count] + gain)
    return np.sqrt(squared)
