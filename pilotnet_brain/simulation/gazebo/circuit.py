"""A circuit as a Gazebo model folder: model.sdf, model.config, its meshes with their textures.

Gazebo reads Wavefront OBJ with textures, and STL for what is only collided with.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import trimesh
from PIL import Image
from trimesh.exchange.obj import export_obj
from trimesh.exchange.stl import export_stl
from trimesh.visual import TextureVisuals
from trimesh.visual.material import SimpleMaterial

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.gazebo.sdf import document, tag, write_xml
from pilotnet_brain.simulation.looks import Looks
from pilotnet_brain.simulation.road import (
    WALL_THICKNESS_M,
    Strip,
    Texture,
    asphalt_half_width,
    ground_square,
    road_surfaces,
    surface_pictures,
    turned,
    wall_boxes,
)

SDF_VERSION = "1.6"
"""What both Gazebo Classic 11 and Gazebo Sim read."""
GROUND = "ground"
WALLS = "walls"
_VERGE_REPEAT_M = 2.0
"""Side of the square of ground that the verge's picture covers."""


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


def drawn_meshes(circuit: Circuit, looks: Looks, prefix: str = "") -> dict[str, trimesh.Trimesh]:
    """Return what is seen of a circuit, by material: the road, its markings, walls, the verge.

    World frame, metres, each with its texture. Walls are seen from both sides.

    Args:
        circuit: the road.
        looks: its colours and markings.
        prefix: of the textures' names; Gazebo Classic tells textures apart by file name alone.
    """
    pictures = surface_pictures(looks)
    strips: dict[str, list[Strip]] = {"verge": [_ground(circuit)]}
    for surface in road_surfaces(circuit, looks):
        strips.setdefault(surface.material, []).append(surface.strip)
        if surface.material == "wall":
            strips["wall"].append(turned(surface.strip))
    return {
        material: _textured(_joined(parts), pictures[material], prefix + material)
        for material, parts in strips.items()
    }


def wall_collision_mesh(circuit: Circuit, looks: Looks) -> trimesh.Trimesh:
    """Return what stops a car at the walls: closed boxes, one a metre, their face on the wall.

    Gazebo collides with a static mesh as it is, concave too.
    """
    half = asphalt_half_width(circuit, looks)
    sides = [wall_boxes(circuit.centerline, y, WALL_THICKNESS_M) for y in (half, -half)]
    x, y, yaw, half_length = np.concatenate(sides).T
    box = trimesh.creation.box((1.0, 1.0, 1.0))
    along, across, up = box.vertices.T
    # One row a box, one column a corner.
    forward = np.outer(2.0 * half_length, along)
    cosine, sine = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    corners = np.stack(
        [
            x[:, None] + cosine * forward - sine * WALL_THICKNESS_M * across,
            y[:, None] + sine * forward + cosine * WALL_THICKNESS_M * across,
            np.broadcast_to(circuit.wall_height * (up + 0.5), forward.shape),
        ],
        axis=-1,
    )
    firsts = len(box.vertices) * np.arange(len(x))
    faces = box.faces[None] + firsts[:, None, None]
    return trimesh.Trimesh(corners.reshape(-1, 3), faces.reshape(-1, 3), process=False)


def write_obj(mesh: trimesh.Trimesh, folder: Path, name: str) -> Path:
    """Write a drawn mesh as ``NAME.obj``, its material and texture next to it; return its path.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    text, others = export_obj(
        mesh,
        include_normals=True,
        include_texture=True,
        return_texture=True,
        mtl_name=f"{name}.mtl",
        header=None,
    )
    for file_name, data in others.items():
        write_atomically(folder / file_name, data)
    path = folder / f"{name}.obj"
    write_atomically(path, text)
    return path


def write_stl(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write a mesh that is only collided with: its triangles and nothing else.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    write_atomically(path, export_stl(mesh))


def _ground(circuit: Circuit) -> Strip:
    x, y, half = ground_square(circuit)
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    vertices = np.column_stack([half * corners + (x, y), np.zeros(4)])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    return Strip(vertices, faces, 0.5 * (corners + 1.0) * math.ceil(2.0 * half / _VERGE_REPEAT_M))


def _joined(strips: list[Strip]) -> Strip:
    firsts = np.cumsum([0, *(len(strip.vertices) for strip in strips[:-1])])
    return Strip(
        np.concatenate([strip.vertices for strip in strips]),
        np.concatenate([strip.faces + first for strip, first in zip(strips, firsts, strict=True)]),
        np.concatenate([strip.texture for strip in strips]),
    )


def _textured(strip: Strip, picture: Texture, name: str) -> trimesh.Trimesh:
    material = SimpleMaterial(
        # The first row of a picture lies at texture coordinate 0; in OBJ the last one does.
        image=Image.fromarray(picture[::-1]),
        ambient=(255, 255, 255),
        diffuse=(255, 255, 255),
        specular=(0, 0, 0),
        glossiness=0.0,
        name=name,
    )
    return trimesh.Trimesh(
        vertices=strip.vertices,
        faces=strip.faces,
        visual=TextureVisuals(uv=strip.texture, material=material),
        # Strips that only touch keep their own corners, texture and shade.
        process=False,
    )
