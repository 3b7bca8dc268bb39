"""A circuit as a Gazebo model folder: model.sdf, model.config, its meshes with their textures.

Gazebo reads Wavefront OBJ with textures, and STL for what is only collided with.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from trimesh.exchange.obj import export_obj
from trimesh.exchange.stl import export_stl
from trimesh.util import append_faces
from trimesh.visual import TextureVisuals
from trimesh.visual.material import SimpleMaterial

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.sdf import FRICTIONLESS, write_sdf, write_xml
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


_FARTHEST_M = 10_000.0
"""Gazebo draws and collides in single precision, whose steps here are a millimetre."""


def check_reach(circuit: Circuit) -> None:
    """Check that a circuit lies near enough to the origin for Gazebo.

    Raises:
        UserError: it does not; says what to subtract from its points.
    """
    reach = np.abs(circuit.centerline.points).max()
    if reach > _FARTHEST_M:
        x, y = circuit.local_origin
        raise UserError(
            f"circuit {circuit.name} lies {reach / 1000.0:.0f} km from the origin, where Gazebo "
            f"computes too coarsely: subtract {x:.0f} from x and {y:.0f} from y in its CSV, or "
            "drive it in simulator mujoco, which takes it as it is"
        )


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
        UserError: the circuit lies too far from the origin.
    """
    check_reach(circuit)
    name = circuit_model_name(circuit)
    folder = models / name
    meshes = folder / "meshes"
    meshes.mkdir(parents=True, exist_ok=True)
    parts = [
        f"""
        <collision name="{GROUND}">
          <geometry><plane><normal>0 0 1</normal><size>1000 1000</size></plane></geometry>
          {FRICTIONLESS}
        </collision>"""
    ]
    for material, mesh in drawn_meshes(circuit, looks, f"{name}_").items():
        write_obj(mesh, meshes, material)
        parts.append(f"""
        <visual name="{material}">
          {_mesh(name, f"{material}.obj")}
          <cast_shadows>false</cast_shadows>
        </visual>""")
    if looks.walls:
        stl = export_stl(wall_collision_mesh(circuit, looks))
        write_atomically(meshes / f"{WALLS}.stl", stl)
        drawn = _mesh(name, f"{WALLS}.stl")
        parts.append(f'<collision name="{WALLS}">{drawn}{FRICTIONLESS}</collision>')
    link = f'<static>true</static><link name="road">{"".join(parts)}</link>'
    model = f'<model name="{name}">{link}</model>'
    write_model_files(
        folder, SDF_VERSION, model, f"The circuit {file_stem(circuit)}, made from its centerline"
    )
    return folder


def write_model_files(folder: Path, sdf_version: str, model: str, description: str) -> None:
    """Write model.sdf and model.config into a model folder, made where it is not there.

    Raises:
        OSError: the folder is not writable, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_sdf(folder / "model.sdf", sdf_version, model)
    config = f"""
    <model>
      <name>{ElementTree.fromstring(model).get("name")}</name>
      <version>1.0</version>
      <sdf version="{sdf_version}">model.sdf</sdf>
      <author><name>PilotNet Brain</name></author>
      <description>{description}</description>
    </model>"""
    write_xml(folder / "model.config", ElementTree.fromstring(config))


def _mesh(model: str, file_name: str) -> str:
    return f"<geometry><mesh><uri>model://{model}/meshes/{file_name}</uri></mesh></geometry>"


def drawn_meshes(circuit: Circuit, looks: Looks, prefix: str = "") -> dict[str, trimesh.Trimesh]:
    """Return what is seen of a circuit, by material: the road, its markings, walls, the verge.

    World frame, metres, each with its texture. Walls are seen from both sides. The textures' names
    get the prefix: Gazebo Classic tells textures apart by file name alone.
    """
    pictures = surface_pictures(looks)
    strips: dict[str, list[Strip]] = {"verge": [_ground(circuit)]}
    for surface in road_surfaces(circuit, looks):
        strips.setdefault(surface.material, []).append(surface.strip)
        if surface.material == "wall":
            strips["wall"].append(turned(surface.strip))
    return {
        material: _textured(parts, pictures[material], prefix + material)
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


def _ground(circuit: Circuit) -> Strip:
    x, y, half = ground_square(circuit)
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    vertices = np.column_stack([half * corners + (x, y), np.zeros(4)])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    return Strip(vertices, faces, 0.5 * (corners + 1.0) * math.ceil(2.0 * half / _VERGE_REPEAT_M))


def _textured(strips: list[Strip], picture: Texture, name: str) -> trimesh.Trimesh:
    vertices, faces = append_faces(
        [strip.vertices for strip in strips], [strip.faces for strip in strips]
    )
    texture = np.concatenate([strip.texture for strip in strips])
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
        vertices=vertices,
        faces=faces,
        visual=TextureVisuals(uv=texture, material=material),
        # Strips that only touch keep their own corners, texture and shade.
        process=False,
    )
