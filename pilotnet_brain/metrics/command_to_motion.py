"""How long after a command the car moves by it, from the commands and the true poses."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

_LAGS_S = np.arange(0.0, 0.5, 0.005)
_SETTLED_S = 5.0
"""What comes in another order than it happened does so within this time."""
_LONGEST_STEP_S = 0.1
_MOST_COMMANDS = 5000
"""Kept while no pose comes."""
_LEAST_STEPS = 100
_LEAST_TURNING = 0.05
"""Standard deviation of the yaw rate, rad/s: on a straight nothing shows when a command acts."""
_EXPLAINED = 0.5
"""Share of the yaw rate's variance that the commands must explain."""


class CommandToMotion:
    """The lag at which the commanded yaw rates fit the turning of the car best (least squares).

    A command is in force until the next one. Needs a memory of seconds only, however long the run.
    """

    def __init__(self) -> None:
        self._commands: deque[tuple[float, float]] = deque(maxlen=_MOST_COMMANDS)
        self._steps: deque[tuple[float, float, float]] = deque()
        """Start and end, s, and mean yaw rate in between, rad/s."""
        self._last: tuple[float, float] | None = None
        self._errors = np.zeros(len(_LAGS_S))
        self._sums = np.zeros(3)

    def add_command(self, time_s: float, yaw_rate: float) -> None:
        """Take a command, rad/s, and when it was published, simulated s; others are left out."""
        if math.isfinite(time_s) and math.isfinite(yaw_rate):
            self._commands.append((time_s, yaw_rate))

    def add_pose(self, time_s: float, yaw: float) -> None:
        """Take a heading, rad, and its time, simulated s."""
        if self._last is not None:
            passed_s = time_s - self._last[0]
            if 0.0 < passed_s <= _LONGEST_STEP_S:
                turned = np.remainder(yaw - self._last[1] + np.pi, 2.0 * np.pi) - np.pi
                self._steps.append((self._last[0], time_s, float(turned) / passed_s))
        self._last = (time_s, yaw)
        if self._commands and time_s - self._commands[0][0] > 3.0 * _SETTLED_S:
            self._settle(time_s - _SETTLED_S)

    def lag_s(self) -> float | None:
        """Return the lag, s, to 5 ms; None where the drive does not show it."""
        errors, sums = self._of(list(self._steps))
        errors, (count, total, squares) = errors + self._errors, sums + self._sums
        if count < _LEAST_STEPS:
            return None
        variance = squares / count - (total / count) ** 2
        best = int(np.argmin(errors))
        if variance < _LEAST_TURNING**2 or errors[best] > (1.0 - _EXPLAINED) * variance * count:
            return None
        return float(_LAGS_S[best])

    def _settle(self, until_s: float) -> None:
        """Add up the steps before a time, and forget what only they needed."""
        settled = []
        while self._steps and self._steps[0][0] < until_s:
            settled.append(self._steps.popleft())
        errors, sums = self._of(settled)
        self._errors += errors
        self._sums += sums
        ordered = sorted(self._commands)
        needed_s = until_s - float(_LAGS_S[-1])
        first = max(0, sum(at_s <= needed_s for at_s, _ in ordered) - 1)
        self._commands = deque(ordered[first:], maxlen=_MOST_COMMANDS)

    def _of(
        self, steps: list[tuple[float, float, float]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the squared errors of steps at each lag, and their count, sum and squares."""
        at_s, commanded = np.array(sorted(self._commands)).reshape(-1, 2).T
        known = [step for step in steps if len(at_s) and step[0] - _LAGS_S[-1] >= at_s[0]]
        if not known:
            return np.zeros(len(_LAGS_S)), np.zeros(3)
        start_s, end_s, turning = np.array(known).T
        # The angle commanded since the first command is a straight line between two of them.
        at_s = np.append(at_s, max(at_s[-1], end_s[-1]) + 1.0)
        angle = np.concatenate([[0.0], np.cumsum(commanded * np.diff(at_s))])
        before, after = (np.interp(t[:, None] - _LAGS_S, at_s, angle) for t in (start_s, end_s))
        errors = turning[:, None] - (after - before) / (end_s - start_s)[:, None]
        sums = np.array([len(turning), turning.sum(), (turning**2).sum()])
        return (errors**2).sum(axis=0), sums
