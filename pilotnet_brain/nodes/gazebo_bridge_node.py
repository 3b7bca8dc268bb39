"""Connects a Gazebo Classic without gazebo_ros, over Gazebo's own transport, with a run's topics.

Publishes
  camera/image_raw    sensor_msgs/Image       640x480 rgb8, as the car's camera renders them
  camera/camera_info  sensor_msgs/CameraInfo  with each image
  odom                nav_msgs/Odometry       true pose in the world frame, 50 Hz
  /clock              rosgraph_msgs/Clock     up to 200 Hz
  /tf, /tf_static     tf2_msgs/TFMessage      where tf2_msgs is installed
  /diagnostics        diagnostic_msgs/DiagnosticArray  1 Hz
Subscribes to
  cmd_vel             geometry_msgs/Twist     linear.x m/s, angular.z rad/s; in force until the next
Services
  ~/reset             std_srvs/Trigger        the world as it was at its start, clock at 0
Example
  ros2 run pilotnet_brain gazebo_bridge --ros-args -p master:=http://localhost:11345 \\
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
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.connection import master_address
from pilotnet_brain.simulation.gazebo.transport.live_car import LiveCar


class GazeboBridgeNode(BridgeNode):
    """The bridge to a Gazebo Classic."""

    hint = "start gzserver, or name its address in GAZEBO_MASTER_URI"
    no_frame_hint = "gzserver needs a display (DISPLAY, or xvfb-run gzserver ...) and OpenGL"

    def __init__(self) -> None:
        super().__init__("gazebo_bridge")
        self._host, self._port = master_address(self._master or None)

    def _declare_parameters(self) -> None:
        BridgeNode._declare_parameters(self)  # by name: --help calls it without a node
        self._master: str = declare(
            self,
            "master",
            "",
            "Gazebo's http://HOST:PORT; empty is GAZEBO_MASTER_URI, or port 11345",
        )

    def open(self) -> tuple[Client, Car]:
        """Connect to the Gazebo, and find the car; raises as `BridgeNode.open`."""
        client = GazeboClient(self._host, self._port)
        try:
            car = LiveCar(client, self._car_name, self._on_time, self._on_state, self._on_frame)
        except GazeboUnreachable:
            client.close()
            raise
        return client, car


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(GazeboBridgeNode, __doc__, args)
    return run(GazeboBridgeNode, args, spin_bridge, dds_profile=IMAGE_PUBLISHER)


if __name__ == "__main__":
    sys.exit(main())
