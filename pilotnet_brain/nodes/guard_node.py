"""Stops the car when its brain falls silent, and ends the run when one of its nodes does.

A brain that is killed or frozen leaves a simulated car driving with its last command. The guard
publishes a zero command then, within 0.5 s; it never does while the brain is heard.

Subscribes to
  brain/alive   std_msgs/Bool        20 Hz of real time: whether the brain drives
  cmd_vel       geometry_msgs/Twist  the commands in force
  /diagnostics  diagnostic_msgs/DiagnosticArray  from every node of the run, 1 Hz
Publishes
  cmd_vel       geometry_msgs/Twist  zero, for half a second
  /diagnostics  diagnostic_msgs/DiagnosticArray  1 Hz
Example
  ros2 run pilotnet_brain guard --ros-args -r cmd_vel:=/F1ROS/cmd_vel
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

from pilotnet_brain.driving.guard import CommandGuard, NodeWatch, silence_at
from pilotnet_brain.errors import FAILED as RUN_FAILED
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.graph import GUARD
from pilotnet_brain.nodes.ros.offers import environment_text
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.runs.events import FAILED, record_event

_CHECK_S = 0.05
_JOINS_AFTER_S = 5.0
"""A brain that starts takes a publisher whose node is not discovered yet for one that drives."""
_STOPS_WITHIN_S = 0.3
_ENDS_WITHIN_S = 60.0
"""A node that ends is given so long: the metrics node draws, on a machine that may be slow."""
_BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Takes what any publisher offers."""


class GuardNode(Node):
    """Watches in real time: it has no /clock, so that it costs next to nothing."""

    def __init__(self) -> None:
        super().__init__(GUARD)
        self.exit_status: int | None = None
        self._declare_parameters()
        self._guard = CommandGuard(silence_at(self._rtf))
        names = tuple(diagnostics.source(self, name) for name in filter(None, self._watch))
        self._nodes_heard = NodeWatch(names, self._start_up)
        self._stops = 0
        self._stopping = False
        self._alive_since_s: float | None = None
        self._commands: Any = None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(Bool, "brain/alive", self._on_alive, _BEST_EFFORT)
        self.create_subscription(Twist, "cmd_vel", self._on_command, _BEST_EFFORT)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_CHECK_S, self._on_check, clock=steady)
        self.create_timer(1.0, self._on_second, clock=steady)

    def _declare_parameters(self) -> None:
        self._rtf: float = declare(
            self, "rtf", 1.0, "Simulated seconds per real second", between=(0.01, 100.0)
        )
        self._watch: list[str] = declare(
            self, "watch", [""], "Nodes whose silence for 10 s ends the guard, and with it the run"
        )
        self._start_up: float = declare(
            self, "start_up", 120.0, "Seconds within which each of them says something"
        )

    def on_stop(self, reason: str) -> None:
        """Stop a car that the brain left driving: the run ends when the brain is killed."""
        until = time.monotonic() + _STOPS_WITHIN_S
        while self._guard.car_moves and time.monotonic() < until:
            self._stop_car()
            if self._commands.get_subscription_count():
                self._commands.wait_for_all_acked(Duration(seconds=_STOPS_WITHIN_S))
                break
            time.sleep(_CHECK_S)

    def _stop_car(self) -> None:
        if self._commands is None:
            self._commands = self.create_publisher(Twist, "cmd_vel", 10)
        self._commands.publish(Twist())

    def _on_alive(self, message: Bool) -> None:
        now = time.monotonic()
        self._guard.on_alive(now, message.data)
        if self._alive_since_s is None:
            self._alive_since_s = now
        if self._commands is None and now - self._alive_since_s > _JOINS_AFTER_S:
            self._commands = self.create_publisher(Twist, "cmd_vel", 10)

    def _on_command(self, message: Twist) -> None:
        self._guard.on_command(time.monotonic(), message.linear.x, message.angular.z)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            busy_s = _ENDS_WITHIN_S if status.message == diagnostics.ENDING else 0.0
            self._nodes_heard.on_node(status.name.partition(":")[0], now, busy_s)

    def _on_check(self) -> None:
        now = time.monotonic()
        stop = self._guard.must_stop(now)
        if stop:
            self._stop_car()
            if not self._stopping:
                self._stops += 1
                self.get_logger().error("the brain fell silent: car stopped")
        self._stopping = stop
        silent = self._nodes_heard.silent(now)
        if silent is not None and self.exit_status is None:
            reason = f"the {silent} node does not answer"
            if not self._nodes_heard.anyone:
                reason = f"no node of the run is heard ({environment_text()})"
            record_event(None, self.get_name(), FAILED, reason)
            self.exit_status = RUN_FAILED

    def _on_second(self) -> None:
        level = diagnostics.ERROR if self._stopping else diagnostics.OK
        text = "car stopped: the brain fell silent" if self._stopping else "watching"
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                f"{diagnostics.source(self)}: car",
                level,
                text,
                {"stops": self._stops},
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(GuardNode, __doc__, args)
    return run(GuardNode, args)


if __name__ == "__main__":
    sys.exit(main())
