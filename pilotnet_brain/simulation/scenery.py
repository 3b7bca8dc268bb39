"""A world that others made, for the embedded simulator: what is seen, and where its road lies."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.simulation.looks import Looks, looks_of_seed
from pilotnet_brain.simulation.scene import Scenery, height_at
from pilotnet_brain.user_path import user_path

_STEP_M = 5.0
_FLAT_M = 0.1
_ABOVE_M = 1.0
"""The road is looked for up to this height above where the car stands."""


def looks_and_scenery(
    circuit: Circuit, looks_seed: int, world: str
) -> tuple[Looks, Scenery | None]:
    """Return what a run's camera sees: the looks of a seed, or a world file's scenery in its light.

    Raises:
        UserError: as `read_scenery`.
    """
    looks = looks_of_seed(looks_seed)
    if not world:
        return looks, None
    scenery = read_scenery(world, circuit)
    return scenery.lit(looks), scenery


def read_scenery(world: str | Path, circuit: Circuit) -> Scenery:
    """Return what a Gazebo world file shows, with the road of a circuit in it.

    A road that is not flat gives an InputWarning: the car drives at its middle height.

    Raises:
        UserError: the file cannot be read, shows nothing, or nothing lies under the circuit.
    """
    # It brings trimesh, and with it a third of a second to every run that needs no world file.
    from pilotnet_brain.simulation.gazebo.visuals import read_scene

    path = user_path(world)
    scene = read_scene(path)
    top = max((place.z for place in scene.movable), default=0.0) + _ABOVE_M
    line = circuit.centerline
    heights = height_at(scene, line.position(np.arange(0.0, line.length, _STEP_M)), top)
    if np.isnan(heights).mean() > 0.2:
        raise UserError(
            f"{path}: nothing lies under {np.isnan(heights).mean():.0%} of the circuit "
            f"{circuit.name}: it is another circuit's world, or the circuit lies elsewhere in it"
        )
    low, middle, high = np.nanpercentile(heights, [5, 50, 95]).tolist()
    if high - low > _FLAT_M:
        text = (
            f"{path}: the road rises and falls by {high - low:.2f} m: it is driven as if flat, at "
            f"{middle:.2f} m"
        )
        warnings.warn(text, InputWarning, stacklevel=2)
    return Scenery(scene, middle)
