"""Plain values of ROS messages and back, the same for a live message and one read from a bag.

Messages are taken by their fields: nothing of ROS is imported here.
"""

from __future__ import annotations

import math
from typing import Any

OTHER_CLOCK_S = 1e6
"""No run is 11 days long: stamps this far from the clock are of another one (the system's)."""


def nanoseconds(stamp: Any) -> int:
    """Return a stamp (fields sec, nanosec) in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def seconds(stamp: Any) -> float:
    """Return a stamp (fields sec, nanosec) in seconds."""
    return float(stamp.sec + stamp.nanosec * 1e-9)


def stamp_parts(time_s: float) -> tuple[int, int]:
    """Return the sec and nanosec of a time, s, rounded to the nanosecond."""
    return divmod(round(time_s * 1e9), 1_000_000_000)


def yaw_of(orientation: Any) -> float:
    """Return the yaw, rad, of an orientation (fields x, y, z, w)."""
    x, y, z, w = orientation.x, orientation.y, orientation.z, orientation.w
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def set_yaw(orientation: Any, yaw: float) -> None:
    """Write a yaw, rad, into an orientation without roll and pitch (x and y stay as they are)."""
    orientation.z, orientation.w = math.sin(0.5 * yaw), math.cos(0.5 * yaw)
