"""What Gazebo gets to draw: the line on the centerline, walls beside the road, their pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation.gazebo.circuit import (
    drawn_meshes,
    wall_collision_mesh,
    write_obj,
)
from pilotnet_brain.simulation.looks import PLAIN, random_looks


def written_vertices(path: Path) -> np.ndarray:
    """Return the vertices (N, 3) in an OBJ file, in the file's order."""
    rows = [row.split()[1:4] for row in path.read_text().splitlines() if row.startswith("v ")]
    return np.array(rows, dtype=float)


def check_line_in_file(circuit: Circuit, folder: Path) -> None:
    line = circuit.centerline
    path = write_obj(drawn_meshes(circuit, PLAIN)["line"], folder, "line")
    right, left = written_vertices(path)[0::2, :2], written_vertices(path)[1::2, :2]
    assert np.linalg.norm(left - right, axis=1) == pytest.approx(circuit.line_width, abs=1e-6)
    middles = 0.5 * (left + right)
    off = [abs(line.project(x, y).lateral_deviation) for x, y in middles[::3]]
    assert max(off) < 0.01
    # Without a gap, and all round: the last middle is the first one.
    gaps = np.linalg.norm(np.diff(middles, axis=0), axis=1)
    assert gaps.max() < 0.6
    assert gaps.sum() == pytest.approx(line.length, rel=0.01)
    assert middles[-1] == pytest.approx(middles[0], abs=0.01)


@pytest.mark.parametrize("name", circuit_names())
def test_the_line_in_the_file_lies_on_the_centerline(name: str, tmp_path: Path) -> None:
    check_line_in_file(load_circuit(name), tmp_path)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_line_of_a_random_circuit_lies_on_its_centerline(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_line_in_file(load_circuit(f"random-{seed}"), Path(folder))


@pytest.mark.parametrize("name", ["simple_circuit", "many_curves"])
def test_what_collides_stands_beside_the_road(name: str, tmp_path: Path) -> None:
    circuit = load_circuit(name)
    path = tmp_path / "walls.stl"
    wall_collision_mesh(circuit, PLAIN).export(path)
    walls = trimesh.load_mesh(path)
    assert walls.is_watertight
    assert walls.bounds[:, 2] == pytest.approx([0.0, circuit.wall_height])
    deviations = np.array(
        [circuit.centerline.project(x, y).lateral_deviation for x, y, _ in walls.vertices[::25]]
    )
    # Chords cut inside their bend by less than a hand; the boxes are 0.2 m thick.
    assert np.abs(deviations).min() > circuit.asphalt_half_width - 0.08
    assert np.abs(deviations).max() < circuit.asphalt_half_width + 0.35
    assert (deviations > 0.0).any() and (deviations < 0.0).any()


def test_surfaces_face_the_driver_and_walls_both_ways() -> None:
    meshes = drawn_meshes(load_circuit("simple_circuit"), PLAIN)
    for material in ("asphalt", "line", "verge", "chequer"):
        assert (meshes[material].face_normals[:, 2] > 0.99).all()
    wall = meshes["wall"]
    assert wall.face_normals.sum(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert np.abs(wall.face_normals[:, 2]).max() < 1e-6


def test_the_verge_reaches_beyond_all_of_the_road() -> None:
    circuit = load_circuit("montmelo")
    (low, high) = drawn_meshes(circuit, PLAIN)["verge"].bounds
    assert (circuit.centerline.points.min(axis=0) - 15.0 > low[:2]).all()
    assert (circuit.centerline.points.max(axis=0) + 15.0 < high[:2]).all()


@pytest.mark.parametrize("seed", [3, 4])
def test_each_mesh_is_read_back_with_its_picture(seed: int, tmp_path: Path) -> None:
    looks = random_looks(seed)
    for material, mesh in drawn_meshes(load_circuit("simple_circuit"), looks, "here_").items():
        read = trimesh.load_mesh(write_obj(mesh, tmp_path, material), process=False)
        assert read.area == pytest.approx(mesh.area, rel=1e-4)
        picture = np.asarray(read.visual.material.image.convert("RGB"))
        assert np.array_equal(picture, np.asarray(mesh.visual.material.image))
        assert (tmp_path / f"here_{material}.png").is_file()


def test_the_picture_s_first_row_lies_at_the_start() -> None:
    looks = random_looks(3)
    kerbed = drawn_meshes(load_circuit("simple_circuit"), looks)["chequer"]
    picture = np.asarray(kerbed.visual.material.image)
    # The chequerboard's first field is white; in OBJ the picture's lower edge is at coordinate 0.
    assert picture[-1, 0].min() > 200
    assert picture[-9, 0].max() < 50


def test_the_asphalt_is_as_wide_as_the_circuit_says() -> None:
    circuit = load_circuit("nurburgring")
    vertices = drawn_meshes(circuit, PLAIN)["asphalt"].vertices
    widths = np.linalg.norm(vertices[1::2] - vertices[0::2], axis=1)
    assert widths == pytest.approx(2.0 * circuit.asphalt_half_width, abs=1e-6)
