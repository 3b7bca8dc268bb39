"""Programs that a process starts beside itself and that never outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def start_child(
    command: Sequence[str], environment: Mapping[str, str], output: int | None
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own (Ctrl-C is its parent's).

    Args:
        command: program and arguments.
        environment: all of it.
        output: subprocess.PIPE, which takes its errors too, DEVNULL, or None: as this process's.

    Raises:
        OSError: it cannot be started.
    """
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output == subprocess.PIPE else output,
        preexec_fn=_killed_with_parent,
    )


def _killed_with_parent() -> None:
    """In the child: its own process group, and killed when the parent dies."""
    os.setpgid(0, 0)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
