"""A scene as MuJoCo geoms, cut into pieces of which only the near ones need to be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.simulation.scene import SceneMesh

PIECE = "piece-"
"""The names of the geoms begin with it."""
_CELL_M = 16.0
_WIDE_M = 4.0 * _CELL_M
_SMALLEST_AREA_M2 = 1e-9


def add_scene(
    spec: mujoco.MjSpec,
    meshes: Sequence[SceneMesh],
    origin: tuple[float, float, float],
) -> None:
    """Add meshes to a model, counted from `origin` (m); nothing collides with them."""
    for number, alike in enumerate(_by_material(meshes)):
        material = f"scene-{number}"
        _add_material(spec, material, alike[0])
        for part, piece in enumerate(_pieces(alike)):
            name = f"{PIECE}{number}-{part}"
            vertices, faces, texture = piece
            mesh = spec.add_mesh(name=name)
            mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
            # MuJoCo takes four vertices or more: the first one again does no harm.
            spare = [0] * max(0, 4 - len(vertices))
            mesh.uservert = (np.concatenate([vertices, vertices[spare]]) - origin).ravel()
            mesh.userface = faces.ravel()
            if texture is not None:
                mesh.usertexcoord = np.concatenate([texture, texture[spare]]).ravel()
            spec.worldbody.add_geom(
                name=name,
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=name,
                material=material,
                # Only seen: what collides would need a convex hull.
                contype=0,
                conaffinity=0,
            )


def _by_material(meshes: Sequence[SceneMesh]) -> list[list[SceneMesh]]:
    groups: dict[tuple[object, object], list[SceneMesh]] = {}
    for mesh in meshes:
        picture = None if mesh.picture is None else mesh.picture.tobytes()
        groups.setdefault((mesh.colour, picture), []).append(mesh)
    return list(groups.values())


def _add_material(spec: mujoco.MjSpec, name: str, mesh: SceneMesh) -> None:
    if mesh.picture is None:
        spec.add_material(name=name, rgba=[*mesh.colour, 1.0], specular=0.0, shininess=0.0)
        return
    height, width, channels = mesh.picture.shape
    texture = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height,
        nchannel=channels,
    )  # fmt: skip
    # MuJoCo's first row lies at texture coordinate 0.
    texture.data = mesh.picture[::-1].tobytes()
    material = spec.add_material(name=name, specular=0.0, shininess=0.0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


Piece = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64] | None]
"""Vertices, faces, texture coordinates."""


def _pieces(meshes: list[SceneMesh]) -> Iterator[Piece]:
    """Yield the triangles of meshes of one material by where they lie; wide ones by themselves."""
    firsts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate(
        [mesh.faces + first for mesh, first in zip(meshes, firsts[:-1], strict=True)]
    )
    textures = [mesh.texture for mesh in meshes if mesh.texture is not None]
    texture = np.concatenate(textures) if len(textures) == len(meshes) else None
    corners = vertices[faces]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    kept = np.linalg.norm(sides, axis=1) > _SMALLEST_AREA_M2
    faces, corners = faces[kept], corners[kept]
    if not len(faces):
        return
    cells = np.floor(corners.mean(axis=1)[:, :2] / _CELL_M).astype(np.int64)
    wide = np.ptp(corners[:, :, :2], axis=1).max(axis=1) > _WIDE_M
    cells[wide] = np.iinfo(np.int64).min
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    for number in range(int(cell.max()) + 1):
        used, numbered = np.unique(faces[cell.ravel() == number], return_inverse=True)
        yield (
            vertices[used],
            numbered.reshape(-1, 3).astype(np.int32),
            None if texture is None else texture[used],
        )
