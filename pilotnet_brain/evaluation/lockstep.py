"""Closed-loop laps in lock-step: simulator and driver in one process, without ROS or real time.

Deterministic: the same circuit, looks, driver and latency give the same lap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.command import Command
from pilotnet_brain.metrics.run_metrics import Figures, RunMetrics
from pilotnet_brain.simulation.car import CAMERA_HZ, CarState
from pilotnet_brain.simulation.looks import PLAIN, Looks
from pilotnet_brain.simulation.mujoco_simulator import TIME_STEP_S, MujocoSimulator

Driver = Callable[[NDArray[np.uint8], CarState], Command]
"""From a frame (480, 640, 3) RGB and the true state, which a network ignores, to a command."""

LIVE_LATENCY_S = 0.02
"""About what rendering, transport and inference take between a frame's stamp and its command."""


@dataclass(frozen=True)
class LockstepPlan:
    """One closed-loop run.

    Attributes:
        circuit: to drive on.
        looks: what the camera sees.
        laps: to drive.
        latency_s: from a frame to its command's effect, simulated seconds.
        start_arc_length: where the car starts, m.
        time_limit_s: simulated seconds after which the run ends.
        stretch_m: end the run, as incomplete, after this much of the circuit (None: full laps).
    """

    circuit: Circuit
    looks: Looks = PLAIN
    laps: int = 1
    latency_s: float = LIVE_LATENCY_S
    start_arc_length: float = 0.0
    time_limit_s: float = 600.0
    stretch_m: float | None = None


def drive_lockstep(plan: LockstepPlan, driver: Driver) -> Figures:
    """Drive and return the run's figures, as `RunMetrics.figures` names them."""
    metrics = RunMetrics(plan.circuit, plan.laps, time_limit_s=plan.time_limit_s)
    steps_per_frame = round(1.0 / (CAMERA_HZ * TIME_STEP_S))
    latency_steps = round(plan.latency_s / TIME_STEP_S)
    on_their_way: deque[tuple[int, Command]] = deque()
    with MujocoSimulator(plan.circuit, plan.looks) as simulator:
        state = simulator.reset(plan.start_arc_length)
        frame = simulator.render()
        step = 0
        while metrics.ending is None:
            if step % steps_per_frame == 0:
                on_their_way.append((step + latency_steps, driver(simulator.render(frame), state)))
            while on_their_way and on_their_way[0][0] <= step:
                command = on_their_way.popleft()[1]
                simulator.command(*command)
                metrics.add_command(state.time_s, *command)
            if step % 2 == 0:
                metrics.add_pose(
                    state.time_s, state.x, state.y, state.yaw, state.speed, state.yaw_rate
                )
                if plan.stretch_m is not None and _driven(metrics) >= plan.stretch_m:
                    metrics.end(f"drove the asked {plan.stretch_m:g} m")
            state = simulator.step()
            step += 1
    return metrics.figures(simulator="mujoco, lock-step")


def _driven(metrics: RunMetrics) -> float:
    completion = metrics.progress()["completion"]
    length = metrics.circuit.centerline.length
    return float(completion) * length if isinstance(completion, (int, float)) else 0.0
