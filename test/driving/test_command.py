import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.command import STOP, Command, OutputRange, limited

_FINITE = st.floats(-100.0, 100.0)


def test_ends_of_jderobots_range():
    jderobot = OutputRange()
    assert jderobot.to_command(0.0, 0.0) == pytest.approx((6.5, -7.1))
    assert jderobot.to_command(1.0, 1.0) == pytest.approx((24.0, 7.1))
    assert jderobot.to_command(0.0, 0.5).yaw_rate == pytest.approx(0.0)


def test_stop_is_standing_still():
    assert Command(speed=0.0, yaw_rate=0.0) == STOP


@given(st.floats(0.1, 30.0), st.floats(-7.0, 7.0), st.floats(0.1, 30.0))
def test_a_limited_command_stays_on_its_arc(speed, yaw_rate, most):
    command = limited(Command(speed, yaw_rate), most)
    assert command.speed == pytest.approx(min(speed, most))
    assert command.yaw_rate / command.speed == pytest.approx(yaw_rate / speed)


def test_a_command_below_the_limit_and_backwards_is_left_alone():
    assert limited(Command(5.0, 1.0), math.inf) == Command(5.0, 1.0)
    assert limited(Command(-5.0, 1.0), 2.0) == Command(-5.0, 1.0)


@given(_FINITE, _FINITE)
def test_from_command_undoes_to_command(out0, out1):
    jderobot = OutputRange()
    back = jderobot.from_command(*jderobot.to_command(out0, out1))
    assert back == pytest.approx((out0, out1), abs=1e-12)


def test_from_command_takes_arrays():
    out0, out1 = OutputRange().from_command(np.array([6.5, 24.0]), np.array([-7.1, 7.1]))
    np.testing.assert_allclose(out0, [0.0, 1.0])
    np.testing.assert_allclose(out1, [0.0, 1.0])


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0, "17.5", True])
def test_a_span_that_is_no_positive_number_is_refused(value):
    with pytest.raises(ValueError, match="speed_span"):
        OutputRange(speed_span=value)
