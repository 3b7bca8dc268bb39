"""Stops a car whose brain fell silent: killed, frozen, or held up. Pure logic, times are given."""

from __future__ import annotations

SILENCE_S = 0.35
"""Messages come, and are checked for, every 50 ms: the car is told to stop within 0.5 s."""
SHORTEST_SILENCE_S = 0.2
"""However fast simulated time passes: three of the brain's messages late or lost in a row."""
NODE_SILENCE_S = 10.0
"""Nodes say something once a second."""
_STOPS_FOR_S = 0.5
"""The zero command is repeated for so long; then whoever wants to may drive the car away."""
_HELD_UP_S = 0.2
"""A guard that was held up itself heard nothing meanwhile: that is nobody's silence."""


def silence_at(rtf: float) -> float:
    """Return after how much silence the car is stopped, real s.

    With the time until the silence is noticed it is half a second of simulated time, up to 1.75
    simulated seconds per real second (`rtf`). Beyond that it is more: the brain says no more often
    that it drives.
    """
    return min(SILENCE_S, max(SHORTEST_SILENCE_S, SILENCE_S / rtf))


class CommandGuard:
    """Tells when to stop the car. All times are of a steady clock, s.

    It acts only after a brain has said that it drives, never while that brain is heard, and not
    after the brain has said that it drives no more: then the car is somebody else's.
    """

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self._drives = self._moves = False
        self._heard_s = self._checked_s = 0.0
        self._stops_until_s: float | None = None

    def on_alive(self, now_s: float, drives: bool) -> None:
        """Note that the brain says whether it drives."""
        self._heard_s, self._drives, self._stops_until_s = now_s, drives, None

    def on_command(self, now_s: float, speed: float, yaw_rate: float) -> None:
        """Note a command (m/s, rad/s)."""
        self._heard_s = now_s
        self._moves = speed != 0.0 or yaw_rate != 0.0

    @property
    def car_moves(self) -> bool:
        """Whether the car may move by a command of a brain that has not stopped it."""
        return self._drives and self._moves

    def must_stop(self, now_s: float) -> bool:
        """Return whether to publish a zero command now; to be called every 50 ms."""
        held_up_s = now_s - self._checked_s
        self._checked_s = now_s
        if held_up_s > _HELD_UP_S:
            self._heard_s = max(self._heard_s, now_s - self._silence_s + _HELD_UP_S)
        if self.car_moves and now_s - self._heard_s >= self._silence_s:
            self._drives, self._stops_until_s = False, now_s + _STOPS_FOR_S
        return self._stops_until_s is not None and now_s <= self._stops_until_s


class NodeWatch:
    """Who of a run's nodes is heard from; a node that fell silent is named.

    Args:
        names: of the nodes.
        start_up_s: how long a node may say nothing before it says something...
        silence_s: ...and afterwards.
    """

    def __init__(
        self, names: tuple[str, ...], start_up_s: float, silence_s: float = NODE_SILENCE_S
    ) -> None:
        self._names, self._start_up_s, self._silence_s = names, start_up_s, silence_s
        self._heard_s: dict[str, float] = {}
        self._start_s: float | None = None
        self._checked_s: float | None = None

    def on_node(self, name: str, now_s: float, busy_s: float = 0.0) -> None:
        """Note that a node was heard, which may then be busy for so long and say nothing."""
        if name in self._names:
            self._heard_s[name] = now_s + busy_s

    @property
    def anyone(self) -> bool:
        """Whether any of the nodes was ever heard."""
        return bool(self._heard_s)

    def silent(self, now_s: float) -> str | None:
        """Return a node that fell silent; to be called some times a second."""
        held_up_s = 0.0 if self._checked_s is None else now_s - self._checked_s
        self._checked_s = now_s
        for name, heard_s in self._heard_s.items():
            if held_up_s > _HELD_UP_S:  # as above
                self._heard_s[name] = heard_s = heard_s + held_up_s
            if now_s - heard_s > self._silence_s:
                return name
        self._start_s = now_s if self._start_s is None else self._start_s
        if now_s - self._start_s > self._start_up_s:
            return next((name for name in self._names if name not in self._heard_s), None)
        return None
