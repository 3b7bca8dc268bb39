"""What every simulator node publishes: clock, camera, true pose, transforms, its own state."""

from __future__ import annotations

import array
import importlib.util
import math
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped, Twist
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from pilotnet_brain.bags.messages import set_yaw, stamp_parts
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import CarState

ODOM_FRAME = "odom"
BASE_FRAME = "base_link"
CAMERA_FRAME = "camera_link"
OPTICAL_FRAME = "camera_optical_frame"
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Frames and commands: the newest only."""
_KEPT = 500
"""Samples kept for a reliable subscriber that is matched late."""


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
        self._transforms = _Transforms(node)

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
        _fill_odometry(self._odometry, state, stamp)
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
        values = more | {
            "real_time_factor": real_time_factor,
            "frames": self.frames,
            "simulated_time_s": time_s,
        }
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                time_message(time_s),
                f"{diagnostics.source(self._node)}: world",
                diagnostics.WARN if slow else diagnostics.OK,
                "slower than asked: this machine cannot keep up" if slow else "running",
                values,
            )
        )


def time_message(time_s: float) -> Time:
    """Return seconds as a stamp, rounded to the nanosecond."""
    sec, nanosec = stamp_parts(time_s)
    return Time(sec=sec, nanosec=nanosec)


def image_message() -> tuple[Image, NDArray[np.uint8]]:
    """Return an rgb8 image message and a view (height, width, 3) to draw into, of its memory.

    Setting `data` from an array.array is the one way that rclpy does not check byte by byte; newer
    ones copy it, so the view is made of what the message holds then.
    """
    data = array.array("B", bytes(car.CAMERA_HEIGHT * car.CAMERA_WIDTH * 3))
    message = Image(
        height=car.CAMERA_HEIGHT,
        width=car.CAMERA_WIDTH,
        encoding="rgb8",
        is_bigendian=0,
        step=car.CAMERA_WIDTH * 3,
    )
    message.header.frame_id = OPTICAL_FRAME
    message.data = data
    pixels = np.frombuffer(message.data, np.uint8).reshape(car.CAMERA_HEIGHT, car.CAMERA_WIDTH, 3)
    return message, pixels


def camera_info_message() -> CameraInfo:
    """Return the ideal pinhole camera that the car carries."""
    focal = car.camera_focal_length()
    centre_x, centre_y = 0.5 * car.CAMERA_WIDTH, 0.5 * car.CAMERA_HEIGHT
    message = CameraInfo(
        height=car.CAMERA_HEIGHT,
        width=car.CAMERA_WIDTH,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, centre_x, 0.0, focal, centre_y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, centre_x, 0.0, 0.0, focal, centre_y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
    message.header.frame_id = OPTICAL_FRAME
    return message


def finite_command(node: Node, message: Twist) -> tuple[float, float]:
    """Return a command's speed (m/s) and yaw rate (rad/s); zeros, with a warning, if not finite."""
    speed, yaw_rate = message.linear.x, message.angular.z
    if math.isfinite(speed) and math.isfinite(yaw_rate):
        return speed, yaw_rate
    node.get_logger().warning(
        f"a command of {speed} m/s, {yaw_rate} rad/s: car stopped", throttle_duration_sec=1.0
    )
    return 0.0, 0.0


def _fill_odometry(message: Odometry, state: CarState, stamp: Time) -> None:
    """Write a state into an odometry message: pose in the world, twist in the car's frame."""
    message.header.stamp = stamp
    message.header.frame_id = ODOM_FRAME
    message.child_frame_id = BASE_FRAME
    pose = message.pose.pose
    pose.position.x, pose.position.y = state.x, state.y
    set_yaw(pose.orientation, state.yaw)
    message.twist.twist.linear.x = state.speed
    message.twist.twist.angular.z = state.yaw_rate


class _Transforms:
    """/tf and /tf_static, where tf2_msgs is installed; otherwise nothing."""

    def __init__(self, node: Any) -> None:
        self._publisher: Any = None
        if importlib.util.find_spec("tf2_msgs") is None:
            return
        from tf2_msgs.msg import TFMessage

        self._message_type = TFMessage
        self._publisher = node.create_publisher(TFMessage, "/tf", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static_publisher = node.create_publisher(TFMessage, "/tf_static", latched)
        self._static_publisher.publish(TFMessage(transforms=_camera_mounting()))
        self._car = TransformStamped(child_frame_id=BASE_FRAME)
        self._car.header.frame_id = ODOM_FRAME

    def publish(self, state: CarState, stamp: Time) -> None:
        """Publish where the car is."""
        if self._publisher is None:
            return
        self._car.header.stamp = stamp
        move = self._car.transform
        move.translation.x, move.translation.y = state.x, state.y
        set_yaw(move.rotation, state.yaw)
        self._publisher.publish(self._message_type(transforms=[self._car]))


def _camera_mounting() -> list[TransformStamped]:
    camera = TransformStamped(child_frame_id=CAMERA_FRAME)
    camera.header.frame_id = BASE_FRAME
    place = camera.transform.translation
    place.x, place.y, place.z = car.CAMERA_POSITION
    optical = TransformStamped(child_frame_id=OPTICAL_FRAME)
    optical.header.frame_id = CAMERA_FRAME
    # REP 103: the optical frame has z forward, x right, y down.
    turn = optical.transform.rotation
    turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
    return [camera, optical]
