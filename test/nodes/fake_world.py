"""A world that a test steers by hand: clock and frames out, commands and records in."""

from __future__ import annotations

import array
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped, Twist
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import Trigger

from pilotnet_brain.bags.messages import seconds
from pilotnet_brain.metrics.frame_record import FrameRecord, frame_record
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS
from pilotnet_brain.nodes.ros.simulator_output import time_message
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment

PATIENCE_S = 60.0


class FakeWorld:
    """Publishes what the test says, collects what the nodes answer.

    Everything received is kept in lists in order of arrival; `until` waits for a condition on it.
    """

    def __init__(self, domain_id: int) -> None:
        os.environ.update(dds_environment(IMAGE_PUBLISHER))
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node("fake_world", context=self._context)
        self.changed = threading.Condition()
        self.commands: list[tuple[float, float]] = []
        self.records: list[FrameRecord] = []
        self.statuses: list[tuple[float, dict[str, str]]] = []
        self.diagnostics: list[tuple[str, bytes, str, dict[str, str]]] = []
        self.time_s = 0.0
        self.camera_info: dict[str, Any] = {}
        """What the camera says of itself; empty: not calibrated."""
        self._images = self.node.create_publisher(Image, "camera/image_raw", 1)
        self._infos = self.node.create_publisher(CameraInfo, "camera/camera_info", 10)
        self._transforms: Any = None
        self._clock = self.node.create_publisher(Clock, "/clock", 10)
        self.node.create_subscription(Twist, "cmd_vel", self._on_command, 100)
        self.node.create_subscription(JointState, "brain/frames", self._on_frame, FRAMES_QOS)
        self.node.create_subscription(DiagnosticArray, "brain/status", self._on_status, STATUS_QOS)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the world."""
        self._context.try_shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()

    def place_camera(self, frame: str, place: tuple[float, float, float], pitch: float) -> None:
        """Say on /tf_static where a camera sits on base_link; needs tf2_msgs."""
        from tf2_msgs.msg import TFMessage

        placed = TransformStamped(child_frame_id=frame)
        placed.header.frame_id = "base_link"
        move = placed.transform
        move.translation.x, move.translation.y, move.translation.z = place
        move.rotation.y, move.rotation.w = math.sin(0.5 * pitch), math.cos(0.5 * pitch)
        if self._transforms is None:
            latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            self._transforms = self.node.create_publisher(TFMessage, "/tf_static", latched)
        self._transforms.publish(TFMessage(transforms=[placed]))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until the condition is true of what was received; return its value."""
        deadline = time.monotonic() + PATIENCE_S
        with self.changed:
            while not (value := condition()):
                left = deadline - time.monotonic()
                assert left > 0.0, f"waited in vain for {what}"
                self.changed.wait(min(left, 0.1))
        return value

    def wait_for_brain(self) -> None:
        """Wait until a brain takes frames and publishes commands."""
        self.until(
            lambda: (
                self._images.get_subscription_count() > 0
                and self._clock.get_subscription_count() > 0
                and self.node.count_publishers("cmd_vel") > 0
            ),
            "a brain",
        )

    def tick(self, time_s: float) -> None:
        """Set the clock."""
        self.time_s = time_s
        self._clock.publish(Clock(clock=time_message(time_s)))

    def show(self, message: Image) -> float:
        """Publish an image, stamped now; return its stamp."""
        message.header.stamp = time_message(self.time_s)
        self._infos.publish(CameraInfo(header=message.header, **self.camera_info))
        self._images.publish(message)
        return self.time_s

    def drive_frame(self, message: Image) -> FrameRecord:
        """Step the clock by a frame's period, show an image, and return the brain's record of it.

        Shown again on the next tick where the first one was lost on its way (best effort).
        """
        for _ in range(40):
            self.tick(self.time_s + 0.05)
            stamp = self.show(message)
            seen = len(self.records)
            deadline = time.monotonic() + 1.0
            with self.changed:
                while time.monotonic() < deadline:
                    for record in self.records[seen:]:
                        if abs(record.stamp_s - stamp) < 1e-6:
                            return record
                    self.changed.wait(0.05)
        raise AssertionError("the brain answered none of 40 frames")

    def problem_of(self, record: FrameRecord) -> str:
        """Return the problem that brain/status names for a frame, waiting for its message."""

        def named() -> list[dict[str, str]]:
            texts = [texts for since_s, texts in self.statuses if since_s <= record.stamp_s + 1e-6]
            return [t for t in texts[-1:] if t["problem"].startswith(record.problem)]

        problem: str = self.until(named, "the status")[0]["problem"]
        return problem

    def set_parameter(
        self, node: str, name: str, value: Any, meanwhile: Callable[[], object] | None = None
    ) -> tuple[bool, str]:
        """Set a parameter of another node; return whether it was taken, and the reason if not.

        Args:
            node: whose.
            name: of the parameter.
            value: of the parameter.
            meanwhile: called again and again until the node has answered.
        """
        parameter = Parameter(name, value=value).to_parameter_msg()
        assert isinstance(parameter.value, ParameterValue)
        request = SetParameters.Request(parameters=[parameter])
        future = self.request(SetParameters, f"/{node}/set_parameters", request)
        while meanwhile is not None and not future.done():
            meanwhile()
        self.until(future.done, "the parameter service")
        result = future.result().results[0]
        return result.successful, result.reason

    def request(self, service_type: Any, service: str, request: Any) -> Future:
        """Call a service; return its future."""
        client = self.node.create_client(service_type, service)
        assert client.wait_for_service(PATIENCE_S)
        return client.call_async(request)

    def call(self, service: str) -> Trigger.Response:
        """Call a Trigger service; return its response."""
        future = self.request(Trigger, service, Trigger.Request())
        self.until(future.done, service)
        return future.result()

    def _spin(self) -> None:
        while self._context.ok():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except rclpy.executors.ExternalShutdownException:
                return
            with self.changed:
                self.changed.notify_all()

    def _on_command(self, message: Twist) -> None:
        with self.changed:
            self.commands.append((message.linear.x, message.angular.z))

    def _on_frame(self, message: JointState) -> None:
        with self.changed:
            self.records.append(frame_record(message))

    def _on_status(self, message: DiagnosticArray) -> None:
        with self.changed:
            (status,) = message.status
            self.statuses.append((seconds(message.header.stamp), values_of(status)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self.changed:
            for status in message.status:
                self.diagnostics.append(
                    (status.name, status.level, status.message, values_of(status))
                )


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """Return the values of a status, key -> text."""
    return {pair.key: pair.value for pair in status.values}


def grey_image(grey: int, width: int = 640, height: int = 480) -> Image:
    """Return an rgb8 image of one grey level."""
    message = Image(width=width, height=height, encoding="rgb8", step=3 * width)
    message.data = array.array("B", bytes([grey]) * (3 * width * height))
    return message
