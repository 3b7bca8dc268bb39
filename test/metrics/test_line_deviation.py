"""The integral of the absolute deviation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.stint import LineDeviation, absolute_integral

DEVIATIONS = st.floats(-2.0, 2.0)


@given(DEVIATIONS, DEVIATIONS, st.floats(0.0, 100.0))
def test_the_integral_of_a_straight_stretch_is_exact(first, second, length):
    fine = np.abs(np.linspace(first, second, 20001))
    expected = (
        np.trapezoid(fine, dx=length / 20000)
        if hasattr(np, "trapezoid")
        else np.trapz(fine, dx=length / 20000)
    )
    assert absolute_integral(first, second, length) == pytest.approx(expected, abs=1e-5)


def test_cutting_a_stretch_in_pieces_changes_nothing():
    whole, pieces = LineDeviation(), LineDeviation()
    whole.cover(0.5, -0.3, 8.0)
    for i in range(16):
        pieces.cover(0.5 - 0.05 * i, 0.5 - 0.05 * (i + 1), 0.5)
    assert pieces.mean == pytest.approx(whole.mean)


def test_driving_backward_weighs_as_driving_forward():
    deviation = LineDeviation()
    deviation.cover(0.1, 0.1, 10.0)
    deviation.cover(0.3, 0.3, -10.0)
    assert deviation.mean == pytest.approx(0.2)
    assert deviation.largest == 0.3


def test_nothing_covered_has_no_mean():
    deviation = LineDeviation()
    assert (deviation.mean, deviation.largest) == (None, None)
    deviation.sample(-0.4)
    assert (deviation.mean, deviation.largest) == (None, 0.4)
