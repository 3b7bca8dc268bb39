"""The expert in a person's place: drives, or takes over where the brain is lost. Pure logic."""

from __future__ import annotations

import math

import numpy as np

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.driving.command import JDEROBOT_RANGE, Command
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.simulation.car import CAR_WIDTH_M

_PUT_ELSEWHERE_M = 3.0
"""A car that is this far from its last pose was put there by hand, or was reset."""
_LOST_HEADING_RAD = 0.6
_BACK_SHARE = 0.3
"""A takeover ends at this share of the deviation at which it begins."""
_EVERY_S = (1.0, 3.0)
_FOR_S = (0.2, 0.5)
_PUSH_RAD_S = (0.4, 1.6)
_MAX_YAW_RATE = -JDEROBOT_RANGE.yaw_rate_min


class ExpertDriver:
    """Gives the expert's command at a pose, or none while the brain does well.

    Args:
        circuit: whose line is driven.
        takeover_deviation: distance from the line, m, beyond which it takes over; 0: it drives all
            the way. Then it is pushed off the line every few seconds, so that the frames show the
            way back as well (noise injection: M. Laskey et al., "DART: Noise Injection for Robust
            Imitation Learning", 2017).
        seed: of the pushes.
    """

    def __init__(self, circuit: Circuit, takeover_deviation: float, seed: int) -> None:
        self._circuit = circuit
        self._expert = Expert(circuit)
        self._deviation = takeover_deviation
        self._takes_over = takeover_deviation == 0.0
        self._pushes = _Pushes(circuit.asphalt_half_width - 0.5 * CAR_WIDTH_M, seed)
        self._before: tuple[float, float, float] | None = None
        """The last pose's x, y and arc length, m."""

    def command(self, now_s: float, x: float, y: float, yaw: float) -> Command | None:
        """Return the command at a pose (m, rad) and a simulated time, s; None: the brain drives."""
        near = None
        if self._before is not None and math.dist(self._before[:2], (x, y)) < _PUT_ELSEWHERE_M:
            near = self._before[2]
        here = self._circuit.centerline.project(x, y, near)
        self._before = x, y, here.arc_length
        off, askew = abs(here.lateral_deviation), abs(here.heading_error(yaw))
        if self._deviation and (off > self._deviation or askew > _LOST_HEADING_RAD):
            self._takes_over = True
        elif self._deviation and off < _BACK_SHARE * self._deviation and askew < 0.1:
            self._takes_over = False
        if not self._takes_over:
            return None
        speed, yaw_rate = self._expert.command(x, y, yaw, here.arc_length)
        if self._deviation == 0.0:
            yaw_rate = self._pushes.pushed(yaw_rate, now_s, here.lateral_deviation)
        return Command(speed, min(max(yaw_rate, -_MAX_YAW_RATE), _MAX_YAW_RATE))


class _Pushes:
    """Drawn yaw rates that turn the car away from its line for a moment."""

    def __init__(self, room: float, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._room = room
        self._from_s, self._to_s, self._push = math.inf, -math.inf, 0.0
        self._before_it = 0.0

    def pushed(self, yaw_rate: float, now_s: float, lateral_deviation: float) -> float:
        """Return the yaw rate to give, rad/s, instead of the expert's.

        During a push it is the expert's from before the push, and the push: the expert's own would
        answer at once. Far off the line (m) nobody is pushed further.
        """
        if now_s >= self._to_s or now_s < self._from_s - max(_EVERY_S):  # also: the clock fell back
            self._from_s = now_s + self._rng.uniform(*_EVERY_S)
            self._to_s = self._from_s + self._rng.uniform(*_FOR_S)
            self._push = self._rng.choice([-1.0, 1.0]) * self._rng.uniform(*_PUSH_RAD_S)
        outward = lateral_deviation * self._push > 0.0 and abs(lateral_deviation) > 0.4 * self._room
        if now_s < self._from_s or outward:
            self._before_it = yaw_rate
            return yaw_rate
        return self._before_it + float(self._push)
