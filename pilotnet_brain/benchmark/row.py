"""One run of a benchmark as a row of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilotnet_brain.benchmark.case import Case

Row = dict[str, Any]
"""A case's fields, how the run ended, and its figures: flat, of JSON's types."""

FAILURE = "failure"
"""Of a run's figures: why it could not be driven to its own end, missing where it could."""


def failed_figures(reason: str) -> dict[str, Any]:
    """Return the figures of a run that could not be driven at all."""
    return {"lap_completed": False, "ending": reason, FAILURE: reason}


def row_of(
    case: Case, figures: Mapping[str, Any], *, mode: str, run: str | None, sha256: str | None
) -> Row:
    """Return a run's row.

    Args:
        case: what was driven.
        figures: of metrics.json; mappings in it are left out.
        mode: "live" or "lockstep".
        run: the run's folder, relative to the benchmark's; None where there is none.
        sha256: of the model's file.
    """
    scalars = {key: value for key, value in figures.items() if not isinstance(value, Mapping)}
    scalars.pop(FAILURE, None)
    failure = figures.get(FAILURE)
    return {
        **case._asdict(),
        "mode": mode,
        "run": run,
        "finished": bool(figures.get("lap_completed")),
        "failed": failure is not None,
        "reason": failure or figures.get("ending"),
        "model_sha256": sha256,
        **{key: value for key, value in scalars.items() if key not in Case._fields},
    }


def case_of(row: Mapping[str, Any]) -> Case:
    """Return the case of a row. Raises KeyError where a field is missing."""
    return Case(**{name: row[name] for name in Case._fields})
