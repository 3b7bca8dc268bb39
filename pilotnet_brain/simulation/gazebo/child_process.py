"""What starting a Gazebo of either kind needs: search paths, and children that never outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pilotnet_brain.errors import UserError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def check_display(window: str) -> None:
    """Raise UserError where there is no display for a window."""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise UserError(f"gui: {window} needs a display: set DISPLAY, or leave gui out")


def ament_prefixes(environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return the prefixes on AMENT_PREFIX_PATH, of this process unless an environment is given."""
    present = os.environ if environment is None else environment
    return [Path(p) for p in present.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]


def prepend(environment: dict[str, str], variable: str, folders: Iterable[Path]) -> None:
    """Put folders in front of an environment's search path, which may be missing."""
    present = [environment[variable]] if environment.get(variable) else []
    if paths := [*map(str, folders), *present]:
        environment[variable] = os.pathsep.join(paths)


def start_child(
    command: Sequence[str], environment: Mapping[str, str], output: int | None
) -> subprocess.Popen[bytes]:
    """Start a program in its own process group: Ctrl-C reaches the parent only.

    Its output is subprocess.PIPE, which takes its errors too, DEVNULL, or None: as this process's.

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
