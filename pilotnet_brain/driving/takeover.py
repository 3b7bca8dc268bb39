"""Who drives: the brain, or a person who has taken over. Pure logic, times are given.

The rule is twist_mux's (github.com/ros-teleop/twist_mux), with the topics, priorities and timeout
of the configuration that comes with it: a joystick wins over a keyboard, either wins over the
brain, and a command counts for half a second. The brain applies it itself, because it must know
the commands that act: its delay compensation goes by them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it brings numpy along, which a command line need not wait for
    from pilotnet_brain.driving.command import Command

TELEOP_TOPICS = ("joy_vel", "key_vel", "expert_vel")
"""Topics of a person's commands, the one with the higher priority first. The last one is that of
the expert, who drives by the true pose in a person's place."""
TIMEOUT_S = 0.5
"""A person's command counts for so long, real seconds."""
RELEASES = ("brain", "stop")
"""What happens once the person lets go: the brain drives on, or the car stands."""


class Takeover:
    """Which person's commands are in force. All times are of a steady clock, s."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, Command]] = {}

    def hear(self, topic: str, command: Command, now_s: float) -> bool:
        """Note a person's command; return whether it is to be given to the car.

        A command that is not finite is nobody's.
        """
        if not (math.isfinite(command.speed) and math.isfinite(command.yaw_rate)):
            return False
        self._heard[topic] = now_s, command
        return self.driver(now_s) == topic

    def driver(self, now_s: float) -> str | None:
        """Return the topic of the person who drives; None: nobody has taken over."""
        for topic in TELEOP_TOPICS:
            heard_s, _ = self._heard.get(topic, (-math.inf, None))
            if now_s - heard_s < TIMEOUT_S:
                return topic
        return None

    def command(self, now_s: float) -> Command | None:
        """Return the command of the person who drives; None: nobody has taken over."""
        driver = self.driver(now_s)
        return None if driver is None else self._heard[driver][1]
