"""The scores of models from the rows of the proof: what the manifest and the model card show."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pilotnet_brain.errors import UserError

_KEPT = (
    "completion",
    "average_speed",
    "position_deviation_mae",
    "position_deviation_max",
    "position_deviation_score",
)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a benchmark: of its folder, its results.json or its results.csv.

    Raises:
        UserError: there are none.
    """
    if path.is_dir():
        path = path / "results.json"
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return [_typed(row) for row in csv.DictReader(file)]
        rows = json.loads(path.read_bytes())["rows"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(f"{path}: holds no rows of a benchmark: {problem}") from problem
    return list(rows)


def scores_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return each model's checksum and scores, by the model's name.

    The scores: by circuit the lap in the plain look (series ``plain``); for every other series its
    laps as one (`summary`).

    Args:
        rows: of a benchmark with series, such as the shipped plan ``proof``.
    """
    scores: dict[str, tuple[str, dict[str, Any]]] = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        of_model = [row for row in rows if row["model"] == model]
        found: dict[str, Any] = {}
        for series in dict.fromkeys(row["series"] for row in of_model):
            laps = [row for row in of_model if row["series"] == series]
            if series == "plain":
                found |= {row["circuit"]: _lap(row) for row in laps}
            else:
                found[series] = summary(laps)
        scores[Path(model).stem] = str(of_model[0]["model_sha256"]), found
    return scores


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several laps as one: finished of driven, means, the worst.

    Speeds and deviations of laps that were not finished count with them, as far as there are any:
    a car that never set off has none. Where no lap has, the figure is None.
    """

    def known(key: str) -> list[float]:
        return [row[key] for row in rows if row.get(key) is not None]

    def mean(key: str) -> float | None:
        return float(np.mean(known(key))) if known(key) else None

    return {
        "laps": len(rows),
        "finished": sum(bool(row["finished"]) for row in rows),
        "average_speed": mean("average_speed"),
        "position_deviation_mae": mean("position_deviation_mae"),
        "position_deviation_max": max(known("position_deviation_max"), default=None),
        "not_finished": sorted(
            f"{row['circuit']}, looks {row['looks_seed']}" for row in rows if not row["finished"]
        ),
        "circuits": list(dict.fromkeys(row["circuit"] for row in rows)),
        "looks_seeds": sorted({row["looks_seed"] for row in rows}),
    }


def _lap(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"lap_completed": bool(row["finished"])} | {key: row.get(key) for key in _KEPT}


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of results.csv in its own types."""
    typed: dict[str, Any] = {}
    for key, text in row.items():
        if text in ("True", "False", ""):
            typed[key] = {"True": True, "False": False, "": None}[text]
            continue
        try:
            typed[key] = float(text) if key not in ("looks_seed", "repetition") else int(text)
        except ValueError:
            typed[key] = text
    typed["series"] = typed.get("series") or ""
    return typed
