"""A person's commands, which the brain gives to the car instead of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from geometry_msgs.msg import Twist
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from pilotnet_brain.driving.command import STOP, Command
from pilotnet_brain.driving.takeover import RELEASES, TELEOP_TOPICS, Takeover
from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.parameters import declare

_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Teleoperation:
    """Decides between the brain's commands and a person's, and says when that changes.

    Args:
        node: whose parameters it declares.

    Raises:
        UserError: teleop_release is none of the choices.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        topics = " and ".join(TELEOP_TOPICS)
        self._on: bool = declare(
            node, "teleop", False, f"Let a person take over: give the car the commands on {topics}"
        )
        self._release: str = declare(
            node, "teleop_release", "brain",
            f"Who drives once the person lets go, and before: {' or '.join(RELEASES)}",
            settable=True,
        )  # fmt: skip
        if problem := _release_problem(self._release):
            raise UserError(f"parameter {problem}")
        self._takeover = Takeover()
        self._told: str | None = None

    def start(self, group: CallbackGroup, give: Callable[[Command], object]) -> None:
        """Listen to a person, if the parameter teleop says so.

        Args:
            group: of the frames' callbacks: no two commands are given at once.
            give: called with each command of the person who drives.
        """
        if not self._on:
            return
        for topic in TELEOP_TOPICS:
            heard = partial(self._on_twist, topic, give)
            self._node.create_subscription(Twist, topic, heard, _NEWEST, callback_group=group)

    def set_release(self, value: str) -> str:
        """Take a new value of teleop_release; return why not, the empty text if it is taken."""
        problem = _release_problem(value)
        if not problem:
            self._release = value
        return problem

    @property
    def driver(self) -> str | None:
        """The topic of the person who drives; None: nobody has taken over."""
        return self._takeover.driver(time.monotonic())

    def instead_of(self, command: Command) -> Command:
        """Return what the car gets where the brain has a command: that, or a person's again.

        A simulator that holds the physics for the answer to a frame gets one in any case.
        """
        now_s = time.monotonic()
        self._tell(self._takeover.driver(now_s))
        asked = self._takeover.command(now_s)
        if asked is not None:
            return asked
        return STOP if self._on and self._release == "stop" else command

    def _on_twist(self, topic: str, give: Callable[[Command], object], message: Twist) -> None:
        command = Command(message.linear.x, message.angular.z)
        if self._takeover.hear(topic, command, time.monotonic()):
            self._tell(topic)
            give(command)

    def _tell(self, driver: str | None) -> None:
        if driver == self._told:
            return
        self._told = driver
        released = "the car stands" if self._release == "stop" else "the brain drives"
        text = f"{driver} has taken over" if driver else f"handed back: {released}"
        self._node.get_logger().info(text)


def _release_problem(release: str) -> str:
    """Return what is wrong with a value of teleop_release; the empty text: nothing."""
    if release in RELEASES:
        return ""
    return f"teleop_release is {release!r}: use one of {', '.join(RELEASES)}"
