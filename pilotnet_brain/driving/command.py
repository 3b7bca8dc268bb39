"""What the brain tells the car."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A velocity command, held by the car until the next one."""

    speed: float
    """Forward speed, m/s."""
    yaw_rate: float
    """Yaw rate, rad/s, left positive (REP 103)."""


STOP = Command(0.0, 0.0)
