"""The embedded simulator as a node: camera, odometry and clock out, velocity commands in."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes import diagnostics
from pilotnet_brain.nodes.dds_profile import IMAGE_PUBLISHER, profile_warning
from pilotnet_brain.nodes.pacing import Pacer
from pilotnet_brain.nodes.parameters import declare
from pilotnet_brain.nodes.peers import missing_peers, other_publishers
from pilotnet_brain.nodes.running import RunningNode, StopSignal, run
from pilotnet_brain.nodes.simulator_messages import (
    Transforms,
    camera_info_message,
    fill_odometry,
    image_message,
    time_message,
)
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.looks import PLAIN, random_looks

_ODOM_HZ = 50.0
_SEEING_OTHERS_S = 0.7
"""How long another run's /clock publisher is given to show up."""
_SAY_AGAIN_S = 5.0
_SHOW_AGAIN_S = 0.1
_ANSWER_LIMIT_S = 10.0
"""How long a connected brain is given to answer the first frame."""
_KEPT = 500
"""Samples kept for a reliable subscriber whose own side of the match comes late."""


class SimulatorNode(Node):
    """Steps the world in (scaled) real time and never waits for whoever drives in it.

    Raises:
        UserError: unknown circuit, no off-screen OpenGL, or another simulator in the domain.
    """

    def __init__(self) -> None:
        # Imported here, where a missing EGL is reported in one line; above it would be a traceback.
        from pilotnet_brain.simulation.mujoco_simulator import MujocoSimulator

        super().__init__("simulator")
        self.exit_status: int | None = None
        self._declare_parameters()
        looks = random_looks(self._looks_seed) if self._looks_seed else PLAIN
        self._simulator = MujocoSimulator(load_circuit(self._circuit), looks)
        self._simulator.reset(self._start_m)
        self._steps = 0
        self._answered = False
        self._pacer = Pacer(self._rtf)
        self._frames = 0
        self._image, self._pixels = image_message()
        self._camera_info = camera_info_message()
        self._odometry = Odometry()
        self._create_topics()
        if warning := profile_warning():
            self.get_logger().warning(warning)

    def _declare_parameters(self) -> None:
        self._circuit: str = declare(self, "circuit", "simple_circuit", "Circuit: name or path")
        self._looks_seed: int = declare(
            self, "looks_seed", 0, "Seed of the world's looks; 0 is plain", between=(0, 2**31 - 1)
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
            "Who must be connected before the clock starts: brain, and names of nodes that take "
            "the odometry; [''] is nobody",
        )

    def _create_topics(self) -> None:
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._image_publisher = self.create_publisher(Image, "camera/image_raw", newest)
        self._info_publisher = self.create_publisher(CameraInfo, "camera/camera_info", _KEPT)
        self._odom_publisher = self.create_publisher(Odometry, "odom", _KEPT)
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._transforms = Transforms(self)
        self._commands = self.create_subscription(Twist, "cmd_vel", self._on_command, newest)
        self.create_service(Trigger, "~/reset", self._on_reset)

    def run_world(self, executor: Executor, stop: StopSignal) -> None:
        """Wait for the peers, then step the world until the process is asked to end."""
        self._wait_for_peers(executor, stop)
        self._wait_for_an_answer(executor, stop)
        next_diagnostics = time.monotonic() + 1.0
        while stop.number is None:
            self._step()
            while (wait := self._pacer.wait_s(self.time_s + TIME_STEP_S)) > 0.0:
                executor.spin_once(timeout_sec=wait)
            executor.spin_once(timeout_sec=0.0)
            if time.monotonic() >= next_diagnostics:
                next_diagnostics += 1.0
                self._publish_diagnostics()

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self._steps * TIME_STEP_S

    def on_stop(self, reason: str) -> None:
        """Say how the run went; nothing needs saving here."""
        self.get_logger().info(f"{reason}: stopped after {self._frames} frames")

    def destroy_node(self) -> None:
        """Free the renderer and the node."""
        self._simulator.close()
        super().destroy_node()

    def _wait_for_peers(self, executor: Executor, stop: StopSignal) -> None:
        """Return once everyone is connected; say whom the run waits for."""
        begin = time.monotonic()
        say_at = begin
        while stop.number is None:
            executor.spin_once(timeout_sec=0.02)
            now = time.monotonic()
            if others := other_publishers(self, "/clock"):
                raise UserError(
                    f"another simulator publishes /clock in this ROS domain ({', '.join(others)}): "
                    "end that run first, or choose another ROS_DOMAIN_ID"
                )
            missing = self._missing_peers()
            if not missing and now - begin > _SEEING_OTHERS_S:
                return
            if missing and now >= say_at:
                self.get_logger().info(f"waiting for {', '.join(missing)}")
                say_at = now + _SAY_AGAIN_S

    def _missing_peers(self) -> list[str]:
        return missing_peers(
            self,
            [name for name in self._wait_for if name],
            self._image_publisher.topic_name,
            self._commands.topic_name,
            self._odom_publisher.topic_name,
        )

    def _wait_for_an_answer(self, executor: Executor, stop: StopSignal) -> None:
        """Show the brain the view from the start until a command proves that both hear each other.

        Discovery is two-sided: that this side sees the brain does not mean that the brain sees
        this side, and the frames of the first second would be lost. The stamps are nanoseconds
        after 0: new frames each, at the start of simulated time.
        """
        if "brain" not in self._wait_for:
            return
        begin = time.monotonic()
        self._simulator.render(self._pixels)
        shown = 0
        while stop.number is None and not self._answered:
            shown += 1
            self._show(shown * 1e-9)
            show_again_at = time.monotonic() + _SHOW_AGAIN_S
            while not self._answered and (wait := show_again_at - time.monotonic()) > 0.0:
                executor.spin_once(timeout_sec=wait)
            if time.monotonic() - begin > _ANSWER_LIMIT_S:
                self.get_logger().warning(
                    f"no command within {_ANSWER_LIMIT_S:.0f} s of the first frame: "
                    "the clock starts all the same"
                )
                return
        self.get_logger().info("everyone is here: the clock starts")

    def _step(self) -> None:
        state = self._simulator.step()
        self._steps += 1
        self._pacer.measure(self.time_s)
        stamp = time_message(self.time_s)
        self._clock_publisher.publish(Clock(clock=stamp))
        if self._steps % max(1, round(1.0 / (_ODOM_HZ * TIME_STEP_S))) == 0:
            fill_odometry(self._odometry, state, stamp)
            self._odom_publisher.publish(self._odometry)
            self._transforms.publish(state, stamp)
        if self._steps % max(1, round(1.0 / (self._camera_hz * TIME_STEP_S))) == 0:
            self._simulator.render(self._pixels)
            self._show(self.time_s)

    def _show(self, time_s: float) -> None:
        """Publish the frame that was rendered last."""
        self._image.header.stamp = self._camera_info.header.stamp = time_message(time_s)
        self._image_publisher.publish(self._image)
        self._info_publisher.publish(self._camera_info)
        self._frames += 1

    def _on_command(self, message: Twist) -> None:
        self._answered = True
        speed, yaw_rate = message.linear.x, message.angular.z
        if not (math.isfinite(speed) and math.isfinite(yaw_rate)):
            self.get_logger().warning(
                f"a command of {speed} m/s, {yaw_rate} rad/s: car stopped",
                throttle_duration_sec=1.0,
            )
            speed = yaw_rate = 0.0
        self._simulator.command(speed, yaw_rate)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._simulator.reset(self._start_m)
        self._steps = 0
        self._pacer.restart()
        response.success = True
        response.message = "car on the start, clock at 0"
        return response

    def _publish_diagnostics(self) -> None:
        factor = self._pacer.real_time_factor
        slow = factor is not None and factor < 0.95 * self._rtf
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                time_message(self.time_s),
                f"{self.get_name()}: world",
                diagnostics.WARN if slow else diagnostics.OK,
                "slower than asked: this machine cannot keep up" if slow else "running",
                {
                    "circuit": self._circuit,
                    "real_time_factor": factor,
                    "frames": self._frames,
                    "simulated_time_s": self.time_s,
                },
            )
        )


def _spin(node: RunningNode, executor: Executor, stop: StopSignal) -> None:
    assert isinstance(node, SimulatorNode)
    node.run_world(executor, stop)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    return run(SimulatorNode, args, _spin, dds_profile=IMAGE_PUBLISHER)


if __name__ == "__main__":
    sys.exit(main())
