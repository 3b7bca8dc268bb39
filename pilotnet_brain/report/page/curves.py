"""How models bear disturbances: laps finished and deviation over each one's amount."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.runs.disturbances import DISTURBANCES

Row = Mapping[str, Any]


def disturbance_curves(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return one entry for each disturbance of a benchmark, none where nothing was disturbed.

    An entry has ``name``, ``unit`` and ``series``: for each model its ``points``, mappings of
    ``amount``, ``finished`` (share of its runs), ``deviation`` (mean MAE of the finished ones, m;
    None where none did) and ``runs``. Undisturbed runs on the same circuits stand where the
    amount changes nothing.
    """
    groups: dict[str, dict[str, dict[float, list[Row]]]] = {}
    undisturbed: dict[str, list[Row]] = {}
    for row in rows:
        model, name = str(row.get("model")), str(row.get("disturbance") or UNDISTURBED)
        if name == UNDISTURBED:
            undisturbed.setdefault(model, []).append(row)
        else:
            amounts = groups.setdefault(name, {}).setdefault(model, {})
            amounts.setdefault(float(row.get("amount") or 0.0), []).append(row)
    for name, models in groups.items():
        known = DISTURBANCES.get(name)
        for model, amounts in models.items():
            circuits = {row.get("circuit") for rows_ in amounts.values() for row in rows_}
            as_given = [r for r in undisturbed.get(model, []) if r.get("circuit") in circuits]
            if known is not None and as_given:
                amounts.setdefault(known.none, as_given)
    return [
        {
            "name": name,
            "unit": DISTURBANCES[name].unit if name in DISTURBANCES else "",
            "series": [
                {"model": model, "points": [_point(a, amounts[a]) for a in sorted(amounts)]}
                for model, amounts in models.items()
            ],
        }
        for name, models in groups.items()
    ]


def _point(amount: float, rows: list[Row]) -> dict[str, Any]:
    finished = [row for row in rows if row.get("finished")]
    deviations = [row["position_deviation_mae"] for row in finished
                  if row.get("position_deviation_mae") is not None]  # fmt: skip
    return {
        "amount": amount,
        "finished": len(finished) / len(rows),
        "deviation": round(fmean(deviations), 4) if deviations else None,
        "runs": len(rows),
    }
