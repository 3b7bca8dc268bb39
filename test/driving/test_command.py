import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.command import STOP, Command, OutputRange

_FINITE = st.floats(-100.0, 100.0)


def test_ends_of_jderobots_range():
    jderobot = OutputRange()
    assert jderobot.to_command(0.0, 0.0) == pytest.approx((6.5, -7.1))
    assert jderobot.to_command(1.0, 1.0) == pytest.approx((24.0, 7.1))
    assert jderobot.to_command(0.0, 0.5).yaw_rate == pytest.approx(0.0)


def test_stop_is_standing_still():
    assert Command(speed=0.0, yaw_rate=0.0) == STOP


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
