"""The figures of a run in a person's units: names, numbers, order. Said once for every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "-"


@dataclass(frozen=True)
class FigureText:
    """How one figure of metrics.json is written.

    Attributes:
        key: in metrics.json.
        label: what it is called.
        unit: behind the number, may be empty.
        factor: from the file's SI unit to `unit`.
        digits: behind the point.
    """

    key: str
    label: str
    unit: str = ""
    factor: float = 1.0
    digits: int = 2

    def of(self, figures: Mapping[str, Any]) -> str:
        """Return the figure with its unit, ``-`` where it was not measured."""
        value = figures.get(self.key)
        if value is None:
            return NOT_MEASURED
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(f"{item * self.factor:.{self.digits}f}" for item in value) + (
                f" {self.unit}" if value and self.unit else ""
            )
        if not isinstance(value, int | float):
            return str(value)
        return f"{self._number(value * self.factor)} {self.unit}".rstrip()

    def _number(self, value: float) -> str:
        if abs(value) >= 1e6:
            return f"{value:.3g}"
        return f"{value:.{self.digits}f}"


FIGURES = (
    FigureText("circuit", "circuit"),
    FigureText("model", "model"),
    FigureText("device", "device"),
    FigureText("simulator", "simulator"),
    FigureText("lap_completed", "laps completed"),
    FigureText("completion", "driven", "%", 100.0, 1),
    FigureText("ending", "ended by"),
    FigureText("laps", "laps", digits=0),
    FigureText("lap_times_s", "lap times", "s"),
    FigureText("distance_m", "distance", "m", digits=1),
    FigureText("average_speed", "average speed", "m/s"),
    FigureText("position_deviation_mae", "position deviation (MAE)", "m", digits=3),
    FigureText("position_deviation_max", "largest deviation", "m", digits=3),
    FigureText("position_deviation_score", "deviation score (centerline)"),
    FigureText("position_deviation_score_published", "deviation score (published)"),
    FigureText("brain_iteration_frequency", "brain iteration frequency", "Hz", digits=1),
    FigureText("brain_rate_hz", "brain rate (real time)", "Hz", digits=1),
    FigureText("mean_inference_time", "mean inference time", "ms", 1e3),
    FigureText("inference_time_p50", "inference time, median", "ms", 1e3),
    FigureText("inference_time_p99", "inference time, p99", "ms", 1e3),
    FigureText("frame_age_p50", "frame age, median", "ms", 1e3),
    FigureText("frame_age_p99", "frame age, p99", "ms", 1e3),
    FigureText("frames_received", "frames received", digits=0),
    FigureText("frames_dropped", "frames dropped", digits=0),
    FigureText("frames_late", "frames late", digits=0),
    FigureText("frames_broken", "frames broken", digits=0),
    FigureText("suddenness", "suddenness", digits=4),
    FigureText("real_time_factor", "real-time factor", digits=3),
    FigureText("simulated_time_s", "simulated time", "s"),
    FigureText("real_time_s", "real time", "s"),
)
"""In the order of the table."""

_BY_KEY = {text.key: text for text in FIGURES}


def figure_text(figures: Mapping[str, Any], key: str) -> str:
    """Return one figure with its unit, ``-`` where it was not measured."""
    return _BY_KEY[key].of(figures)


def outcome(figures: Mapping[str, Any]) -> str:
    """Return in one phrase how the run ended: the lap times, or why it was cut short."""
    times = figures.get("lap_times_s") or []
    if figures.get("lap_completed"):
        if not times:
            return "lap completed"
        if len(times) == 1:
            return f"lap completed in {times[0]:.2f} s"
        return f"{len(times)} laps completed, best {min(times):.2f} s"
    ending = figures.get("ending") or "not ended yet"
    if figures.get("completion") is None:
        return f"nothing driven: {ending}"
    return f"cut short at {figure_text(figures, 'completion')}: {ending}"
