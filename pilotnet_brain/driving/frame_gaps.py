"""Camera frames that were published but never arrived."""

from __future__ import annotations

from collections import deque

_REMEMBERED = 200


class FrameGaps:
    """Compares the stamps that the camera published with those that arrived.

    An image has no sequence number; the camera publishes a CameraInfo with the same stamp for each
    one, before or after it. A frame counts as dropped once a newer one has arrived. Frames from
    before the first arrival do not count: the brain was not driving yet.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._newest: int | None = None
        self._arrived: deque[int] = deque(maxlen=_REMEMBERED)
        self._open: deque[int] = deque(maxlen=_REMEMBERED)

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
        self._open = deque((s for s in self._open if s > stamp_ns), maxlen=_REMEMBERED)
        self._newest = stamp_ns
