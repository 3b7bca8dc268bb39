"""Cameras over a flat road: how one projects the ground, and how its picture looks from another.

The ground is the plane z = 0 of base_link (x forward, y left, z up; REP 103). A camera at (x, y, z)
with rotation R and intrinsics K shows its point (X, Y) at the pixel

    K M R^T [1 0 -x; 0 1 -y; 0 0 -z] (X, Y, 1)

where M turns body axes into optical ones (Hartley and Zisserman, "Multiple View Geometry in
Computer Vision", 2004, section 8.1.1: the camera of a plane is a homography). So every pixel of one
camera that shows the ground has its pixel in another camera, and in the same camera once the car
has moved on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.preprocess import InputFormat

_LARGEST_PIXELS = 16384
_BODY_TO_OPTICAL = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
_ALIKE_PIXELS = 1.5
"""Two cameras whose corners and centre are no farther apart than this see the same picture."""
_ALIKE_M = 1e-3
_ALIKE_RAD = 1e-4


class Motion(NamedTuple):
    """A later pose of base_link in its present frame."""

    x: float  #: forward, m
    y: float  #: to the left, m
    yaw: float  #: rad, anticlockwise positive


STILL = Motion(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on the car, without distortion.

    The defaults are JdeRobot's: 640x480, 1.57 rad wide, level. Pixels count from the centre of the
    first one, as in sensor_msgs/CameraInfo. Roll, pitch and yaw turn the camera's body frame as
    REP 103 has it (pitch downwards, yaw to the left).

    Raises:
        ValueError: a value is not a finite number, the picture has no size, or the camera is not
            above the road, or does not look ahead.
    """

    width: int = 640  #: pixels
    height: int = 480
    focal_x: float = 0.5 * 640 / math.tan(0.5 * 1.57)  #: pixels
    focal_y: float = 0.5 * 640 / math.tan(0.5 * 1.57)
    centre_x: float = 319.5  #: the principal point, pixels
    centre_y: float = 239.5
    x: float = 0.45  #: on base_link, m
    y: float = 0.04
    z: float = 0.10
    roll: float = 0.0  #: rad
    pitch: float = 0.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"the camera's {name} is {value!r}: it must be a number")
            if not math.isfinite(value) or abs(value) > 1e6:
                raise ValueError(f"the camera's {name} is {value!r}: it must be finite")
        for name in ("width", "height"):
            if not 0 < getattr(self, name) <= _LARGEST_PIXELS:
                raise ValueError(f"the camera's {name} is {getattr(self, name)}: not in 1..16384")
        if self.focal_x < 1.0 or self.focal_y < 1.0:
            raise ValueError(
                f"the camera's focal lengths are {self.focal_x} and {self.focal_y} pixels: "
                "they must be 1 or more"
            )
        Pose(self.x, self.y, self.z, self.roll, self.pitch, self.yaw).check()

    @property
    def horizontal_fov(self) -> float:
        """Field of view, rad, where the principal point is in the middle."""
        return 2.0 * math.atan(0.5 * self.width / self.focal_x)

    def of_size(self, width: int, height: int) -> Camera:
        """Return the camera with as wide a view on a picture of another size, in square pixels."""
        scale = width / self.width
        return replace(
            self,
            width=width,
            height=height,
            focal_x=self.focal_x * scale,
            focal_y=self.focal_y * scale,
            centre_x=(self.centre_x + 0.5) * scale - 0.5,
            centre_y=0.5 * (height - 1) + (self.centre_y - 0.5 * (self.height - 1)) * scale,
        )

    def with_fov(self, horizontal_rad: float) -> Camera:
        """Return the camera with another horizontal field of view, rad, in square pixels.

        Raises:
            ValueError: it is not between 0 and pi.
        """
        if not 0.0 < horizontal_rad < math.pi:
            raise ValueError(f"the field of view is {horizontal_rad} rad: not between 0 and pi")
        focal = 0.5 * self.width / math.tan(0.5 * horizontal_rad)
        return replace(self, focal_x=focal, focal_y=focal)

    def at(self, pose: Pose) -> Camera:
        """Return the camera elsewhere on the car.

        Raises:
            ValueError: as Camera.
        """
        return replace(self, **pose._asdict())

    def ground_to_pixel(self) -> NDArray[np.float64]:
        """Return the homography (3, 3) from the ground, (X, Y, 1) in base_link, to the pixel.

        The third component is the depth, m: positive in front of the camera.
        """
        intrinsics = np.array(
            [
                [self.focal_x, 0.0, self.centre_x],
                [0.0, self.focal_y, self.centre_y],
                [0.0, 0.0, 1.0],
            ]
        )
        on_ground = np.array([[1.0, 0.0, -self.x], [0.0, 1.0, -self.y], [0.0, 0.0, -self.z]])
        return intrinsics @ _BODY_TO_OPTICAL @ self._rotation().T @ on_ground

    def _rotation(self) -> NDArray[np.float64]:
        """Return the rotation (3, 3) from the camera's body axes to base_link's."""
        (cr, cp, cy) = (math.cos(a) for a in (self.roll, self.pitch, self.yaw))
        (sr, sp, sy) = (math.sin(a) for a in (self.roll, self.pitch, self.yaw))
        return np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )


JDEROBOT_CAMERA = Camera()


class VirtualCamera:
    """The camera that a network was trained with, seen through the one that the car has.

    Args:
        trained: the network's camera.
        fmt: which of its pixels the network looks at.
        real: the car's; default: the same.
    """

    def __init__(self, trained: Camera, fmt: InputFormat, real: Camera | None = None) -> None:
        scale_x = trained.width / fmt.width
        scale_y = (fmt.crop_bottom - fmt.crop_top) / fmt.height
        # cv2.resize's: pixels count from their centres.
        resized = np.array(
            [
                [scale_x, 0.0, 0.5 * scale_x - 0.5],
                [0.0, scale_y, 0.5 * scale_y - 0.5 + fmt.crop_top],
                [0.0, 0.0, 1.0],
            ]
        )
        self.real = trained if real is None else real
        self._input_to_ground = np.linalg.inv(trained.ground_to_pixel()) @ resized
        self._ground_to_pixel = self.real.ground_to_pixel()
        self.is_trained = (self.real.width, self.real.height) == (
            trained.width,
            trained.height,
        ) and _farthest_pixels(trained, self.real) <= _ALIKE_PIXELS
        """Whether the real camera's picture is what the network was trained with."""

    def homography(self, motion: Motion = STILL) -> NDArray[np.float64] | None:
        """Return where an input pixel lies in the real frame, (3, 3); None: plain crop and resize.

        Args:
            motion: of the car until the pose from which the network is to see the road.
        """
        if self.is_trained and is_still(motion):
            return None
        cos, sin = math.cos(motion.yaw), math.sin(motion.yaw)
        moved = np.array([[cos, -sin, motion.x], [sin, cos, motion.y], [0.0, 0.0, 1.0]])
        return self._ground_to_pixel @ moved @ self._input_to_ground


def is_still(motion: Motion) -> bool:
    """Return whether a motion is too small to be seen: 1 mm and 0.1 mrad."""
    return max(abs(motion.x), abs(motion.y)) <= _ALIKE_M and abs(motion.yaw) <= _ALIKE_RAD


def _farthest_pixels(camera: Camera, other: Camera) -> float:
    """Return how far apart two cameras of one size show the ground that one of them shows.

    Of the picture's last row and of the row 3 degrees below the horizon, in pixels.
    """
    low = camera.height - 1.0
    high = min(camera.centre_y + math.tan(math.radians(3.0)) * camera.focal_y, low)
    corners = np.array(
        [[column, row, 1.0] for row in (low, high) for column in (0.0, camera.width - 1.0)]
    ).T
    seen = other.ground_to_pixel() @ np.linalg.inv(camera.ground_to_pixel()) @ corners
    if not (np.abs(seen[2]) > 1e-9).all():
        return math.inf
    return float(np.abs(seen[:2] / seen[2] - corners[:2]).max())
