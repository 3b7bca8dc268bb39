"""The recipe that a data set was collected by, and what is in the data set, in numbers."""

from __future__ import annotations

import json
import operator
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pilotnet_brain.circuits.catalogue import is_held_out
from pilotnet_brain.circuits.random_circuit import FIRST_TRAINING_SEED
from pilotnet_brain.driving.expert import STANDARD, DrivingStyle
from pilotnet_brain.errors import InputWarning
from pilotnet_brain.learning.dataset import RECIPE_FILE, DataSet
from pilotnet_brain.learning.label_table import COLUMNS, SOURCE_FILE, TABLE_FILE, DataSetError

FRAMES_PER_WORLD = 160
TRAINING_CIRCUITS = ("many_curves", "nurburgring")
_OFF_LINE_M, _OFF_LINE_RAD = 0.05, 0.05
_STRAIGHT_1_PER_M = 0.01
"""Curvature below which a piece of road counts as straight: a radius of 100 m and more."""


@dataclass(frozen=True)
class Recipe:
    """What a data set is made from; it is written next to the frames."""

    frames: int = 40_000  #: how many
    seed: int = 1  #: of everything drawn
    #: names to drive on, each in both directions; "random" stands for a new random circuit in
    #: every world
    circuits: tuple[str, ...] = TRAINING_CIRCUITS
    random_share: float = 0.7  #: share of the worlds that are random circuits, 0..1
    plain_share: float = 0.15  #: share of the worlds with the plain look, 0..1
    #: path of a Gazebo world file that the circuits named lie in; empty: they are drawn with looks
    world: str = ""
    style: DrivingStyle = STANDARD  #: how hard the expert drives
    #: keep 640x480 pictures (JdeRobot's layout) instead of the compact array
    full_frames: bool = False

    @property
    def worlds(self) -> int:
        """Number of worlds that the frames come from; the last one may give fewer frames."""
        return -(-self.frames // FRAMES_PER_WORLD)


class World(NamedTuple):
    """Where ``FRAMES_PER_WORLD`` frames are taken: a circuit, a direction and a look."""

    circuit: str  #: its name, as ``load_circuit`` takes it
    reversed: bool  #: it is driven the other way round
    looks_seed: int | None  #: of ``random_looks``; None for the plain look


def draw_world(recipe: Recipe, number: int) -> tuple[World, np.random.Generator]:
    """Return a recipe's world, and the generator that all of its driving is drawn from."""
    rng = np.random.default_rng([recipe.seed, number, 0xDA7A])
    if rng.random() < recipe.random_share or not recipe.circuits:
        circuit = f"random-{FIRST_TRAINING_SEED + 10_000 * recipe.seed + number}"
        backwards = False
    else:
        circuit = str(rng.choice(recipe.circuits))
        backwards = bool(rng.random() < 0.5)
    plain = rng.random() < recipe.plain_share
    return World(circuit, backwards, None if plain else int(rng.integers(1 << 31))), rng


def worlds_of(recipe: Recipe) -> list[World]:
    """Return the worlds that a recipe's frames come from, in their order."""
    return [draw_world(recipe, number)[0] for number in range(recipe.worlds)]


def read_recipe(folder: Path) -> Recipe | None:
    """Return the recipe that a data set was collected by, None if there is none (JdeRobot's).

    Raises:
        DataSetError: it is not a recipe of this version.
    """
    values = _recipe_values(folder)
    if values is None:
        return None
    try:
        style = DrivingStyle(**values["style"])
        recipe = Recipe(
            **{**values, "circuits": tuple(map(str, values["circuits"])), "style": style}
        )
        if not 0 <= operator.index(recipe.seed) < 1 << 32 or operator.index(recipe.frames) < 1:
            raise ValueError(f"seed {recipe.seed}, frames {recipe.frames}")
        draw_world(recipe, 0)  # the shares are numbers
        return recipe
    except (TypeError, ValueError, KeyError) as problem:
        raise DataSetError(
            f"{folder / RECIPE_FILE}: not a recipe of this version: {problem}"
        ) from problem


def check_trainable(folder: Path) -> None:
    """Refuse a data set that was driven on test circuits for training and validation.

    Its recipe says so; a folder without one (JdeRobot's) passes. One that was made of bags, of
    whatever world, is warned of.

    Raises:
        DataSetError: a circuit of the recipe is held out (see ``is_held_out``), or the recipe
            cannot be read.
    """
    values = _recipe_values(folder)
    if values is None:
        _warn_of_test_circuits(folder / SOURCE_FILE)
        return
    held_out = [str(circuit) for circuit in values["circuits"] if is_held_out(str(circuit))]
    if held_out:
        raise DataSetError(
            f"{folder}: its frames were taken on {', '.join(held_out)} ({RECIPE_FILE}), which is "
            "for testing only: learn from a data set of other circuits"
        )


def _warn_of_test_circuits(path: Path) -> None:
    try:
        circuits = json.loads(path.read_bytes())["circuits"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    held_out = [name for name in map(str, circuits) if is_held_out(name)]
    if held_out:
        warnings.warn(
            f"{path.parent}: its frames were taken on {', '.join(held_out)}, which is for testing: "
            "what the model does there is no test of it any more",
            InputWarning,
            stacklevel=3,
        )


def _recipe_values(folder: Path) -> dict[str, Any] | None:
    # JdeRobot's newer data sets are named by a table, too.
    path = (folder.parent if folder.is_file() else folder) / RECIPE_FILE
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as problem:
        raise DataSetError(f"{path}: cannot be read: {problem}; collect it again") from problem
    if not isinstance(values, dict) or not isinstance(values.get("circuits"), list):
        raise DataSetError(f"{path}: names no circuits, so it is not a recipe; collect it again")
    return values


@dataclass(frozen=True)
class DataSetSummary:
    """A data set's counts; None where the folder does not say (JdeRobot's has only v and w)."""

    frames: int  #: how many
    worlds: int | None = None  #: how many circuits with a look each
    #: share of frames taken off the line, 0..1 (see ``recovery_share``)
    recoveries: float | None = None
    left_bends: float | None = None  #: share of frames in a bend to the left, 0..1...
    right_bends: float | None = None  #: ...and to the right
    #: frames by circuit; one driven the other way round ends in ``-reversed``, random ones are
    #: counted together
    circuits: dict[str, int] | None = None
    plain_looks: float | None = None  #: share of frames in the plain look, 0..1


def summarize(data: DataSet, recipe: Recipe | None) -> DataSetSummary:
    """Return a data set's counts; directions and looks follow from its recipe, if that is known."""
    table = data.table
    if not set(COLUMNS) <= set(table.columns):
        return DataSetSummary(len(data))
    circuits, plain = None, None
    if recipe is not None:
        seen = table["world"].astype(int)
        if not seen.between(0, recipe.worlds - 1).all():
            raise DataSetError(
                f"{TABLE_FILE} names worlds up to {seen.max()}, {RECIPE_FILE} has {recipe.worlds}: "
                "they belong to different data sets"
            )
        worlds = {number: draw_world(recipe, number)[0] for number in seen.unique().tolist()}
        names = seen.map(lambda number: _kind(worlds[number]))
        circuits = {str(name): int(count) for name, count in names.value_counts().items()}
        plain = float(seen.map(lambda number: worlds[number].looks_seed is None).mean())
    return DataSetSummary(
        frames=len(data),
        worlds=int(table["world"].nunique()),
        recoveries=recovery_share(table),
        left_bends=float((table["curvature"] > _STRAIGHT_1_PER_M).mean()),
        right_bends=float((table["curvature"] < -_STRAIGHT_1_PER_M).mean()),
        circuits=circuits,
        plain_looks=plain,
    )


def _kind(world: World) -> str:
    if world.circuit.startswith("random-"):
        return "random"
    return f"{world.circuit}-reversed" if world.reversed else world.circuit


def recovery_share(table: pd.DataFrame) -> float:
    """Return the share of frames (0..1) taken off the line: by more than 5 cm or 0.05 rad."""
    lateral = table["lateral_deviation"].abs() > _OFF_LINE_M
    heading = table["heading_error"].abs() > _OFF_LINE_RAD
    return float((lateral | heading).mean())
