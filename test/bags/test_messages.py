"""Stamps and headings to and from the fields of messages."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.bags.messages import nanoseconds, seconds, set_yaw, stamp_parts, yaw_of


@given(st.integers(0, 2**31 - 1), st.integers(0, 999_999_999))
def test_a_stamp_in_seconds_and_nanoseconds(sec, nanosec):
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    assert nanoseconds(stamp) == sec * 10**9 + nanosec
    assert seconds(stamp) == pytest.approx(nanoseconds(stamp) * 1e-9, abs=1e-6)


@given(st.integers(0, 10**15))
def test_a_time_comes_back_to_the_nanosecond(time_ns):
    sec, nanosec = stamp_parts(time_ns * 1e-9)
    assert 0 <= nanosec < 10**9
    # Up to a million seconds a float holds every nanosecond.
    assert sec * 10**9 + nanosec == pytest.approx(time_ns, abs=1)


@given(st.floats(-3.14, 3.14))
def test_a_yaw_comes_back(yaw):
    orientation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)
    set_yaw(orientation, yaw)
    assert yaw_of(orientation) == pytest.approx(yaw)


def test_the_yaw_of_a_car_that_also_pitches():
    # Yaw 90 degrees, then pitch 30 degrees: q = q_yaw * q_pitch.
    half_yaw, half_pitch = math.radians(45.0), math.radians(15.0)
    orientation = SimpleNamespace(
        x=-math.sin(half_yaw) * math.sin(half_pitch),
        y=math.cos(half_yaw) * math.sin(half_pitch),
        z=math.sin(half_yaw) * math.cos(half_pitch),
        w=math.cos(half_yaw) * math.cos(half_pitch),
    )
    assert yaw_of(orientation) == pytest.approx(math.radians(90.0))
