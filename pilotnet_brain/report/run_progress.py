"""A run in one line, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def progress_line(progress: Mapping[str, Any]) -> str:
    """Return RunMetrics' progress as one line."""
    if progress.get("completion") is None:
        return "waiting for the car's pose"
    parts = [
        f"{100.0 * progress['completion']:5.1f} %",
        f"lap {progress['laps']} done" if progress["laps"] else "lap 1",
        _number(progress["time_s"], "{:6.1f} s"),
        _number(progress["speed"], "{:5.1f} m/s"),
        _number(progress["lateral_deviation"], "{:+.3f} m off the line"),
        _number(progress["frame_rate_hz"], "{:4.1f} frames/s"),
    ]
    return "  ".join(part for part in parts if part)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
