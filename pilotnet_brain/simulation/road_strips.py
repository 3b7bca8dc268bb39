"""The road's surfaces as triangles: strips along the centerline, bands across it, walls.

Pure geometry, shared by every simulator whose world is made from a circuit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline

STATION_SPACING_M = 0.5


@dataclass(frozen=True)
class Strip:
    """A textured surface.

    Attributes:
        vertices: (N, 3) float, m, world frame.
        faces: (M, 3) int, anticlockwise seen from the visible side.
        texture: (N, 2) float texture coordinates: across 0..1, along in metres.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    texture: NDArray[np.float64]


def stations(centerline: Centerline, begin: float, end: float) -> NDArray[np.float64]:
    """Return evenly spaced arc lengths (N,), m, from begin to end, both included."""
    count = max(2, math.ceil((end - begin) / STATION_SPACING_M) + 1)
    return np.linspace(begin, end, count)


def offset_points(
    centerline: Centerline, arc_lengths: NDArray[np.float64], offset: float
) -> NDArray[np.float64]:
    """Return the points (N, 2), m, at a signed distance left of the line."""
    headings = centerline.heading(arc_lengths)
    left = np.stack([-np.sin(headings), np.cos(headings)], axis=-1)
    return centerline.position(arc_lengths) + offset * left


def ribbon(
    centerline: Centerline, begin: float, end: float, right: float, left: float, height: float
) -> Strip:
    """Return the surface between two signed offsets from the line, facing up.

    Args:
        centerline: what it follows.
        begin: arc length of its first edge, m.
        end: arc length of its last edge, m, larger than begin.
        right: offset of its right edge, m (left of the line positive).
        left: offset of its left edge, m.
        height: above the ground, m.
    """
    s = stations(centerline, begin, end)
    edges = [offset_points(centerline, s, offset) for offset in (right, left)]
    vertices = np.zeros((2 * len(s), 3))
    vertices[0::2, :2], vertices[1::2, :2] = edges
    vertices[:, 2] = height
    texture = np.zeros((2 * len(s), 2))
    texture[1::2, 0] = 1.0
    texture[:, 1] = np.repeat(s, 2)
    return Strip(vertices, _ladder(len(s)), texture)


def wall(centerline: Centerline, begin: float, end: float, offset: float, height: float) -> Strip:
    """Return an upright surface at a signed offset from the line, visible from the road."""
    s = stations(centerline, begin, end)
    foot = offset_points(centerline, s, offset)
    vertices = np.zeros((2 * len(s), 3))
    vertices[0::2, :2] = vertices[1::2, :2] = foot
    vertices[1::2, 2] = height
    texture = np.zeros((2 * len(s), 2))
    texture[1::2, 0] = 1.0
    texture[:, 1] = np.repeat(s, 2)
    faces = _ladder(len(s))
    # Seen from the road: a left wall faces right of the driving direction, a right wall left.
    return Strip(vertices, faces if offset > 0.0 else faces[:, ::-1].copy(), texture)


def wall_boxes(centerline: Centerline, offset: float, thickness: float) -> NDArray[np.float64]:
    """Return the boxes (N, 4) that stop a car at a wall: centre x, y (m), yaw (rad), half length.

    One a metre; their road side lies on the wall. A mesh would collide as its convex hull, which
    is the whole infield.
    """
    count = max(8, round(centerline.length))
    s = np.arange(count) * centerline.length / count
    # Round the inside of a bend the offset line runs backwards where it is tighter than the wall.
    side = math.copysign(1.0, offset)
    foot = offset_points(centerline, s, offset)
    following = np.roll(foot, -1, axis=0)
    along = following - foot
    lengths = np.linalg.norm(along, axis=1)
    yaw = np.arctan2(along[:, 1], along[:, 0])
    outward = side * 0.5 * thickness * np.stack([-np.sin(yaw), np.cos(yaw)], axis=-1)
    centres = 0.5 * (foot + following) + outward
    boxes = np.column_stack([centres, yaw, 0.5 * lengths + 0.01])
    travel = centerline.heading(s)
    forwards = np.cos(yaw - travel) > 0.0
    return boxes[(lengths > 0.02) & forwards]


def _ladder(rungs: int) -> NDArray[np.int32]:
    """Return the faces of a strip whose vertices alternate right, left along the way."""
    right = 2 * np.arange(rungs - 1, dtype=np.int32)
    left = right + 1
    return np.concatenate(
        [
            np.stack([right, right + 2, left], axis=1),
            np.stack([left, right + 2, left + 2], axis=1),
        ]
    ).astype(np.int32)
