"""Percentiles of durations in constant memory."""

from __future__ import annotations

import math

import numpy as np

_GROWTH = 1.001
_LEAST_S, _MOST_S = 1e-6, 1e3
_LOG_GROWTH = math.log(_GROWTH)
_BINS = math.ceil(math.log(_MOST_S / _LEAST_S) / _LOG_GROWTH) + 2


class DurationHistogram:
    """Counts durations in bins whose edges grow by 0.1 %, from 1 us to 1000 s.

    A percentile is off by less than 0.1 % of itself, however many durations there are. Equal
    durations give exactly themselves: each bin answers with the first duration that it counted.
    The bins are those of DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019), of a fixed number.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self._firsts = np.zeros(_BINS)

    def add(self, duration_s: float | None) -> None:
        """Count one duration, s; None is none."""
        if duration_s is None:
            return
        place = _bin(duration_s)
        if not self._counts[place]:
            self._firsts[place] = duration_s
        self._counts[place] += 1

    def percentile(self, percent: float) -> float | None:
        """Return a percentile, s, between neighbours as numpy.percentile does; None of nothing."""
        used = np.flatnonzero(self._counts)
        if not len(used):
            return None
        upto = np.cumsum(self._counts[used])
        rank = 0.01 * percent * (int(upto[-1]) - 1)
        low, high = (
            float(self._firsts[used[np.searchsorted(upto, whole, side="right")]])
            for whole in (math.floor(rank), math.ceil(rank))
        )
        return low if low == high else low + (rank - math.floor(rank)) * (high - low)


def _bin(duration_s: float) -> int:
    if not duration_s >= _LEAST_S:  # NaN too
        return 0
    if duration_s >= _MOST_S:
        return _BINS - 1
    return 1 + int(math.log(duration_s / _LEAST_S) / _LOG_GROWTH)
