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
import time
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Twist
from rclpy.executors import Executor
from rclpy.node import Node
from std_srvs.srv import Trigger

from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.graph import SimulatorTopics, Spin, wait_for_command, wait_for_nodes
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import RunningNode, run
from pilotnet_brain.nodes.ros.simulator_output import NEWEST, SimulatorOutput, finite_command
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, profile_warning
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation.car import TIME_STEP_S, CarState
from pilotnet_brain.simulation.gazebo.car import CAR_NAME
from pilotnet_brain.simulation.gazebo.transport.client import (
    GazeboClient,
    GazeboUnreachable,
)
from pilotnet_brain.simulation.gazebo.transport.connection import master_address
from pilotnet_brain.simulation.gazebo.transport.live_car import LiveCar
from pilotnet_brain.simulation.gazebo.transport.messages import CameraFrame
from pilotnet_brain.simulation.pacing import Pacer

_CLOCK_HZ, _ODOM_HZ = 200.0, 50.0
_SPIN_S = 0.005
_RETRY_S = 0.2
_FIRST_FRAME_LIMIT_S = 20.0
_STEPS_TO_A_FRAME = 20


class GazeboBridgeNode(Node):
    """Publishes a Gazebo's clock, pose and camera on ROS topics, and sends it the commands.

    Raises:
        UserError: no Gazebo answers, the car is not in its world, another simulator in the domain.
    """

    def __init__(self) -> None:
        super().__init__("gazebo_bridge")
        self.exit_status: int | None = None
        self._declare_parameters()
        self._host, self._port = master_address(self._master or None)
        self._client: GazeboClient | None = None
        self._car: LiveCar | None = None
        self._pacer = Pacer(self._rtf)
        self._output = SimulatorOutput(self, self._rtf)
        self._last: CarState | None = None
        self._has_frame = self._has_command = self._started = False
        self._command = (0.0, 0.0)
        self._commands = self.create_subscription(Twist, "cmd_vel", self._on_command, NEWEST)
        self.create_service(Trigger, "~/reset", self._on_reset)
        if warning := profile_warning():
            self.get_logger().warning(warning)

    def _declare_parameters(self) -> None:
        self._car_name: str = declare(self, "car", CAR_NAME, "The car's model name in the world")
        self._master: str = declare(
            self,
            "master",
            "",
            "Gazebo's http://HOST:PORT; empty is GAZEBO_MASTER_URI, or port 11345",
        )
        self._patience_s: float = declare(
            self,
            "patience",
            30.0,
            "Seconds to wait for a Gazebo that does not answer, at the start and when it is gone",
            between=(0.0, 1e6),
        )
        self._rtf: float = declare(
            self, "rtf", 1.0, "Simulated seconds per real second to aim at", between=(0.01, 100.0)
        )
        self._wait_for: list[str] = declare(
            self,
            "wait_for",
            [""],
            "Nodes that must be connected before the world is reset and its clock starts: brain, "
            "and names of nodes that take the odometry; [''] waits for none and resets nothing",
        )

    def run_bridge(self, executor: Executor, stop: StopSignal) -> None:
        """Serve the Gazebo, and one that is started after it, until asked to end."""
        while stop.number is None:
            self._connect(executor, stop)
            try:
                self._serve(executor, stop)
            except GazeboUnreachable as problem:
                self.get_logger().warning(f"{problem}: waiting for it to come back")
            finally:
                self._disconnect()

    def destroy_node(self) -> None:
        """Close the connection and free the node."""
        self._disconnect()
        super().destroy_node()

    def on_stop(self, reason: str) -> None:
        """Log how many frames were published; there is nothing to save."""
        self.get_logger().info(f"{reason}: stopped after {self._output.frames} frames")

    def _connect(self, executor: Executor, stop: StopSignal) -> None:
        """Return once a Gazebo answers that has the car.

        Raises:
            UserError: none did in time, or it has no such car.
            GazeboUnreachable: one did before, and is gone for too long.
        """
        until = time.monotonic() + self._patience_s
        while stop.number is None:
            try:
                self._client = GazeboClient(self._host, self._port)
                self._car = LiveCar(self._client, self._car_name, self._on_state, self._on_frame)
                self._car.aim_at(self._rtf)
                self.get_logger().info(
                    f"{self._client.version} at {self._client.address}, world {self._client.world}"
                )
                return
            except GazeboUnreachable as problem:
                self._disconnect()
                if time.monotonic() > until and self._started:
                    raise GazeboUnreachable(f"{problem} for {self._patience_s:g} s") from problem
                if time.monotonic() > until:
                    raise UserError(
                        f"{problem}; start gzserver, or name its address in GAZEBO_MASTER_URI"
                    ) from problem
                executor.spin_once(timeout_sec=_RETRY_S)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._car = None

    def _serve(self, executor: Executor, stop: StopSignal) -> None:
        client, car = self._client, self._car
        if client is None or car is None:  # asked to end while connecting
            return

        def spin(wait_s: float) -> None:
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0.0:
                client.poll(min(left, _SPIN_S))
                executor.spin_once(timeout_sec=0.0)

        if any(self._wait_for) and not self._started:
            self._wait_for_nodes(car, spin, stop)
        self._started = True
        next_diagnostics = time.monotonic() + 1.0
        while stop.number is None:
            spin(_SPIN_S)
            if time.monotonic() >= next_diagnostics:
                next_diagnostics += 1.0
                self._output.diagnose(
                    car.state.time_s,
                    self._pacer.real_time_factor,
                    gazebo=client.address,
                    world=client.world,
                    broken_messages=client.broken,
                )
        # The brain is ending too: in a Gazebo that keeps running the car must not drive on.
        car.command(0.0, 0.0)
        client.poll(_SPIN_S)

    def _wait_for_nodes(self, car: LiveCar, spin: Spin, stop: StopSignal) -> None:
        """Pause the world until the run's nodes are connected, then start it at time 0."""
        car.pause(True)
        topics = SimulatorTopics(
            self._output.image_topic, self._commands.topic_name, self._output.odom_topic
        )
        wait_for_nodes(self, self._wait_for, topics, spin, stop)
        if "brain" in self._wait_for:
            self._await_frame(car, spin, stop)
            wait_for_command(self, self._output.frame, lambda: self._has_command, spin, stop)
        car.reset()
        while stop.number is None and car.state.time_s > 0.5 * TIME_STEP_S:
            spin(_SPIN_S)
        car.command(*self._command)
        car.pause(False)

    def _await_frame(self, car: LiveCar, spin: Spin, stop: StopSignal) -> None:
        """Step the paused world until the camera has rendered the view from the start."""
        until = time.monotonic() + _FIRST_FRAME_LIMIT_S
        while stop.number is None and not self._has_frame:
            car.step(_STEPS_TO_A_FRAME)
            spin(_RETRY_S)
            if time.monotonic() > until:
                raise UserError(
                    f"{self._car_name}'s camera renders nothing: gzserver needs a display "
                    "(DISPLAY, or xvfb-run gzserver ...) and OpenGL"
                )

    def _on_state(self, state: CarState) -> None:
        if not self._started:
            return
        last, self._last = self._last, state
        if last is None or state.time_s < last.time_s:
            self._pacer.restart()
        self._pacer.measure(state.time_s)
        if _ticked(last, state, _CLOCK_HZ):
            self._output.clock(state.time_s)
        if _ticked(last, state, _ODOM_HZ):
            self._output.state(state)

    def _on_frame(self, frame: CameraFrame) -> None:
        if frame.pixels.shape != self._output.pixels.shape:
            height, width, _ = frame.pixels.shape
            raise UserError(
                f"{self._car_name}'s camera gives {width}x{height} pixels: the car's has "
                f"{self._output.pixels.shape[1]}x{self._output.pixels.shape[0]}"
            )
        np.copyto(self._output.pixels, frame.pixels)
        self._has_frame = True
        if self._started:
            self._output.frame(frame.time_s)

    def _on_command(self, message: Twist) -> None:
        self._has_command = True
        self._command = finite_command(self, message)
        if self._car is not None and self._started:
            self._car.command(*self._command)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._car is None:
            response.success, response.message = False, "no Gazebo answers"
            return response
        self._car.reset()
        response.success, response.message = True, "world as at its start, clock at 0"
        return response


def _ticked(before: CarState | None, after: CarState, hz: float) -> bool:
    """Return whether a clock of this rate ticked between two states; a reset is a tick."""
    if before is None or after.time_s < before.time_s:
        return True
    return round(before.time_s * 1e9) * hz // 1e9 != round(after.time_s * 1e9) * hz // 1e9


def _spin(node: RunningNode, executor: Executor, stop: StopSignal) -> None:
    assert isinstance(node, GazeboBridgeNode)
    node.run_bridge(executor, stop)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(GazeboBridgeNode, __doc__, args)
    return run(GazeboBridgeNode, args, _spin, dds_profile=IMAGE_PUBLISHER)


if __name__ == "__main__":
    sys.exit(main())
