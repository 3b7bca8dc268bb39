"""Closed-loop laps in lock-step: simulator and driver in one process, without ROS or real time.

Deterministic: the same spec and driver give the same lap to the bit. Only the figures of `TIMED`,
which come from the machine's clock, differ from one time to the next.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.driving.camera import STILL, Motion
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.command import STOP, Command
from pilotnet_brain.driving.delay import DelayCompensation
from pilotnet_brain.driving.pilot import Drive
from pilotnet_brain.driving.watchdog import FrameWatchdog, Verdict
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.run_metrics import Figure, Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.simulation.car import CAMERA_HEIGHT, CAMERA_HZ, CAMERA_WIDTH, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator
from pilotnet_brain.simulation.scene import Scenery

SIMULATOR = "mujoco, lock-step"
"""The figures' ``simulator``."""

LIVE_LATENCY_S = 0.02
"""About what rendering, transport and inference take between a frame's stamp and its command."""

TIMED = (
    "real_time_s",
    "real_time_factor",
    "brain_iteration_frequency",
    "brain_rate_hz",
    "mean_inference_time",
    "inference_time_p50",
    "inference_time_p99",
    "mean_preprocess_time",
    "mean_callback_time",
)
"""The figures that the machine's clock gives; all others follow from the spec and the driver."""

_STEPS_PER_POSE = 2

Frame = NDArray[np.uint8]
"""(height, width, 3) RGB; the simulator draws 480 x 640."""

Sensor = Callable[[Frame], Frame]
"""What a camera makes of a frame before it is sent; it may write into the frame."""

Transport = Callable[[int], float | None]
"""From a frame's number to how long it is on its way to the driver, simulated s; None: lost."""


def faithful(frame: Frame) -> Frame:
    """Be a `Sensor` that adds nothing."""
    return frame


def prompt(number: int) -> float:
    """Be a `Transport` that takes no time."""
    del number
    return 0.0


Driver = Callable[[Frame, CarState, Motion], Command | Drive]
"""From a frame, the true state it shows, which a network ignores, and the car's motion until the
command acts, to what it leads to.

A network's driver returns its `Drive`: its outputs and durations then go into the figures.
"""


@dataclass(frozen=True)
class Conditions:
    """What a lock-step run is driven under."""

    looks: Looks = PLAIN  #: what the camera sees, and how it is mounted
    scenery: Scenery | None = None  #: a world that others made, seen instead of the circuit's own
    #: from a frame's arrival at the driver to its command's effect, simulated seconds
    latency_s: float = LIVE_LATENCY_S
    unknown_latency_s: float = 0.0  #: further seconds until then that the driver does not know of
    known_camera: Pose | None = None  #: where the camera sits, if the driver is told
    frame_size: tuple[int, int] = (CAMERA_WIDTH, CAMERA_HEIGHT)  #: what the sensor gives, pixels
    start_lateral: float = 0.0  #: where the car starts, m to the left of the line
    start_turn: float = 0.0  #: and how far it is turned to the left of the line's direction, rad
    camera_hz: float = CAMERA_HZ  #: how often the camera takes a frame
    sensor: Sensor = faithful  #: what the camera makes of its frames
    transport: Transport = prompt  #: how the frames reach the driver


def drive_lockstep(
    metrics: RunMetrics,
    driver: Driver,
    conditions: Conditions = Conditions(),  # noqa: B008  (frozen)
    start_arc_length: float = 0.0,
    on_row: Callable[[TrajectoryRow], object] = lambda row: None,
    compensation: DelayCompensation | None = None,
    **context: Figure,
) -> Figures:
    """Drive until the metrics' rules end the run; return its figures.

    Args:
        metrics: measure the run; their circuit is driven on. ``metrics.end`` ends it early.
        driver: from a frame to a command.
        conditions: under which it drives.
        start_arc_length: where the car starts, m from the start line.
        on_row: takes every row of the run's trajectory.
        compensation: predicts the motion that the driver is told; None: it is told of none.
        context: further figures (model, device).
    """
    brain = LockstepBrain(driver, conditions, metrics.add_frame, compensation)
    with MujocoSimulator(metrics.circuit, conditions.looks, conditions.scenery) as simulator:
        state = simulator.reset(start_arc_length, conditions.start_lateral, conditions.start_turn)
        camera = LockstepCamera(
            simulator, conditions.camera_hz, conditions.sensor, conditions.transport
        )
        step = 0
        while metrics.ending is None:
            if camera.is_due(step):
                camera.take(step, state)
                metrics.add_published_frame(state.time_s)
            brain.drive_by(camera.arrived(step), step)
            for command in brain.due(step):
                simulator.command(*command)
                metrics.add_command(state.time_s, *command)
            if step % _STEPS_PER_POSE == 0:
                for row in _add_pose(metrics, state):
                    on_row(row)
            state = simulator.step()
            step += 1
    return metrics.figures(simulator=SIMULATOR, **context)


def without_timings(figures: Mapping[str, Figure]) -> Figures:
    """Return the figures that a spec and a driver determine: all but `TIMED`."""
    return {name: figure for name, figure in figures.items() if name not in TIMED}


def _add_pose(metrics: RunMetrics, state: CarState) -> tuple[TrajectoryRow, ...]:
    pose = (state.time_s, state.x, state.y, state.yaw, state.speed, state.yaw_rate)
    return metrics.add_pose(*pose, real_time_s=time.perf_counter())


class Arrival(NamedTuple):
    """A frame that came to the driver, with the true state that it shows."""

    frame: Frame
    state: CarState


class LockstepCamera:
    """Takes frames at its rate, and hands them out when they have come to the driver.

    Args:
        simulator: what it looks into.
        rate_hz: how often it takes a frame.
        sensor: what it makes of its frames.
        transport: how they reach the driver.
    """

    def __init__(
        self, simulator: MujocoSimulator, rate_hz: float, sensor: Sensor, transport: Transport
    ) -> None:
        self._simulator = simulator
        self._steps_per_frame = 1.0 / (rate_hz * TIME_STEP_S)
        self._sensor = sensor
        self._transport = transport
        self._buffer = simulator.render()
        self._number = 0
        self._on_their_way: list[tuple[int, int, Arrival]] = []

    def is_due(self, step: int) -> bool:
        """Return whether it takes its next frame at this step."""
        return step >= round(self._number * self._steps_per_frame)

    def take(self, step: int, state: CarState) -> None:
        """Take a frame and send it on its way; one that gets lost is not even drawn."""
        number = self._number
        self._number += 1
        delay_s = self._transport(number)
        if delay_s is None:
            return
        frame = self._sensor(self._simulator.render(self._buffer))
        delay = round(delay_s / TIME_STEP_S)
        # The buffer is drawn into again when the next frame is due.
        arrival = Arrival(frame.copy() if delay else frame, state)
        heapq.heappush(self._on_their_way, (step + delay, number, arrival))

    def arrived(self, step: int) -> list[Arrival]:
        """Return the frames that have come by this step, each once, in order of their coming."""
        arrivals = []
        while self._on_their_way and self._on_their_way[0][0] <= step:
            arrivals.append(heapq.heappop(self._on_their_way)[2])
        return arrivals


class LockstepBrain:
    """Has the driver answer new frames; stops the car when they stay away.

    Args:
        driver: who drives.
        conditions: how late its commands take effect.
        note: takes the record of every frame that came.
        compensation: predicts the motion that the driver is told.
    """

    def __init__(
        self,
        driver: Driver,
        conditions: Conditions,
        note: Callable[[FrameRecord], object],
        compensation: DelayCompensation | None = None,
    ) -> None:
        self._driver = driver
        self._compensation = compensation
        self._note_record = note
        self._watchdog = FrameWatchdog()
        self._latency_steps = round(conditions.latency_s / TIME_STEP_S)
        self._unknown_steps = round(conditions.unknown_latency_s / TIME_STEP_S)
        self._commands: deque[tuple[int, Command]] = deque()
        self._received = 0
        self._stopped = True

    def drive_by(self, arrivals: list[Arrival], step: int) -> None:
        """Answer the frames that came by this step, or stop the car when they stay away."""
        now_s = step * TIME_STEP_S
        self._watchdog.see_clock(now_s, now_s)
        for arrival in arrivals:
            self._received += 1
            verdict = self._watchdog.judge(arrival.state.time_s)
            if verdict is Verdict.DRIVE:
                self._drive(arrival, step)
            else:
                self._note(arrival, problem=f"late: {verdict.value}")
        if not self._stopped and self._watchdog.stop_reason(now_s) is not None:
            self._stopped = True
            self._send(STOP, step + self._latency_steps)

    def due(self, step: int) -> list[Command]:
        """Return the commands that take effect by this step, each once, in order."""
        commands = []
        while self._commands and self._commands[0][0] <= step:
            commands.append(self._commands.popleft()[1])
        return commands

    def _drive(self, arrival: Arrival, step: int) -> None:
        effect = step + self._latency_steps
        stamp_s, leaves_at_s = arrival.state.time_s, effect * TIME_STEP_S
        motion, ahead_s = STILL, None
        begin = time.perf_counter()
        if self._compensation is not None:
            motion = self._compensation.motion(stamp_s, leaves_at_s)
            ahead_s = self._compensation.ahead_s(stamp_s, leaves_at_s)
        answer = self._driver(arrival.frame, arrival.state, motion)
        callback_s = time.perf_counter() - begin
        self._watchdog.accept(arrival.state.time_s)
        self._stopped = False
        command, network = _parts(answer)
        self._send(command, effect)
        self._note(
            arrival,
            driven=True,
            callback_s=callback_s,
            stamp_to_command_s=leaves_at_s - stamp_s,
            compensated_s=ahead_s,
            speed=command.speed,
            yaw_rate=command.yaw_rate,
            **network,
        )

    def _send(self, command: Command, effect: int) -> None:
        """Have a command take effect at a step, as far as the driver knows."""
        self._commands.append((effect + self._unknown_steps, command))
        if self._compensation is not None:
            self._compensation.sent(command, effect * TIME_STEP_S)

    def _note(self, arrival: Arrival, **known: Any) -> None:
        self._note_record(
            FrameRecord(
                stamp_s=arrival.state.time_s,
                frames_received=self._received,
                frames_late=self._watchdog.late_frames,
                **known,
            )
        )


def _parts(answer: Command | Drive) -> tuple[Command, dict[str, Any]]:
    """Return the command, and what a record says of the network that gave it, if one did."""
    if not isinstance(answer, Drive):
        return answer, {}
    return answer.command, {
        "preprocess_s": answer.preprocess_s,
        "inference_s": answer.inference_s,
        "outputs": answer.outputs,
    }
