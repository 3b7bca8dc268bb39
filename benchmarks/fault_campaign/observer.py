"""Watches a run's commands from outside, and relays a camera that fails as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import rclpy
from geometry_msgs.msg import Twist
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

CMD_VEL = "/F1ROS/cmd_vel"
CAMERA, FAILING_CAMERA = "/F1ROS/cameraL/image_raw", "/failing/image_raw"
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class SeenCommand:
    """A command as it was received: real time (steady clock, s), and whether it moves the car."""

    at_s: float
    moves: bool


class Observer:
    """A node in a thread; it counts as nobody who drives."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = Node("fault_observer", context=self._context)
        self.commands: list[SeenCommand] = []
        self.relay: Callable[[Image], list[Image]] = lambda image: [image]
        """What becomes of a camera frame on its way to FAILING_CAMERA."""
        self._node.create_subscription(Twist, CMD_VEL, self._on_command, 100)
        self._images = self._node.create_publisher(Image, FAILING_CAMERA, 5)
        self._infos = self._node.create_publisher(CameraInfo, "/failing/camera_info", 50)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the node."""
        self._context.try_shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()

    def relay_camera(self) -> None:
        """Hand the simulator's frames on to FAILING_CAMERA, each through `relay`."""
        self._node.create_subscription(Image, CAMERA, self._on_image, _NEWEST)

    def reset_simulator(self) -> None:
        """Put the embedded simulator's clock and car back."""
        client = self._node.create_client(Trigger, "/simulator/reset")
        if client.wait_for_service(5.0):
            client.call_async(Trigger.Request())

    def zero_after_s(self, since_s: float) -> float | None:
        """Return how long after a time the car was told to stand; None: it still was driven."""
        later = [command for command in self.commands if command.at_s >= since_s]
        return next((c.at_s - since_s for c in later if not c.moves), None)

    def last_moves(self) -> bool:
        """Whether the newest command moves the car."""
        return bool(self.commands) and self.commands[-1].moves

    def _on_command(self, message: Twist) -> None:
        moves = message.linear.x != 0.0 or message.angular.z != 0.0
        self.commands.append(SeenCommand(time.monotonic(), moves))

    def _on_image(self, image: Image) -> None:
        for relayed in self.relay(image):
            self._infos.publish(CameraInfo(header=relayed.header))
            self._images.publish(relayed)

    def _spin(self) -> None:
        while self._context.ok():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except ExternalShutdownException:
                return
