"""The circuit in a Gazebo world: its line found from above, from where the car stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.circuits.trace import (
    LINE,
    Trace,
    TraceError,
    road_half_width,
    smooth_lap,
    started_at,
    trace,
)
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.visuals import read_scene
from pilotnet_brain.simulation.mujoco.top_view import GroundMap, ground_map
from pilotnet_brain.simulation.scene import Placed, Scene

_COARSE_M, _FINE_M = 0.1, 0.05
_WIDE_M = 200.0
_FINE_PIXELS = 150_000_000
_LEAST_HALF_WIDTH_M = 0.3


@dataclass(frozen=True)
class TracedCircuit:
    """A circuit found in a world."""

    circuit: Circuit
    found: Trace  #: the line or the road
    start: Placed | None  #: the car that the lap starts at
    ground: GroundMap  #: what it was found in
    missing: tuple[str, ...]  #: models that were not found, and so not seen


def trace_world(
    world: Path,
    car: str = "",
    colour: tuple[int, int, int] | None = None,
    reverse: bool = False,
) -> TracedCircuit:
    """Return the circuit in a Gazebo world.

    The lap starts at the car, in its direction. Its line is the closed painted line on which the
    car stands, else the middle of the closed road.

    Args:
        world: the world file.
        car: name of the model that drives; empty: the only one that can move.
        colour: of the line, 0..255; None: any.
        reverse: drive the other way round.

    Raises:
        UserError: the world cannot be read; no such car.
        TraceError: no closed line or road, or several.
    """
    scene = read_scene(world)
    start = _car(world, scene, car)
    ground = _map_of(scene, 0.0 if start is None else start.z)
    place = None if start is None else ground.pixel(start.x, start.y)
    try:
        found = trace(ground.pixels, ground.metres_per_pixel, place, colour)
    except TraceError as problem:
        missing = f"; models not found: {', '.join(scene.missing)}" if scene.missing else ""
        raise TraceError(f"{world}: {problem}{missing}") from None
    lap = smooth_lap(ground.place(*found.points.T), ground.metres_per_pixel)
    lap = started_at(lap, None if start is None else (start.x, start.y, start.yaw), reverse)
    circuit = Circuit(world.stem, Centerline(lap))
    middle = np.column_stack(ground.pixel(*lap.T))
    half = road_half_width(ground.pixels, ground.metres_per_pixel, middle)
    if half is not None and half >= _LEAST_HALF_WIDTH_M:
        circuit = replace(circuit, asphalt_half_width=round(half, 2))
    if found.kind == LINE:
        circuit = replace(circuit, line_width=round(found.width_m, 3))
    return TracedCircuit(circuit, found, start, ground, scene.missing)


def _car(world: Path, scene: Scene, name: str) -> Placed | None:
    if name:
        for place in scene.movable:
            if place.name == name:
                return place
        known = ", ".join(place.name for place in scene.movable) or "none"
        raise UserError(f"{world}: no model {name!r} that can move; there are: {known}")
    if len(scene.movable) > 1:
        known = ", ".join(place.name for place in scene.movable)
        raise UserError(f"{world}: name the car with --car: {known}")
    return scene.movable[0] if scene.movable else None


def _map_of(scene: Scene, height: float) -> GroundMap:
    """Return a map of what lies around the road, without the wide ground around it."""
    low, high = _extent(scene)
    (width, depth) = np.maximum(high - low, 1.0)
    fine = width * depth / _FINE_M**2 <= _FINE_PIXELS
    area = (*low.tolist(), *high.tolist())
    return ground_map(scene, area, height, _FINE_M if fine else _COARSE_M)


def _extent(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.concatenate([mesh.vertices[mesh.faces][..., :2] for mesh in scene.meshes])
    narrow = np.ptp(corners, axis=1).max(axis=1) < _WIDE_M
    kept = corners[narrow] if narrow.any() else corners
    return kept.min(axis=(0, 1)) - 1.0, kept.max(axis=(0, 1)) + 1.0
