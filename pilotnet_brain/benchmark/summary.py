"""A benchmark's rows as mean and spread over repetitions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

SPREAD_FIGURES = (
    "average_speed",
    "position_deviation_mae",
    "position_deviation_max",
    "position_deviation_score",
    "position_deviation_score_published",
    "brain_iteration_frequency",
    "mean_inference_time",
    "frame_age_p99",
    "frames_dropped",
    "real_time_factor",
    "suddenness",
)
"""Figures of a run that a summary gives with mean and spread."""
BY_CIRCUIT = ("model", "circuit", "disturbance", "amount")
BY_MODEL = ("model", "disturbance", "amount")


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return mean, sample standard deviation (n - 1) and number of values; None where undefined."""
    known = [float(value) for value in values if math.isfinite(value)]
    return {
        "mean": fmean(known) if known else None,
        "std": stdev(known) if len(known) > 1 else None,
        "n": len(known),
    }


def summarize(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str] = BY_CIRCUIT
) -> list[dict[str, Any]]:
    """Return one entry for each group of rows, in the order in which the groups appear.

    Means and spreads are those of the finished runs: the speed of a car that left the road after
    ten metres says nothing of a lap. What else ended runs is in ``endings``, counted.

    Args:
        rows: of the benchmark, as `row.row_of` makes them.
        by: what the rows of a group have in common.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in by), []).append(row)
    return [dict(zip(by, key, strict=True)) | _entry(group) for key, group in groups.items()]


def _entry(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    finished = [row for row in rows if row["finished"]]
    circuits = len({row["circuit"] for row in rows})
    # Laps of different circuits have no common lap time.
    timed = finished if circuits == 1 else []
    lap_times = [time for row in timed for time in row.get("lap_times_s") or []]
    return {
        "circuits": circuits,
        "runs": len(rows),
        "runs_finished": len(finished),
        "laps_started": sum(_laps_started(row) for row in rows),
        "laps_finished": sum(row.get("laps") or 0 for row in rows),
        "lap_time_s": spread(lap_times),
        "best_lap_time_s": min(lap_times, default=None),
        **{
            key: spread([row[key] for row in finished if row.get(key) is not None])
            for key in SPREAD_FIGURES
        },
        "device": ", ".join(sorted({str(row["device"]) for row in rows if row.get("device")})),
        "endings": _endings(rows),
    }


def _laps_started(row: Mapping[str, Any]) -> int:
    """Return how many laps a run began: those it finished and, cut short, one more."""
    asked = row.get("laps_asked") or 1
    return asked if row["finished"] else min(asked, (row.get("laps") or 0) + 1)


def _endings(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often each reason ended a run that did not finish, without its place and time."""
    reasons = (row.get("reason") or "not ended" for row in rows if not row["finished"])
    return dict(Counter(str(reason).split(":")[0] for reason in reasons))
