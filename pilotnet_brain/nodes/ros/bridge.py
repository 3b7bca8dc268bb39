"""Connects a running Gazebo, over Gazebo's own transport, with a run's topics.

What the bridges to Gazebo Classic and to Gazebo Sim have in common: they differ in how the car is
reached, and in nothing that a run sees.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
from geometry_msgs.msg import Twist
from rclpy.executors import Executor
from rclpy.node import Node
from std_srvs.srv import Trigger

from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.graph import SimulatorTopics, Spin, wait_for_command, wait_for_nodes
from pilotnet_brain.nodes.ros.parameters import declare
from pilotnet_brain.nodes.ros.process import RunningNode
from pilotnet_brain.nodes.ros.simulator_output import NEWEST, SimulatorOutput, finite_command
from pilotnet_brain.runs.fast_dds import profile_warning
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation.car import CAMERA_HZ, TIME_STEP_S, CarState
from pilotnet_brain.simulation.gazebo.camera_frame import CameraFrame
from pilotnet_brain.simulation.gazebo.car import CAR_NAME
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.pacing import Pacer

_CLOCK_HZ, _ODOM_HZ = 200.0, 50.0
_SPIN_S = 0.005
_RETRY_S = 0.2
_POLL_S = 0.0005
_FRAME_LIMIT_S = 20.0
"""Within so long (real s) the physics makes its steps, and the camera gives a frame."""
_DRAWN_WITHIN_S = 1.0
"""A frame that is due, but not there after so long (real s), may be due a step later."""
_ANSWER_LIMIT_S = 1.0
"""A brain that has not answered a frame by then (real s) gives no command for it."""


class Client(Protocol):
    """A connection to a Gazebo, driven by `poll`."""

    @property
    def description(self) -> str:
        """Which Gazebo it is, and where."""

    @property
    def broken(self) -> int:
        """Messages that could not be understood so far."""

    def poll(self, timeout_s: float = 0.0) -> None:
        """Handle what has come."""

    def close(self) -> None:
        """Close it."""


class Car(Protocol):
    """A car in a running Gazebo."""

    @property
    def world(self) -> str | None:
        """The world's name."""

    @property
    def time_s(self) -> float:
        """Simulated time, s."""

    def command(self, speed: float, yaw_rate: float) -> None:
        """Give the car a velocity (m/s, rad/s)."""

    def reset(self) -> None:
        """Put the car back to where it began."""

    def pause(self, paused: bool) -> None:
        """Hold the world's time, or let it go on."""

    def step(self, count: int) -> None:
        """Make steps of the physics in a paused world."""

    def aim_at(self, rtf: float) -> None:
        """Have the world aim at simulated seconds per real second."""


class BridgeNode(Node):
    """Publishes a Gazebo's clock, pose and camera on ROS topics, and sends it the commands.

    Raises:
        UserError: no Gazebo answers, the car is not in its world, another simulator in the domain.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.exit_status: int | None = None
        self._declare_parameters()
        self._client: Client | None = None
        self._car: Car | None = None
        self._pacer = Pacer(self._rtf)
        self._output = SimulatorOutput(self, self._rtf)
        self._started = False
        self._last_time_s: float | None = None
        self._last_state_s: float | None = None
        self._frame_s: float | None = None
        self._frame_period_s = 1.0 / CAMERA_HZ
        self._clock_s: float | None = None
        self._shortest_s = math.inf
        self._frames_seen = self._commands_seen = self._unanswered = 0
        self._command = (0.0, 0.0)
        self._commands = self.create_subscription(Twist, "cmd_vel", self._on_command, NEWEST)
        self.create_service(Trigger, "~/reset", self._on_reset)
        if warning := profile_warning():
            self.get_logger().warning(warning)

    def _declare_parameters(self) -> None:
        self._car_name: str = declare(self, "car", CAR_NAME, "The car's model name in the world")
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
        self._lockstep: bool = declare(
            self, "lockstep", False, "Hold the physics until the brain has answered each frame"
        )
        self._wait_for: list[str] = declare(
            self,
            "wait_for",
            [""],
            "Nodes that must be connected before the car is put at its start and the clock starts: "
            "brain, and names of nodes that take the odometry; [''] waits for none",
        )

    @abstractmethod
    def open(self) -> tuple[Client, Car]:
        """Connect to the Gazebo, and find the car.

        Raises:
            GazeboUnreachable: no Gazebo answers (yet).
            UserError: the Gazebo has no such car.
        """

    hint = ""
    """What to do where no Gazebo answers."""
    no_frame_hint = ""
    """What to do where the camera gives no frame."""

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
                self._client, self._car = self.open()
                self._frame_s = None
                self._car.aim_at(self._rtf)
                self.get_logger().info(f"{self._client.description}, world {self._car.world}")
                return
            except GazeboUnreachable as problem:
                self._disconnect()
                if time.monotonic() > until and self._started:
                    raise GazeboUnreachable(f"{problem} for {self._patience_s:g} s") from problem
                if time.monotonic() > until:
                    raise UserError(f"{problem}; {self.hint}") from problem
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
        car.pause(self._lockstep)
        next_diagnostics = time.monotonic() + 1.0
        while stop.number is None:
            if self._lockstep:
                self._drive_one_frame(car, spin, stop)
            else:
                spin(_SPIN_S)
            if time.monotonic() >= next_diagnostics:
                next_diagnostics += 1.0
                self._output.diagnose(
                    car.time_s,
                    self._pacer.real_time_factor,
                    gazebo=client.description,
                    world=car.world,
                    broken_messages=client.broken,
                    frames_unanswered=self._unanswered,
                )
        # The brain is ending too: in a Gazebo that keeps running the car must not drive on.
        car.command(0.0, 0.0)
        client.poll(_SPIN_S)

    def _wait_for_nodes(self, car: Car, spin: Spin, stop: StopSignal) -> None:
        """Pause the world until the run's nodes are connected, then put the car at its start."""
        car.pause(True)
        topics = SimulatorTopics(
            self._output.image_topic, self._commands.topic_name, self._output.odom_topic
        )
        wait_for_nodes(self, self._wait_for, topics, spin, stop)
        if "brain" in self._wait_for:
            self._next_frame(car, spin, stop)
            # Others may still be drawn; from the newest on it is known when the next one is due.
            spin(_DRAWN_WITHIN_S)
            wait_for_command(self, self._output.frame, lambda: self._commands_seen > 0, spin, stop)
        car.reset()
        car.command(*self._command)

    def _drive_one_frame(self, car: Car, spin: Spin, stop: StopSignal) -> None:
        """Step the paused world to its next frame, and hold it until the brain has answered.

        The command acts from the next step on (in Gazebo Sim, whose VelocityControl takes commands
        after a step, from the second one on), whatever the machine.
        """
        spin(max(0.0, self._pacer.wait_s(car.time_s)))
        commands = self._commands_seen
        self._next_frame(car, spin, stop)
        if not _spin_until(lambda: self._commands_seen > commands, _ANSWER_LIMIT_S, spin, stop):
            self._unanswered += 1

    def _next_frame(self, car: Car, spin: Spin, stop: StopSignal) -> None:
        """Step the paused world until the camera has given its next frame.

        Raises:
            GazeboUnreachable: the world makes no steps.
            UserError: the camera gives no frame.
        """
        frames, until = self._frames_seen, time.monotonic() + _FRAME_LIMIT_S
        steps, drawn_within_s = 1, _SPIN_S
        if self._frame_s is not None:
            left_s = self._frame_s + self._frame_period_s - car.time_s
            steps, drawn_within_s = max(1, round(left_s / self._step_s)), _DRAWN_WITHIN_S
        while stop.number is None and self._frames_seen == frames:
            self._step(car, steps, spin, stop)
            _spin_until(lambda: self._frames_seen > frames, drawn_within_s, spin, stop)
            steps = 1
            if time.monotonic() > until:
                raise UserError(f"{self._car_name}'s camera renders nothing: {self.no_frame_hint}")

    def _step(self, car: Car, count: int, spin: Spin, stop: StopSignal) -> None:
        before_s = car.time_s
        car.step(count)
        due_s = before_s + (count - 0.5) * self._step_s

        def made() -> bool:
            return car.time_s > due_s or car.time_s < before_s  # a reset came in between

        if not _spin_until(made, _FRAME_LIMIT_S, spin, stop):
            raise GazeboUnreachable(f"{self._car_name}'s world makes no steps")

    def _on_time(self, time_s: float) -> None:
        self._measure_step(time_s)
        if not self._started:
            return
        last_s, self._last_time_s = self._last_time_s, time_s
        # A paused Gazebo Sim repeats its time for ever.
        if time_s == last_s:
            return
        if last_s is None or time_s < last_s:
            self._pacer.restart()
        self._pacer.measure(time_s)
        if _ticked(last_s, time_s, _CLOCK_HZ):
            self._output.clock(time_s)

    @property
    def _step_s(self) -> float:
        return self._shortest_s if self._shortest_s < math.inf else TIME_STEP_S

    def _measure_step(self, time_s: float) -> None:
        """Take the shortest step of the clock for the physics' own: a message can be lost."""
        if self._clock_s is not None and time_s > self._clock_s:
            self._shortest_s = min(self._shortest_s, time_s - self._clock_s)
        elif self._clock_s is not None and time_s < self._clock_s:
            # Gazebo Classic's reset: when the next frame is due is not known any more.
            self._frame_s = None
        self._clock_s = time_s

    def _on_state(self, state: CarState) -> None:
        if not self._started:
            return
        last_s, self._last_state_s = self._last_state_s, state.time_s
        if _ticked(last_s, state.time_s, _ODOM_HZ):
            self._output.state(state)

    def _on_frame(self, frame: CameraFrame) -> None:
        # While the physics is held, a camera of Gazebo Classic may draw the same moment again.
        if frame.time_s == self._frame_s:
            return
        if frame.pixels.shape != self._output.pixels.shape:
            height, width, _ = frame.pixels.shape
            raise UserError(
                f"{self._car_name}'s camera gives {width}x{height} pixels: the car's has "
                f"{self._output.pixels.shape[1]}x{self._output.pixels.shape[0]}"
            )
        np.copyto(self._output.pixels, frame.pixels)
        if self._frame_s is not None and frame.time_s > self._frame_s:
            self._frame_period_s = frame.time_s - self._frame_s
        self._frame_s = frame.time_s
        self._frames_seen += 1
        if self._started:
            self._output.frame(frame.time_s)

    def _on_command(self, message: Twist) -> None:
        self._commands_seen += 1
        self._command = finite_command(self, message)
        if self._car is not None and self._started:
            self._car.command(*self._command)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._car is None:
            response.success, response.message = False, "no Gazebo answers"
            return response
        self._car.reset()
        response.success, response.message = True, "the car is where it began"
        return response


def spin_bridge(node: RunningNode, executor: Executor, stop: StopSignal) -> None:
    """Run a bridge's process."""
    assert isinstance(node, BridgeNode)
    node.run_bridge(executor, stop)


def _spin_until(done: Callable[[], bool], limit_s: float, spin: Spin, stop: StopSignal) -> bool:
    """Handle what comes until `done`, or asked to end; return whether it was within the limit."""
    until = time.monotonic() + limit_s
    while stop.number is None and not done():
        if time.monotonic() > until:
            return False
        spin(_POLL_S)
    return True


def _ticked(before_s: float | None, after_s: float, hz: float) -> bool:
    """Return whether a clock of this rate ticked between two times; a reset is a tick."""
    if before_s is None or after_s < before_s:
        return True
    return round(before_s * 1e9) * hz // 1e9 != round(after_s * 1e9) * hz // 1e9
