"""When the guard stops the car, and when it leaves the car alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.guard import SILENCE_S, CommandGuard, NodeWatch, silence_at

TICK_S = 0.05


def stops(
    guard: CommandGuard, until_s: float, on_tick: Callable[[float], object], begin_s: float = 0.0
) -> list[float]:
    """Return the times at which the guard stops the car; `on_tick` comes before each check."""
    times = []
    for tick in range(round((until_s - begin_s) / TICK_S)):
        now_s = begin_s + tick * TICK_S
        on_tick(now_s)
        if guard.must_stop(now_s):
            times.append(now_s)
    return times


def driven_until(guard: CommandGuard, end_s: float) -> Callable[[float], None]:
    def on_tick(now_s: float) -> None:
        if now_s < end_s:
            guard.on_alive(now_s, drives=True)
            guard.on_command(now_s, 13.0, 0.1)

    return on_tick


def test_a_brain_that_falls_silent_is_followed_by_a_stop_within_half_a_second() -> None:
    guard = CommandGuard()
    times = stops(guard, 10.0, driven_until(guard, 5.0))
    last_heard_s = 5.0 - TICK_S
    assert SILENCE_S - 1e-9 <= times[0] - last_heard_s <= 0.5
    assert 5 <= len(times) <= 12  # repeated for a while, not for ever


@given(pauses=st.lists(st.floats(0.0, 0.34), min_size=20, max_size=60))
def test_a_living_brain_is_never_stopped(pauses: list[float]) -> None:
    guard = CommandGuard()
    heard = [0.0]
    for pause in pauses:
        heard.append(heard[-1] + pause)

    def on_tick(now_s: float) -> None:
        while heard and heard[0] <= now_s:
            guard.on_alive(heard.pop(0), drives=True)
            guard.on_command(now_s, 13.0, 0.0)

    assert stops(guard, heard[-1], on_tick) == []


@pytest.mark.parametrize("rtf", [0.1, 1.0, 1.5, 4.0, 100.0])
def test_a_living_brain_is_not_stopped_however_fast_simulated_time_passes(rtf: float) -> None:
    guard = CommandGuard(silence_at(rtf))
    guard.on_command(0.0, 10.0, 0.0)
    for tick in range(400):
        now_s = 0.05 * tick
        if tick % 3 == 0:  # two of three messages are lost
            guard.on_alive(now_s, True)
        assert not guard.must_stop(now_s)
    assert silence_at(1.0) == SILENCE_S == silence_at(0.1)


def test_a_camera_of_two_frames_a_second_is_no_silence() -> None:
    guard = CommandGuard()

    def on_tick(now_s: float) -> None:
        guard.on_alive(now_s, drives=True)
        if round(now_s / TICK_S) % 10 == 0:
            guard.on_command(now_s, 5.0, 0.0)

    assert stops(guard, 20.0, on_tick) == []


def test_a_car_moves_until_its_brain_or_the_guard_has_stopped_it() -> None:
    guard = CommandGuard()
    assert not guard.car_moves
    driven_until(guard, 1.0)(0.0)
    assert guard.car_moves
    guard.on_command(0.1, 0.0, 0.0)
    assert not guard.car_moves
    guard.on_command(0.2, 5.0, 0.0)
    guard.on_alive(0.2, drives=False)
    assert not guard.car_moves


def test_a_car_that_stands_needs_no_stop() -> None:
    guard = CommandGuard()

    def on_tick(now_s: float) -> None:
        if now_s < 2.0:
            guard.on_alive(now_s, drives=True)
            guard.on_command(now_s, 0.0, 0.0)

    assert stops(guard, 10.0, on_tick) == []


def test_who_drives_without_a_brain_or_after_it_is_left_alone() -> None:
    guard = CommandGuard()
    assert stops(guard, 5.0, lambda now_s: guard.on_command(now_s, 3.0, 0.0)) == []
    stops(guard, 8.0, driven_until(guard, 8.0), begin_s=5.0)
    guard.on_alive(8.0, drives=False)

    def by_hand(now_s: float) -> None:
        if round(now_s / TICK_S) % 20 == 0:
            guard.on_command(now_s, 1.0, 0.0)

    assert stops(guard, 20.0, by_hand, begin_s=8.0) == []


def test_after_the_stop_the_car_may_be_driven_away_and_a_new_brain_is_guarded() -> None:
    guard = CommandGuard()
    assert stops(guard, 4.0, driven_until(guard, 2.0))
    by_hand = stops(guard, 8.0, lambda now_s: guard.on_command(now_s, 1.0, 0.0), begin_s=4.0)
    assert by_hand == []
    assert stops(guard, 14.0, driven_until(guard, 10.0), begin_s=8.0)


def test_a_brain_that_was_held_up_drives_on() -> None:
    guard = CommandGuard()
    stops(guard, 2.6, driven_until(guard, 2.0))
    assert stops(guard, 6.0, driven_until(guard, 6.0), begin_s=3.0) == []


def test_a_guard_that_was_held_up_itself_hears_first() -> None:
    guard = CommandGuard()
    assert stops(guard, 2.0, driven_until(guard, 2.0)) == []
    assert not guard.must_stop(5.0)
    assert stops(guard, 8.0, driven_until(guard, 8.0), begin_s=5.05) == []


def test_a_node_that_is_busy_with_its_end_is_given_time() -> None:
    watch = NodeWatch(("metrics",), start_up_s=60.0, silence_s=5.0)
    watch.on_node("metrics", 0.0, busy_s=20.0)
    silent = [watch.silent(0.1 * tick) for tick in range(300)]
    assert silent.index("metrics") == 251


def test_a_node_that_falls_silent_is_named() -> None:
    watch = NodeWatch(("brain", "metrics"), start_up_s=60.0, silence_s=5.0)
    for second in range(10):
        for name in ("brain", "metrics", "stranger"):
            watch.on_node(name, float(second))
        assert all(watch.silent(second + 0.1 * tick) is None for tick in range(10))
    named = []
    for tick in range(100):
        now_s = 10.0 + 0.1 * tick
        watch.on_node("metrics", now_s)
        named.append(watch.silent(now_s))
    assert named.index("brain") == 41  # last heard at 9 s, silent for more than 5 s
    assert set(named) == {None, "brain"}


def test_a_node_that_never_says_anything_is_named_after_its_start() -> None:
    watch = NodeWatch(("brain", "recorder"), start_up_s=60.0)
    named = []
    for tick in range(700):
        watch.on_node("brain", 0.1 * tick)
        named.append(watch.silent(0.1 * tick))
    assert 600 <= named.index("recorder") <= 602
    assert watch.anyone
    assert not NodeWatch(("brain",), start_up_s=60.0).anyone
