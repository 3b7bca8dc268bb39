"""Judges a long run by what it took and by its figures, and says so in a table."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from long_run.processes import Usage
from pilotnet_brain.errors import UserError
from pilotnet_brain.machine import hardware
from pilotnet_brain.metrics.trajectory import COLUMNS, read_trajectory, rows_by_lap
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.from_bag import run_from_bag

MOST_GROWTH_MB = 5.0
MOST_SLOWDOWN, SLACK_S = 1.1, 0.3
"""Of processor seconds a minute."""
MOST_DROPPED = 1e-3
MOST_DRIFT_M = 0.005
"""Between the mean deviations of the first and the last full lap."""
SAME = (
    "laps", "distance_m", "average_speed", "position_deviation_mae", "position_deviation_score",
    "simulated_time_s", "frames_driven", "frames_received", "mean_inference_time",
)  # fmt: skip
"""Figures that the bag must give as the live node did; those of real time are two clocks'."""


@dataclass(frozen=True)
class Verdict:
    """What a long run took and did, and what of that is beyond its bound."""

    usage: list[Usage]
    figures: Mapping[str, Any]
    first_lap_m: float
    last_lap_m: float
    broken: list[str]


def judge(folder: RunFolder, usage: Sequence[Usage]) -> Verdict:
    """Judge a run that has ended."""
    figures = folder.read_metrics() or {}
    first_m, last_m = _first_and_last_lap(folder)
    broken = [*costs_more(usage), *_wrong_figures(folder, figures)]
    if abs(last_m - first_m) > MOST_DRIFT_M:
        broken.append(f"deviation {first_m:.4f} m in the first full lap, {last_m:.4f} in the last")
    return Verdict(list(usage), figures, first_m, last_m, broken)


def costs_more(usage: Sequence[Usage]) -> list[str]:
    """Return which process takes more at the end of a run than it did."""
    grown = [u for u in usage if u.end_mb - u.settled_mb > MOST_GROWTH_MB]
    slower = [u for u in usage if u.last_s > MOST_SLOWDOWN * u.first_s + SLACK_S]
    return [
        *(f"{u.node} grew by {u.end_mb - u.settled_mb:.1f} MB" for u in grown),
        *(f"{u.node} took {u.first_s:.2f} s a minute, then {u.last_s:.2f}" for u in slower),
    ]


def _wrong_figures(folder: RunFolder, figures: Mapping[str, Any]) -> list[str]:
    broken = []
    if not str(figures.get("ending")).startswith(("time limit", "stopped by")):
        broken.append(f"the run ended early: {figures.get('ending')}")
    dropped, published = figures.get("frames_dropped"), figures.get("frames_published")
    if dropped is None or not published or dropped > MOST_DROPPED * published:
        broken.append(f"{dropped} of {published} frames dropped")
    try:
        bag = run_from_bag(
            folder.bag, folder.new_metrics(), folder.topics(), since_s=folder.measured_since_s()
        ).figures
    except UserError as problem:
        return [*broken, f"the bag cannot be read: {problem}"]
    return broken + [
        f"{name} is {figures.get(name)}, and {bag[name]} from the bag"
        for name in SAME
        if not _same(figures.get(name), bag[name])
    ]


def _same(live: Any, bag: Any) -> bool:
    known = isinstance(live, int | float) and isinstance(bag, int | float)
    return math.isclose(live, bag, rel_tol=1e-6) if known else live == bag


def _first_and_last_lap(folder: RunFolder) -> tuple[float, float]:
    """Return the mean absolute deviation of the first and the last full lap, m."""
    rows = read_trajectory(folder.trajectory_csv)
    laps = rows_by_lap(rows, folder.circuit().centerline.length)
    full = [rows[lap] for lap, _ in laps[:-1]]
    if not full:
        return math.nan, math.nan
    lateral = COLUMNS.index("lateral_deviation")
    first, last = (float(np.mean(np.abs(lap[:, lateral]))) for lap in (full[0], full[-1]))
    return first, last


def table(verdict: Verdict) -> str:
    """Return the page of the results."""
    figures = verdict.figures
    minutes = (figures.get("simulated_time_s") or 0.0) / 60.0
    rows = "\n".join(
        f"| {u.node} | {u.settled_mb:.1f} | {u.end_mb:.1f} | {u.first_s:.2f} | {u.last_s:.2f} "
        f"| {1e3 * u.first_s / 60.0:.1f} | {1e3 * u.last_s / 60.0:.1f} |"
        for u in verdict.usage
    )
    outcome = "; ".join(verdict.broken) or "nothing is beyond its bound"
    machine = ", ".join(f"{name} {value}" for name, value in hardware().items() if value)
    return f"""# Long run

One live run of {minutes:.1f} simulated minutes on {figures.get("circuit")} with
{figures.get("model")}: {figures.get("laps")} laps, {figures.get("distance_m") or 0.0:.0f} m.
`make soak` writes this page; memory is compared with that after ten minutes (of a shorter run, with
that at its half), processor time between the first and the last quarter.

| process | MB, settled | MB, end | CPU s a minute, first | last | CPU ms a second, first | last |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

| figure | |
| --- | --- |
| frames dropped | {figures.get("frames_dropped")} of {figures.get("frames_published")} |
| mean deviation, m: first and last full lap | {verdict.first_lap_m:.4f}, {verdict.last_lap_m:.4f} |
| ending | {figures.get("ending")} |
| verdict | {outcome} |
| machine | {machine}; load average {os.getloadavg()[2]:.1f} |
"""
