"""The car in an existing world, whose own car may need another Gazebo than there is."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.etree.ElementTree import Element

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.car import Flavour
from pilotnet_brain.simulation.gazebo.sdf import read_world, row, write_xml
from pilotnet_brain.simulation.gazebo.world import WorldFiles, include_car, physics, write_car
from pilotnet_brain.simulation.looks import PLAIN, Looks

_ON_ROAD_M = 2.0
"""A car waits on its road, which reaches 1.2 to 1.65 m from the line."""


def write_world_with_our_car(
    scenery: Path,
    replaced: str,
    circuit: Circuit,
    folder: Path,
    flavour: Flavour,
    start: tuple[float, float, float] | None = None,
    looks: Looks = PLAIN,
) -> WorldFiles:
    """Write a copy of a world file with the car of the contract on the circuit's start line.

    Where the car that it replaces stands far from the circuit, the world's road is another one, or
    lies elsewhere: that is refused. `start` (x, y in m, yaw in rad) puts the car there in any case.

    The car that it replaces, gazebo_ros' plugins and the physics' settings of the world are left
    out; everything else, so everything that is seen, stays. The models that the world includes
    are not copied: they must be on Gazebo's search path, as for the original.

    `replaced` is the name of the car in the world file, or of the folder that it is included from.

    Raises:
        UserError: the file cannot be read, holds no world or no such car, its car stands far from
            the circuit, or the folder cannot be written.
    """
    root, world = read_world(scenery)
    place = _remove_car(world, replaced, scenery)
    if start is None and place is not None:
        _check_place(place, circuit, f"{scenery}: its car {replaced}")
    for part in [*world.findall("physics"), *world.findall("plugin")]:
        if part.tag == "physics" or part.get("filename", "").startswith("libgazebo_ros"):
            world.remove(part)
    # Of that name are the topics of the car and of its camera.
    world.set("name", "default")
    car = include_car(flavour, start or circuit.start_pose())
    added = ElementTree.fromstring(f"<world>{physics(flavour)}{car}{flavour.to_world}</world>")
    there = {plugin.get("name") for plugin in world.findall("plugin")}
    world.extend(part for part in added if part.get("name") not in there)
    models = folder / "models"
    written = folder / scenery.name
    if written.resolve() == scenery.resolve():
        raise UserError(f"{written}: would overwrite the world itself; choose another folder")
    try:
        write_car(looks, flavour, models)
        write_xml(written, root)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(written, models)


def _remove_car(world: Element, replaced: str, scenery: Path) -> tuple[float, float] | None:
    """Remove a car from a world; return where it stood (x, y in m) if the world says it.

    A world that was saved while it ran has the poses then in its <state>, and those count.
    """
    present = [*world.findall("include"), *world.findall("model")]
    cars = [part for part in present if replaced in _names(part)]
    if not cars:
        known = ", ".join(sorted({name for part in present for name in _names(part)})) or "none"
        raise UserError(f"{scenery}: no model {replaced!r} in it; there are {known}")
    for car in cars:
        world.remove(car)
    saved = []
    for state in world.findall("state"):
        saved += (models := [part for part in state.findall("model") if replaced in _names(part)])
        for model in models:
            state.remove(model)
    return next((place for car in [*saved, *cars] if (place := _place(car)) is not None), None)


def _place(model: Element) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in model.findtext("pose", "").split()[:2])
    except ValueError:
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def _check_place(place: tuple[float, float], circuit: Circuit, whose: str) -> None:
    away = abs(circuit.centerline.project(*place).lateral_deviation)
    if away > _ON_ROAD_M:
        start = row(*circuit.start_pose())
        raise UserError(
            f"{whose} stands at {row(*place)}, {away:.0f} m from the line of {circuit.name}: the "
            "road there is another circuit, or lies elsewhere. Name the circuit as it lies in that "
            "world (a CSV, or the bag of a lap there), or say where our car is to stand: "
            f"--start X Y YAW (the start line is {start})"
        )


def _names(part: Element) -> set[str]:
    """Return what a model in a world is called: its name, and the folder it is included from."""
    names = [part.get("name"), part.findtext("name"), part.findtext("uri")]
    return {name.strip().rstrip("/").rsplit("/", 1)[-1] for name in names if name}
