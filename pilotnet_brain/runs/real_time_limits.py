"""Ends a live run by real time, where simulated time or the poses do not say that it is over."""

from __future__ import annotations

import math

UNMEASURED_S = 5.0
"""A car that drives is not watched for longer than this without a pose."""
_DRIVES_S = 1.0
"""The brain drives if the newest frame that it drove on is no older."""
STANDING_CLOCK_S = 10.0
"""A clock that stands still for so long beyond the time limit does not go on."""
START_UP_S = 120.0
"""A world that loads slowly says nothing for so long."""


class RealTimeLimits:
    """Watches what comes from the simulator and the brain; all times are of a steady clock, s.

    Args:
        time_limit_s: the run's, simulated s; 0: none.
        stall_limit_s: real s without a new pose that end the run; 0: no limit.
        now_s: the start.
    """

    def __init__(self, time_limit_s: float, stall_limit_s: float, now_s: float) -> None:
        self._time_limit_s, self._stall_limit_s = time_limit_s, stall_limit_s
        self._start_s = self._pose_s = self._looked_s = now_s
        self._drives_since_s = self._drove_s = math.inf
        self._clock_s: float | None = None
        self._still_s = 0.0
        self._heard = False

    def on_pose(self, now_s: float) -> None:
        """Note a pose that counts."""
        self._heard, self._pose_s, self._drives_since_s, self._still_s = True, now_s, math.inf, 0.0

    def on_driven_frame(self, now_s: float) -> None:
        """Note a frame that the brain drove on."""
        self._heard, self._drove_s = True, now_s
        self._drives_since_s = min(self._drives_since_s, now_s)

    def on_message(self) -> None:
        """Note that anything came at all."""
        self._heard = True

    def broken(self, now_s: float, clock_s: float) -> str | None:
        """Return which limit is reached, None if none is; to be called some times a second.

        Args:
            now_s: as all of these.
            clock_s: simulated time.
        """
        if clock_s != self._clock_s:
            self._clock_s, self._still_s = clock_s, 0.0
        elif self._heard:
            self._still_s += now_s - self._looked_s
        self._looked_s = now_s
        limit, stall = self._time_limit_s, self._stall_limit_s
        if stall and now_s - self._pose_s > stall:
            return f"no new pose of the car for {stall:g} s of real time"
        drives = now_s - self._drove_s < _DRIVES_S
        if drives and now_s - self._drives_since_s > UNMEASURED_S:
            return f"the brain drives, and no pose of the car came for {UNMEASURED_S:g} s"
        if limit and self._still_s > limit + STANDING_CLOCK_S:
            return f"time limit of {limit:g} s reached in real time, while /clock stood still"
        if limit and not self._heard and now_s - self._start_s > limit + START_UP_S:
            return f"time limit of {limit:g} s reached in real time, and nothing came"
        return None
