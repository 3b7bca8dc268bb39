"""What every simulator node publishes: clock, camera, true pose, transforms, its own state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.simulator_messages import (
    Transforms,
    camera_info_message,
    fill_odometry,
    image_message,
    time_message,
)
from pilotnet_brain.simulation.car import CarState

_KEPT = 500
"""Samples kept for a reliable subscriber whose own side of the match comes late."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Frames and commands: the newest only."""


class SimulatorOutput:
    """A simulator's publishers, with their messages made once.

    Args:
        node: whose they are.
        asked_rtf: simulated seconds per real second that it aims at.

    Attributes:
        pixels: uint8 (height, width, 3), RGB; the memory of the frame that `frame` publishes.
        frames: frames published so far.
    """

    def __init__(self, node: Node, asked_rtf: float) -> None:
        self._node, self._asked_rtf = node, asked_rtf
        self.frames = 0
        self._image, self.pixels = image_message()
        self._camera_info = camera_info_message()
        self._odometry = Odometry()
        self._images = node.create_publisher(Image, "camera/image_raw", NEWEST)
        self._infos = node.create_publisher(CameraInfo, "camera/camera_info", _KEPT)
        self._poses = node.create_publisher(Odometry, "odom", _KEPT)
        self._clock = node.create_publisher(Clock, "/clock", 10)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._transforms = Transforms(node)

    @property
    def image_topic(self) -> str:
        """Resolved name of the camera's topic."""
        return str(self._images.topic_name)

    @property
    def odom_topic(self) -> str:
        """Resolved name of the true pose's topic."""
        return str(self._poses.topic_name)

    def clock(self, time_s: float) -> None:
        """Publish the simulated time."""
        self._clock.publish(Clock(clock=time_message(time_s)))

    def state(self, state: CarState) -> None:
        """Publish the car's true pose."""
        stamp = time_message(state.time_s)
        fill_odometry(self._odometry, state, stamp)
        self._poses.publish(self._odometry)
        self._transforms.publish(state, stamp)

    def frame(self, time_s: float) -> None:
        """Publish what was drawn into `pixels`, with a stamp."""
        self._image.header.stamp = self._camera_info.header.stamp = time_message(time_s)
        self._images.publish(self._image)
        self._infos.publish(self._camera_info)
        self.frames += 1

    def diagnose(self, time_s: float, real_time_factor: float | None, **more: Any) -> None:
        """Publish how the simulation runs."""
        slow = real_time_factor is not None and real_time_factor < 0.95 * self._asked_rtf
        values: Mapping[str, Any] = {
            **more,
            "real_time_factor": real_time_factor,
            "frames": self.frames,
            "simulated_time_s": time_s,
        }
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                time_message(time_s),
                f"{self._node.get_name()}: world",
                diagnostics.WARN if slow else diagnostics.OK,
                "slower than asked: this machine cannot keep up" if slow else "running",
                values,
            )
        )
