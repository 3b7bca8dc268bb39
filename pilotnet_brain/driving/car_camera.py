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
        horizontal_fov: rad, used while the intrinsics are not set; 0: the model's.
    """

    def __init__(self, pose: Pose | None = None, horizontal_fov: float = 0.0) -> None:
        self.pose, self._fov = pose, horizontal_fov
        self._intrinsics: tuple[float, ...] = ()

    @property
    def has_intrinsics(self) -> bool:
        """Whether `set_intrinsics` was called."""
        return bool(self._intrinsics)

    def set_intrinsics(self, width: int, height: int, k: Sequence[float]) -> bool:
        """Take the size and the 3x3 intrinsic matrix (row by row) of a CameraInfo.

        Zeros mean that the camera is not calibrated: nothing changes.

        Returns:
            Whether they changed.

        Raises:
            ValueError: no camera has them; what was known before stays.
        """
        intrinsics = (width, height, k[0], k[4], k[2], k[5])
        if intrinsics == self._intrinsics or not any(k):
            return False
        _with_intrinsics(Camera(), intrinsics)
        self._intrinsics = intrinsics
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
        if self._intrinsics:
            camera = _with_intrinsics(trained, self._intrinsics)
        else:
            camera = trained.with_fov(self._fov) if self._fov else trained
        if (camera.width, camera.height) != (width, height):
            camera = camera.of_size(width, height)
        return camera if self.pose is None else camera.at(self.pose)


def _with_intrinsics(camera: Camera, intrinsics: tuple[float, ...]) -> Camera:
    width, height, focal_x, focal_y, centre_x, centre_y = map(float, intrinsics)
    return replace(
        camera,
        width=int(width),
        height=int(height),
        focal_x=focal_x,
        focal_y=focal_y,
        centre_x=centre_x,
        centre_y=centre_y,
    )
