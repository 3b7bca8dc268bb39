"""A person's keyboard or joystick: takes over from the brain, and hands back when let go.

keyboard (of the terminal that it runs in)
  w a s d or arrow keys   faster, left, slower, right: any of them takes over
  space                   stop and stay, until another key
  Enter                   hand back; so does a second without a key
joy (Linux's joystick device)
  hold_button held takes over, speed_axis accelerates and brakes, steering_axis steers

Publishes, while the person drives
  key_vel, joy_vel  geometry_msgs/Twist  20 Hz of real time; the brain takes them with teleop:=true
  /diagnostics      diagnostic_msgs/DiagnosticArray  1 Hz
Subscribes to
  cmd_vel           geometry_msgs/Twist  the speed at which a takeover begins
Example
  ros2 run pilotnet_brain teleop --ros-args -p device:=keyboard -r cmd_vel:=/F1ROS/cmd_vel
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from pilotnet_brain.driving.command import Command
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.teleop.joystick import Joystick
from pilotnet_brain.teleop.person import (
    KEYBOARD_HELP,
    JoystickDriver,
    KeyboardDriver,
    Limits,
    keys_in,
)
from pilotnet_brain.teleop.terminal_keys import TerminalKeys

DEVICES = ("keyboard", "joy")
_PERIOD_S = 0.05
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class TeleopNode(Node):
    """Publishes what the person at the device asks for, and nothing while they ask for nothing.

    Raises:
        UserError: no terminal whose keys this process gets, or no such joystick.
    """

    def __init__(self) -> None:
        super().__init__("teleop")
        self.exit_status: int | None = None
        self._declare_parameters()
        self._speed = 0.0
        limits = Limits(self._top_speed, self._top_curvature)
        self._keyboard = KeyboardDriver(limits)
        self._sticks = JoystickDriver(
            limits, self._hold_button, self._speed_axis, self._steering_axis
        )
        self._keys: TerminalKeys | None = None
        self._joystick: Joystick | None = None
        if self._device == "keyboard":
            self._keys = TerminalKeys()
            print(KEYBOARD_HELP, file=sys.stderr, flush=True)
        else:
            self._joystick = Joystick(self._joystick_path)
        topic = "key_vel" if self._device == "keyboard" else "joy_vel"
        self._commands = self.create_publisher(Twist, topic, 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(Twist, "cmd_vel", self._on_command, _NEWEST)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_PERIOD_S, self._on_timer, clock=steady)
        self.create_timer(1.0, self._on_second, clock=steady)

    def _declare_parameters(self) -> None:
        self._device: str = declare(
            self, "device", "keyboard", "What the person drives with", choices=DEVICES
        )
        self._top_speed: float = declare(
            self, "top_speed", 14.0, "The person's largest speed, m/s", between=(0.1, 100.0)
        )
        self._top_curvature: float = declare(
            self, "top_curvature", 0.15, "Of the person's path, 1/m", between=(0.001, 10.0)
        )
        self._joystick_path: str = declare(
            self, "joystick", "", "The joystick's device; empty: the first of /dev/input/js*"
        )
        self._hold_button: int = declare(
            self, "hold_button", 5, "Button that is held to drive", between=(0, 255)
        )
        self._speed_axis: int = declare(
            self, "speed_axis", 1, "Axis that accelerates upward", between=(0, 255)
        )
        self._steering_axis: int = declare(
            self, "steering_axis", 3, "Axis that steers", between=(0, 255)
        )

    def on_stop(self, reason: str) -> None:
        """Give the terminal back."""

    def destroy_node(self) -> None:
        """Give the terminal or the joystick back, too."""
        for device in (self._keys, self._joystick):
            if device is not None:
                device.close()
        super().destroy_node()

    def _on_command(self, message: Twist) -> None:
        self._speed = message.linear.x

    def _on_timer(self) -> None:
        command = self._command(time.monotonic())
        if command is None:
            return
        message = Twist()
        message.linear.x, message.angular.z = command
        self._commands.publish(message)

    def _command(self, now_s: float) -> Command | None:
        if self._keys is not None:
            for key in keys_in(self._keys.read()):
                self._keyboard.press(key, now_s, self._speed)
            return self._keyboard.command(now_s)
        assert self._joystick is not None
        received = self._joystick.read()
        if received is None:
            self._sticks.let_go()
        else:
            self._sticks.take(received)
        return self._sticks.command(now_s, self._speed)

    def _on_second(self) -> None:
        device: Any = self._keys or self._joystick
        problem = device.problem
        if problem:
            self.get_logger().error(problem, once=True)
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                f"{diagnostics.source(self)}: {self._device}",
                diagnostics.ERROR if problem else diagnostics.OK,
                problem or "listening",
                {},
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(TeleopNode, __doc__, args)
    return run(TeleopNode, args)


if __name__ == "__main__":
    sys.exit(main())
