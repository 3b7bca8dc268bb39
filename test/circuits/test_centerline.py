"""A circle, an ellipse and a hairpin know the answers; the spline has to agree."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ellipe

from pilotnet_brain.circuits.catalogue import circuit_names, load_circuit
from pilotnet_brain.circuits.centerline import Centerline, wrap_angle

RADIUS = 25.0
ANGLES = np.linspace(0.0, 2.0 * math.pi, 160, endpoint=False)
CIRCLE = Centerline(RADIUS * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]))


def test_a_circle_has_its_length_curvature_and_headings():
    assert CIRCLE.length == pytest.approx(2.0 * math.pi * RADIUS, rel=1e-6)
    stations = np.linspace(0.0, CIRCLE.length, 1000)
    assert CIRCLE.curvature(stations) == pytest.approx(np.full(1000, 1.0 / RADIUS), rel=2e-3)
    position = CIRCLE.position(stations)
    assert np.hypot(*position.T) == pytest.approx(np.full(1000, RADIUS), abs=1e-4)
    turned = np.unwrap(CIRCLE.heading(stations))
    assert turned - turned[0] == pytest.approx(stations / RADIUS, abs=1e-3)


def test_a_clockwise_circle_bends_right():
    clockwise = Centerline(CIRCLE.points[::-1])
    assert (clockwise.curvature(np.arange(0.0, 100.0)) < 0.0).all()


def test_an_ellipse_has_the_perimeter_of_the_elliptic_integral():
    a, b = 60.0, 20.0
    parameter = np.linspace(0.0, 2.0 * math.pi, 400, endpoint=False)
    ellipse = Centerline(np.column_stack([a * np.cos(parameter), b * np.sin(parameter)]))
    assert ellipse.length == pytest.approx(4.0 * a * ellipe(1.0 - (b / a) ** 2), rel=1e-6)


def test_arc_length_is_the_parameter_on_every_shipped_circuit():
    for name in circuit_names():
        line = load_circuit(name).centerline
        fine = line.position(np.linspace(0.0, line.length, 200_001))
        walked = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(fine, axis=0).T))])
        assert walked[-1] == pytest.approx(line.length, rel=1e-5)
        assert walked == pytest.approx(np.linspace(0.0, line.length, 200_001), abs=0.01)


@pytest.mark.parametrize(
    ("name", "length", "radius"),
    [
        ("simple_circuit", 428.7, 5.0),
        ("montreal", 1433.0, 2.6),
        ("montmelo", 737.0, 1.7),
        ("many_curves", 794.0, 2.8),
        ("nurburgring", 554.0, 2.1),
    ],
)
def test_shipped_circuits_have_their_measured_length_and_tightest_radius(name, length, radius):
    line = load_circuit(name).centerline
    assert line.length == pytest.approx(length, abs=0.6)
    sharpest = np.abs(line.curvature(np.arange(0.0, line.length, 0.1))).max()
    assert 1.0 / sharpest == pytest.approx(radius, rel=0.08)


@given(
    angle=st.floats(0.0, 2.0 * math.pi),
    offset=st.floats(-0.8 * RADIUS, 3.0 * RADIUS),
    yaw=st.floats(-10.0, 10.0),
)
def test_projection_onto_a_circle(angle, offset, yaw):
    r = RADIUS + offset
    here = CIRCLE.project(r * math.cos(angle), r * math.sin(angle))
    assert here.lateral_deviation == pytest.approx(-offset, abs=2e-4)
    difference = wrap_angle(here.arc_length / RADIUS - angle)
    assert difference == pytest.approx(0.0, abs=1e-4)
    assert here.heading_error(yaw) == pytest.approx(wrap_angle(yaw - here.heading))
    assert -math.pi < here.heading_error(yaw) <= math.pi


MONTMELO = load_circuit("montmelo").centerline


@given(station=st.floats(0.0, 737.0), offset=st.floats(-1.5, 1.5), astray=st.floats(-1.0, 1.0))
def test_projection_is_exact_to_the_spline(station, offset, astray):
    """Going `offset` to the side and back ends where it began, within a millionth of a metre."""
    heading = float(MONTMELO.heading(station))
    x, y = MONTMELO.position(station) + offset * np.array([-math.sin(heading), math.cos(heading)])
    if abs(MONTMELO.curvature(station)) * abs(offset) > 0.7:
        return  # nearly the bend's centre: every point of the bend is as near
    here = MONTMELO.project(x, y, near=station + astray)
    apart = (here.arc_length - station + MONTMELO.length / 2) % MONTMELO.length
    assert apart - MONTMELO.length / 2 == pytest.approx(0.0, abs=1e-5)
    assert here.lateral_deviation == pytest.approx(offset, abs=1e-6)


@given(x=st.floats(-250.0, 120.0), y=st.floats(-120.0, 120.0))
def test_no_point_of_the_line_is_nearer_than_the_projection(x, y):
    here = MONTMELO.project(x, y)
    everywhere = MONTMELO.position(np.arange(0.0, MONTMELO.length, 0.05))
    nearest = np.hypot(everywhere[:, 0] - x, everywhere[:, 1] - y).min()
    assert abs(here.lateral_deviation) <= nearest + 1e-9


def hairpin(gap: float) -> Centerline:
    """Two straights of 60 m side by side, `gap` metres apart, joined by half circles."""
    half = gap / 2.0
    bend = np.linspace(-math.pi / 2, math.pi / 2, 30)
    east = np.column_stack([np.arange(0.0, 60.0, 0.25), np.full(240, -half)])
    right = np.column_stack([60.0 + half * np.cos(bend), half * np.sin(bend)])
    west = np.column_stack([np.arange(60.0, 0.0, -0.25), np.full(240, half)])[1:]
    left = np.column_stack([-half * np.cos(bend), half * np.sin(bend[::-1])])
    return Centerline(np.vstack([east, right[:-1], west, left[1:-1]]))


def test_a_warm_start_never_jumps_to_a_stretch_within_a_metre():
    line = hairpin(gap=0.9)
    near = 10.0
    for x in np.arange(10.0, 50.0, 0.3):
        # 0.6 m left of its own stretch, 0.3 m from the other one.
        here = line.project(x, 0.15, near=near)
        assert here.lateral_deviation == pytest.approx(0.6, abs=1e-3)
        assert here.arc_length == pytest.approx(x, abs=0.01)
        near = here.arc_length
    assert line.project(30.0, 0.15).lateral_deviation == pytest.approx(0.3, abs=1e-3)


def test_arc_lengths_wrap():
    assert CIRCLE.position(-1.0) == pytest.approx(CIRCLE.position(CIRCLE.length - 1.0))
    assert CIRCLE.heading(CIRCLE.length + 3.0) == pytest.approx(CIRCLE.heading(3.0))


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((3, 2)),
        np.zeros((10, 3)),
        [[0, 0], [1, 0], [1, 0], [1, 1], [0, 1]],
        [[0, 0], [1, 0], [math.nan, 1], [0, 1]],
    ],
)
def test_points_that_are_no_line_are_refused(points):
    with pytest.raises(ValueError, match="centerline"):
        Centerline(points)
