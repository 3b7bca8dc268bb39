"""What a step took, over many of them: the median, and the 99th percentile as the tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Durations:
    """Median and 99th percentile of one step, in seconds."""

    median_s: float
    p99_s: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Durations:
        """Return those of measured seconds; at least one."""
        median, p99 = np.percentile(seconds, [50.0, 99.0]).tolist()
        return cls(median, p99)
