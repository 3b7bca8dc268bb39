"""Keeps simulated time in step with real time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_SLIP_S = 0.1
_WINDOW_S = 2.0


class Pacer:
    """Says how long to wait until a simulated time is due in real time.

    A machine that cannot keep up falls behind: past 0.1 s it does not catch up any more, and
    the real-time factor drops below what was asked for: `rtf` simulated seconds, a positive number,
    per second of a steady clock.
    """

    def __init__(self, rtf: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rtf = rtf
        self._clock = clock
        self._start_real: float | None = None
        self._start_simulated = 0.0
        self._recent: deque[tuple[float, float]] = deque()

    def wait_s(self, simulated_s: float) -> float:
        """Return the seconds until `simulated_s` is due (0 or less: now); the first call is due."""
        now = self._clock()
        if self._start_real is None:
            self._start_real, self._start_simulated = now, simulated_s
        due = self._start_real + (simulated_s - self._start_simulated) / self._rtf
        if now - due > _SLIP_S:
            self._start_real += now - due
            due = now
        return due - now

    def restart(self) -> None:
        """Start again with the next call: simulated time jumped, or stood still."""
        self._start_real = None
        self._recent.clear()

    def measure(self, simulated_s: float) -> None:
        """Note that simulated time has now reached `simulated_s`."""
        now = self._clock()
        self._recent.append((now, simulated_s))
        while now - self._recent[0][0] > _WINDOW_S:
            self._recent.popleft()

    @property
    def real_time_factor(self) -> float | None:
        """Simulated over real time during the last 2 s, or None where nothing was measured."""
        if len(self._recent) < 2:
            return None
        (first_real, first), (last_real, last) = self._recent[0], self._recent[-1]
        return (last - first) / (last_real - first_real) if last_real > first_real else None
