"""Where the car will be when a command acts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.camera import STILL, Motion
from pilotnet_brain.driving.command import STOP, Command
from pilotnet_brain.driving.delay import LONGEST_S, CommandsInFlight, DelayCompensation, Plant

COMMANDS = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.floats(-7.0, 7.0)).map(lambda pair: Command(*pair)),
    min_size=1,
    max_size=12,
)
TIME = st.floats(0.0, 1.2)


def in_flight(*commands, plant=Plant(), every_s=0.05):  # noqa: B008
    flight = CommandsInFlight(plant)
    for number, command in enumerate(commands):
        flight.sent(command, number * every_s)
    return flight


def then(first, second):
    """The motion that two motions, one after the other, make."""
    cos, sin = math.cos(first.yaw), math.sin(first.yaw)
    return Motion(
        first.x + cos * second.x - sin * second.y,
        first.y + sin * second.x + cos * second.y,
        first.yaw + second.yaw,
    )


def test_nothing_was_commanded_and_the_car_stands():
    assert CommandsInFlight().motion(1.0, 1.1) == STILL
    assert in_flight(Command(10.0, 1.0)).motion(-1.0, -0.5) == STILL


def test_straight_ahead():
    assert in_flight(Command(12.0, 0.0)).motion(1.0, 1.1) == pytest.approx((1.2, 0.0, 0.0))


def test_a_quarter_of_a_circle():
    """A circle of radius v / w: a quarter turn leads one radius ahead and one to the left."""
    speed, yaw_rate = 10.0, math.pi
    motion = in_flight(Command(speed, yaw_rate)).motion(0.0, 0.5)
    radius = speed / yaw_rate
    assert motion == pytest.approx((radius, radius, 0.5 * math.pi))


def test_each_command_counts_from_when_it_acts():
    flight = in_flight(Command(10.0, 0.0), Command(4.0, 0.0), STOP)
    assert flight.motion(0.02, 1.0).x == pytest.approx(10.0 * 0.03 + 4.0 * 0.05)


def test_a_later_command_replaces_those_that_were_to_act_after_it():
    flight = in_flight(Command(10.0, 0.0), Command(99.0, 0.0))
    flight.sent(Command(2.0, 0.0), 0.02)
    assert flight.motion(0.0, 0.12).x == pytest.approx(10.0 * 0.02 + 2.0 * 0.10)


@given(COMMANDS, st.tuples(TIME, TIME, TIME).map(sorted))
def test_the_motion_is_that_of_its_parts(commands, times):
    flight = in_flight(*commands)
    start, middle, end = times
    whole = then(flight.motion(start, middle), flight.motion(middle, end))
    assert flight.motion(start, end) == pytest.approx(whole, abs=1e-9)


@given(COMMANDS, st.floats(0.0, 0.5))
def test_a_lag_that_is_short_is_hardly_felt(commands, end):
    ideal = in_flight(*commands).motion(0.0, end)
    lagging = in_flight(*commands, plant=Plant(lag_s=1e-5)).motion(0.0, end)
    assert lagging == pytest.approx(ideal, abs=1e-2)


def test_a_lag_is_first_order():
    """Position under a step of speed v: v (t - T (1 - exp(-t / T)))."""
    motion = in_flight(Command(10.0, 0.0), plant=Plant(lag_s=0.2)).motion(0.0, 0.4)
    expected = 10.0 * (0.4 - 0.2 * (1.0 - math.exp(-2.0)))
    assert motion.x == pytest.approx(expected, rel=0.03)


def test_the_lag_goes_on_from_the_speed_that_was_reached():
    flight = in_flight(*[Command(10.0, 0.0)] * 12, plant=Plant(lag_s=0.05))
    assert flight.motion(0.5, 0.6).x == pytest.approx(1.0, rel=0.01)


def test_a_held_direction_makes_the_car_drift_out_of_the_bend():
    """Each hold drives straight on while the car turns by w T: half of that is missed on average.

    Against the sum over many short holds.
    """
    speed, yaw_rate, hold = 12.0, 2.0, 0.05
    x = y = 0.0
    for number in range(4):
        heading = yaw_rate * hold * number
        x += speed * hold * math.cos(heading)
        y += speed * hold * math.sin(heading)
    motion = in_flight(Command(speed, yaw_rate), plant=Plant(hold_s=hold)).motion(0.0, 4 * hold)
    assert motion == pytest.approx((x, y, yaw_rate * 4 * hold), abs=2e-3)


def test_old_commands_are_forgotten_and_the_one_in_force_is_not():
    flight = CommandsInFlight()
    flight.sent(Command(3.0, 0.0), 0.0)
    assert flight.motion(1000.0, 1000.1).x == pytest.approx(0.3)
    for number in range(1, 100_000):
        flight.sent(Command(5.0, 0.0), number * 0.05)
    assert len(flight._commands) < 50
    flight.clear()
    assert flight.motion(4999.0, 4999.5) == STILL


@pytest.mark.parametrize("times", [{"hold_s": -0.1}, {"lag_s": 11.0}, {"lag_s": math.nan}])
def test_a_plant_that_cannot_be_is_refused(times):
    with pytest.raises(ValueError, match="must be 0 to 10 s"):
        Plant(**times)


def test_the_motion_ends_where_the_models_command_fits():
    compensation = DelayCompensation(anticipation_s=0.03, actuation_delay_s=0.05)
    compensation.sent(Command(10.0, 0.0), 0.0)  # acts at 0.05
    # A frame of 1.00 s, answered at 1.02 s, acts at 1.07 s; the model looks 0.03 s ahead itself.
    assert compensation.ahead_s(1.00, 1.02) == pytest.approx(0.04)
    assert compensation.motion(1.00, 1.02).x == pytest.approx(0.4)


STAMP = st.floats(-(2.0**31), 2.0**31)
"""What builtin_interfaces/Time can hold."""


@given(STAMP, STAMP)
def test_no_stamp_however_wild_leads_far(stamp_s, now_s):
    compensation = DelayCompensation(0.0)
    compensation.sent(Command(20.0, 1.0), 0.0)
    ahead_s = compensation.ahead_s(stamp_s, now_s)
    assert 0.0 <= ahead_s <= LONGEST_S
    assert abs(compensation.motion(stamp_s, now_s).x) <= 20.0 * LONGEST_S + 1e-3
