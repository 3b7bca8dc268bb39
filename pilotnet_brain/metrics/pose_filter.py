"""Which poses are the run's: stamps that repeat, run backward or jump, and positions that do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pilotnet_brain.bags.messages import OTHER_CLOCK_S

LONGEST_GAP_S = 5.0
"""Two poses farther apart in time need a third that confirms the clock's jump."""
RESET_S = 0.5
"""A pose older than the newest by less is out of order; by more, the clock may have been reset."""
FASTEST_M_S = 40.0
"""No car of ours is faster: what moves more than this (and 2 m) was put there by hand."""
_HAND_MOVE_M = 2.0
_CONFIRMATIONS = 3
_CONFIRMATIONS_OF_SMALL_RESET = 5
_FARTHEST_M = 1e8
"""Beyond all coordinates on Earth: a UTM northing reaches 1e7 m."""


def pose_time(stamp_s: float, clock_s: float) -> float:
    """Return when a pose was, s: its stamp, or the clock at its receipt where that says nothing.

    That is a stamp of zero, or of another clock, such as the system's.
    """
    other_clock = abs(stamp_s - clock_s) > OTHER_CLOCK_S
    return clock_s if clock_s and (not stamp_s or other_clock) else stamp_s


class Pose(NamedTuple):
    """One odometry sample in the world frame: s, m, m, rad, m/s, rad/s; real_time_s if known."""

    time_s: float
    x: float
    y: float
    yaw: float
    speed: float
    yaw_rate: float
    real_time_s: float | None = None


@dataclass
class IgnoredPoses:
    """How many poses were left out, and why."""

    not_finite: int = 0
    duplicate: int = 0
    unordered: int = 0
    implausible: int = 0


class PoseFilter:
    """Passes on the poses that follow each other; opens a new epoch where a run starts over.

    A single pose that does not follow the last one is held back. When the next ones follow it
    instead, it was right: the clock was reset or the car was put elsewhere, a new epoch begins
    (`epoch` grows), and the held poses are passed on. When the next one follows the last good
    pose, the held one was a straggler or nonsense, and is counted in `ignored`.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.ignored = IgnoredPoses()
        self._last: Pose | None = None
        self._held: list[Pose] = []

    def push(self, pose: Pose) -> tuple[Pose, ...]:
        """Return the poses that became part of the run with this one, in order."""
        if not all(map(math.isfinite, pose[:6])):
            self.ignored.not_finite += 1
            return ()
        if max(abs(pose.x), abs(pose.y)) > _FARTHEST_M:
            self.ignored.implausible += 1
            return ()
        last = self._last
        if last is None or _follows(last, pose):
            self._forget_held()
            self._last = pose
            return (pose,)
        newest_held = self._held[-1] if self._held else last
        if pose.time_s in (last.time_s, newest_held.time_s):
            self.ignored.duplicate += 1
            return ()
        if self._held and not _follows(newest_held, pose):
            self._forget_held()
        self._held.append(pose)
        if len(self._held) < _confirmations_needed(last, self._held[0]):
            return ()
        return self._release_held(last)

    def _release_held(self, last: Pose) -> tuple[Pose, ...]:
        released = tuple(self._held)
        self._held.clear()
        self._last = released[-1]
        if not _is_mere_gap(last, released[0]):
            self.epoch += 1
        return released

    def _forget_held(self) -> None:
        for pose in self._held:
            if self._last is not None and pose.time_s < self._last.time_s:
                self.ignored.unordered += 1
            else:
                self.ignored.implausible += 1
        self._held.clear()


def _follows(first: Pose, second: Pose) -> bool:
    elapsed = second.time_s - first.time_s
    return 0.0 < elapsed <= LONGEST_GAP_S and _within_reach(first, second, elapsed)


def _is_mere_gap(first: Pose, second: Pose) -> bool:
    elapsed = second.time_s - first.time_s
    return elapsed > LONGEST_GAP_S and _within_reach(first, second, elapsed)


def _within_reach(first: Pose, second: Pose, elapsed: float) -> bool:
    distance = math.hypot(second.x - first.x, second.y - first.y)
    return distance <= _HAND_MOVE_M + FASTEST_M_S * elapsed


def _confirmations_needed(last: Pose, held: Pose) -> int:
    if 0.0 < last.time_s - held.time_s < RESET_S:
        return _CONFIRMATIONS_OF_SMALL_RESET
    return _CONFIRMATIONS
