"""The camera that takes the frames, as far as the car says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilotnet_brain.driving.camera import Camera
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.preprocess import BadFrame

SMALLEST = (64, 48)
"""Frames smaller than this, width x height, show too little of the road."""


class CarCamera:
    """Puts together what was said of a camera; what was not said is as in the model's camera.

    Args:
        pose: where it sits on the car, if that is known.
        horizontal_fov: rad, used while `tell` has told nothing; 0: the model's.
    """

    def __init__(self, pose: Pose | None = None, horizontal_fov: float = 0.0) -> None:
        self._pose, self._fov = pose, horizontal_fov
        self._told: tuple[float, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether the intrinsics are known from `tell`."""
        return bool(self._told)

    def tell(self, width: int, height: int, k: Sequence[float]) -> bool:
        """Take the size and the 3x3 intrinsic matrix (row by row) of a CameraInfo.

        Zeros say that the camera is not calibrated, and so nothing.

        Returns:
            Whether they are others than before.

        Raises:
            ValueError: no camera has them; what was known before stays.
        """
        told = (width, height, k[0], k[4], k[2], k[5])
        if told == self._told or not any(k):
            return False
        _with_intrinsics(Camera(), told)
        self._told = told
        return True

    def on_frames_of(self, width: int, height: int, trained: Camera) -> Camera:
        """Return the camera on frames of a size (pixels), for a model with a `trained` camera.

        Raises:
            BadFrame: the frames are too small.
        """
        if width < SMALLEST[0] or height < SMALLEST[1]:
            raise BadFrame(
                f"the frame is {width}x{height}: {SMALLEST[0]}x{SMALLEST[1]} is the least"
            )
        if self._told:
            camera = _with_intrinsics(trained, self._told)
        else:
            camera = trained.with_fov(self._fov) if self._fov else trained
        if (camera.width, camera.height) != (width, height):
            camera = camera.of_size(width, height)
        return camera if self._pose is None else camera.at(self._pose)


def _with_intrinsics(camera: Camera, told: tuple[float, ...]) -> Camera:
    width, height, focal_x, focal_y, centre_x, centre_y = map(float, told)
    return replace(
        camera,
        width=int(width),
        height=int(height),
        focal_x=focal_x,
        focal_y=focal_y,
        centre_x=centre_x,
        centre_y=centre_y,
    )
