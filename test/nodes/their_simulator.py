"""A simulator of somebody else's, as a process: cars that follow simple_circuit, with odd habits.

    python their_simulator.py '{"cars": ["car1", "car2"], "width": 320, "odom": "zero_stamps"}'

Each car goes along the line at the speed of its newest command; once it has moved it says so.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.nodes.ros.simulator_output import time_message

STEP_S = 0.01
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass
class Habits:
    """What is odd about this simulator."""

    cars: tuple[str, ...] = ("F1ROS",)
    width: int = 640
    height: int = 480
    encoding: str = "rgb8"
    grey: int = 51
    odom: str = "reliable"
    """or best_effort, zero_stamps (best effort, too), none"""
    clock: bool = True
    second_clock: bool = False
    parked: bool = False
    """Whether the car stands, whatever the commands."""


class Car:
    """One car: camera, odometry and commands in its namespace."""

    def __init__(self, node: Node, name: str, habits: Habits) -> None:
        self._habits, self.name = habits, name
        self.line = load_circuit("simple_circuit").centerline
        self.arc_length = self.speed = 0.0
        camera = "cameraL" if name == "F1ROS" else "camera"
        self._images = node.create_publisher(Image, f"/{name}/{camera}/image_raw", BEST_EFFORT)
        self._infos = node.create_publisher(CameraInfo, f"/{name}/{camera}/camera_info", 10)
        if habits.odom != "none":
            qos = QoSProfile(depth=10) if habits.odom == "reliable" else BEST_EFFORT
            self._odometry = node.create_publisher(Odometry, f"/{name}/odom", qos)
        node.create_subscription(Twist, f"/{name}/cmd_vel", self._on_command, 10)
        self._image = Image(width=habits.width, height=habits.height, encoding=habits.encoding)
        self._image.step = 3 * habits.width
        pixels = np.full(self._image.step * habits.height, habits.grey, np.uint8)
        self._image.data.frombytes(pixels.tobytes())

    def _on_command(self, message: Twist) -> None:
        self.speed = message.linear.x

    def show(self, time_s: float) -> None:
        """Publish a frame."""
        self._image.header.stamp = time_message(time_s)
        self._infos.publish(CameraInfo(header=self._image.header))
        self._images.publish(self._image)

    def move(self, time_s: float) -> None:
        """Drive one step and publish the pose."""
        if not self._habits.parked:
            self.arc_length += self.speed * STEP_S
        if self._habits.odom == "none":
            return
        x, y = self.line.position(self.arc_length)
        yaw = float(self.line.heading(self.arc_length))
        message = Odometry()
        if self._habits.odom != "zero_stamps":
            message.header.stamp = time_message(time_s)
        pose = message.pose.pose
        pose.position.x, pose.position.y = float(x), float(y)
        pose.orientation.z, pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
        message.twist.twist.linear.x = self.speed
        self._odometry.publish(message)


def main() -> None:
    """Simulate in real time until the process is ended; then say how fast each car went last."""
    habits = Habits(**json.loads(sys.argv[1]))
    told_to_end = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: told_to_end.set())
    # rclpy's handler would end the context in the middle of a publish call.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("their_simulator")
    cars = [Car(node, name, habits) for name in habits.cars]
    clock = node.create_publisher(Clock, "/clock", BEST_EFFORT)
    others = [Node("their_other_clock")] if habits.second_clock else []
    for other in others:
        other.create_publisher(Clock, "/clock", 1)
    start, step = time.monotonic(), 0
    while not told_to_end.is_set():
        step += 1
        time_s = step * STEP_S
        if habits.clock:
            clock.publish(Clock(clock=time_message(time_s)))
        for car in cars:
            car.move(time_s)
            if step % 5 == 0:
                car.show(time_s)
        while (left := start + time_s - time.monotonic()) > 0.0:
            rclpy.spin_once(node, timeout_sec=left)
    print(json.dumps({car.name: car.speed for car in cars}), flush=True)


if __name__ == "__main__":
    main()
