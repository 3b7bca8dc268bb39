"""Connects a Gazebo Sim without ros_gz_bridge, over Gazebo's own transport, with a run's topics.

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
  ~/reset             std_srvs/Trigger        the car where it was found; the clock goes on
Example
  ros2 run pilotnet_brain gz_bridge --ros-args -p partition:=mine \\
      -r camera/image_raw:=/F1ROS/cameraL/image_raw -r cmd_vel:=/F1ROS/cmd_vel -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pilotnet_brain.nodes.ros.bridge import BridgeNode, Car, Client, spin_bridge
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.gz.client import GzClient
from pilotnet_brain.simulation.gazebo.gz.live_car import GzCar, GzTopics
from pilotnet_brain.simulation.gazebo.sim import CMD_VEL, IMAGE, ODOMETRY


class GzBridgeNode(BridgeNode):
    """The bridge to a Gazebo Sim."""

    hint = "start gz sim, or name its partition (GZ_PARTITION) and its interface (GZ_IP)"
    no_frame_hint = (
        "gz sim needs the Sensors system in the world, and OpenGL (--headless-rendering without a "
        "display)"
    )

    def __init__(self) -> None:
        super().__init__("gz_bridge")
        self._partition: str = declare(
            self, "partition", "", "Gazebo's partition; empty is GZ_PARTITION, or Gazebo's default"
        )
        self._topics = GzTopics(
            image=declare(self, "image", IMAGE, "Gazebo's topic of the car's camera"),
            cmd_vel=declare(self, "cmd_vel", CMD_VEL, "Gazebo's topic of the car's commands"),
            odometry=declare(self, "odometry", ODOMETRY, "Gazebo's topic of the car's odometry"),
        )

    def open(self) -> tuple[Client, Car]:
        """Connect to the Gazebo, and find the car; raises as `BridgeNode.open`."""
        client = GzClient(self._partition)
        try:
            car = GzCar(
                client, self._car_name, self._topics, self._on_time, self._on_state, self._on_frame
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
