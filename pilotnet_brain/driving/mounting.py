"""Where a camera sits on the car, by the fixed transforms between the car's frames (/tf_static)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.camera_pose import Pose

_GROUND_FRAMES = ("base_footprint", "base_link")
"""Their plane z = 0 is the road (REP 105, REP 120): the first that is known counts."""
_OPTICAL_TO_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


class Transform(NamedTuple):
    """A frame's pose in its parent frame, as in geometry_msgs/TransformStamped."""

    parent: str
    translation: tuple[float, float, float]  #: m
    rotation: tuple[float, float, float, float]  #: quaternion x, y, z, w


def camera_pose_of(transforms: Mapping[str, Transform], frame: str) -> Pose:
    """Return the pose of a camera on the car.

    The pose is on base_footprint, or on base_link, or where the car has neither on the frame that
    all others hang on.

    Args:
        transforms: by the name of the frame that they place.
        frame: the images'. It may be the optical one (z forward, y down; REP 103) or the body's
            (x forward, z up), which Gazebo's cameras often name: the one that is upright, within
            35 degrees, is taken.

    Raises:
        ValueError: the transforms do not lead from the frame to the car, or no camera can have the
            pose.
    """
    if frame not in transforms:
        raise ValueError(f"no transform on /tf_static places {frame!r}, the images' frame_id")
    root, in_root = _in_root(transforms, frame)
    known = {t.parent for t in transforms.values()} | set(transforms)
    for name in _GROUND_FRAMES:
        if name in known:
            other_root, ground = _in_root(transforms, name)
            if other_root != root:
                raise ValueError(f"no transforms on /tf_static lead from {frame!r} to {name!r}")
            in_root = np.linalg.inv(ground) @ in_root
            break
    axes = in_root[:3, :3]
    if -axes[2, 1] > axes[2, 2]:
        axes = axes @ _OPTICAL_TO_BODY
    x, y, z = in_root[:3, 3].tolist()
    pose = Pose(
        x,
        y,
        z,
        roll=math.atan2(axes[2, 1], axes[2, 2]),
        pitch=math.asin(min(max(-axes[2, 0], -1.0), 1.0)),
        yaw=math.atan2(axes[1, 0], axes[0, 0]),
    )
    pose.check()
    return pose


def _in_root(transforms: Mapping[str, Transform], frame: str) -> tuple[str, NDArray[np.float64]]:
    """Return the frame that a frame hangs on in the end, and its pose there, (4, 4)."""
    pose, passed = np.eye(4), {frame}
    while frame in transforms:
        transform = transforms[frame]
        pose = _matrix(transform, frame) @ pose
        frame = transform.parent
        if frame in passed:
            raise ValueError(f"the transforms on /tf_static lead from {frame!r} back to it")
        passed.add(frame)
    return frame, pose


def _matrix(transform: Transform, frame: str) -> NDArray[np.float64]:
    """Return a transform as a matrix (4, 4), its quaternion normalized."""
    x, y, z, w = transform.rotation
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not (0.0 < length < math.inf and all(map(math.isfinite, transform.translation))):
        raise ValueError(f"the transform of {frame!r} on /tf_static is not one: {transform}")
    x, y, z, w = x / length, y / length, z / length, w / length
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    matrix[:3, 3] = transform.translation
    return matrix
