"""How long after a command the car moves by it."""

import math
import random

import pytest

from pilotnet_brain.metrics.command_to_motion import CommandToMotion


def commanded(time_s):
    """Yaw rate, rad/s: two sines, held for 0.05 s."""
    held_s = 0.05 * math.floor(time_s / 0.05 + 1e-9)
    return 1.5 * math.sin(1.3 * held_s) + 0.8 * math.sin(3.1 * held_s)


def drive(seconds=20.0, lag_s=0.1, pose_hz=50.0, command=commanded):
    """Events (time, kind, value) of a car that turns as commanded a lag before."""
    events = [(0.05 * k, "command", command(0.05 * k)) for k in range(round(seconds / 0.05))]
    yaw, step_s = 0.0, 0.001
    every = round(1.0 / (pose_hz * step_s))
    for k in range(round(seconds / step_s)):
        yaw += step_s * (command(k * step_s - lag_s) if k * step_s >= lag_s else 0.0)
        if k % every == 0:
            events.append((k * step_s, "pose", math.remainder(yaw, math.tau)))
    return sorted(events)


def measured(events):
    response = CommandToMotion()
    for time_s, kind, value in events:
        (response.add_command if kind == "command" else response.add_pose)(time_s, value)
    return response


@pytest.mark.parametrize("pose_hz", [20.0, 50.0, 200.0])
@pytest.mark.parametrize("lag_s", [0.0, 0.02, 0.1, 0.35])
def test_the_lag_is_found(lag_s, pose_hz):
    assert measured(drive(lag_s=lag_s, pose_hz=pose_hz)).lag_s() == pytest.approx(lag_s, abs=0.006)


def test_it_is_the_same_while_driving_and_at_the_end():
    events = drive(12.0)
    response = CommandToMotion()
    for time_s, kind, value in events:
        (response.add_command if kind == "command" else response.add_pose)(time_s, value)
        response.lag_s()
    assert response.lag_s() == measured(events).lag_s()


def test_commands_may_be_told_late_and_in_another_order():
    generator = random.Random(3)
    events = drive(60.0)
    arrivals = sorted(
        events, key=lambda e: e[0] + (generator.uniform(0.0, 2.0) if e[1] == "command" else 0.0)
    )
    assert measured(arrivals).lag_s() == measured(events).lag_s()


def test_a_straight_or_short_drive_does_not_show_it():
    assert measured(drive(20.0, command=lambda t: 0.0)).lag_s() is None
    assert measured(drive(1.0)).lag_s() is None
    assert CommandToMotion().lag_s() is None


def test_a_car_that_does_not_follow_does_not_show_it():
    theirs = [e for e in drive(20.0) if e[1] == "pose"]
    generator = random.Random(1)
    ours = [(0.05 * k, "command", generator.uniform(-2.0, 2.0)) for k in range(400)]
    assert measured(sorted(theirs + ours)).lag_s() is None


def test_a_long_run_needs_no_more_memory_than_a_short_one():
    response = measured(drive(120.0))
    assert len(response._steps) <= 1000
    assert len(response._commands) <= 400


def test_slow_or_missing_poses_cost_no_memory_either():
    slow = measured(sorted(drive(200.0, pose_hz=5.0)))
    assert slow.lag_s() is None
    assert len(slow._commands) <= 400
    none = CommandToMotion()
    for number in range(20_000):
        none.add_command(0.05 * number, 1.0)
    assert len(none._commands) <= 5000


def test_commands_that_are_no_numbers_are_left_out():
    events = drive(20.0)
    hostile = [(math.inf, 1.0), (1.0, math.nan), (math.nan, 1.0), (2.0, -math.inf)]
    response = measured(events[:300])
    for time_s, yaw_rate in hostile:
        response.add_command(time_s, yaw_rate)
    for time_s, kind, value in events[300:]:
        (response.add_command if kind == "command" else response.add_pose)(time_s, value)
    assert response.lag_s() == measured(events).lag_s()
