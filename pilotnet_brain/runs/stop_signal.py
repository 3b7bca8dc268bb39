"""SIGINT and SIGTERM, noticed without an exception."""

from __future__ import annotations

import signal
from types import FrameType

_EXIT_LIMIT_S = 4.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Notices SIGINT and SIGTERM; as a context manager, until its end.

    Attributes:
        number: of the first signal; None until then.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before = {number: signal.signal(number, self._notice) for number in _SIGNALS}

    @property
    def name(self) -> str:
        """The signal's name, empty before the first one."""
        return "" if self.number is None else signal.Signals(self.number).name

    def __enter__(self) -> StopSignal:
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            # A process that hangs on its way out ends all the same.
            signal.setitimer(signal.ITIMER_REAL, _EXIT_LIMIT_S)
