"""The painted line lies on the centerline; walls stand at the asphalt's edge."""

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.simulation.road import ribbon, wall, wall_boxes


def normals(strip):
    a, b, c = (strip.vertices[strip.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


@pytest.mark.parametrize("name", circuit_names())
def test_the_middle_of_the_painted_line_is_the_centerline(name):
    circuit = load_circuit(name)
    line = circuit.centerline
    strip = ribbon(line, 0.0, line.length, -0.06, 0.06, 0.0)
    middles = 0.5 * (strip.vertices[0::2, :2] + strip.vertices[1::2, :2])
    off = [abs(line.project(x, y).lateral_deviation) for x, y in middles[::5]]
    assert max(off) < 0.001


def test_surfaces_face_the_driver():
    line = load_circuit("montmelo").centerline
    asphalt = ribbon(line, 0.0, 50.0, -1.5, 1.5, 0.0)
    assert (normals(asphalt)[:, 2] >= 0.0).all()
    begin = line.position(0.0)
    for offset in (1.5, -1.5):
        face = wall(line, 0.0, 2.0, offset, 0.6)
        towards_road = np.append(begin, 0.3) - face.vertices[face.faces[:, 0]]
        assert ((normals(face) * towards_road).sum(axis=1) > 0.0).all()


def test_wall_boxes_stand_beside_the_road_and_never_on_it():
    circuit = load_circuit("simple_circuit")
    line, half = circuit.centerline, circuit.asphalt_half_width
    for offset in (half, -half):
        boxes = wall_boxes(line, offset, 0.2)
        for x, y, yaw, half_length in boxes[::7]:
            along = half_length * np.array([np.cos(yaw), np.sin(yaw)])
            for step in (-1.0, 0.0, 1.0):
                corner = np.array([x, y]) + step * along
                deviation = line.project(*corner).lateral_deviation
                # Chords cut inside their bend by less than a hand.
                assert deviation * np.sign(offset) > half - 0.08
                assert abs(deviation) < half + 0.35
