"""Whether a difference between two sides is larger than the spread of their repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import ttest_ind

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The difference of two means, second minus first.

    Attributes:
        mean: of the difference; None where a side has no value.
        low: lower end of its 95 % interval (Welch's t-test); None without repetitions.
        high: upper end.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None

    @property
    def larger_than_spread(self) -> bool | None:
        """Whether the interval leaves zero out; None where there is no spread to tell by."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0.0 or self.high < 0.0


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare repetitions by Welch's t-test, which lets the two sides spread differently.

    Each side needs two runs or more for an interval: one run has no spread. Where the repetitions
    of both sides are all the same, as in lock-step with one seed, the difference is exact.
    """
    if not first or not second:
        return Difference(None)
    mean = fmean(second) - fmean(first)
    if len(first) < 2 or len(second) < 2:
        return Difference(mean)
    if stdev(first) == 0.0 and stdev(second) == 0.0:
        return Difference(mean, mean, mean)
    interval = ttest_ind(second, first, equal_var=False).confidence_interval(CONFIDENCE)
    low, high = float(interval.low), float(interval.high)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Difference(mean)
    return Difference(mean, low, high)
