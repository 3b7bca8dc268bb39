"""Distances from a polyline, and the score made of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotnet_brain.metrics.deviation_score import (
    centerline_reference,
    distances_to_polyline,
    position_deviation_score,
)

COORDINATES = st.floats(-20.0, 20.0).map(lambda value: round(value, 3))
POINTS = st.integers(2, 12).flatmap(lambda n: arrays(np.float64, (n, 2), elements=COORDINATES))


def test_points_beside_a_segment_and_beyond_its_ends():
    line = np.array([[0.0, 0.0], [10.0, 0.0]])
    points = np.array([[5.0, 2.0], [-3.0, 4.0], [13.0, -4.0], [7.0, 0.0]])
    assert distances_to_polyline(points, line) == pytest.approx([2.0, 5.0, 5.0, 0.0])


def test_a_single_driven_point():
    assert distances_to_polyline(np.array([[3.0, 4.0]]), np.zeros((1, 2))) == pytest.approx([5.0])


def to_segment(point, a, b):
    along, away = b - a, point - a
    squared = along @ along
    share = min(max(along @ away / squared, 0.0), 1.0) if squared else 0.0
    return np.hypot(*(away - share * along))


@settings(deadline=None, max_examples=100)
@given(points=POINTS, line=POINTS)
def test_distances_are_the_least_over_all_segments(points, line):
    expected = [
        min(to_segment(point, a, b) for a, b in zip(line[:-1], line[1:], strict=True))
        for point in points
    ]
    assert distances_to_polyline(points, line) == pytest.approx(expected, abs=1e-9)


def test_the_score_of_known_distances():
    line = np.array([[0.0, 0.0], [10.0, 0.0]])
    reference = np.array([[1.0, 0.0], [2.0, 1.0 / 3.0], [3.0, -2.0 / 3.0], [4.0, 1.0]])
    assert position_deviation_score(reference, line) == pytest.approx((1 + 10 + 100 + 1000) / 4)


def test_far_away_is_a_number_still():
    far = position_deviation_score(np.array([[0.0, 5000.0]]), np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert np.isfinite(far)


def test_nothing_driven_has_no_score():
    assert position_deviation_score(np.zeros((3, 2)), np.zeros((0, 2))) is None
    assert position_deviation_score(np.zeros((0, 2)), np.zeros((3, 2))) is None


def test_the_reference_points_lie_a_quarter_of_a_metre_apart():
    from driven_lines import circle

    points = centerline_reference(circle().centerline)
    gaps = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    assert gaps == pytest.approx(0.25, abs=1e-3)
