"""The car's true pose from either message that carries it, and the lines to show in RViz."""

from __future__ import annotations

import importlib.util
import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Odometry, Path
from visualization_msgs.msg import Marker

from pilotnet_brain.bags.messages import set_yaw, yaw_of
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.simulator_output import ODOM_FRAME

_SPACING_M = 0.5
_MOST_POINTS = 4000


class TruePose(NamedTuple):
    """Pose of base_link in the world frame (m, rad) and its speeds (m/s, rad/s)."""

    x: float
    y: float
    yaw: float
    speed: float
    yaw_rate: float


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


def centerline_message(line: Centerline) -> Path:
    """Return the closed centerline, a pose every half metre."""
    count = max(3, round(line.length / _SPACING_M))
    stations = np.linspace(0.0, line.length, count + 1)
    message = Path()
    message.header.frame_id = ODOM_FRAME
    headings = np.asarray(line.heading(stations))
    for (x, y), heading in zip(np.asarray(line.position(stations)), headings, strict=True):
        pose = PoseStamped()
        pose.header.frame_id = ODOM_FRAME
        pose.pose.position.x, pose.pose.position.y = float(x), float(y)
        set_yaw(pose.pose.orientation, float(heading))
        message.poses.append(pose)
    return message


class DrivenLine:
    """The line that the car drove, thinned to a point every half metre."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=_MOST_POINTS)

    def add(self, x: float, y: float) -> None:
        """Add where the car is (m)."""
        if not self._points or math.dist(self._points[-1], (x, y)) >= _SPACING_M:
            self._points.append((x, y))

    def clear(self) -> None:
        """Forget it: the run starts again."""
        self._points.clear()

    def message(self, stamp: Time) -> Marker:
        """Return it as a line strip."""
        marker = Marker(ns="driven_line", id=0, type=Marker.LINE_STRIP, action=Marker.ADD)
        marker.header.frame_id = ODOM_FRAME
        marker.header.stamp = stamp
        marker.pose.orientation.w = 1.0
        marker.scale.x = 0.08
        marker.color.r, marker.color.g, marker.color.b, marker.color.a = 0.1, 0.6, 1.0, 1.0
        marker.points = [Point(x=x, y=y, z=0.02) for x, y in self._points]
        return marker
