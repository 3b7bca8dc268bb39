"""The expert in a person's place: drives by the true pose, or takes over where the brain is lost.

Subscribes to
  odom          nav_msgs/Odometry    true pose in the world frame
Publishes, while it drives
  expert_vel    geometry_msgs/Twist  for each pose; the brain takes it with teleop:=true
  /diagnostics  diagnostic_msgs/DiagnosticArray  1 Hz
Example
  ros2 run pilotnet_brain expert --ros-args -p circuit:=montreal -p takeover_deviation:=0.5 \\
      -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from pilotnet_brain.bags.messages import seconds
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.offers import OfferedSubscription
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.pose_messages import pose_of_odometry
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.teleop.expert_driver import ExpertDriver

_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class ExpertNode(Node):
    """Answers each pose with the expert's command, and with nothing while the brain does well.

    Raises:
        UserError: unknown circuit.
    """

    def __init__(self) -> None:
        super().__init__("expert")
        self.exit_status: int | None = None
        self._declare_parameters()
        circuit = load_circuit(self._circuit)
        self._driver = ExpertDriver(circuit, self._takeover_deviation, self._seed)
        self._drives = False
        self._commands = self.create_publisher(Twist, "expert_vel", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._odom = OfferedSubscription(self, "odom", {Odometry: self._on_odom}, _NEWEST)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=steady)

    def _declare_parameters(self) -> None:
        self._circuit: str = declare(self, "circuit", "simple_circuit", "Circuit: name or path")
        self._takeover_deviation: float = declare(
            self,
            "takeover_deviation",
            0.0,
            "Distance from the line, m, beyond which it takes over until the car is back; 0: it "
            "drives all the way, and is pushed off the line now and then",
            between=(0.0, 100.0),
        )
        self._seed: int = declare(
            self, "seed", 0, "Of the pushes off the line", between=(0, 2**31 - 1)
        )

    def on_stop(self, reason: str) -> None:
        """Nothing is left to do: the brain stops the car."""

    def _on_odom(self, message: Odometry) -> None:
        pose = pose_of_odometry(message)
        now_s = seconds(message.header.stamp)
        command = self._driver.command(now_s, pose.x, pose.y, pose.yaw)
        self._drives = command is not None
        if command is None:
            return
        twist = Twist()
        twist.linear.x, twist.angular.z = command
        self._commands.publish(twist)

    def _on_second(self) -> None:
        problem = self._odom.follow()
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                f"{diagnostics.source(self)}: expert",
                diagnostics.WARN if problem else diagnostics.OK,
                problem or ("driving" if self._drives else "the brain drives"),
                {},
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(ExpertNode, __doc__, args)
    return run(ExpertNode, args)


if __name__ == "__main__":
    sys.exit(main())
