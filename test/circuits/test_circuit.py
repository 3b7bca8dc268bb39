"""A circuit that a run's folder keeps is the same circuit again, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import (
    Circuit,
    CircuitFileError,
    circuit_fields,
    circuit_of,
    write_centerline,
)

quickly = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def kept(folder: Path, circuit: Circuit) -> Circuit:
    """Return a circuit written to files and read back."""
    write_centerline(folder / "circuit.csv", circuit)
    (folder / "run.yaml").write_text(yaml.safe_dump(circuit_fields(circuit)))
    fields = yaml.safe_load((folder / "run.yaml").read_text())
    return circuit_of(folder / "circuit.csv", {**fields, "a newer version's": 1})


def assert_same(one: Circuit, other: Circuit, seed: int) -> None:
    assert circuit_fields(one) == circuit_fields(other)
    assert one.centerline.points.tobytes() == other.centerline.points.tobytes()
    assert one.centerline.length == other.centerline.length
    rng = np.random.default_rng(seed)
    points = one.centerline.points
    for x, y in points[rng.integers(len(points), size=20)] + rng.normal(0.0, 2.0, (20, 2)):
        assert one.centerline.project(x, y) == other.centerline.project(x, y)


@pytest.mark.parametrize("seed", [3, 100_003])
def test_a_random_circuit_is_kept_to_the_bit(tmp_path: Path, seed: int) -> None:
    circuit = load_circuit(f"random-{seed}")
    assert_same(circuit, kept(tmp_path, circuit), seed)


@quickly
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(1.0, 100.0),
    shift=st.floats(-1e6, 1e6),
    name=st.text(min_size=1),
)
def test_any_line_is_kept_to_the_bit(
    tmp_path: Path, seed: int, scale: float, shift: float, name: str
) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0.0, 6.0, 12)) + np.arange(12) * 0.02
    points = shift + scale * np.column_stack([np.cos(angles), np.sin(angles)])
    fields = {"asphalt_half_width": rng.random(), "line_width": 0.1, "wall_height": 0.5}
    circuit = circuit_of(points, {**fields, "name": name, "role": "custom"})
    write_centerline(tmp_path / "circuit.csv", circuit)
    assert_same(circuit, circuit_of(tmp_path / "circuit.csv", circuit_fields(circuit)), seed)


@pytest.mark.parametrize("name", circuit_names())
def test_every_shipped_circuit_is_kept_to_the_bit(tmp_path: Path, name: str) -> None:
    circuit = load_circuit(name)
    assert_same(circuit, kept(tmp_path, circuit), 0)


def test_points_closer_than_the_catalogue_keeps_them_are_kept(tmp_path: Path) -> None:
    corners = [(0.0, 0.0), (10.0, 0.0), (10.0005, 0.0), (10.0, 10.0), (0.0, 10.0)]
    circuit = Circuit("tight", Centerline(corners))
    assert len(kept(tmp_path, circuit).centerline.points) == 5


def test_what_is_no_kept_circuit_is_refused_in_words(tmp_path: Path) -> None:
    circuit = load_circuit("simple_circuit")
    write_centerline(tmp_path / "circuit.csv", circuit)
    fields = circuit_fields(circuit)
    with pytest.raises(CircuitFileError, match="lacks 'line_width'"):
        circuit_of(tmp_path / "circuit.csv", {k: fields[k] for k in fields if k != "line_width"})
    with pytest.raises(CircuitFileError, match=r"circuit\.csv: could not convert"):
        circuit_of(tmp_path / "circuit.csv", {**fields, "wall_height": "high"})
    (tmp_path / "circuit.csv").write_text("x,y\n1,2\n")
    with pytest.raises(CircuitFileError, match=r"circuit\.csv: a centerline needs"):
        circuit_of(tmp_path / "circuit.csv", fields)


def test_every_shipped_circuit_is_built_where_it_lies() -> None:
    for name in circuit_names():
        circuit = load_circuit(name)
        assert circuit.local_origin == (0.0, 0.0)
        assert circuit.about(circuit.local_origin) is circuit


def test_a_far_circuit_is_built_about_whole_kilometres_near_it() -> None:
    near = load_circuit("random-7")
    far = near.about((-440290.5, -4474257.2))
    assert far.local_origin == (440000.0, 4474000.0)
    local = far.about(far.local_origin)
    assert np.abs(local.centerline.points).max() < 1000.0
    assert local.centerline.length == pytest.approx(near.centerline.length, abs=1e-6)
