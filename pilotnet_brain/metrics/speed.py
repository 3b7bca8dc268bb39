"""The car's speed: the odometry's twist, or its positions where the twist contradicts them.

Some simulators give the twist in the world's frame, in km/h, or always as zero.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from pilotnet_brain.metrics.pose_filter import FASTEST_M_S, Pose

_WINDOW_S = 0.2
_LONGEST_STEP_S = 0.2
"""Poses farther apart say too little about the way between them."""
_CONTRADICTED_FOR_S = 0.5
"""Longer than a window: one jump of the positions or of the twist is no contradiction."""
_TOLERANCE_M, _TOLERANCE_SHARE = 0.05, 0.1


class _Travel(NamedTuple):
    """Sums from the first pose to one pose."""

    time_s: float
    along: float  #: way along the car's axis by the positions, m, backward negative
    path: float  #: way by the positions, m, in any direction
    least: float  #: smallest and largest way that the twist allows, m
    most: float


class Speedometer:
    """Gives the speed at each pose of a run, in constant time.

    Within 0.2 s the way along the car's axis by its positions must lie between the least and the
    most that the twist allows (so a velocity that jumps between two poses contradicts nothing),
    within 5 cm and a tenth. A twist that fits the length of the way, but not its direction, is
    believed: then it is the yaw that is wrong. After 0.5 s of contradiction the speed is taken
    from the positions, as the mean over 0.2 s, for the rest of the run.
    """

    def __init__(self) -> None:
        self._last: Pose | None = None
        self._window: deque[_Travel] = deque()
        self._contradiction: tuple[float, float, float] | None = None
        self._from_positions = False
        self._speed = 0.0
        self.warning: str | None = None
        """Says once that, when and why the twist is no longer used; None while it is."""

    def restart(self) -> None:
        """Forget the poses so far: the next one does not follow them."""
        self._last = None

    def measure(self, pose: Pose) -> float:
        """Return the speed (m/s, forward positive) at the next pose."""
        self._travel_to(pose)
        oldest, newest = self._window[0], self._window[-1]
        passed = newest.time_s - oldest.time_s
        moved = (newest.along - oldest.along) / passed if passed > 0.0 else self._speed
        if not self._contradicts(oldest, newest):
            self._contradiction = None
        elif self._contradiction is None:
            self._contradiction = pose.time_s, moved, pose.speed
        elif pose.time_s - self._contradiction[0] >= _CONTRADICTED_FOR_S:
            self._believe_positions(pose.time_s, *self._contradiction)
        absurd = abs(pose.speed) > FASTEST_M_S
        self._speed = moved if self._from_positions or absurd else pose.speed
        return self._speed

    def _travel_to(self, pose: Pose) -> None:
        """Add the step from the last pose to the window; after a gap begin another."""
        last, self._last = self._last, pose
        step_s = pose.time_s - last.time_s if last is not None else math.inf
        if last is None or not 0.0 < step_s <= _LONGEST_STEP_S:
            self._window = deque([_Travel(pose.time_s, 0.0, 0.0, 0.0, 0.0)])
            return
        dx, dy = pose.x - last.x, pose.y - last.y
        heading = last.yaw + 0.5 * math.remainder(pose.yaw - last.yaw, math.tau)
        low, high = sorted((_bounded(last.speed), _bounded(pose.speed)))
        before = self._window[-1]
        self._window.append(
            _Travel(
                pose.time_s,
                before.along + dx * math.cos(heading) + dy * math.sin(heading),
                before.path + math.hypot(dx, dy),
                before.least + low * step_s,
                before.most + high * step_s,
            )
        )
        while self._window[1].time_s <= pose.time_s - _WINDOW_S:
            self._window.popleft()

    def _contradicts(self, first: _Travel, last: _Travel) -> bool:
        along, path = last.along - first.along, last.path - first.path
        if abs(along) < 0.5 * path:  # the positions jitter, or the car slides sideways
            return False
        tolerance = _TOLERANCE_M + _TOLERANCE_SHARE * path
        least, most = last.least - first.least - tolerance, last.most - first.most + tolerance
        return not (least <= along <= most or least <= path <= most)

    def _believe_positions(self, now_s: float, since_s: float, moved: float, twist: float) -> None:
        # Said of the moment it began: rows after this one have no other speed any more.
        self._from_positions = True
        self.warning = self.warning or (
            f"the speed is taken from the positions from t = {now_s:.2f} s on: at "
            f"t = {since_s:.2f} s they moved at {moved:.1f} m/s, and the odometry's "
            f"twist.linear.x was {twist:.1f} (it must be in m/s, in the car's frame)"
        )


def _bounded(speed: float) -> float:
    """Return a speed within what sums of it bear, which still no car has."""
    return min(max(speed, -2.0 * FASTEST_M_S), 2.0 * FASTEST_M_S)
