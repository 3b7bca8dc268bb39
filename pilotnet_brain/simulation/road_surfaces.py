"""Which textured surfaces a circuit is drawn with: said once, for every simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation import surface_textures
from pilotnet_brain.simulation.looks import Looks
from pilotnet_brain.simulation.road_strips import Strip, ribbon, wall
from pilotnet_brain.simulation.surface_textures import Texture

CHUNK_M = 16.0
"""Length of the pieces that the road is drawn in."""
WALL_THICKNESS_M = 0.2
VERGE_MARGIN_M = 30.0
"""How far the ground reaches beyond the line."""
_WHITE, _BLACK = (0.92, 0.92, 0.92), (0.06, 0.06, 0.06)


@dataclass(frozen=True)
class Surface:
    """A piece of a world's surface.

    Attributes:
        chunk: which piece of the road it belongs to, counted from the start line.
        material: its picture, a key of `surface_pictures`.
        strip: where it lies; its texture coordinates are 0..1 across and along, repeating.
        part: tells apart the surfaces of one material in one chunk.
    """

    chunk: int
    material: str
    strip: Strip
    part: str = ""


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
    grained = surface_textures.grained
    return {
        "verge": grained(looks.verge, strength, rng),
        "asphalt": grained(looks.asphalt, strength, rng),
        "line": grained(looks.line, 0.4 * strength, rng),
        "wall": surface_textures.wall_face(looks, rng),
        "chequer": surface_textures.chequered(_WHITE, _BLACK, 16, 4),
        "stripe": surface_textures.even(_WHITE),
        "edge": surface_textures.even(looks.edge_lines or _WHITE),
        "kerb": surface_textures.two_tone(*(looks.kerbs or (_WHITE, _BLACK))),
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
        begin, end = k * length, (k + 1) * length
        yield _surface(k, "line", ribbon(line, begin, end, -paint, paint, 0.004), 1.0)
        for name, side in (("left", 1.0), ("right", -1.0)):
            if looks.walls:
                face = wall(line, begin, end, side * half, circuit.wall_height)
                yield _surface(k, "wall", face, 16.0, name)
            if looks.edge_lines:
                inner, outer = sorted((side * (half - 0.2), side * (half - 0.1)))
                edge = ribbon(line, begin, end, inner, outer, 0.003)
                yield _surface(k, "edge", edge, 1.0, name)
            if looks.kerbs and np.abs(line.curvature(np.array([begin, end]))).max() > 0.05:
                inner, outer = sorted((side * (half - 0.45), side * half))
                kerb = ribbon(line, begin, end, inner, outer, 0.002)
                yield _surface(k, "kerb", kerb, 1.0, name)
        asphalt = ribbon(line, begin, end, -half, half, 0.001)
        yield _surface(k, "asphalt", asphalt, 2.0 * half)


def _crossings(circuit: Circuit, looks: Looks, half: float) -> Iterator[Surface]:
    """Bands across the road, under the line as on JdeRobot's circuits, or over it."""
    line, count = circuit.centerline, chunk_count(circuit)
    rng = np.random.default_rng([looks.texture_seed, 1])
    bands = [(0.0, "chequer", 1.0)] if looks.start_line else []
    for _ in range(rng.poisson(looks.crossings * line.length / 1000.0)):
        kind = str(rng.choice(["chequer", "stripe", "kerb"]))
        bands.append((float(rng.uniform(0.0, line.length)), kind, float(rng.uniform(0.15, 1.5))))
    for number, (begin, kind, width) in enumerate(bands):
        height = 0.005 if rng.random() < 0.3 else 0.0025
        band = ribbon(line, begin, begin + width, -half, half, height)
        strip = Strip(band.vertices, band.faces, band.texture - [0.0, begin])
        chunk = int(begin / line.length * count) % count
        yield _surface(chunk, kind, strip, width, f"band{number}")


def _surface(chunk: int, material: str, strip: Strip, repeat: float, part: str = "") -> Surface:
    """Return a surface whose picture repeats every `repeat` metres along the way."""
    texture = strip.texture / [1.0, repeat]
    return Surface(chunk, material, Strip(strip.vertices, strip.faces, texture), part)
