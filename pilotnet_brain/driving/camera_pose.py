"""Where a camera sits on the car, and how that is written; without a library, for the CLI."""

from __future__ import annotations

import math
from typing import NamedTuple

BY_TF = "tf"
"""In a pose's place: /tf_static says where the camera sits."""
_LEAST_HEIGHT_M = 0.01
_STEEPEST = math.radians(80.0)
_FARTHEST_M = 1e6


class Pose(NamedTuple):
    """A camera's place on base_link, m, and its turn, rad (x forward, y left, z up; REP 103).

    Roll, pitch and yaw turn its body frame: pitch downwards, yaw to the left.
    """

    x: float
    y: float
    z: float
    roll: float
    pitch: float
    yaw: float

    def check(self) -> None:
        """Raise ValueError unless it is finite, above the road, and looks ahead."""
        for name, value in self._asdict().items():
            if not abs(value) <= _FARTHEST_M:
                raise ValueError(f"the camera's {name} is {value!r}: it must be finite")
        if self.z < _LEAST_HEIGHT_M:
            raise ValueError(f"the camera's z is {self.z} m: it must be above the road")
        if max(abs(self.pitch), abs(self.yaw), abs(self.roll)) > _STEEPEST:
            raise ValueError(
                f"the camera's roll, pitch and yaw are {self.roll}, {self.pitch} and {self.yaw} "
                "rad: it must look ahead (80 degrees at most)"
            )


def pose_of_text(text: str) -> Pose:
    """Return the pose of "x y z roll pitch yaw" (m, rad), as in SDF.

    Raises:
        ValueError: the text is not six numbers, or no camera can have that pose.
    """
    try:
        pose = Pose(*(float(word) for word in text.split()))
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} must be six numbers: x y z roll pitch yaw (m, rad)") from None
    pose.check()
    return pose
