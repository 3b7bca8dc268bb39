"""Connects a Gazebo Sim without ros_gz_bridge, over Gazebo's own transport, with a run's topics.

Camera, commands and odometry have the same names in Gazebo, those that the topics resolve to here.

Publishes
  camera/image_raw    sensor_msgs/Image       640x480 rgb8, as the car's camera renders them
  camera/camera_info  sensor_msgs/CameraInfo  with each image
  odom                nav_msgs/Odometry       true pose in the world frame, up to 50 Hz
  /clock              rosgraph_msgs/Clock     up to 200 Hz
  /tf, /tf_static     tf2_msgs/TFMessage      where tf2_msgs is installed
  /diagnostics        diagnostic_msgs/DiagnosticArray  1 Hz
Subscribes to
  cmd_vel             geometry_msgs/Twist     linear.x m/s, angular.z rad/s; in force until the next
Services
  ~/reset             std_srvs/Trigger        the car at its start; the clock goes on
Example
  ros2 run pilotnet_brain gz_bridge --ros-args -p partition:=mine \\
      -r camera/image_raw:=/F1ROS/cameraL/image_raw -r cmd_vel:=/F1ROS/cmd_vel -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.nodes.ros.bridge import BridgeNode, Car, Client, spin_bridge
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.gz.client import GzClient
from pilotnet_brain.simulation.gazebo.gz.live_car import GzCar, GzTopics

_TOPICS = ("camera/image_raw", "cmd_vel", "odom")


class GzBridgeNode(BridgeNode):
    """The bridge to a Gazebo Sim."""

    hint = "start gz sim, or name its partition (GZ_PARTITION) and its interface (GZ_IP)"
    no_frame_hint = (
        "gz sim needs the Sensors system in the world, and OpenGL (--headless-rendering without a "
        "display)"
    )

    def __init__(self) -> None:
        super().__init__("gz_bridge")
        self._start = None
        if self._circuit:
            self._start = load_circuit(self._circuit).start_pose(self._start_m)
        self._file = Path(self._car_file).absolute() if self._car_file else None
        self._topics = GzTopics(*map(self.resolve_topic_name, _TOPICS))

    def _declare_parameters(self) -> None:
        BridgeNode._declare_parameters(self)  # by name: --help calls it without a node
        self._partition: str = declare(
            self, "partition", "", "Gazebo's partition; empty is GZ_PARTITION, or Gazebo's default"
        )
        self._circuit: str = declare(
            self, "circuit", "", "Circuit on whose line the car is put; empty leaves it in place"
        )
        self._start_m: float = declare(
            self, "start_arc_length", 0.0, "Where on the line, m from the start line"
        )
        self._car_file: str = declare(
            self, "car_file", "", "SDF or URDF of the car, put into a world that has none"
        )

    def open(self) -> tuple[Client, Car]:
        """Connect to the Gazebo, and find the car; raises as `BridgeNode.open`."""
        client = GzClient(self._partition)
        try:
            car = GzCar(
                client,
                self._car_name,
                self._topics,
                self._on_time,
                self._on_state,
                self._on_frame,
                self._start,
                self._file,
            )
        except GazeboUnreachable:
            client.close()
            raise
        return client, car


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(GzBridgeNode, __doc__, args)
    return run(GzBridgeNode, args, spin_bridge, dds_profile=IMAGE_PUBLISHER)


if __name__ == "__main__":
    sys.exit(main())
