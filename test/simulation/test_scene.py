"""How high the ground of a scene lies, and its light."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pilotnet_brain.simulation.looks import PLAIN
from pilotnet_brain.simulation.scene import Scene, SceneMesh, Scenery, height_at

SLOPE = SceneMesh(
    "slope",
    np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 1.0], [10.0, 10.0, 1.0], [0.0, 10.0, 0.0]]),
    np.array([[0, 1, 2], [0, 2, 3]], np.int32),
    (1.0, 1.0, 1.0),
)
ROOF = SceneMesh("roof", SLOPE.vertices + [0.0, 0.0, 3.0], SLOPE.faces, (1.0, 1.0, 1.0))
WALL = SceneMesh("wall", SLOPE.vertices[:, [0, 0, 2]], SLOPE.faces, (1.0, 1.0, 1.0))


def test_the_ground_under_a_roof_is_found():
    places = np.array([[5.0, 2.0], [2.5, 9.0], [20.0, 5.0]])
    heights = height_at(Scene((SLOPE, ROOF, WALL)), places, below=2.0)
    assert heights[:2] == pytest.approx([0.5, 0.25])
    assert math.isnan(heights[2])
    assert height_at(Scene((SLOPE, ROOF)), places[:1], below=9.0) == pytest.approx([3.5])


def test_the_looks_get_the_scenes_light():
    scene = Scene((SLOPE,), ambient=0.3, sun=0.6, sun_direction=(-0.5, 0.1, -0.9))
    lit = Scenery(scene, 0.0).lit(PLAIN)
    assert (lit.ambient, lit.sun) == (0.3, 0.6)
    assert np.array(lit.sun_direction) == pytest.approx(
        np.array(scene.sun_direction) / np.linalg.norm(scene.sun_direction)
    )
