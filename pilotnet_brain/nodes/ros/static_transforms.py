"""What is on /tf_static, where tf2_msgs is installed."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from pilotnet_brain.driving.mounting import Transform
from pilotnet_brain.errors import UserError


class StaticTransforms:
    """Keeps the fixed transforms between frames.

    Args:
        node: that subscribes to /tf_static.

    Raises:
        UserError: tf2_msgs is not installed.
    """

    def __init__(self, node: Node) -> None:
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            raise UserError(
                "camera_pose is tf, and tf2_msgs is not installed: give 'x y z roll pitch yaw'"
            ) from None
        self.by_frame: dict[str, Transform] = {}
        """By the name of the frame that they place; another dictionary whenever one is new."""
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(TFMessage, "/tf_static", self._add, latched)

    def _add(self, message: Any) -> None:
        new = {}
        for placed in message.transforms:
            place, turn = placed.transform.translation, placed.transform.rotation
            new[placed.child_frame_id.lstrip("/")] = Transform(
                placed.header.frame_id.lstrip("/"),
                (place.x, place.y, place.z),
                (turn.x, turn.y, turn.z, turn.w),
            )
        if not new.items() <= self.by_frame.items():
            self.by_frame = self.by_frame | new
