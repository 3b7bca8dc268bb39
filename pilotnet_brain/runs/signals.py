"""Signals of a run's processes: SIGINT and SIGTERM noticed, and the end of who leads the run.

A node ends when the process that leads its run does, however that one ended: ``ros2 launch`` dies
of a SIGTERM without a word to its nodes, ``pilotnet drive`` of a SIGKILL.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from types import FrameType

from pilotnet_brain.end_with_parent import end_with_parent

LEADER_VARIABLE = "PILOTNET_RUN_LEADER"
"""Environment variable with the process id of who leads the run."""
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


def leader_environment() -> dict[str, str]:
    """Return what tells a node that this process leads its run."""
    return {LEADER_VARIABLE: str(os.getpid())}


def end_with_leader(environment: Mapping[str, str] | None = None) -> None:
    """End with the leader that the environment names; without one, or not its child, do nothing.

    A leader that is dead already ends this process at once.
    """
    leader = (os.environ if environment is None else environment).get(LEADER_VARIABLE, "")
    if not leader.isdigit():
        return
    if os.getppid() == int(leader):
        end_with_parent()
    try:
        os.kill(int(leader), 0)
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGTERM)
    except PermissionError:
        pass  # It lives, as another user.
