"""Circuits by name, by seed and by file; what is none is refused with what there is."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_bags import RADIUS, write_split

from pilotnet_brain.circuits.catalogue import (
    CircuitFileError,
    UnknownCircuitError,
    circuit_names,
    load_circuit,
)
from pilotnet_brain.errors import InputWarning, UserError


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


def test_a_folder_without_a_bag_is_told(tmp_path):
    with pytest.raises(UserError, match="not a bag"):
        load_circuit(tmp_path)


def test_a_point_that_is_not_finite_is_refused_and_not_left_out(tmp_path):
    points = square()
    points[9, 1] = np.nan
    with pytest.raises(CircuitFileError, match=r"broken\.csv, line 11: y is nan, not a finite"):
        load_circuit(write_csv(tmp_path / "broken.csv", points))


def lap_of(name, step=1.0):
    line = load_circuit(name).centerline
    return line.position(np.arange(0.0, line.length - 0.3 * step, step))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lap: lap[:200], r"the lap is not closed: it ends 10\d\.\d m from its start"),
        (lambda lap: np.delete(lap, slice(100, 200), 0), "a gap of .* m after 9.* m, at x"),
        (lambda lap: np.vstack([lap[200:], lap[:100]]), "not closed"),
        (lambda lap: lap / 1e5 + [3.7, 40.4], r"lie within 0\.00107 m by .*degrees"),
        (lambda lap: lap * 1000.0, "a line of 42.* km is longer than any circuit"),
        (lambda lap: lap * 1e300, "longer than any circuit"),
        (lambda lap: lap / 40.0, "it covers 10.7 m, which is not a lap"),
    ],
)
def test_points_that_are_no_lap_in_metres_are_refused_with_the_reason(tmp_path, change, complaint):
    path = write_csv(tmp_path / "line.csv", change(lap_of("simple_circuit")))
    with pytest.raises(CircuitFileError, match=rf"line\.csv: .*{complaint}"):
        load_circuit(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda lap: np.vstack([lap, lap]),
        lambda lap: np.vstack([lap, lap + 0.1, lap[:50]]),
        lambda lap: np.repeat(np.vstack([lap, lap]), 3, axis=0),
    ],
)
def test_of_two_laps_the_first_is_taken_and_told(tmp_path, change):
    path = write_csv(tmp_path / "laps.csv", change(lap_of("simple_circuit")))
    with pytest.warns(InputWarning, match=r"laps\.csv: it goes on for .* its first lap of 42\d m"):
        circuit = load_circuit(path)
    assert circuit.centerline.length == pytest.approx(428.7, abs=0.5)


@pytest.mark.parametrize("name", [*circuit_names(), "random-3", "random-7"])
@pytest.mark.parametrize("step", [0.2, 1.0, 2.0])
def test_one_lap_of_any_circuit_is_taken_as_it_stands(tmp_path, name, step):
    lap = lap_of(name, step)
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        circuit = load_circuit(write_csv(tmp_path / "lap.csv", lap))
        overlapping = np.vstack([lap, lap[: int(3.0 / step)]])
        overlap = load_circuit(write_csv(tmp_path / "overlap.csv", overlapping))
    assert np.array_equal(circuit.centerline.points, lap)
    assert np.array_equal(overlap.centerline.points, lap)


def test_few_points_on_straights_and_many_in_bends_are_a_lap(tmp_path):
    bend = np.linspace(-np.pi / 2, np.pi / 2, 20)
    half = np.column_stack([100.0 + 10.0 * np.cos(bend), 10.0 * np.sin(bend)])
    path = write_csv(tmp_path / "stadium.csv", np.vstack([half, -half]))
    assert load_circuit(path).centerline.length == pytest.approx(462.8, rel=0.01)


def test_a_road_as_wide_as_its_file_says(tmp_path):
    lap = lap_of("simple_circuit")
    path = tmp_path / "track.csv"

    def write(rights):
        rows = [f"{x},{y},{right},1.4\n" for (x, y), right in zip(lap, rights, strict=True)]
        path.write_text("# x_m,y_m,w_tr_right_m,w_tr_left_m\n" + "".join(rows))

    write(np.full(len(lap), 1.4))
    assert load_circuit(path).asphalt_half_width == 1.4
    write(np.linspace(1.1, 2.0, len(lap)))
    with pytest.warns(InputWarning, match=r"1\.10 to 2\.00 m from the line: 1\.10 m is taken"):
        assert load_circuit(path).asphalt_half_width == 1.1


def test_a_split_bag_without_one_of_its_parts_is_no_circuit(tmp_path):
    bag = write_split(tmp_path / "lap", 3)
    assert load_circuit(bag).centerline.length == pytest.approx(2 * np.pi * RADIUS, rel=1e-2)
    (bag / "lap_1.mcap").unlink()
    with (
        pytest.warns(InputWarning, match=r"lap_1\.mcap is missing"),
        pytest.raises(CircuitFileError, match=r"lap: .* a gap of 8\d\.\d m after 104\.\d m, at x"),
    ):
        load_circuit(bag)


def test_a_crossing_at_the_start_is_not_the_end_of_a_lap(tmp_path):
    angle = np.arange(0.0, 2.0 * np.pi, 0.01)
    eight = 60.0 * np.column_stack([np.sin(angle), np.sin(angle) * np.cos(angle)])
    circuit = load_circuit(write_csv(tmp_path / "eight.csv", eight))
    assert len(circuit.centerline.points) == len(eight)


COORDINATES = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-300.0, 300.0)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(st.tuples(COORDINATES, COORDINATES), max_size=30),
    begin=st.integers(0, 400),
    step=st.integers(1, 60),
)
def test_any_points_are_a_circuit_or_refused_in_words(tmp_path, points, begin, step):
    lap = lap_of("simple_circuit")[begin::step].tolist()
    path = write_csv(tmp_path / "any.csv", [*lap, *points])
    try:
        circuit = load_circuit(path)
    except CircuitFileError as refused:
        assert str(refused).startswith(str(path)) and "\n" not in str(refused)
    else:
        assert 0.0 < circuit.centerline.length < 100_000.0
