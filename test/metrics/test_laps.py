"""Laps by the progress gained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.stint import LapCounter


def test_the_crossing_is_interpolated():
    laps = LapCounter(100.0, start_s=5.0)
    assert laps.advance(5.0, 0.0, 10.0, 90.0) is None
    assert laps.advance(10.0, 90.0, 12.0, 110.0) == pytest.approx(11.0)
    assert laps.times_s == [pytest.approx(6.0)]
    assert laps.advance(12.0, 110.0, 14.0, 210.0) == pytest.approx(13.8)
    assert laps.times_s == pytest.approx([6.0, 2.8])


@given(st.lists(st.floats(-40.0, 40.0), max_size=100))
def test_laps_never_exceed_the_farthest_progress(steps):
    laps, place, farthest = LapCounter(100.0, 0.0), 0.0, 0.0
    for time, step in enumerate(steps):
        laps.advance(float(time), place, time + 1.0, place + step)
        place += step
        farthest = max(farthest, place)
    assert laps.count == int(farthest // 100.0)
    assert all(time > 0.0 for time in laps.times_s)
    assert sum(laps.times_s) <= len(steps)
