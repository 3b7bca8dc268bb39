"""How fast the embedded simulator steps and renders in lock-step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.simulation.car import CAMERA_HEIGHT, CAMERA_HZ, CAMERA_WIDTH
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator

_WARM_UP_FRAMES = 10


@dataclass(frozen=True)
class SimulatorSpeed:
    """The pace on one circuit: frames of 640x480 with the steps between them.

    Attributes:
        circuit: its name.
        frames: how many were timed.
        frames_per_s: of all of them, per real second.
        frame_s_p50: median real time of a frame and its steps, s.
        frame_s_p99: 99th percentile of the same, s.
    """

    circuit: str
    frames: int
    frames_per_s: float
    frame_s_p50: float
    frame_s_p99: float


def bench_simulator(circuits: Sequence[str], frames: int = 200) -> list[SimulatorSpeed]:
    """Let the expert drive each circuit in lock-step and time every frame with its steps.

    Raises:
        UnknownCircuitError: before anything is timed.
        UserError: there is nothing to render with.
    """
    return [_speed_on(circuit, frames) for circuit in [load_circuit(name) for name in circuits]]


def _speed_on(circuit: Circuit, frames: int) -> SimulatorSpeed:
    expert = Expert(circuit)
    frame = np.empty((CAMERA_HEIGHT, CAMERA_WIDTH, 3), np.uint8)
    steps = round(1.0 / (CAMERA_HZ * TIME_STEP_S))
    times = np.empty(frames)
    with MujocoSimulator(circuit) as simulator:
        state = simulator.state
        for number in range(-_WARM_UP_FRAMES, frames):
            begin = time.perf_counter()
            simulator.command(*expert.command(state.x, state.y, state.yaw))
            for _ in range(steps):
                state = simulator.step()
            simulator.render(frame)
            if number >= 0:
                times[number] = time.perf_counter() - begin
    p50, p99 = np.percentile(times, [50.0, 99.0]).tolist()
    return SimulatorSpeed(circuit.name, frames, frames / float(times.sum()), p50, p99)
