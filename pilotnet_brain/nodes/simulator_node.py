"""The embedded simulator (MuJoCo): camera, odometry and clock out, velocity commands in.

Publishes
  camera/image_raw    sensor_msgs/Image       640x480 rgb8, 20 Hz of simulated time
  camera/camera_info  sensor_msgs/CameraInfo  with each image
  odom                nav_msgs/Odometry       true pose in the world frame, 50 Hz
  /clock              rosgraph_msgs/Clock     200 Hz
  /tf, /tf_static     tf2_msgs/TFMessage      where tf2_msgs is installed
  /diagnostics        diagnostic_msgs/DiagnosticArray  1 Hz
Subscribes to
  cmd_vel             geometry_msgs/Twist     linear.x m/s, angular.z rad/s; in force until the next
Services
  ~/reset             std_srvs/Trigger        car on the start line, clock at 0
Example
  ros2 run pilotnet_brain simulator --ros-args -p circuit:=montreal -p "wait_for:=['']" \\
      -r camera/image_raw:=/F1ROS/cameraL/image_raw -r cmd_vel:=/F1ROS/cmd_vel -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from geometry_msgs.msg import Twist
from rclpy.executors import Executor
from rclpy.node import Node
from std_srvs.srv import Trigger

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.nodes.ros.graph import SimulatorTopics, wait_for_command, wait_for_nodes
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.process import RunningNode, run
from pilotnet_brain.nodes.ros.simulator_output import NEWEST, SimulatorOutput, finite_command
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, profile_warning
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.pacing import Pacer
from pilotnet_brain.simulation.scenery import looks_and_scenery

_ODOM_HZ = 50.0


class SimulatorNode(Node):
    """Steps the world in (scaled) real time and never waits for the brain that drives in it.

    Raises:
        UserError: unknown circuit, no off-screen OpenGL, or another simulator in the domain.
    """

    def __init__(self) -> None:
        # Imported here, where a missing EGL is reported in one line; above it would be a traceback.
        from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

        super().__init__("simulator")
        self.exit_status: int | None = None
        self._declare_parameters()
        circuit = load_circuit(self._circuit)
        seen = looks_and_scenery(circuit, self._looks_seed, self._world)
        self._simulator = MujocoSimulator(circuit, *seen)
        self._simulator.reset(self._start_m)
        self._steps = 0
        self._has_command = False
        self._pacer = Pacer(self._rtf)
        self._output = SimulatorOutput(self, self._rtf)
        self._commands = self.create_subscription(Twist, "cmd_vel", self._on_command, NEWEST)
        self.create_service(Trigger, "~/reset", self._on_reset)
        if warning := profile_warning():
            self.get_logger().warning(warning)

    def _declare_parameters(self) -> None:
        self._circuit: str = declare(self, "circuit", "simple_circuit", "Circuit: name or path")
        self._looks_seed: int = declare(
            self, "looks_seed", 0, "Seed of the world's looks; 0 is plain", between=(0, 2**31 - 1)
        )
        self._world: str = declare(
            self, "world", "", "Gazebo world file to show instead of the circuit's own road"
        )
        self._rtf: float = declare(
            self, "rtf", 1.0, "Simulated seconds per real second to aim at", between=(0.01, 100.0)
        )
        self._camera_hz: float = declare(
            self,
            "camera_hz",
            car.CAMERA_HZ,
            "Camera frames per simulated second (a whole number of 5 ms steps apart)",
            between=(1.0, 200.0),
        )
        self._start_m: float = declare(
            self, "start_arc_length", 0.0, "Where on the line the car starts, m from the start line"
        )
        self._wait_for: list[str] = declare(
            self,
            "wait_for",
            ["brain"],
            "Nodes that must be connected before the clock starts: brain, and names of nodes that "
            "take the odometry; [''] waits for none",
        )

    def run_world(self, executor: Executor, stop: StopSignal) -> None:
        """Wait for the run's nodes, then step the world until the process is asked to end."""
        self._wait_for_nodes(executor, stop)
        next_diagnostics = time.monotonic() + 1.0
        while stop.number is None:
            self._step()
            while (wait := self._pacer.wait_s(self.time_s + TIME_STEP_S)) > 0.0:
                executor.spin_once(timeout_sec=wait)
            executor.spin_once(timeout_sec=0.0)
            if time.monotonic() >= next_diagnostics:
                next_diagnostics += 1.0
                factor = self._pacer.real_time_factor
                self._output.diagnose(self.time_s, factor, circuit=self._circuit)

    def _wait_for_nodes(self, executor: Executor, stop: StopSignal) -> None:
        def spin(wait_s: float) -> None:
            executor.spin_once(timeout_sec=wait_s)

        topics = SimulatorTopics(
            self._output.image_topic, self._commands.topic_name, self._output.odom_topic
        )
        wait_for_nodes(self, self._wait_for, topics, spin, stop)
        if "brain" in self._wait_for:
            self._simulator.render(self._output.pixels)
            wait_for_command(self, self._output.frame, lambda: self._has_command, spin, stop)

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self._steps * TIME_STEP_S

    def on_stop(self, reason: str) -> None:
        """Log how many frames were published; there is nothing to save."""
        self.get_logger().info(f"{reason}: stopped after {self._output.frames} frames")

    def destroy_node(self) -> None:
        """Free the renderer and the node."""
        self._simulator.close()
        super().destroy_node()

    def _step(self) -> None:
        state = self._simulator.step()
        self._steps += 1
        self._pacer.measure(self.time_s)
        self._output.clock(self.time_s)
        if self._steps % max(1, round(1.0 / (_ODOM_HZ * TIME_STEP_S))) == 0:
            self._output.state(state)
        if self._steps % max(1, round(1.0 / (self._camera_hz * TIME_STEP_S))) == 0:
            self._simulator.render(self._output.pixels)
            self._output.frame(self.time_s)

    def _on_command(self, message: Twist) -> None:
        self._has_command = True
        speed, yaw_rate = finite_command(self, message)
        self._simulator.command(speed, yaw_rate)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._simulator.reset(self._start_m)
        self._steps = 0
        self._pacer.restart()
        response.success = True
        response.message = "car on the start, clock at 0"
        return response


def _spin(node: RunningNode, executor: Executor, stop: StopSignal) -> None:
    assert isinstance(node, SimulatorNode)
    node.run_world(executor, stop)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(SimulatorNode, __doc__, args)
    return run(SimulatorNode, args, _spin, dds_profile=IMAGE_PUBLISHER)


if __name__ == "__main__":
    sys.exit(main())
