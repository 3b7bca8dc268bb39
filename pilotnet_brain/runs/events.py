"""What happened in a run, as its processes tell each other: events.jsonl in the run's folder.

One JSON object a line, appended in one write: time, process, event and reason. A signal or an
exit status carries no reason; this file does. It stays in the folder as the run's log.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FILE = "events.jsonl"
FOLDER_VARIABLE = "PILOTNET_RUN_FOLDER"
"""Environment variable with the run's folder, for its processes."""

REFUSED = "refused"
"""A process cannot take part: the run is over before it began."""
FAILED = "failed"
"""A process cannot go on."""
DRIVING = "driving"
"""The metrics node has the first pose of a car that drives."""
STOPPING = "stopping"
"""The run is being ended from outside, for this reason."""
KILLED = "killed"
"""A process did not end when it was told to, and was killed."""


def process_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which a process of the run finds the folder's events."""
    return {FOLDER_VARIABLE: str(folder)}


def record_event(folder: Path | None, process: str, event: str, reason: str = "") -> None:
    """Append an event; on a full disk the run has to do without.

    Args:
        folder: of the run; None: the one that the environment names, if it names one.
        process: that tells it: a node's name, or "run" for the process that leads the run.
        event: one of the events above.
        reason: why, in one line.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if folder is None and not named:
        return
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "process": process, "event": event, "reason": reason})
    with suppress(OSError):
        path = Path(folder or str(named)) / FILE
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)


def read_events(folder: Path | None, event: str | None = None) -> list[dict[str, Any]]:
    """Return a run's events in the order in which they were told; a line cut short is left out.

    Args:
        folder: of the run; None: the one that the environment names, if it names one.
        event: only these; None: all.
    """
    path = Path(folder or os.environ.get(FOLDER_VARIABLE) or os.devnull)
    try:
        lines = (path / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        with suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and event in (None, told.get("event")):
                events.append(told)
    return events


def last_reason(folder: Path | None, event: str) -> str | None:
    """Return the reason of the latest event of a kind; None where there was none."""
    events = read_events(folder, event)
    return str(events[-1].get("reason", "")) if events else None
