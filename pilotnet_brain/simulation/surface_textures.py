"""The pictures on the world's surfaces, painted from looks: uint8 arrays (height, width, 3)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.simulation.looks import Colour, Looks

Texture = NDArray[np.uint8]
_GRAIN_PIXELS = 256


def grained(colour: Colour, strength: float, rng: np.random.Generator) -> Texture:
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


def even(colour: Colour) -> Texture:
    """Return a surface of one colour, 2 x 2."""
    return _to_bytes(np.broadcast_to(np.asarray(colour), (2, 2, 3)))


def two_tone(first: Colour, second: Colour) -> Texture:
    """Return a repeat of two colours along the way, as on kerbs, 2 x 2."""
    return _to_bytes(np.array([[first, first], [second, second]]))


def chequered(first: Colour, second: Colour, columns: int, rows: int) -> Texture:
    """Return a chequerboard, 8 pixels a field."""
    fields = np.add.outer(np.arange(rows), np.arange(columns)) % 2
    picture = np.where(fields[..., None] == 0, np.asarray(first), np.asarray(second))
    return _to_bytes(picture.repeat(8, axis=0).repeat(8, axis=1))


def wall_face(looks: Looks, rng: np.random.Generator) -> Texture:
    """Return 16 m of a wall, up along the columns: its colour, with signs where looks ask."""
    face = np.tile(grained(looks.wall, looks.texture_strength, rng)[:, :64], (4, 1, 1))
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
