"""Keys and sticks become commands; who lets go gives none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.command import STOP, Command
from pilotnet_brain.teleop.person import JoystickDriver, KeyboardDriver, Limits, keys_in

LIMITS = Limits(speed=10.0, curvature=0.1)
BUTTON, AXIS, INITIAL = 1, 2, 0x80


def event(kind: int, number: int, value: int) -> bytes:
    return struct.pack("=IhBB", 1234, value, kind, number)


def joystick() -> JoystickDriver:
    return JoystickDriver(LIMITS, hold_button=5, speed_axis=1, steering_axis=3)


def test_a_terminals_bytes_are_keys() -> None:
    typed = b"w\x1b[D\x1bOC \r?\x1b[Zx\x1b"
    assert list(keys_in(typed)) == ["faster", "left", "right", "stop", "release"]


@given(st.binary(max_size=40))
def test_whatever_a_terminal_sends_is_read_to_its_end(typed: bytes) -> None:
    assert len(list(keys_in(typed))) <= len(typed)


def test_the_first_key_takes_over_at_the_cars_speed() -> None:
    keyboard = KeyboardDriver(LIMITS)
    assert keyboard.command(0.0) is None
    keyboard.press("left", 1.0, car_speed=8.0)
    command = keyboard.command(1.05)
    assert command is not None
    assert command.speed == 8.0
    assert command.yaw_rate == pytest.approx(8.0 * 0.02)


def test_who_takes_over_at_a_higher_speed_may_keep_it() -> None:
    keyboard = KeyboardDriver(LIMITS)
    keyboard.press("faster", 0.0, car_speed=16.0)
    assert keyboard.command(0.1) == Command(16.0, 0.0)
    keyboard.press("slower", 0.2, car_speed=16.0)
    assert keyboard.command(0.3) == Command(15.0, 0.0)
    sticks = joystick()
    sticks.take(event(BUTTON, 5, 1))
    assert sticks.command(0.0, car_speed=16.0) == Command(16.0, 0.0)


def test_held_arrows_steer_further_and_then_straight_again() -> None:
    keyboard = KeyboardDriver(LIMITS)
    for step in range(20):
        keyboard.press("right", 0.03 * step, car_speed=5.0)
    turning = keyboard.command(0.6)
    assert turning is not None
    assert turning.yaw_rate == pytest.approx(-5.0 * 0.1)
    keyboard.press("left", 0.61, car_speed=5.0)
    back = keyboard.command(0.61)
    assert back is not None
    assert back.yaw_rate == pytest.approx(5.0 * 0.02)
    keyboard.press("faster", 1.0, car_speed=5.0)
    assert keyboard.command(1.1) == Command(6.0, 0.0)


def test_a_hand_off_the_keys_lets_go_and_space_stays() -> None:
    keyboard = KeyboardDriver(LIMITS)
    keyboard.press("faster", 0.0, car_speed=3.0)
    assert keyboard.command(0.3) == Command(4.0, 0.0)
    assert keyboard.command(0.6) is None
    keyboard.press("stop", 1.0, car_speed=3.0)
    assert keyboard.command(100.0) == STOP
    keyboard.press("faster", 101.0, car_speed=0.0)
    assert keyboard.command(101.1) == Command(1.0, 0.0)
    keyboard.press("release", 101.2, car_speed=1.0)
    assert keyboard.command(101.2) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["faster", "slower", "left", "right", "stop", "release"]),
            st.floats(0.0, 0.3),
        )
    )
)
def test_no_keys_lead_beyond_the_limits(keys: list[tuple[str, float]]) -> None:
    keyboard, now_s = KeyboardDriver(LIMITS), 0.0
    for key, pause_s in keys:
        now_s += pause_s
        keyboard.press(key, now_s, car_speed=7.0)
        command = keyboard.command(now_s)
        if command is not None:
            assert 0.0 <= command.speed <= 10.0
            assert abs(command.yaw_rate) <= 0.1 * command.speed + 1e-9


def test_the_held_button_drives_from_the_cars_speed() -> None:
    sticks = joystick()
    sticks.take(event(BUTTON | INITIAL, 5, 0) + event(AXIS | INITIAL, 3, 0))
    assert sticks.command(0.0, car_speed=6.0) is None
    sticks.take(event(BUTTON, 5, 1))
    assert sticks.command(1.0, car_speed=6.0) == STOP._replace(speed=6.0)
    # Half upward for half a second, then fully left: 0.5 * 8 m/s^2 * 0.5 s faster.
    sticks.take(event(AXIS, 1, -16384) + event(AXIS, 3, -32767))
    command = sticks.command(1.5, car_speed=6.0)
    assert command is not None
    assert command.speed == pytest.approx(8.0, abs=1e-3)
    assert command.yaw_rate == pytest.approx(8.0 * 0.1, abs=1e-3)
    sticks.take(event(BUTTON, 5, 0))
    assert sticks.command(1.55, car_speed=6.0) is None


def test_a_joystick_that_is_gone_lets_go() -> None:
    sticks = joystick()
    sticks.take(event(BUTTON, 5, 1))
    assert sticks.command(0.0, car_speed=6.0) is not None
    sticks.let_go()
    assert sticks.command(0.1, car_speed=6.0) is None


@given(st.binary(max_size=200), st.floats(0.0, 10.0))
def test_whatever_a_device_sends_stays_within_the_limits(sent: bytes, time_s: float) -> None:
    sticks = joystick()
    sticks.take(event(BUTTON, 5, 1))
    sticks.command(0.0, car_speed=5.0)
    sticks.take(sent)
    command = sticks.command(time_s, car_speed=5.0)
    if command is not None:
        assert 0.0 <= command.speed <= 10.0
        assert abs(command.yaw_rate) <= 0.1001 * command.speed + 1e-9
