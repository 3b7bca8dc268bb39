"""The mean absolute distance from the line, by arc length and not by samples."""

from __future__ import annotations


def absolute_integral(first: float, second: float, length: float) -> float:
    """Return the integral of \\|d\\| over `length` for d linear from `first` to `second`.

    Exact where the sign changes on the way: two triangles instead of one trapezoid.
    """
    if first * second >= 0.0:
        return 0.5 * (abs(first) + abs(second)) * length
    return 0.5 * (first * first + second * second) / (abs(first) + abs(second)) * length


class LineDeviation:
    """Position deviation (MAE): the integral of \\|lateral deviation\\| over arc length / length.

    Independent of how often samples come, as stretches are weighted by the arc length of the
    line that was covered (forward or backward), and a car that stands weighs nothing.
    """

    def __init__(self) -> None:
        self._integral = 0.0
        self._length = 0.0
        self._largest: float | None = None

    def sample(self, deviation: float) -> None:
        """Note one deviation, m, for the largest one."""
        self._largest = max(self._largest or 0.0, abs(deviation))

    def cover(self, first: float, second: float, arc_length: float) -> None:
        """Take a stretch of `arc_length` (m) between two deviations (m)."""
        self._integral += absolute_integral(first, second, abs(arc_length))
        self._length += abs(arc_length)
        self.sample(second)

    @property
    def mean(self) -> float | None:
        """Mean absolute deviation, m; None before anything was driven."""
        return self._integral / self._length if self._length > 0.0 else None

    @property
    def largest(self) -> float | None:
        """Largest absolute deviation, m; None without a sample."""
        return self._largest
