"""The centerline and the driven line, for RViz."""

from __future__ import annotations

from collections import deque

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
from visualization_msgs.msg import Marker

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.nodes.ros.simulator_messages import ODOM_FRAME

_SPACING_M = 0.5
_MOST_POINTS = 4000


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
        pose.pose.orientation.z = float(np.sin(0.5 * heading))
        pose.pose.orientation.w = float(np.cos(0.5 * heading))
        message.poses.append(pose)
    return message


class DrivenLine:
    """The line that the car drove, thinned to a point every half metre."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=_MOST_POINTS)

    def add(self, x: float, y: float) -> None:
        """Add where the car is (m)."""
        if not self._points or np.hypot(x - self._points[-1][0], y - self._points[-1][1]) >= (
            _SPACING_M
        ):
            self._points.append((x, y))

    def clear(self) -> None:
        """Begin anew."""
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
