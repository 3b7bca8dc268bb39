"""The simulated car: JdeRobot's f1_renault with a planar move, as every simulator here builds it.

Frames follow REP 103 and 105: x forward, y left, z up from `base_link`, on the road.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CAMERA_WIDTH = 640
CAMERA_HEIGHT = 480
CAMERA_HZ = 20.0
CAMERA_HORIZONTAL_FOV = 1.57
"""Horizontal field of view, rad."""
CAMERA_POSITION = (0.45, 0.04, 0.10)
"""Of the camera on base_link, m."""
CAMERA_FAR_M = 15.0
"""Nothing farther than this is drawn."""
CAMERA_NEAR_M = 0.02

TIME_STEP_S = 0.005
"""Between two states of the embedded simulator, and two messages of its clock, simulated s."""

_LONGEST_STEP_S = 1.0

CAR_LENGTH_M = 0.9
CAR_WIDTH_M = 0.4
CAR_HEIGHT_M = 0.3


def camera_focal_length(horizontal_fov: float = CAMERA_HORIZONTAL_FOV) -> float:
    """Return the camera's focal length in pixels (pinhole, square pixels)."""
    return 0.5 * CAMERA_WIDTH / math.tan(0.5 * horizontal_fov)


def camera_vertical_fov(horizontal_fov: float = CAMERA_HORIZONTAL_FOV) -> float:
    """Return the camera's vertical field of view, rad."""
    return 2.0 * math.atan(0.5 * CAMERA_HEIGHT / camera_focal_length(horizontal_fov))


@dataclass(frozen=True)
class CarState:
    """The true state of base_link in the world frame."""

    time_s: float  #: simulated time, s
    x: float  #: m
    y: float  #: m
    yaw: float  #: rad in (-pi, pi], anticlockwise from the world's x axis
    speed: float  #: along the car's x axis, m/s
    yaw_rate: float  #: rad/s, anticlockwise positive

    def moved_to(self, time_s: float, x: float, y: float, yaw: float) -> CarState:
        """Return the state in a later pose, with the velocities that led to it from this one.

        The speed is that along the mean of both headings. Velocities are 0 after a pause of a
        second or more, or where time went back: the car was put there.
        """
        passed = time_s - self.time_s
        if not 0.0 < passed < _LONGEST_STEP_S:
            return CarState(time_s, x, y, yaw, 0.0, 0.0)
        turned = math.remainder(yaw - self.yaw, math.tau)
        heading = self.yaw + 0.5 * turned
        ahead = (x - self.x) * math.cos(heading) + (y - self.y) * math.sin(heading)
        return CarState(time_s, x, y, yaw, ahead / passed, turned / passed)
