"""Records a run's topics as a rosbag2 directory (MCAP) that is complete at every moment.

Subscribes to
  odom, cmd_vel, /clock, camera/camera_info, brain/frames, brain/status, /diagnostics
  camera/image_raw  where the parameter camera says so: 18 MB/s at 20 Hz
  joy_vel, key_vel, expert_vel  where the parameter teleop says so: a person's commands
Publishes
  /diagnostics      diagnostic_msgs/DiagnosticArray  1 Hz
Example
  ros2 run pilotnet_brain recorder --ros-args -p bag:=bags/monday -p camera:=true \\
      -r camera/image_raw:=/F1ROS/cameraL/image_raw -r cmd_vel:=/F1ROS/cmd_vel -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from pilotnet_brain.bags.writer import BagWriter, OfferedQos
from pilotnet_brain.driving.takeover import TELEOP_TOPICS
from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS
from pilotnet_brain.nodes.ros.offers import OfferedSubscription, type_name
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import run

_ALL = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
_BEST_EFFORT = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
_FRAMES = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
_TOPICS: dict[str, tuple[tuple[Any, ...], QoSProfile]] = {
    "cmd_vel": ((Twist,), _ALL),
    "/clock": ((Clock,), _BEST_EFFORT),
    "brain/frames": ((JointState,), FRAMES_QOS),
    "brain/status": ((DiagnosticArray,), STATUS_QOS),
    "/diagnostics": ((DiagnosticArray,), _ALL),
    "camera/camera_info": ((CameraInfo,), _BEST_EFFORT),
    # The last one: a simulator that waits for the recorder looks for it.
    "odom": ((Odometry,), _ALL),
}
_CAMERA = {"camera/image_raw": ((Image, CompressedImage), _FRAMES)}
_TELEOP = dict.fromkeys(TELEOP_TOPICS, ((Twist,), _BEST_EFFORT))


class RecorderNode(Node):
    """Subscribes to serialized messages and hands them to the bag.

    Raises:
        UserError: no bag directory given, or it exists or cannot be written.
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        self.exit_status: int | None = None
        self._declare_parameters()
        if not self._directory:
            raise UserError("recorder: the parameter bag (a directory to make) is missing")
        topics = {
            **(_CAMERA if self._camera else {}), **(_TELEOP if self._teleop else {}), **_TOPICS
        }  # fmt: skip
        resolved = {topic: self.resolve_topic_name(topic) for topic in topics}
        self._bag = BagWriter(
            Path(self._directory),
            {resolved[topic]: type_name(kinds[0]) for topic, (kinds, _) in topics.items()},
            {resolved[topic]: [OfferedQos()] for topic in topics},
        )
        self._problem = ""
        self._recorded: list[OfferedSubscription] = []
        for topic, (kinds, qos) in topics.items():
            record = {kind: self._record(resolved[topic], type_name(kind)) for kind in kinds}
            self._recorded.append(OfferedSubscription(self, topic, record, qos, raw=True))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = RosClock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=steady)

    def _declare_parameters(self) -> None:
        self._directory: str = declare(self, "bag", "", "Directory of the bag; must not exist yet")
        self._camera: bool = declare(self, "camera", False, "Record the camera frames too")
        self._teleop: bool = declare(self, "teleop", False, "Record a person's commands too")

    def on_stop(self, reason: str) -> None:
        """Complete the bag."""
        self._on_disk(self._bag.close)
        if not self._problem:
            count = self._bag.message_count
            self.get_logger().info(f"{reason}: bag of {count} messages is complete")

    def _record(self, topic: str, kind: str) -> Callable[[bytes], None]:
        """Return the callback of a topic: at its first message the offered QoS is looked up."""
        seen = False

        def on_message(serialized: bytes) -> None:
            nonlocal seen
            now = time.time_ns()
            if not seen:
                seen = True
                offered = self._offered(topic) or [OfferedQos()]
                self._on_disk(lambda: self._bag.offer(topic, kind, offered))
            self._on_disk(lambda: self._bag.write(topic, serialized, now))

        return on_message

    def _on_disk(self, write: Callable[[], object]) -> None:
        """Write something, unless writing failed before: a full disk ends the recording, not the
        run."""
        if self._problem:
            return
        try:
            write()
        except OSError as problem:
            self._problem = f"recording ended: {problem.strerror}"
            self.get_logger().error(self._problem)

    def _offered(self, topic: str) -> list[OfferedQos]:
        return [
            OfferedQos(
                history=1,
                depth=max(1, info.qos_profile.depth),
                reliability=int(info.qos_profile.reliability),
                durability=int(info.qos_profile.durability),
            )
            for info in self.get_publishers_info_by_topic(topic)
        ]

    def _on_second(self) -> None:
        for subscription in self._recorded:
            subscription.follow()
        self._on_disk(self._bag.write_metadata)
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                self.get_clock().now().to_msg(),
                f"{diagnostics.source(self)}: bag",
                diagnostics.ERROR if self._problem else diagnostics.OK,
                self._problem or "recording",
                {"bag": self._bag.directory, "messages": self._bag.message_count},
            )
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(RecorderNode, __doc__, args)
    return run(RecorderNode, args)


if __name__ == "__main__":
    sys.exit(main())
