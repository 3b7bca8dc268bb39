"""The same drives in the embedded simulator and a real Gazebo, and how far they differ.

Commands come every 0.05 s of simulated time from a function of the true state: constant ones, or
the expert's. No camera, no network, no ROS: only how the two worlds move the car is compared.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from gazebo_server import PATIENCE_S, GazeboServer
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.simulation.car import CAMERA_HZ, TIME_STEP_S, CarState
from pilotnet_brain.simulation.gazebo.car import CAR_NAME
from pilotnet_brain.simulation.gazebo.classic_world import write_bare_world
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.live_car import LiveCar
from pilotnet_brain.simulation.looks import PLAIN, Looks
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

CONSTANT = (Command(5.0, 0.0), Command(10.0, 2.0), Command(13.0, -1.0), Command(6.5, 7.0))
"""Constant commands that are compared, m/s and rad/s."""
CONSTANT_S = 2.0
EXPERT_BOUND_M = 0.05
"""The expert's two paths lie this close together everywhere."""
_FINE_STEP_M = 0.02
_NOISE_M = 0.002
_LEFT_OUT_M = 1.0
_STEPS_A_COMMAND = round(1.0 / (CAMERA_HZ * TIME_STEP_S))
_HALF_STEP_S = 0.5 * TIME_STEP_S

Driver = Callable[[CarState], Command]
Path2 = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One drive in both worlds.

    Attributes:
        name: what was driven.
        embedded: float64 (N, 3): time since the car moved, s; x, y, m.
        gazebo: the same in Gazebo.
        apart_m: the greatest distance between them, m.
        bound_m: what it must not exceed, m.
    """

    name: str
    embedded: Path2
    gazebo: Path2
    apart_m: float
    bound_m: float


def constant_bound_m(command: Command) -> float:
    """Return how far apart the two drives of a constant command may be, m.

    Gazebo moves the car along its heading at a step's start, the embedded simulator along the
    one in the step's middle. So one path is the other turned about its start by half a step's
    turn, w dt / 2; no point is farther from the start than the circle's diameter, 2 v / w, and
    none is moved by more than v dt.
    """
    return abs(command.speed) * TIME_STEP_S + _NOISE_M


def compare(
    circuit: Circuit,
    expert_s: float,
    open_gazebo: Callable[[Circuit, Looks], AbstractContextManager[GazeboDrives]],
) -> list[Comparison]:
    """Drive constant commands on an open field and the expert on a circuit, in both worlds.

    Args:
        circuit: to drive on.
        expert_s: simulated seconds of the expert's drive.
        open_gazebo: a new Gazebo with the circuit, in these looks.

    Raises:
        AssertionError: Gazebo does not run, or stands still.
    """
    field = dataclasses.replace(PLAIN, walls=False)
    done = []
    with MujocoSimulator(circuit, field) as embedded, open_gazebo(circuit, field) as gazebo:
        for command in CONSTANT:
            name = f"{command.speed:g} m/s, {command.yaw_rate:g} rad/s"
            tracks = _both(embedded, gazebo, _constant(command), CONSTANT_S)
            bound = constant_bound_m(command)
            done.append(Comparison(name, *tracks, same_time_apart(*tracks), bound))
        expert = Expert(circuit)
        tracks = _both(embedded, gazebo, lambda s: expert.command(s.x, s.y, s.yaw), expert_s)
        done.append(Comparison("expert", *tracks, paths_apart(*tracks), EXPERT_BOUND_M))
    return done


def _constant(command: Command) -> Driver:
    return lambda _: command


def same_time_apart(one: Path2, other: Path2) -> float:
    """Return the greatest distance between two drives at the same time, m."""
    times = one[one[:, 0] <= other[-1, 0]][:, 0]
    x, y = (np.interp(times, other[:, 0], other[:, column]) for column in (1, 2))
    here = one[: len(times)]
    return float(np.hypot(here[:, 1] - x, here[:, 2] - y).max())


def paths_apart(one: Path2, other: Path2) -> float:
    """Return the greatest distance from the one drive's points to the other's path, m.

    The last metre is left out: the two may not have come equally far.
    """
    fine = _resampled(other)
    way = _way(one)
    reached = one[way <= min(way[-1], _way(other)[-1]) - _LEFT_OUT_M]
    distances, _ = cKDTree(fine).query(reached[:, 1:])
    return float(distances.max())


class Client(Protocol):
    """Of a Gazebo's transport."""

    def poll_until(self, done: Callable[[], bool], limit_s: float) -> bool: ...


class Car(Protocol):
    """In a Gazebo."""

    @property
    def time_s(self) -> float: ...

    def command(self, speed: float, yaw_rate: float) -> None: ...

    def reset(self) -> None: ...

    def pause(self, paused: bool) -> None: ...

    def step(self, count: int) -> None: ...


class GazeboDrives:
    """Drives in one running Gazebo, whose time only advances from command to command.

    So a busy machine changes nothing, but that a command may come a step late.
    """

    def __init__(self, client: Client, car: Car, states: list[CarState]) -> None:
        self._client, self._car, self._states = client, car, states
        self._car.pause(True)

    def track(self, driver: Driver, seconds: float) -> Path2:
        begin_s = self._start_over()
        for count in range(1, round(seconds * CAMERA_HZ) + 1):
            self._car.command(*driver(self._states[-1]))
            self._car.step(_STEPS_A_COMMAND)
            self._await_time(begin_s + count / CAMERA_HZ)
        # By its poses: the speed of the first ones may be that of the way back.
        states = self._states
        pairs = zip(states, states[1:], strict=False)
        stood = next((n for n, (one, next_) in enumerate(pairs) if _moved(one, next_)), 0)
        moved = states[stood:]
        return np.array([(s.time_s - moved[0].time_s, s.x, s.y) for s in moved])

    def _start_over(self) -> float:
        """Put the car back; return the time then, s."""
        self._car.command(0.0, 0.0)
        self._step_twice()  # Gazebo Sim obeys in the second step
        self._car.reset()
        self._step_twice()  # the first one's speed is that of the way back
        del self._states[:-1]
        return self._states[-1].time_s

    def _step_twice(self) -> None:
        for _ in range(2):
            before_s = self._car.time_s
            self._car.step(1)
            self._await(lambda: self._car.time_s > before_s + _HALF_STEP_S)  # noqa: B023
        self._await(
            lambda: bool(self._states) and self._states[-1].time_s > before_s + _HALF_STEP_S
        )

    def _await_time(self, time_s: float) -> None:
        self._await(lambda: self._states[-1].time_s > time_s - _HALF_STEP_S)

    def _await(self, condition: Callable[[], bool]) -> None:
        if not self._client.poll_until(condition, PATIENCE_S):
            raise AssertionError(f"gazebo: the world made no step within {PATIENCE_S:g} s")


def _moved(one: CarState, other: CarState) -> bool:
    """Return whether the car drove from one state to the next; a farther way is a reset's."""
    way_m = math.hypot(other.x - one.x, other.y - one.y)
    return max(way_m, abs(other.yaw - one.yaw)) > 1e-6 and way_m < _LEFT_OUT_M


@contextmanager
def open_classic(circuit: Circuit, looks: Looks) -> Iterator[GazeboDrives]:
    """A new Gazebo Classic with the circuit."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_bare_world(circuit, looks, Path(folder))
        with GazeboServer(files.world, files.models) as server:
            client = GazeboClient("127.0.0.1", server.port)
            states: list[CarState] = []
            car = LiveCar(client, CAR_NAME, lambda _: None, states.append, lambda _: None)
            try:
                yield GazeboDrives(client, car, states)
            finally:
                client.close()


def _both(
    embedded: MujocoSimulator, gazebo: GazeboDrives, driver: Driver, seconds: float
) -> tuple[Path2, Path2]:
    return _embedded_track(embedded, driver, seconds), gazebo.track(driver, seconds)


def _embedded_track(simulator: MujocoSimulator, driver: Driver, seconds: float) -> Path2:
    state = simulator.reset()
    rows = [(0.0, state.x, state.y)]
    for step in range(round(seconds / TIME_STEP_S)):
        if step % _STEPS_A_COMMAND == 0:
            simulator.command(*driver(state))
        state = simulator.step()
        rows.append(((step + 1) * TIME_STEP_S, state.x, state.y))
    return np.array(rows)


def _way(track: Path2) -> NDArray[np.float64]:
    steps = np.hypot(*np.diff(track[:, 1:], axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _resampled(track: Path2) -> NDArray[np.float64]:
    """Return the path's points (N, 2) a `_FINE_STEP_M` apart."""
    way = _way(track)
    stations = np.arange(0.0, way[-1], _FINE_STEP_M)
    return np.column_stack([np.interp(stations, way, track[:, column]) for column in (1, 2)])
