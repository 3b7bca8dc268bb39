"""Tells when a run comes to nothing any more, though all of its nodes live."""

from __future__ import annotations

import time
from pathlib import Path


class Standstill:
    """Whether a run's driven line has not grown for too long.

    Nodes that never find each other, a simulator that hangs and a clock that stands all show in
    it; a slow simulator does not.

    Args:
        trajectory: the run's trajectory.csv, which need not exist yet.
        patience_s: real seconds that it may stay as it is.
    """

    def __init__(self, trajectory: Path, patience_s: float) -> None:
        self.patience_s = patience_s
        self._trajectory = trajectory
        self._size = -1
        self._grown_at = time.monotonic()

    def __call__(self) -> bool:
        """Return whether the patience is at its end; to be asked again and again."""
        try:
            size = self._trajectory.stat().st_size
        except FileNotFoundError:
            size = -1
        now = time.monotonic()
        if size != self._size:
            self._size, self._grown_at = size, now
        return now - self._grown_at > self.patience_s
