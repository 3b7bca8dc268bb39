"""The simulator's messages, made once and filled again for every sample."""

from __future__ import annotations

import array
import importlib.util
import math
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped, Twist
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import CarState

ODOM_FRAME = "odom"
BASE_FRAME = "base_link"
CAMERA_FRAME = "camera_link"
OPTICAL_FRAME = "camera_optical_frame"


def time_message(time_s: float) -> Time:
    """Return seconds as a stamp, rounded to the nanosecond."""
    nanoseconds = round(time_s * 1e9)
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def image_message() -> tuple[Image, NDArray[np.uint8]]:
    """Return an rgb8 image message and a view (height, width, 3) to draw into, of its own memory.

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


def fill_odometry(message: Odometry, state: CarState, stamp: Time) -> None:
    """Write a state into an odometry message: pose in the world, twist in the car's frame."""
    message.header.stamp = stamp
    message.header.frame_id = ODOM_FRAME
    message.child_frame_id = BASE_FRAME
    pose = message.pose.pose
    pose.position.x, pose.position.y = state.x, state.y
    pose.orientation.z, pose.orientation.w = math.sin(0.5 * state.yaw), math.cos(0.5 * state.yaw)
    message.twist.twist.linear.x = state.speed
    message.twist.twist.angular.z = state.yaw_rate


def finite_command(node: Node, message: Twist) -> tuple[float, float]:
    """Return a command's speed (m/s) and yaw rate (rad/s); zeros, with a warning, if not finite."""
    speed, yaw_rate = message.linear.x, message.angular.z
    if math.isfinite(speed) and math.isfinite(yaw_rate):
        return speed, yaw_rate
    node.get_logger().warning(
        f"a command of {speed} m/s, {yaw_rate} rad/s: car stopped", throttle_duration_sec=1.0
    )
    return 0.0, 0.0


class Transforms:
    """/tf and /tf_static, where tf2_msgs is installed; otherwise nothing."""

    def __init__(self, node: Any) -> None:
        self._publisher: Any = None
        if importlib.util.find_spec("tf2_msgs") is None:
            return
        from rclpy.qos import DurabilityPolicy, QoSProfile
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
        move.rotation.z, move.rotation.w = math.sin(0.5 * state.yaw), math.cos(0.5 * state.yaw)
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
