"""The car's true pose, from either message that carries it."""

from __future__ import annotations

import importlib.util
import math
from typing import Any, NamedTuple

from nav_msgs.msg import Odometry

from pilotnet_brain.errors import UserError


class TruePose(NamedTuple):
    """Pose of base_link in the world frame (m, rad) and its speeds (m/s, rad/s)."""

    x: float
    y: float
    yaw: float
    speed: float
    yaw_rate: float


def seconds(stamp: Any) -> float:
    """Return a stamp or duration message in seconds."""
    return stamp.sec + stamp.nanosec * 1e-9


def yaw_of(orientation: Any) -> float:
    """Return the yaw (rad) of a Quaternion message."""
    x, y, z, w = orientation.x, orientation.y, orientation.z, orientation.w
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def pose_of_odometry(message: Odometry) -> TruePose:
    """Return the pose in an Odometry message; its twist is in the car's frame."""
    pose, twist = message.pose.pose, message.twist.twist
    return TruePose(
        pose.position.x, pose.position.y, yaw_of(pose.orientation), twist.linear.x, twist.angular.z
    )


def pose_of_model_states(message: Any, model: str) -> TruePose | None:
    """Return a model's pose in a gazebo_msgs/ModelStates message, None where it is not there.

    Its twist is in the world frame.
    """
    if model not in message.name:
        return None
    index = message.name.index(model)
    pose, twist = message.pose[index], message.twist[index]
    yaw = yaw_of(pose.orientation)
    speed = twist.linear.x * math.cos(yaw) + twist.linear.y * math.sin(yaw)
    return TruePose(pose.position.x, pose.position.y, yaw, speed, twist.angular.z)


def model_states_type() -> Any:
    """Return the message class gazebo_msgs/ModelStates.

    Raises:
        UserError: gazebo_msgs is not installed.
    """
    if importlib.util.find_spec("gazebo_msgs") is None:
        raise UserError(
            "pose_source model_states needs gazebo_msgs: install it, or use pose_source odom"
        )
    from gazebo_msgs.msg import ModelStates

    return ModelStates
