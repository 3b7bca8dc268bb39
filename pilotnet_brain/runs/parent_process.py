"""A node ends when the process that leads its run does, however that one ended.

``ros2 launch`` dies of a SIGTERM without a word to its nodes; ``pilotnet drive`` of a SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping

LEADER_VARIABLE = "PILOTNET_RUN_LEADER"
"""Environment variable with the process id of who leads the run."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def leader_environment() -> dict[str, str]:
    """Return what tells a node that this process leads its run."""
    return {LEADER_VARIABLE: str(os.getpid())}


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


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
