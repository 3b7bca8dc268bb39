"""What is seen of a world that others made: textured triangles, as its files say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.simulation.looks import Looks


@dataclass(frozen=True)
class SceneMesh:
    """Triangles of one material, in the world frame."""

    name: str  #: the model and the part of it, for messages
    vertices: NDArray[np.float64]  #: (N, 3), m
    faces: NDArray[np.int32]  #: (M, 3), anticlockwise seen from the visible side
    colour: tuple[
        float, float, float
    ]  #: red, green, blue, 0..1; of the picture, where there is one
    texture: NDArray[np.float64] | None = None  #: (N, 2) coordinates on the picture, repeating
    #: uint8 (height, width, 3), RGB, its first row at texture coordinate 1
    picture: NDArray[np.uint8] | None = None


_SMALLEST_AREA_M2 = 1e-12


class Placed(NamedTuple):
    """Where a model stands, in the world frame."""

    name: str
    x: float  #: m
    y: float
    z: float
    yaw: float  #: rad


@dataclass(frozen=True)
class Scene:
    """What is drawn of a world: everything that stands still."""

    meshes: tuple[SceneMesh, ...]
    missing: tuple[str, ...] = ()  #: models and files that the world names and that were not found
    ambient: float = 0.4  #: light from everywhere, 0..1
    sun: float = 0.8  #: directional light, 0..1
    sun_direction: tuple[float, float, float] = (-0.5, 0.1, -0.9)  #: along its rays, world frame
    movable: tuple[Placed, ...] = ()  #: the models that can move, such as the car, at the start


@dataclass(frozen=True)
class Scenery:
    """A scene that a car drives in."""

    scene: Scene
    road_height: float  #: m

    def lit(self, looks: Looks) -> Looks:
        """Return looks with the light of the scene."""
        x, y, z = self.scene.sun_direction
        return replace(
            looks,
            ambient=self.scene.ambient,
            sun=self.scene.sun,
            sun_azimuth=math.atan2(-y, -x),
            sun_elevation=math.atan2(-z, math.hypot(x, y)),
        )


def height_at(scene: Scene, places: NDArray[np.float64], below: float) -> NDArray[np.float64]:
    """Return the height (N,), m, of what lies under places (N, 2), m, at most at height `below`.

    NaN where nothing lies.
    """
    heights = np.full(len(places), -np.inf)
    for mesh in scene.meshes:
        corners = mesh.vertices[mesh.faces]
        low, high = corners[..., :2].min(axis=(0, 1)), corners[..., :2].max(axis=(0, 1))
        over = ((places >= low) & (places <= high)).all(axis=1)
        for number in np.flatnonzero(over):
            found = _heights_of(corners, places[number])
            found = found[found <= below]
            if len(found):
                heights[number] = max(heights[number], found.max())
    return np.where(np.isfinite(heights), heights, np.nan)


def _heights_of(corners: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the heights, m, at which triangles (N, 3, 3) lie under a place (barycentric)."""
    a, b, c = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    there = np.abs(area) > _SMALLEST_AREA_M2
    a, b, c, area = a[there], b[there], c[there], area[there]
    d = place - a[:, :2]
    u = (d[:, 0] * c[:, 1] - d[:, 1] * c[:, 0]) / area
    v = (b[:, 0] * d[:, 1] - b[:, 1] * d[:, 0]) / area
    inside = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0)
    heights: NDArray[np.float64] = (a[:, 2] + u * b[:, 2] + v * c[:, 2])[inside]
    return heights
