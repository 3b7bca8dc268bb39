"""The road that every simulator draws: its surfaces as textured triangles, its walls.

Said once: strips along the centerline, bands across it, walls, and the pictures on them, made from
a circuit and its looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.looks import Colour, Looks

Texture = NDArray[np.uint8]
_GRAIN_PIXELS = 256
STATION_SPACING_M = 0.5
CHUNK_M = 16.0
"""Length of the pieces that the road is drawn in."""
WALL_THICKNESS_M = 0.2
VERGE_MARGIN_M = 30.0
"""How far the ground reaches beyond the line."""
_WHITE, _BLACK = (0.92, 0.92, 0.92), (0.06, 0.06, 0.06)


@dataclass(frozen=True)
class Strip:
    """A textured surface."""

    vertices: NDArray[np.float64]  #: (N, 3) float, m, world frame
    faces: NDArray[np.int32]  #: (M, 3) int, anticlockwise seen from the visible side
    texture: NDArray[np.float64]  #: (N, 2) float texture coordinates: across 0..1, along in metres


@dataclass(frozen=True)
class Surface:
    """A piece of a world's surface."""

    chunk: int  #: which piece of the road it belongs to, counted from the start line
    material: str  #: its picture, a key of `surface_pictures`
    strip: Strip  #: where it lies; its texture coordinates are 0..1 across and along, repeating
    part: str = ""  #: tells apart the surfaces of one material in one chunk


def chunk_count(circuit: Circuit) -> int:
    """Return in how many pieces the circuit's road is drawn."""
    return max(1, round(circuit.centerline.length / CHUNK_M))


def asphalt_half_width(circuit: Circuit, looks: Looks) -> float:
    """Return how far the drawn asphalt reaches from the line, and where the walls stand, m."""
    return circuit.asphalt_half_width * looks.asphalt_width_scale


def ground_square(circuit: Circuit) -> tuple[float, float, float]:
    """Return the square of ground around a circuit: its centre's x and y and its half side, m."""
    low, high = circuit.centerline.points.min(axis=0), circuit.centerline.points.max(axis=0)
    x, y = 0.5 * (low + high)
    return float(x), float(y), 0.5 * float((high - low).max()) + VERGE_MARGIN_M


def surface_pictures(looks: Looks) -> dict[str, Texture]:
    """Return the pictures on a world's surfaces by material, as uint8 (height, width, 3) arrays."""
    rng = np.random.default_rng(looks.texture_seed)
    strength = looks.texture_strength
    return {
        "verge": _grained(looks.verge, strength, rng),
        "asphalt": _grained(looks.asphalt, strength, rng),
        "line": _grained(looks.line or _WHITE, 0.4 * strength, rng),
        "wall": _wall_face(looks, rng),
        "chequer": _chequered(_WHITE, _BLACK, 16, 4),
        "stripe": _two_tone(_WHITE, _WHITE),
        "edge": _two_tone(*[looks.edge_lines or _WHITE] * 2),
        "kerb": _two_tone(*(looks.kerbs or (_WHITE, _BLACK))),
    }


def road_surfaces(circuit: Circuit, looks: Looks) -> Iterator[Surface]:
    """Yield everything that is drawn but the ground, what lies on top before what it hides."""
    line = circuit.centerline
    count = chunk_count(circuit)
    length = line.length / count
    half = asphalt_half_width(circuit, looks)
    paint = 0.5 * circuit.line_width * looks.line_width_scale
    yield from _crossings(circuit, looks, half)
    for k in range(count):
        start, end = k * length, (k + 1) * length
        if looks.line is not None:
            yield _surface(k, "line", ribbon(line, start, end, -paint, paint, 0.004), 1.0)
        for name, side in (("left", 1.0), ("right", -1.0)):
            if looks.walls:
                face = wall(line, start, end, side * half, circuit.wall_height)
                yield _surface(k, "wall", face, 16.0, name)
            if looks.edge_lines:
                inner, outer = sorted((side * (half - 0.2), side * (half - 0.1)))
                edge = ribbon(line, start, end, inner, outer, 0.003)
                yield _surface(k, "edge", edge, 1.0, name)
            if looks.kerbs and np.abs(line.curvature(np.array([start, end]))).max() > 0.05:
                inner, outer = sorted((side * (half - 0.45), side * half))
                kerb = ribbon(line, start, end, inner, outer, 0.002)
                yield _surface(k, "kerb", kerb, 1.0, name)
        asphalt = ribbon(line, start, end, -half, half, 0.001)
        yield _surface(k, "asphalt", asphalt, 2.0 * half)


def _crossings(circuit: Circuit, looks: Looks, half: float) -> Iterator[Surface]:
    """Bands across the road, under the line as on JdeRobot's circuits, or over it."""
    line, count = circuit.centerline, chunk_count(circuit)
    rng = np.random.default_rng([looks.texture_seed, 1])
    bands = [(0.0, "chequer", 1.0)] if looks.start_line else []
    for _ in range(rng.poisson(looks.crossings * line.length / 1000.0)):
        kind = str(rng.choice(["chequer", "stripe", "kerb"]))
        bands.append((float(rng.uniform(0.0, line.length)), kind, float(rng.uniform(0.15, 1.5))))
    for number, (start, kind, width) in enumerate(bands):
        height = 0.005 if rng.random() < 0.3 else 0.0025
        band = ribbon(line, start, start + width, -half, half, height)
        strip = Strip(band.vertices, band.faces, band.texture - [0.0, start])
        chunk = int(start / line.length * count) % count
        yield _surface(chunk, kind, strip, width, f"band{number}")


def _surface(chunk: int, material: str, strip: Strip, repeat: float, part: str = "") -> Surface:
    """Return a surface whose picture repeats every `repeat` metres along the way."""
    texture = strip.texture / [1.0, repeat]
    return Surface(chunk, material, Strip(strip.vertices, strip.faces, texture), part)


def ribbon(
    centerline: Centerline, start: float, end: float, right: float, left: float, height: float
) -> Strip:
    """Return the surface between two signed offsets from the line, m (left positive), facing up.

    It goes from the arc length `start` to the larger `end`, m, at a height above the ground, m.
    """
    s = _stations(start, end)
    edges = [_offset_points(centerline, s, offset) for offset in (right, left)]
    return _strip(s, edges[0], edges[1], height, height)


def wall(centerline: Centerline, start: float, end: float, offset: float, height: float) -> Strip:
    """Return an upright surface at a signed offset from the line, visible from the road."""
    s = _stations(start, end)
    foot = _offset_points(centerline, s, offset)
    strip = _strip(s, foot, foot, 0.0, height)
    # Seen from the road: a left wall faces right of the driving direction, a right wall left.
    return strip if offset > 0.0 else turned(strip)


def turned(strip: Strip) -> Strip:
    """Return the same surface, seen from its other side."""
    return Strip(strip.vertices, strip.faces[:, ::-1].copy(), strip.texture)


def wall_boxes(centerline: Centerline, offset: float, thickness: float) -> NDArray[np.float64]:
    """Return the boxes (N, 4) that stop a car at a wall: centre x, y (m), yaw (rad), half length.

    One a metre; their road side lies on the wall. A mesh would collide as its convex hull, which
    is the whole infield.
    """
    count = max(8, round(centerline.length))
    s = np.arange(count) * centerline.length / count
    # Round the inside of a bend the offset line runs backwards where it is tighter than the wall.
    side = math.copysign(1.0, offset)
    foot = _offset_points(centerline, s, offset)
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


def _stations(start: float, end: float) -> NDArray[np.float64]:
    """Return evenly spaced arc lengths (N,), m, from start to end, both included."""
    return np.linspace(start, end, max(2, math.ceil((end - start) / STATION_SPACING_M) + 1))


def _offset_points(
    centerline: Centerline, arc_lengths: NDArray[np.float64], offset: float
) -> NDArray[np.float64]:
    """Return the points (N, 2), m, at a signed distance left of the line."""
    headings = centerline.heading(arc_lengths)
    left = np.stack([-np.sin(headings), np.cos(headings)], axis=-1)
    return centerline.position(arc_lengths) + offset * left


def _strip(
    s: NDArray[np.float64],
    right: NDArray[np.float64],
    left: NDArray[np.float64],
    right_height: float,
    left_height: float,
) -> Strip:
    """Return the surface between two edges (N, 2), m, at arc lengths (N,), m."""
    vertices = np.zeros((2 * len(s), 3))
    vertices[0::2, :2], vertices[1::2, :2] = right, left
    vertices[0::2, 2], vertices[1::2, 2] = right_height, left_height
    texture = np.zeros((2 * len(s), 2))
    texture[1::2, 0] = 1.0
    texture[:, 1] = np.repeat(s, 2)
    first = 2 * np.arange(len(s) - 1, dtype=np.int32)
    corners = [(first, first + 2, first + 1), (first + 1, first + 2, first + 3)]
    faces = np.concatenate([np.stack(corner, axis=1) for corner in corners])
    return Strip(vertices, faces.astype(np.int32), texture)


def _grained(colour: Colour, strength: float, rng: np.random.Generator) -> Texture:
    """Return a repeating surface of one colour with coarse and fine grain, 256 x 256."""
    grain = np.zeros((_GRAIN_PIXELS, _GRAIN_PIXELS))
    for cells, weight in ((8, 0.35), (64, 0.35), (_GRAIN_PIXELS, 0.3)):
        coarse = rng.uniform(-1.0, 1.0, (cells, cells)).astype(np.float32)
        # Wrapped before enlarging, so that the picture repeats without a seam.
        padded = np.pad(coarse, 1, mode="wrap")
        scale = _GRAIN_PIXELS // cells
        size = (cells + 2) * scale
        enlarged = cv2.resize(padded, (size, size), interpolation=cv2.INTER_LINEAR)
        grain += weight * enlarged[scale:-scale, scale:-scale]
    shade = 1.0 + strength * grain[..., None]
    return _to_bytes(np.asarray(colour) * shade)


def _two_tone(first: Colour, second: Colour) -> Texture:
    """Return a repeat of two colours along the way, as on kerbs, 2 x 2."""
    return _to_bytes(np.array([[first, first], [second, second]]))


def _chequered(first: Colour, second: Colour, columns: int, rows: int) -> Texture:
    """Return a chequerboard, 8 pixels a field."""
    fields = np.add.outer(np.arange(rows), np.arange(columns)) % 2
    picture = np.where(fields[..., None] == 0, np.asarray(first), np.asarray(second))
    return _to_bytes(picture.repeat(8, axis=0).repeat(8, axis=1))


def _wall_face(looks: Looks, rng: np.random.Generator) -> Texture:
    """Return 16 m of a wall, up along the columns: its colour, with signs where looks ask."""
    grained = _grained(looks.wall, looks.texture_strength, rng)[:, :64]
    if looks.wall_foot != 1.0:
        up = np.clip(np.linspace(0.0, 2.0, grained.shape[1]), 0.0, 1.0)
        shade = looks.wall_foot + (1.0 - looks.wall_foot) * up
        grained = np.round(grained * shade[None, :, None]).astype(np.uint8)
    face = np.tile(grained, (4, 1, 1))
    if not looks.wall_signs:
        return face
    for top in range(0, len(face), 128):
        if rng.random() < 0.4:
            continue
        panel = face[top + 8 : top + 8 + int(rng.integers(40, 110))]
        panel[:, 10:54] = 255.0 * rng.uniform(0.5, 1.0, 3)
        for row in range(6, len(panel) - 8, 14):
            left = int(rng.integers(12, 30))
            panel[row : row + 7, left : left + int(rng.integers(6, 24))] = 255.0 * rng.uniform(
                0.0, 0.5, 3
            )
    return face


def _to_bytes(picture: NDArray[np.float64]) -> Texture:
    return np.ascontiguousarray(np.clip(np.round(255.0 * picture), 0, 255).astype(np.uint8))
