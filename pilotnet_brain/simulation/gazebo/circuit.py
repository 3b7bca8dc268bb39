"""A circuit as a Gazebo model folder: its meshes with their textures, model.sdf, model.config."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.gazebo.meshes import (
    drawn_meshes,
    wall_collision_mesh,
    write_obj,
    write_stl,
)
from pilotnet_brain.simulation.gazebo.sdf import document, tag, write_xml
from pilotnet_brain.simulation.looks import Looks

SDF_VERSION = "1.6"
"""What both Gazebo Classic 11 and Gazebo Sim read."""
GROUND = "ground"
WALLS = "walls"


def file_stem(circuit: Circuit) -> str:
    """Return the circuit's name without what a file name or an address should not have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", circuit.name)


def circuit_model_name(circuit: Circuit) -> str:
    """Return the name of the circuit's model and of its folder: JdeRobot's have the bare name."""
    return f"pilotnet_{file_stem(circuit)}"


def write_circuit_model(circuit: Circuit, looks: Looks, models: Path) -> Path:
    """Write the circuit's model folder into a folder of models; return it.

    The road is drawn in the world frame. One plane collides at height 0, and the walls do, with
    boxes behind their faces.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    name = circuit_model_name(circuit)
    folder = models / name
    meshes = folder / "meshes"
    meshes.mkdir(parents=True, exist_ok=True)
    parts = [_ground_collision()]
    for material, mesh in drawn_meshes(circuit, looks, f"{name}_").items():
        write_obj(mesh, meshes, material)
        parts.append(tag("visual", *_drawn(name, material), name=material))
    if looks.walls:
        write_stl(wall_collision_mesh(circuit, looks), meshes / f"{WALLS}.stl")
        parts.append(tag("collision", _mesh(name, f"{WALLS}.stl"), _without_friction(), name=WALLS))
    model = tag("model", tag("static", True), tag("link", *parts, name="road"), name=name)
    write_model_files(
        folder, SDF_VERSION, model, f"The circuit {file_stem(circuit)}, made from its centerline"
    )
    return folder


def write_model_files(folder: Path, sdf_version: str, model: Element, description: str) -> None:
    """Write model.sdf and model.config into a model folder, made where it is not there.

    Raises:
        OSError: the folder is not writable, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_xml(folder / "model.sdf", document(sdf_version, model))
    config = tag(
        "model",
        tag("name", model.get("name", folder.name)),
        tag("version", "1.0"),
        tag("sdf", "model.sdf", version=sdf_version),
        tag("author", tag("name", "PilotNet Brain")),
        tag("description", description),
    )
    write_xml(folder / "model.config", config)


def _ground_collision() -> Element:
    plane = tag("plane", tag("normal", (0.0, 0.0, 1.0)), tag("size", (1000.0, 1000.0)))
    return tag("collision", tag("geometry", plane), _without_friction(), name=GROUND)


def _drawn(model: str, mesh: str) -> tuple[Element, Element]:
    return _mesh(model, f"{mesh}.obj"), tag("cast_shadows", False)


def _mesh(model: str, file_name: str) -> Element:
    return tag("geometry", tag("mesh", tag("uri", f"model://{model}/meshes/{file_name}")))


def _without_friction() -> Element:
    return tag("surface", tag("friction", tag("ode", tag("mu", 0.0), tag("mu2", 0.0))))
