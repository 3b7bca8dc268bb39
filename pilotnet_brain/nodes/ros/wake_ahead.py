"""Runs the network shortly before the next frame is due, so that the caches hold it by then.

Between two frames, 50 ms apart, simulator and other nodes take the processor's caches: at 20 Hz an
int8 network takes four times as long as in a row.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node

_INTERVALS = 5
_LATE_S = 0.001
"""A timer that fires later than this tells of a processor that has other work."""
_SLOWEST_HZ, _FASTEST_HZ = 1.0, 200.0


class WakeAhead:
    """Calls a function a while before the next frame is due, as far as frames come regularly.

    A frame that comes before is not held up: it puts the call off to the next one. Nor does it
    call where the timer fires late, since the processor has no time to spare then.

    Args:
        node: whose timer it is.
        ahead_s: how long before the frame, s.
        wake: what is called.
        clock: a steady one.
        group: of the frames' callbacks.
    """

    def __init__(
        self,
        node: Node,
        ahead_s: float,
        wake: Callable[[], object],
        clock: Clock,
        group: CallbackGroup,
    ) -> None:
        self._ahead_s, self._wake = ahead_s, wake
        self._intervals: deque[float] = deque(maxlen=_INTERVALS)
        self._last_s = self._due_s = 0.0
        self._timer: Any = node.create_timer(1.0, self._on_timer, callback_group=group, clock=clock)
        self._timer.cancel()  # each frame sets the period

    def on_frame(self, arrived_s: float) -> None:
        """Take note of a frame, at the end of its callback.

        Args:
            arrived_s: when its callback began, s of `time.perf_counter`.
        """
        self._timer.cancel()
        self._intervals.append(arrived_s - self._last_s)
        self._last_s = arrived_s
        interval = statistics.median(self._intervals)
        if len(self._intervals) < _INTERVALS or not (
            1.0 / _FASTEST_HZ < interval < 1.0 / _SLOWEST_HZ
        ):
            return
        self._due_s = arrived_s + interval - self._ahead_s
        if (wait_s := self._due_s - time.perf_counter()) > 0.0:
            self._timer.timer_period_ns = int(wait_s * 1e9)
            self._timer.reset()

    def _on_timer(self) -> None:
        self._timer.cancel()
        if time.perf_counter() - self._due_s < _LATE_S:
            self._wake()
