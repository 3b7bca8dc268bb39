"""What is in a data set, in numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pilotnet_brain.driving.expert import DrivingStyle
from pilotnet_brain.learning.collect import Recipe, recovery_share, worlds_of
from pilotnet_brain.learning.dataset import COLUMNS, RECIPE_FILE, DataSet, DataSetError

_STRAIGHT_1_PER_M = 0.01
"""Curvature below which a piece of road counts as straight: a radius of 100 m and more."""


@dataclass(frozen=True)
class DataSetSummary:
    """A data set's counts; None where the folder does not tell (JdeRobot's has v and w alone).

    Attributes:
        frames: how many.
        worlds: how many circuits with a look each.
        recoveries: share of frames taken off the line, 0..1 (see ``recovery_share``).
        left_bends: share of frames in a bend to the left, 0..1...
        right_bends: ...and to the right.
        circuits: frames by circuit; one driven the other way round ends in ``-reversed``, all
            random ones are one.
        plain_looks: share of frames in the plain look, 0..1.
    """

    frames: int
    worlds: int | None = None
    recoveries: float | None = None
    left_bends: float | None = None
    right_bends: float | None = None
    circuits: dict[str, int] | None = None
    plain_looks: float | None = None


def read_recipe(folder: Path) -> Recipe | None:
    """Return the recipe that a data set was collected by, None where there is none.

    Raises:
        DataSetError: it is not a recipe of this version.
    """
    path = folder / RECIPE_FILE
    try:
        values = json.loads(path.read_bytes())
        values["circuits"] = tuple(values["circuits"])
        values["style"] = DrivingStyle(**values["style"])
        return Recipe(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as problem:
        raise DataSetError(f"{path}: not a recipe of this version: {problem}") from problem


def summarize(data: DataSet, recipe: Recipe | None) -> DataSetSummary:
    """Return a data set's counts.

    Args:
        data: any.
        recipe: that it was collected by, if known; directions and looks follow from it.
    """
    table = data.table
    if not set(COLUMNS) <= set(table.columns):
        return DataSetSummary(len(data))
    curvature = table["curvature"]
    circuits: dict[str, int] | None = None
    plain = None
    if recipe is not None:
        worlds = worlds_of(recipe)
        names = [_kind(world.circuit, world.reversed) for world in worlds]
        seen = table["world"].astype(int)
        circuits = {
            str(name): int(count)
            for name, count in seen.map(dict(enumerate(names))).value_counts().items()
        }
        plain = float(
            seen.map({n: w.looks_seed is None for n, w in enumerate(worlds)}).astype(float).mean()
        )
    return DataSetSummary(
        frames=len(data),
        worlds=int(table["world"].nunique()),
        recoveries=recovery_share(table),
        left_bends=float((curvature > _STRAIGHT_1_PER_M).mean()),
        right_bends=float((curvature < -_STRAIGHT_1_PER_M).mean()),
        circuits=circuits,
        plain_looks=plain,
    )


def _kind(circuit: str, backwards: bool) -> str:
    if circuit.startswith("random-"):
        return "random"
    return f"{circuit}-reversed" if backwards else circuit
