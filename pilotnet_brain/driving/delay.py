"""Delay from a frame to its command's effect, and where the car will be by then.

The car drives on while a command is on its way. The motion until it acts follows from the commands
sent before, and the network is shown the road from there (`camera.VirtualCamera`): a Smith
predictor (O. J. M. Smith, "Closer control of loops with dead time", 1957) with the picture in place
of the plant's output.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pilotnet_brain.driving.camera import STILL, Motion
from pilotnet_brain.driving.command import STOP, Command

LONGEST_S = 0.6
"""No motion is predicted for longer: older frames are not driven on."""
_LAG_STEP_S = 0.005
_LAGS_REMEMBERED = 5.0


@dataclass(frozen=True)
class Plant:
    """How the car follows a command; the default follows at once.

    Raises:
        ValueError: a time that is negative or longer than 10 s.
    """

    #: s for which a command's direction stays fixed in the world, as under Gazebo Classic's
    #: planar_move, while the car turns: it drifts to the outside of the bend
    hold_s: float = 0.0
    lag_s: float = 0.0  #: time constant of speed and yaw rate, s (first order)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 10.0:
                raise ValueError(f"{name} is {value!r}: it must be 0 to 10 s")


class CommandsInFlight:
    """The commands sent so far with the time at which each acts, and the motion they lead to.

    Times are of one clock (simulated), s.

    Args:
        plant: how the car follows them.
    """

    def __init__(self, plant: Plant = Plant()) -> None:  # noqa: B008  (frozen)
        self._plant = plant
        self._commands: deque[tuple[float, Command]] = deque()
        self._kept_s = LONGEST_S + _LAGS_REMEMBERED * plant.lag_s

    def sent(self, command: Command, acts_at_s: float) -> None:
        """Remember a command; it replaces those that were to act later."""
        commands = self._commands
        while commands and commands[-1][0] >= acts_at_s:
            commands.pop()
        commands.append((acts_at_s, command))
        # The last one from before stays in force.
        while len(commands) > 1 and commands[1][0] < acts_at_s - self._kept_s:
            commands.popleft()

    def clear(self) -> None:
        """Forget all commands: the car stands."""
        self._commands.clear()

    def motion(self, from_s: float, to_s: float) -> Motion:
        """Return the car's motion between two times that are at most `LONGEST_S` apart."""
        if not (self._commands and from_s < to_s):
            return STILL
        x = y = yaw = speed = yaw_rate = 0.0
        lag_s = self._plant.lag_s
        start_s = from_s if lag_s == 0.0 else min(self._commands[0][0], from_s)
        for start, end, command in self._pieces(start_s, from_s, to_s):
            if lag_s == 0.0:
                speed, yaw_rate = command
            else:
                followed = 1.0 - math.exp(-(end - start) / lag_s)
                speed += (command.speed - speed) * followed
                yaw_rate += (command.yaw_rate - yaw_rate) * followed
            if start >= from_s:
                turned = yaw_rate * (end - start)
                # The chord of the arc, turned back by the mean of what a held direction misses.
                heading = yaw + 0.5 * turned - 0.5 * yaw_rate * self._plant.hold_s
                chord = speed * (end - start) * _sinc(0.5 * turned)
                x += chord * math.cos(heading)
                y += chord * math.sin(heading)
                yaw += turned
        return Motion(x, y, yaw)

    def _pieces(
        self, start_s: float, from_s: float, to_s: float
    ) -> Iterator[tuple[float, float, Command]]:
        """Yield stretches (start, end, command in force) of the time from `start_s` to `to_s`.

        `from_s` is one of their ends; with a lag they are short.
        """
        times = {start_s, from_s, to_s}
        times.update(at for at, _ in self._commands if start_s < at < to_s)
        if self._plant.lag_s > 0.0:
            count = math.ceil((to_s - start_s) / _LAG_STEP_S)
            times.update(start_s + i * _LAG_STEP_S for i in range(1, count))
        coming = iter(self._commands)
        at_s, command = next(coming)
        in_force = STOP
        for start, end in pairwise(sorted(times)):
            while at_s <= start:
                in_force = command
                at_s, command = next(coming, (math.inf, STOP))
            yield start, end, in_force


class DelayCompensation:
    """Says from where the network is to see the road, so that its command fits when it acts.

    Args:
        anticipation_s: how far the network's commands look ahead already, s.
        actuation_delay_s: from a command's publication to its effect, s.
        plant: how the car follows commands.
    """

    def __init__(
        self,
        anticipation_s: float,
        actuation_delay_s: float = 0.0,
        plant: Plant = Plant(),  # noqa: B008  (frozen)
    ) -> None:
        self.anticipation_s = anticipation_s
        self._actuation_delay_s = actuation_delay_s
        self._commands = CommandsInFlight(plant)

    def ahead_s(self, stamp_s: float, leaves_at_s: float) -> float:
        """Return for how long the car's motion is predicted, s: 0 to `LONGEST_S`.

        Args:
            stamp_s: the frame's, s.
            leaves_at_s: when its command is published, s, by the same clock.
        """
        delay_s = leaves_at_s + self._actuation_delay_s - stamp_s
        return min(max(0.0, delay_s - self.anticipation_s), LONGEST_S)

    def motion(self, stamp_s: float, leaves_at_s: float) -> Motion:
        """Return the car's motion from a frame to the pose from which the network is to look.

        Args:
            stamp_s: the frame's, s.
            leaves_at_s: when its command is published, s, by the same clock.
        """
        return self._commands.motion(stamp_s, stamp_s + self.ahead_s(stamp_s, leaves_at_s))

    def sent(self, command: Command, left_at_s: float) -> None:
        """Remember a command that was published."""
        self._commands.sent(command, left_at_s + self._actuation_delay_s)

    def clear(self) -> None:
        """Forget the commands in flight: the car was stopped or put elsewhere."""
        self._commands.clear()


def _sinc(angle: float) -> float:
    return math.sin(angle) / angle if abs(angle) > 1e-9 else 1.0
