"""Closed-loop laps in lock-step: simulator and driver in one process, without ROS or real time.

Deterministic: the same plan and driver give the same lap to the bit. Only the figures of `TIMED`,
which come from the machine's clock, differ from one time to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.runs.lockstep_brain import Driver, LockstepBrain
from pilotnet_brain.runs.lockstep_camera import (
    LockstepCamera,
    Sensor,
    Transport,
    faithful,
    prompt,
)
from pilotnet_brain.metrics.run_metrics import Figure, Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.simulation.car import CAMERA_HZ, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

__all__ = ["LIVE_LATENCY_S", "SIMULATOR", "TIMED", "Driver", "LockstepPlan", "drive_lockstep",
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
"""The figures that the machine's clock gives; all others follow from the plan and the driver."""

_STEPS_PER_POSE = 2


@dataclass(frozen=True)
class LockstepPlan:
    """One closed-loop run.

    Attributes:
        circuit: to drive on.
        looks: what the camera sees.
        laps: to drive.
        latency_s: from a frame's arrival at the driver to its command's effect, simulated seconds.
        start_arc_length: where the car starts, m.
        time_limit_s: simulated seconds after which the run ends.
        stretch_m: end the run, as incomplete, after this much of the circuit (None: full laps).
        camera_hz: how often the camera takes a frame.
        sensor: what the camera makes of its frames.
        transport: how the frames reach the driver.
        reference_lap: points (N, 2), m, for the published score; None: it stays null.
    """

    circuit: Circuit
    looks: Looks = PLAIN
    laps: int = 1
    latency_s: float = LIVE_LATENCY_S
    start_arc_length: float = 0.0
    time_limit_s: float = 600.0
    stretch_m: float | None = None
    camera_hz: float = CAMERA_HZ
    sensor: Sensor = faithful
    transport: Transport = prompt
    reference_lap: NDArray[np.float64] | None = None


def drive_lockstep(
    plan: LockstepPlan,
    driver: Driver,
    on_row: Callable[[TrajectoryRow], object] = lambda row: None,
    **context: Figure,
) -> Figures:
    """Drive and return the run's figures, as `RunMetrics.figures` names them.

    Args:
        plan: the run.
        driver: who drives.
        on_row: takes every row of the run's trajectory.
        context: further figures (model, device).
    """
    metrics = RunMetrics(
        plan.circuit, plan.laps, time_limit_s=plan.time_limit_s, reference_lap=plan.reference_lap
    )
    brain = LockstepBrain(driver, plan.latency_s, metrics.add_frame)
    with MujocoSimulator(plan.circuit, plan.looks) as simulator:
        state = simulator.reset(plan.start_arc_length)
        camera = LockstepCamera(simulator, plan.camera_hz, plan.sensor, plan.transport)
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
                if plan.stretch_m is not None and _driven(metrics) >= plan.stretch_m:
                    metrics.end(f"drove the asked {plan.stretch_m:g} m")
            state = simulator.step()
            step += 1
    return metrics.figures(simulator=SIMULATOR, **context)


def without_timings(figures: Mapping[str, Figure]) -> Figures:
    """Return the figures that a plan and a driver determine: all but `TIMED`."""
    return {name: figure for name, figure in figures.items() if name not in TIMED}


def _add_pose(metrics: RunMetrics, state: CarState) -> tuple[TrajectoryRow, ...]:
    pose = (state.time_s, state.x, state.y, state.yaw, state.speed, state.yaw_rate)
    return metrics.add_pose(*pose, real_time_s=time.perf_counter())


def _driven(metrics: RunMetrics) -> float:
    completion = metrics.progress()["completion"]
    length = metrics.circuit.centerline.length
    return float(completion) * length if isinstance(completion, (int, float)) else 0.0
