"""One run of a benchmark as a row of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilotnet_brain.benchmark.plan import UNDISTURBED, PlannedRun
from pilotnet_brain.runs.spec import parse_disturbance

Row = dict[str, Any]
"""What was asked of a run, how it ended, and its figures: flat, of JSON's types."""

FAILURE = "failure"
"""Of a run's figures: why it could not be driven to its own end, missing where it could."""


def failed_figures(reason: str) -> dict[str, Any]:
    """Return the figures of a run that could not be driven at all."""
    return {"lap_completed": False, "ending": reason, FAILURE: reason}


def row_of(
    run: PlannedRun, figures: Mapping[str, Any], *, folder: str | None, sha256: str | None
) -> Row:
    """Return a run's row.

    Args:
        figures: of metrics.json; mappings and lists of them are left out.
        folder: of the run, relative to the benchmark's; None where there is none.
        sha256: of the model's file.
    """
    spec = run.spec
    name, amount = UNDISTURBED, 0.0
    if spec.disturbance:
        name, amount = parse_disturbance(spec.disturbance)
    asked = {
        "name": run.name,
        "series": run.series,
        "model": spec.model,
        "circuit": spec.circuit,
        "repetition": run.repetition,
        "looks_seed": spec.looks_seed,
        "start_arc_length": spec.start_arc_length,
        "disturbance": name,
        "amount": amount,
        "mode": "lockstep" if spec.lockstep else "live",
        "run": folder,
    }
    failure = figures.get(FAILURE)
    return {
        **asked,
        "finished": bool(figures.get("lap_completed")),
        "failed": failure is not None,
        "reason": failure or figures.get("ending"),
        "model_sha256": sha256,
        **{
            key: value
            for key, value in figures.items()
            if key not in asked and key != FAILURE and not _is_nested(value)
        },
    }


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and any(isinstance(item, Mapping) for item in value)
    )
