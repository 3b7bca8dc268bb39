"""A run in one line, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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


def summary_line(figures: Mapping[str, Any], run_dir: Path) -> str:
    """Return a finished run's figures as one line."""
    completion = figures.get("completion")
    outcome = (
        "lap completed"
        if figures.get("lap_completed")
        else f"lap not completed ({figures.get('ending')})"
        + (f" at {100.0 * completion:.1f} %" if completion is not None else "")
    )
    parts = [
        outcome,
        _number(figures.get("average_speed"), "{:.2f} m/s on average"),
        _number(figures.get("position_deviation_mae"), "{:.3f} m off the line"),
        _number(figures.get("real_time_factor"), "real-time factor {:.2f}"),
    ]
    return f"{', '.join(part for part in parts if part)}; results in {run_dir}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
