"""Closed lines and roads are found in pictures to a fraction of a pixel; what is none is told."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.trace import (
    TraceError,
    road_half_width,
    smooth_lap,
    started_at,
    trace,
)

PIXEL_M = 0.05
GRASS, ASPHALT, RED, WHITE = (90, 140, 60), (70, 68, 66), (230, 20, 20), (240, 240, 240)
SIZE = 1000
"""50 m."""
SHIFT = 4
"""Drawn to a sixteenth of a pixel."""


def canvas():
    return np.full((SIZE, SIZE, 3), GRASS, np.uint8)


def ellipse(picture, colour, width_m, axes_m=(20.0, 12.0), centre_m=(25.0, 25.0), arc=(0, 360)):
    """Draw a ring between two ellipses whose middle has the given half axes."""
    t = np.radians(np.linspace(*arc, 2000))
    a, b = axes_m
    x, y = a * np.cos(t), b * np.sin(t)
    normal = np.stack([b * np.cos(t), a * np.sin(t)])
    normal /= np.linalg.norm(normal, axis=0)
    sides = [np.stack([x, y]) + s * 0.5 * width_m * normal for s in (1.0, -1.0)]
    outline = np.concatenate([sides[0], sides[1][:, ::-1]], axis=1).T + centre_m
    pixels = ((outline / PIXEL_M - 0.5) * 2**SHIFT).round().astype(np.int32)
    cv2.fillPoly(picture, [pixels], colour, shift=SHIFT)


def errors(found, axes_m=(20.0, 12.0), centre_m=(25.0, 25.0)):
    """How far a traced lap lies from an ellipse, m (to first order, which millimetres are)."""
    lap = smooth_lap((found.points + 0.5) * PIXEL_M, PIXEL_M) - centre_m
    a, b = axes_m
    value = (lap[:, 0] / a) ** 2 + (lap[:, 1] / b) ** 2 - 1.0
    slope = np.hypot(2 * lap[:, 0] / a**2, 2 * lap[:, 1] / b**2)
    return np.abs(value / slope)


def road_with_line(line=RED, line_m=0.12, **parts):
    picture = canvas()
    ellipse(picture, ASPHALT, 3.0, **parts)
    if line is not None:
        ellipse(picture, line, line_m, **parts)
    return picture


def pixel(x_m, y_m):
    return x_m / PIXEL_M - 0.5, y_m / PIXEL_M - 0.5


START = pixel(45.0, 25.0)


@pytest.mark.parametrize("line", [RED, WHITE, (240, 220, 40), (20, 20, 20), (30, 60, 230)])
def test_a_painted_line_is_found_to_a_centimetre(line):
    found = trace(road_with_line(line), PIXEL_M, START)
    assert found.kind == "line"
    assert np.abs(np.subtract(found.colour, line)).max() <= 3
    assert found.width_m == pytest.approx(0.12, abs=0.05)
    assert errors(found).mean() < 0.01
    assert errors(found).max() < 0.03


def test_a_road_without_a_line_has_its_middle():
    found = trace(road_with_line(None), PIXEL_M, START)
    assert found.kind == "road"
    assert found.width_m == pytest.approx(3.0, abs=0.2)
    assert errors(found).mean() < 0.03


def test_the_line_that_the_car_stands_on_is_taken_not_the_roads_edges():
    picture = road_with_line()
    for side in (1.4, -1.4):
        ellipse(picture, WHITE, 0.12, axes_m=(20.0 + side, 12.0 + side))
    assert trace(picture, PIXEL_M, START).colour[1] < 60
    with pytest.raises(TraceError, match="closed lines or roads, and no car that stands on one"):
        trace(picture, PIXEL_M)
    assert errors(trace(picture, PIXEL_M, colour=RED)).mean() < 0.01


@pytest.mark.parametrize("gap_deg", [0.5, 1.5, 4.0])
def test_gaps_in_a_line_are_bridged(gap_deg):
    picture = canvas()
    ellipse(picture, ASPHALT, 3.0)
    for begin in (0, 120, 240):
        ellipse(picture, RED, 0.12, arc=(begin, begin + 120 - gap_deg))
    found = trace(picture, PIXEL_M, START)
    longest_m = math.radians(gap_deg) * 20.0
    assert found.kind == "line"
    assert found.closed_gaps_m >= longest_m - 0.3
    assert errors(found).mean() < 0.012


def test_a_road_keeps_its_middle_under_marks_across_it():
    picture = road_with_line(None)
    for column in range(100, 900, 90):
        picture[:, column : column + 8][(picture[:, column : column + 8] == ASPHALT).all(2)] = WHITE
    assert errors(trace(picture, PIXEL_M, START)).mean() < 0.05


def test_a_line_that_crosses_itself_is_refused():
    picture = canvas()
    for centre in ((15.0, 25.0), (34.9, 25.0)):
        ellipse(picture, RED, 0.2, axes_m=(10.0, 8.0), centre_m=centre)
    with pytest.raises(TraceError, match=r"crosses itself or branches \(2 loops\)"):
        trace(picture, PIXEL_M, colour=RED)


def test_of_two_circuits_the_cars_is_taken():
    picture = canvas()
    for centre in ((13.0, 25.0), (37.0, 25.0)):
        ellipse(picture, RED, 0.12, axes_m=(9.0, 9.0), centre_m=centre)
    with pytest.raises(TraceError, match="2 closed lines or roads"):
        trace(picture, PIXEL_M, colour=RED)
    found = trace(picture, PIXEL_M, pixel(46.0, 25.0))
    assert errors(found, (9.0, 9.0), (37.0, 25.0)).mean() < 0.01


@pytest.mark.parametrize("arc", [(0, 300), (0, 20)])
def test_an_open_line_is_no_circuit(arc):
    picture = canvas()
    ellipse(picture, RED, 0.12, arc=arc)
    with pytest.raises(TraceError, match="no closed line, and no closed road"):
        trace(picture, PIXEL_M, START)


@settings(max_examples=25)
@given(arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3))))
def test_any_picture_is_traced_or_refused(picture):
    try:
        assert len(trace(picture, 0.5, (0.0, 0.0)).points) > 2
    except TraceError as refused:
        assert "\n" not in str(refused)


@pytest.mark.parametrize("half", [1.2, 2.5])
def test_the_roads_half_width_is_measured(half):
    picture = canvas()
    ellipse(picture, ASPHALT, 2.0 * half)
    ellipse(picture, RED, 0.12)
    found = trace(picture, PIXEL_M, START)
    assert road_half_width(picture, PIXEL_M, found.points[::20]) == pytest.approx(half, abs=0.06)


def test_where_the_ground_is_all_alike_the_road_has_no_width():
    picture = np.full((SIZE, SIZE, 3), ASPHALT, np.uint8)
    ellipse(picture, RED, 0.12, axes_m=(9.0, 9.0))
    found = trace(picture, PIXEL_M, pixel(34.0, 25.0))
    assert road_half_width(picture, PIXEL_M, found.points[::20]) is None


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("clockwise", [False, True])
def test_a_lap_starts_at_the_car_in_its_direction(clockwise, reverse):
    t = np.linspace(0.0, math.tau, 200, endpoint=False)
    circle = 20.0 * np.column_stack([np.cos(t), np.sin(t)])
    yaw = math.pi if clockwise else 0.0  # at the southernmost point, anticlockwise is east
    lap = started_at(circle, (0.3, -20.2, yaw), reverse)
    assert np.linalg.norm(lap[0] - (0.0, -20.0)) < 0.7
    heading = float(Centerline(lap).heading(0.0))
    assert math.cos(heading - yaw) == pytest.approx(-1.0 if reverse else 1.0, abs=0.01)


def test_without_a_car_a_lap_runs_anticlockwise():
    t = np.linspace(0.0, math.tau, 200, endpoint=False)
    circle = 20.0 * np.column_stack([np.cos(t), np.sin(t)])
    for points in (circle, circle[::-1]):
        heading = float(Centerline(started_at(points, None)).curvature(np.array([5.0]))[0])
        assert heading == pytest.approx(1.0 / 20.0, rel=0.05)
