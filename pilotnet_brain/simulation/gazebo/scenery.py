"""Somebody else's world for Gazebo Classic with this package's car in it.

A car that was made for another generation of gazebo_ros, or for gazebo_ros where there is none,
cannot be driven; the same scene with the car of the contract in its place can.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.classic_world import (
    Flavour,
    WorldFiles,
    include_car,
    physics,
    write_car,
)
from pilotnet_brain.simulation.gazebo.sdf import read_xml, write_xml
from pilotnet_brain.simulation.looks import PLAIN


def write_world_with_our_car(
    scenery: Path, replaced: str, circuit: Circuit, folder: Path, flavour: Flavour
) -> WorldFiles:
    """Write a copy of a world file with the car of the contract on the circuit's start line.

    The car that it replaces, gazebo_ros' plugins and the physics' settings of the world are left
    out; everything else, so everything that is seen, stays. The models that the world includes
    are not copied: they must be on GAZEBO_MODEL_PATH, as for the original.

    Args:
        scenery: the world file.
        replaced: the car in it, by its name or the folder that it is included from.
        circuit: whose start line the car stands on.
        folder: to write into.
        flavour: how the car is driven.

    Raises:
        UserError: the file cannot be read, holds no world or no such car, or the folder cannot be
            written.
    """
    root = _read(scenery)
    world = root.find("world")
    if world is None:
        raise UserError(f"{scenery}: holds no <world>: it is no world file of Gazebo's")
    _remove_car(world, replaced, scenery)
    for part in [*world.findall("physics"), *world.findall("plugin")]:
        if part.tag == "physics" or part.get("filename", "").startswith("libgazebo_ros"):
            world.remove(part)
    # Of that name are the topics of the car and of its camera.
    world.set("name", "default")
    world.extend([physics(flavour), include_car(flavour, circuit.start_pose()), *flavour.to_world])
    models = folder / "models"
    written = folder / f"{scenery.stem}.world"
    if written.resolve() == scenery.resolve():
        raise UserError(f"{written}: is the world itself; choose another folder")
    try:
        write_car(PLAIN, flavour, models)
        write_xml(written, root)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(written, models)


def _read(path: Path) -> Element:
    try:
        return read_xml(path)
    except (OSError, ElementTree.ParseError, ValueError) as problem:
        raise UserError(f"{path}: not a world file that can be read: {problem}") from problem


def _remove_car(world: Element, replaced: str, scenery: Path) -> None:
    present = [*world.findall("include"), *world.findall("model")]
    cars = [part for part in present if replaced in _names(part)]
    if not cars:
        known = ", ".join(sorted({name for part in present for name in _names(part)})) or "none"
        raise UserError(f"{scenery}: no model {replaced!r} in it; there are {known}")
    for car in cars:
        world.remove(car)


def _names(part: Element) -> set[str]:
    """Return what a model in a world is called: its name, and the folder it is included from."""
    names = [part.get("name"), part.findtext("name"), part.findtext("uri")]
    return {name.strip().rstrip("/").rsplit("/", 1)[-1] for name in names if name}
