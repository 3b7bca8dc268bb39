"""A person's commands win over the brain's for half a second, a joystick's over a keyboard's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.takeover import TELEOP_TOPICS, TIMEOUT_S, Takeover

MESSAGES = st.lists(st.tuples(st.sampled_from(TELEOP_TOPICS), st.floats(0.0, 3.0)))
GO = Command(5.0, 0.1)


@given(MESSAGES, st.floats(3.0, 5.0))
def test_the_joystick_wins_then_the_keyboard_then_nobody(
    messages: list[tuple[str, float]], now_s: float
) -> None:
    takeover = Takeover()
    for topic, heard_s in sorted(messages, key=lambda message: message[1]):
        takeover.hear(topic, GO, heard_s)
    in_force = {topic for topic, heard_s in messages if now_s - heard_s < TIMEOUT_S}
    order = ("joy_vel", "key_vel", "expert_vel")
    wins = next((topic for topic in order if topic in in_force), None)
    assert takeover.driver(now_s) == wins


def test_only_who_drives_gives_commands() -> None:
    takeover = Takeover()
    assert takeover.driver(0.0) is None
    assert takeover.hear("key_vel", GO, 1.0)
    assert takeover.hear("joy_vel", GO, 1.1)
    assert not takeover.hear("key_vel", GO, 1.2)
    assert takeover.hear("key_vel", GO, 1.7)


def test_the_drivers_last_command_is_in_force() -> None:
    takeover = Takeover()
    assert takeover.command(0.0) is None
    takeover.hear("key_vel", GO, 1.0)
    takeover.hear("key_vel", Command(3.0, 0.0), 1.1)
    assert takeover.command(1.5) == Command(3.0, 0.0)
    takeover.hear("joy_vel", GO, 1.55)
    assert takeover.command(1.56) == GO
    assert takeover.command(2.1) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_command_takes_nothing_over(value: float) -> None:
    takeover = Takeover()
    assert not takeover.hear("joy_vel", Command(value, 0.0), 1.0)
    assert not takeover.hear("joy_vel", Command(0.0, value), 1.0)
    assert takeover.driver(1.0) is None
