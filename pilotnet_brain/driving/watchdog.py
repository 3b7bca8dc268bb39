"""Camera frames: when to drive on one and when to stop the car, and which never arrived.

Pure logic, times are given.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from pilotnet_brain.bags.messages import OTHER_CLOCK_S

FRAME_LIMIT_S = 0.5
CLOCK_LIMIT_S = 2.0
AHEAD_LIMIT_S = 0.25
JUMP_S = 0.1
_REMEMBERED_STAMPS = 200


class Verdict(Enum):
    """What to do with a frame; the value says why."""

    DRIVE = "newest frame"
    LATE = "not newer than the last frame driven on"
    STALE = "too old to drive on"
    AHEAD = "stamped ahead of the clock: from before a reset, or by another clock"
    NO_CLOCK = "/clock says nothing yet, and the frames are stamped with a time"
    UNSTAMPED = "the frames' stamps are zero"
    OTHER_CLOCK = "the frames are stamped by another clock than /clock"


class StopReason(Enum):
    """Why the car must stop; the value is for the user."""

    NO_FRAME = "no good frame yet"
    FRAME_OLD = "the newest good frame is too old"
    CLOCK_STILL = "the clock has stopped"


class FrameWatchdog:
    """Watches the age of frames and both clocks; counts late frames and epochs.

    The car must stop when the newest good frame is ``frame_limit_s`` of simulated time old, or
    when the clock stood still for ``clock_limit_s`` of real time (a timer on simulated time would
    never fire then). A backward jump of the clock (a reset) starts a new epoch: earlier frames no
    longer count, so the new ones are not late, and the car waits for the first of them.

    Simulated times are those of the node's clock, real times of any steady clock, in seconds.

    Attributes:
        epoch: number of backward jumps of the clock so far.
        late_frames: number of good frames that came at the wrong time and were not driven on.
    """

    def __init__(
        self, frame_limit_s: float = FRAME_LIMIT_S, clock_limit_s: float = CLOCK_LIMIT_S
    ) -> None:
        if not (frame_limit_s > 0.0 and clock_limit_s > 0.0):
            raise ValueError(f"limits {frame_limit_s} s and {clock_limit_s} s: must be positive")
        self.frame_limit_s = frame_limit_s
        self.clock_limit_s = clock_limit_s
        self.epoch = 0
        self.late_frames = 0
        self._clock_s: float | None = None
        self._latest_s = 0.0
        self._moved_at_s: float | None = None
        self._newest_s: float | None = None

    def see_clock(self, clock_s: float, steady_s: float) -> bool:
        """Update the simulated and the real time; returns whether the clock jumped back.

        To be called before each judgement and by a real-time timer. A jump starts a new epoch.
        """
        # A reordered tick or two is not a reset: only a time well before the latest one is.
        jumped = self._clock_s is not None and clock_s < self._latest_s - JUMP_S
        if jumped:
            self.epoch += 1
            self._newest_s = None
        if self._clock_s is None or self._moved_at_s is None or clock_s != self._clock_s:
            self._moved_at_s = steady_s
        if self._clock_s is None or jumped:
            self._latest_s = clock_s
        self._latest_s = max(self._latest_s, clock_s)
        self._clock_s = clock_s
        return jumped

    def judge(self, stamp_s: float) -> Verdict:
        """Return what to do with a good frame of that stamp, and count it if it is late."""
        verdict = self._verdict(stamp_s)
        if verdict is not Verdict.DRIVE:
            self.late_frames += 1
        return verdict

    def accept(self, stamp_s: float) -> None:
        """Note that the car was driven on this frame."""
        self._newest_s = stamp_s

    def stop_reason(self, steady_s: float) -> StopReason | None:
        """Return why the car must stand at this real time, None if it may drive on."""
        if self._moved_at_s is not None and steady_s - self._moved_at_s >= self.clock_limit_s:
            return StopReason.CLOCK_STILL
        if self._clock_s is None or self._newest_s is None:
            return StopReason.NO_FRAME
        if self._clock_s - self._newest_s >= self.frame_limit_s:
            return StopReason.FRAME_OLD
        return None

    def _verdict(self, stamp_s: float) -> Verdict:
        if not self._clock_s and stamp_s > AHEAD_LIMIT_S:
            return Verdict.NO_CLOCK
        if self._clock_s is not None and abs(stamp_s - self._clock_s) > OTHER_CLOCK_S:
            return Verdict.OTHER_CLOCK
        if self._clock_s is None or stamp_s > self._clock_s + AHEAD_LIMIT_S:
            # A frame of the last epoch that arrives after the reset is one of these; driven on, it
            # would make every frame of the new epoch late.
            return Verdict.AHEAD
        if self._newest_s is not None and stamp_s <= self._newest_s:
            return Verdict.LATE if self._newest_s else Verdict.UNSTAMPED
        if self._clock_s - stamp_s >= self.frame_limit_s:
            return Verdict.STALE if stamp_s else Verdict.UNSTAMPED
        return Verdict.DRIVE


class FrameGaps:
    """Compares the stamps that the camera published with those that arrived.

    An image has no sequence number; the camera publishes a CameraInfo with the same stamp for each
    one, before or after it. A frame counts as dropped once a newer one has arrived. Frames from
    before the first arrival do not count: the brain was not driving yet.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._newest: int | None = None
        self._arrived: deque[int] = deque(maxlen=_REMEMBERED_STAMPS)
        self._open: deque[int] = deque(maxlen=_REMEMBERED_STAMPS)

    def restart(self) -> None:
        """The clock jumped back: start again, keeping the count."""
        self._newest = None
        self._arrived.clear()
        self._open.clear()

    def published(self, stamp_ns: int) -> None:
        """Note a stamp that the camera published."""
        if self._newest is None or stamp_ns in self._arrived:
            return
        if stamp_ns < self._newest:
            self.dropped += 1
        else:
            self._open.append(stamp_ns)

    def arrived(self, stamp_ns: int) -> None:
        """Note a stamp that arrived."""
        self._arrived.append(stamp_ns)
        if self._newest is not None and stamp_ns <= self._newest:
            return
        if self._newest is not None:
            self.dropped += sum(1 for stamp in self._open if stamp < stamp_ns)
        self._open = deque((s for s in self._open if s > stamp_ns), maxlen=_REMEMBERED_STAMPS)
        self._newest = stamp_ns
