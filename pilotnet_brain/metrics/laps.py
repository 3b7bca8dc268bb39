"""Laps, counted by the arc length that was gained since the run began."""

from __future__ import annotations


class LapCounter:
    """Counts full turns of the circuit from where the run began.

    Progress is the arc length gained along the line since the begin, m: it falls when the car
    drives backward. A lap is done when progress reaches the next multiple of the length for the
    first time, so neither backing over the line nor crossing it again counts.

    Args:
        length: of the circuit, m.
        begin_s: the time at which the run begins.
    """

    def __init__(self, length: float, begin_s: float) -> None:
        self._length = length
        self._last_crossing_s = begin_s
        self.times_s: list[float] = []

    @property
    def count(self) -> int:
        """How many laps were done."""
        return len(self.times_s)

    def advance(self, from_s: float, start: float, to_s: float, end: float) -> float | None:
        """Take one step of progress, from `start` to `end` (m) between two times (s).

        Returns:
            The interpolated time at which a lap was finished in this step, else None. (A step
            longer than the circuit finishes one lap here and the next at the following step.)
        """
        goal = (self.count + 1) * self._length
        if end < goal:
            return None
        share = (goal - start) / (end - start) if end > start else 1.0
        crossing_s = from_s + min(max(share, 0.0), 1.0) * (to_s - from_s)
        self.times_s.append(crossing_s - self._last_crossing_s)
        self._last_crossing_s = crossing_s
        return crossing_s
