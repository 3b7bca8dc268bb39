"""Closed-loop laps in lock-step: simulator and driver in one process, without ROS or real time.

Deterministic: the same spec and driver give the same lap to the bit. Only the figures of `TIMED`,
which come from the machine's clock, differ from one time to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pilotnet_brain.metrics.run_metrics import Figure, Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.lockstep_brain import Driver, LockstepBrain
from pilotnet_brain.runs.lockstep_camera import (
    LockstepCamera,
    Sensor,
    Transport,
    faithful,
    prompt,
)
from pilotnet_brain.simulation.car import CAMERA_HZ, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

__all__ = ["LIVE_LATENCY_S", "SIMULATOR", "TIMED", "Conditions", "Driver", "drive_lockstep",
           "without_timings"]  # fmt: skip

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


@dataclass(frozen=True)
class Conditions:
    """What a lock-step run is driven under.

    Attributes:
        looks: what the camera sees, and how it is mounted.
        latency_s: from a frame's arrival at the driver to its command's effect, simulated seconds.
        camera_hz: how often the camera takes a frame.
        sensor: what the camera makes of its frames.
        transport: how the frames reach the driver.
    """

    looks: Looks = PLAIN
    latency_s: float = LIVE_LATENCY_S
    camera_hz: float = CAMERA_HZ
    sensor: Sensor = faithful
    transport: Transport = prompt


def drive_lockstep(
    metrics: RunMetrics,
    driver: Driver,
    conditions: Conditions = Conditions(),  # noqa: B008  (frozen)
    start_arc_length: float = 0.0,
    on_row: Callable[[TrajectoryRow], object] = lambda row: None,
    **context: Figure,
) -> Figures:
    """Drive until the metrics' rules end the run; return its figures.

    Args:
        metrics: measure the run; their circuit is driven on. ``metrics.end`` ends it early.
        driver: from a frame to a command.
        conditions: under which it drives.
        start_arc_length: where the car starts, m from the start line.
        on_row: takes every row of the run's trajectory.
        context: further figures (model, device).
    """
    brain = LockstepBrain(driver, conditions.latency_s, metrics.add_frame)
    with MujocoSimulator(metrics.circuit, conditions.looks) as simulator:
        state = simulator.reset(start_arc_length)
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
