"""Circuits by name, by seed and by file; what is none is refused with what there is."""

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import (
    CircuitFileError,
    UnknownCircuitError,
    circuit_names,
    load_circuit,
)


def write_csv(path, points):
    path.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in points) + "\n")
    return path


def square(side=40.0):
    edge = np.arange(0.0, side)
    return np.vstack(
        [
            np.column_stack([edge, np.zeros_like(edge)]),
            np.column_stack([np.full_like(edge, side), edge]),
            np.column_stack([side - edge, np.full_like(edge, side)]),
            np.column_stack([np.zeros_like(edge), side - edge]),
        ]
    )


def test_every_shipped_circuit_loads_and_starts_on_its_line():
    for name in circuit_names():
        circuit = load_circuit(name)
        x, y, yaw = circuit.start_pose()
        here = circuit.centerline.project(x, y)
        assert abs(here.lateral_deviation) < 1e-9
        assert abs(here.heading_error(yaw)) < 1e-9
        assert circuit.name == name


def test_a_seed_is_a_name():
    assert load_circuit("random-12").name == "random-12"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownCircuitError) as refused:
        load_circuit("monaco")
    for name in ["monaco", *circuit_names()]:
        assert name in str(refused.value)


def test_a_csv_of_one_lap_is_a_circuit(tmp_path):
    circuit = load_circuit(write_csv(tmp_path / "square.csv", square()))
    assert circuit.name == "square"
    assert circuit.centerline.length == pytest.approx(160.0, rel=0.02)


def test_a_lap_that_repeats_its_first_point_is_the_same_circuit(tmp_path):
    closed = np.vstack([square(), square()[:1]])
    circuit = load_circuit(write_csv(tmp_path / "closed.csv", closed))
    assert len(circuit.centerline.points) == 160


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "x,y\n",
        "x,y\n1,2\n3,4\n",
        "x,y\n1,2\n3,four\n",
        "x,y\n0,0\n1,0\nnan,1\n0,1\n",
        "x,y\n" + "5,5\n" * 10,
    ],
)
def test_a_file_that_is_no_centerline_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(CircuitFileError, match=r"broken\.csv"):
        load_circuit(path)


def test_a_point_that_is_not_finite_is_refused_and_not_left_out(tmp_path):
    points = square()
    points[9, 1] = np.nan
    with pytest.raises(CircuitFileError, match=r"broken\.csv, line 11: y is nan, not a finite"):
        load_circuit(write_csv(tmp_path / "broken.csv", points))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y\n1,2\n\n# a comment\n3,four\n", r"line 5: y is 'four', not a number"),
        ("name,x,y\na,1,2\nb,3\n", r"line 3: y is '', not a number"),
        ('x,y,"a\nb"\n1,2\n', "line 2: x is 'b\"', not a number"),
    ],
)
def test_a_broken_cell_is_named_by_the_line_of_the_file(tmp_path, text, complaint):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(CircuitFileError, match=rf"broken\.csv, {complaint}"):
        load_circuit(path)
