"""Velocity commands, and the range that a network's outputs stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", float, NDArray[np.float64], NDArray[np.float32])


class Command(NamedTuple):
    """A velocity command; the car holds it until the next one."""

    speed: float
    """Forward speed, m/s."""
    yaw_rate: float
    """Yaw rate, rad/s, left positive (REP 103)."""


STOP = Command(0.0, 0.0)


def limited(command: Command, max_speed: float) -> Command:
    """Return the command at no more than a speed, m/s, on the same arc."""
    if command.speed <= max_speed:
        return command
    return Command(max_speed, command.yaw_rate * max_speed / command.speed)


@dataclass(frozen=True)
class OutputRange:
    """The linear map from a network's outputs to speed (m/s) and yaw rate (rad/s).

    The defaults are JdeRobot's PilotNet format: v = 6.5 + out0 * 17.5, w = -7.1 + out1 * 14.2.
    Outputs are not clipped: a network may leave 0..1, as JdeRobot's does.

    Raises:
        ValueError: a value is not finite, or a span is not positive.
    """

    speed_min: float = 6.5
    speed_span: float = 17.5
    yaw_rate_min: float = -7.1
    yaw_rate_span: float = 14.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name} is {value!r}: it must be a number")
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}: it must be finite")
        if self.speed_span <= 0.0 or self.yaw_rate_span <= 0.0:
            raise ValueError(
                f"speed_span is {self.speed_span!r} and yaw_rate_span {self.yaw_rate_span!r}: "
                "both must be positive"
            )

    def to_command(self, out0: float, out1: float) -> Command:
        """Return the command for the outputs out0 (speed) and out1 (yaw rate)."""
        return Command(
            self.speed_min + out0 * self.speed_span,
            self.yaw_rate_min + out1 * self.yaw_rate_span,
        )

    def from_command(self, speed: _Number, yaw_rate: _Number) -> tuple[_Number, _Number]:
        """Return the outputs for a speed (m/s) and a yaw rate (rad/s): the inverse of to_command.

        Floats, or arrays of any shape (the labels of a data set).
        """
        return (
            (speed - self.speed_min) / self.speed_span,
            (yaw_rate - self.yaw_rate_min) / self.yaw_rate_span,
        )


JDEROBOT_RANGE = OutputRange()
