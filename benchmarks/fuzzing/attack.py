"""The attacker: a world that shows good frames, and hostile messages and requests in between."""

from __future__ import annotations

import contextlib
import json
import math
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from fuzzing.hostile import damaged_bytes, spoil
from fuzzing.nodes import BRAIN_COMMANDS
from pilotnet_brain.bags.messages import set_yaw
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.frame_record import NUMBERS
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS
from pilotnet_brain.nodes.ros.simulator_output import (
    camera_info_message,
    image_message,
    time_message,
)

_PATIENCE_S = 40.0
_SPEED = 8.0
_FRAME_S = 0.05
_KEPT = 20
_TOPICS: dict[str, Any] = {
    "camera/image_raw": Image,
    "camera/camera_info": CameraInfo,
    "cmd_vel": Twist,
    "odom": Odometry,
    "/clock": Clock,
    "brain/frames": JointState,
    "brain/status": DiagnosticArray,
    "brain/alive": Bool,
    "/diagnostics": DiagnosticArray,
}
_QOS = {"brain/frames": FRAMES_QOS, "brain/status": STATUS_QOS}
_PARAMETERS = {
    "set_parameters": SetParameters,
    "set_parameters_atomically": SetParametersAtomically,
    "get_parameters": GetParameters,
    "describe_parameters": DescribeParameters,
    "get_parameter_types": GetParameterTypes,
    "list_parameters": ListParameters,
}
_NAMES = ("model", "device", "threads", "use_sim_time", "bag", "watch", "laps", "", "no such", "\0")
_MODELS = ("", "\0", "no_such", "../", "/", "/dev/zero", "/proc/self/mem", "~", "x" * 5000, "\n")
_TRANSITIONS = (0, 1, 3, 8, 9, 10, 77, 255)
"""None that is allowed while the brain drives: those would rightly end its driving."""


class Attacker:
    """Publishes what drives the nodes and what should not harm them.

    Args:
        topics: of the run, by the nodes' names for them.
        line: the circuit's.
        frame: uint8 (480, 640, 3), RGB, that the model can drive on.
        nodes: names of the nodes, for their services.
        rng: draws everything that is hostile.
    """

    def __init__(
        self,
        topics: dict[str, str],
        line: Centerline,
        frame: NDArray[np.uint8],
        nodes: list[str],
        rng: random.Random,
    ) -> None:
        self.node = Node("fuzz")
        self.sent = 0
        self.calls = 0
        self.commands = 0
        self.wild_commands: list[tuple[float, float]] = []
        self._last: deque[tuple[str, Any]] = deque(maxlen=_KEPT)
        self._line, self._rng, self._nodes = line, rng, nodes
        self._time_s = 1.0
        self._info = camera_info_message()
        self._image, pixels = image_message()
        pixels[...] = frame
        self._jpeg = cv2.imencode(".jpg", frame)[1].tobytes()
        self._moves = 0
        self._answers: list[Any] = []
        self._clients: dict[str, Any] = {}
        self.node.create_subscription(Twist, BRAIN_COMMANDS, self._on_command, 100)
        self._publishers = {
            name: self.node.create_publisher(kind, topics.get(name, name), _QOS.get(name, 10))
            for name, kind in _TOPICS.items()
        }

    def until_driving(self) -> None:
        """Show good frames until the brain drives on them.

        Raises:
            UserError: it does not.
        """
        deadline = time.monotonic() + _PATIENCE_S
        moves = self._moves
        while self._moves < moves + 10:
            if time.monotonic() > deadline:
                raise UserError(f"the brain does not drive on good frames in {_PATIENCE_S:g} s")
            self.beat()
            self._wait(_FRAME_S)

    def beat(self) -> None:
        """Publish one good tick, frame and pose."""
        self._time_s += _FRAME_S
        stamp = time_message(self._time_s)
        self._publishers["/clock"].publish(Clock(clock=stamp))
        self._image.header.stamp = self._info.header.stamp = stamp
        self._publishers["camera/camera_info"].publish(self._info)
        self._publishers["camera/image_raw"].publish(self._image)
        self._publishers["odom"].publish(self._odometry(stamp))
        self._wait(0.002)

    def attack(self) -> None:
        """Publish one hostile message, or call a service oddly."""
        if self._rng.random() < 0.04:
            self._call()
            return
        name = self._rng.choice(list(self._publishers))
        message = self._good(name)
        spoil(message, self._rng, self._rng.choice((0.03, 0.2, 0.9)))
        payload: Any = message
        if self._rng.random() < 0.35:
            payload = damaged_bytes(message, self._rng)
        self._last.append((name, payload))
        for _ in range(self._rng.choice((1, 1, 1, 2, 5))):  # duplicates
            # DDS itself refuses a few: longer than its queue takes.
            with contextlib.suppress(_rclpy.RCLError):
                self._publishers[name].publish(payload)
                self.sent += 1
        self._wait(0.002)

    def as_compressed(self, topic: str) -> None:
        """From now on the camera is one that publishes compressed images, good and hostile ones."""
        self.node.destroy_publisher(self._publishers["camera/image_raw"])
        self._publishers["camera/image_raw"] = self.node.create_publisher(
            CompressedImage, topic, 10
        )
        self._image = CompressedImage(format="rgb8; jpeg compressed bgr8", data=self._jpeg)

    def unanswered(self, patience_s: float) -> int:
        """Return how many service calls are still without an answer after some time."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and not all(a.done() for a in self._answers):
            self.beat()
            self._wait(_FRAME_S)
        return sum(not answer.done() for answer in self._answers)

    def last_sent(self) -> list[str]:
        """Return the last messages and requests, in CDR."""
        return [
            f"{name}: {str(sent if isinstance(sent, bytes) else serialize_message(sent))[:300]}"
            for name, sent in self._last
        ]

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0.0:
            rclpy.spin_once(self.node, timeout_sec=left)

    def _on_command(self, message: Twist) -> None:
        self.commands += 1
        speed, turn = message.linear.x, message.angular.z
        self._moves += speed > 0.0
        if not (math.isfinite(speed) and abs(speed) <= 40.0 and abs(turn) <= 15.0):
            self.wild_commands.append((speed, turn))

    def _good(self, name: str) -> Any:
        """Return a message of a topic as it should be, to be spoilt."""
        stamp = time_message(self._time_s)
        if name == "camera/image_raw":
            if isinstance(self._image, CompressedImage):
                image: Any = CompressedImage(format=self._image.format, data=self._jpeg)
            elif self._rng.random() < 0.5:  # small ones go on more ways
                image = Image(width=8, height=6, encoding="rgb8", step=24, data=bytes(144))
            else:
                image = image_message()[0]
            image.header.stamp = stamp
            return image
        if name == "camera/camera_info":
            message: Any = camera_info_message()
        elif name == "odom":
            return self._odometry(stamp)
        elif name == "brain/frames":
            message = JointState(name=list(NUMBERS), position=[0.0] * len(NUMBERS))
            message.position[NUMBERS.index("epoch")] = float(self._rng.choice((0, 1, 9)))
        elif name == "/clock":
            return Clock(clock=stamp)
        else:
            return _TOPICS[name]()
        message.header.stamp = stamp
        return message

    def _odometry(self, stamp: Any) -> Odometry:
        station = self._time_s * _SPEED
        message = Odometry()
        message.header.stamp = stamp
        x, y = np.asarray(self._line.position(station))
        position = message.pose.pose.position
        position.x, position.y = float(x), float(y)
        set_yaw(message.pose.pose.orientation, float(self._line.heading(station)))
        message.twist.twist.linear.x = _SPEED
        return message

    def _call(self) -> None:
        kind, service, request = self._request()
        self._last.append((service, request))
        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service)
        client = self._clients[service]
        if client.wait_for_service(1.0):
            self._answers.append(client.call_async(request))
            self.calls += 1
        self._wait(0.002)

    def _request(self) -> tuple[Any, str, Any]:
        rng = self._rng
        which = rng.random()
        if which < 0.15:
            return Trigger, f"/metrics/{rng.choice(('save', 'save', 'reset'))}", Trigger.Request()
        if which < 0.25:
            change = ChangeState.Request()
            spoil(change, rng, 0.5)
            change.transition.id = rng.choice(_TRANSITIONS)
            return ChangeState, "/brain/change_state", change
        name = rng.choice(list(_PARAMETERS))
        request = _PARAMETERS[name].Request()
        spoil(request, rng, 0.6)
        if name.startswith("set_"):
            request.parameters = [self._parameter() for _ in range(rng.choice((0, 1, 1, 3)))]
        elif hasattr(request, "names") and rng.random() < 0.7:
            request.names = [rng.choice(_NAMES)]
        return _PARAMETERS[name], f"/{rng.choice(self._nodes)}/{name}", request

    def _parameter(self) -> ParameterMessage:
        value = ParameterValue()
        spoil(value, self._rng, 0.8)
        value.type = self._rng.choice((0, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 77, 255))
        if self._rng.random() < 0.5:
            value.string_value = self._rng.choice(_MODELS)
        return ParameterMessage(name=self._rng.choice(_NAMES), value=value)


def problems_of_metrics(text: str) -> list[str]:
    """Return what is wrong with the text of a metrics.json."""

    def refuse(word: str) -> Callable[[str], float]:
        raise ValueError(f"{word} is no JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError as problem:
        return [f"metrics.json: {problem}"]
    return []
