"""From where the brain's model sees the road: the car's camera, and the delay until a command acts.

The parameters, and what camera_info and the clock say, for `driving.camera` and `driving.delay`.
"""

from __future__ import annotations

import math
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from pilotnet_brain.driving.camera import STILL, Motion
from pilotnet_brain.driving.camera_pose import BY_TF, pose_of_text
from pilotnet_brain.driving.car_camera import CarCamera
from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.delay import DelayCompensation, Plant
from pilotnet_brain.driving.mounting import Transform, camera_pose_of
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.driving.preprocess import BadFrame
from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.parameters import declare
from pilotnet_brain.nodes.ros.static_transforms import StaticTransforms


class View:
    """Has a pilot look through the car's camera, and says how far ahead.

    Args:
        node: whose parameters it declares.

    Raises:
        UserError: a camera_pose that no camera can have, or tf without tf2_msgs.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        compensates: bool = declare(
            node, "delay_compensation", True,
            "Show the model the road from where the car will be when its command acts",
        )  # fmt: skip
        actuation_delay: float = declare(
            node, "actuation_delay", 0.0,
            "Simulated seconds from a command's publication until the car moves by it",
            between=(0.0, 2.0),
        )  # fmt: skip
        hold: float = declare(
            node, "command_hold", 0.0,
            "Simulated seconds for which the car keeps a command's direction while it turns",
            between=(0.0, 1.0),
        )  # fmt: skip
        lag: float = declare(
            node, "command_lag", 0.0,
            "Time constant with which the car follows a command, simulated seconds",
            between=(0.0, 1.0),
        )  # fmt: skip
        pose: str = declare(
            node, "camera_pose", "",
            "Where the camera sits on base_link, 'x y z roll pitch yaw' (m, rad), or 'tf': by "
            "/tf_static; empty: where the model's sat",
        )  # fmt: skip
        fov: float = declare(
            node, "camera_fov", 0.0,
            "Horizontal field of view, rad, where no camera_info comes; 0: the model's",
            between=(0.0, 3.1),
        )  # fmt: skip
        try:
            given = pose_of_text(pose) if pose and pose != BY_TF else None
        except ValueError as problem:
            raise UserError(f"parameter camera_pose: {problem}") from None
        self._camera = CarCamera(given, fov)
        self._transforms = StaticTransforms(node) if pose == BY_TF else None
        self._placed: tuple[str, object] | None = None
        """The frame_id that the camera was placed by, and the transforms."""
        self._delay: DelayCompensation | None = None
        if compensates:
            self._delay = DelayCompensation(0.0, actuation_delay, Plant(hold, lag))
        self._seen: tuple[Pilot, int, int] | None = None
        """Whose pilot's camera is set, for frames of what width and height."""
        self.ahead_s: float | None = None
        """For how long the car's motion was predicted for the last frame; None: not compensated."""

    def tell(self, message: CameraInfo) -> None:
        """Take what a message says of the camera."""
        try:
            if self._camera.set_intrinsics(message.width, message.height, message.k):
                self._seen = None
        except ValueError as problem:
            self._node.get_logger().warning(f"camera_info is left out: {problem}", once=True)

    def look(self, pilot: Pilot, frame: Any, frame_id: str, stamp_s: float, now_s: float) -> Motion:
        """Set the pilot's camera for a frame; return the car's motion until its command acts.

        Args:
            pilot: that drives on the frame.
            frame: uint8 (height, width, 3).
            frame_id: of the camera.
            stamp_s: the frame's, s.
            now_s: by the same clock, s.

        Raises:
            BadFrame: the frame is too small, or /tf_static does not say where the camera sits.
        """
        if self._transforms is not None and self._placed != (frame_id, self._transforms.by_frame):
            self._place(frame_id, self._transforms.by_frame)
        height, width = frame.shape[:2]
        if self._seen != (pilot, width, height):
            self._set_camera(pilot, width, height)
        if self._delay is None:
            return STILL
        self.ahead_s = self._delay.ahead_s(stamp_s, now_s)
        return self._delay.motion(stamp_s, now_s)

    def sent(self, command: Command, now_s: float) -> None:
        """Remember a command that was published."""
        if self._delay is not None:
            self._delay.sent(command, now_s)

    def clear(self) -> None:
        """Forget the commands in flight: the car was stopped or put elsewhere."""
        if self._delay is not None:
            self._delay.clear()

    def _place(self, frame_id: str, transforms: dict[str, Transform]) -> None:
        try:
            self._camera.pose = camera_pose_of(transforms, frame_id)
        except ValueError as problem:
            raise BadFrame(f"camera_pose is tf: {problem}") from None
        self._placed, self._seen = (frame_id, transforms), None

    def _set_camera(self, pilot: Pilot, width: int, height: int) -> None:
        record = pilot.model.record
        trained = record.frame_camera
        pilot.look_through(self._camera.on_frames_of(width, height, trained))
        if self._delay is not None:
            self._delay.anticipation_s = record.anticipation_s
        self._seen = pilot, width, height
        if (width, height) != (trained.width, trained.height) and not self._camera.has_intrinsics:
            degrees = math.degrees(pilot.camera.horizontal_fov)
            self._node.get_logger().warning(
                f"frames of {width}x{height} and no camera_info: taken to be {degrees:.0f} degrees "
                "wide (parameter camera_fov)",
                once=True,
            )
