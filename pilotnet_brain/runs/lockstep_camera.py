"""The camera of a lock-step run: which frames it takes, and when they come to the driver."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.simulation.car import CarState
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator

Frame = NDArray[np.uint8]
"""(480, 640, 3) RGB."""

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
