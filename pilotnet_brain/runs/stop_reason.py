"""Why a run is ended from outside, told to its metrics node through a file in the run's folder.

A signal carries no text; whoever ends the run (a node died, Ctrl-C) writes the reason first.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_NAME = ".stop_reason"


def write_stop_reason(run_dir: Path, reason: str) -> None:
    """Leave the reason for the metrics node; on a full disk it has to do without."""
    with suppress(OSError):
        (run_dir / _NAME).write_text(reason, encoding="utf-8")


def take_stop_reason(run_dir: Path) -> str | None:
    """Return the reason and remove it; None where nobody left one."""
    path = run_dir / _NAME
    try:
        reason = path.read_text(encoding="utf-8").strip()
        path.unlink()
    except FileNotFoundError:
        return None
    return reason or None
