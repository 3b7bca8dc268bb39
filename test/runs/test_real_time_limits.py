"""What ends a live run by real time; known answers by hand."""

from __future__ import annotations

import pytest

from pilotnet_brain.runs.real_time_limits import RealTimeLimits

TICK_S = 0.1


def first_broken(
    limits: RealTimeLimits, until_s: float, clock: object = None, on_tick: object = None
) -> tuple[float, str] | None:
    """Return when and why a limit is broken; the clock is a function of real time, or stands."""
    for tick in range(1, round(until_s / TICK_S)):
        now_s = tick * TICK_S
        if on_tick is not None:
            on_tick(now_s)  # type: ignore[operator]
        clock_s = clock(now_s) if clock is not None else 0.0  # type: ignore[operator]
        if reason := limits.broken(now_s, clock_s):
            return round(now_s, 1), reason
    return None


def test_a_run_without_limits_waits_as_long_as_it_takes() -> None:
    assert first_broken(RealTimeLimits(0.0, 0.0, 0.0), 1000.0) is None


def test_a_clock_that_stands_still_ends_a_run_with_a_time_limit() -> None:
    limits = RealTimeLimits(5.0, 0.0, 0.0)

    def camera(now_s: float) -> None:
        if now_s >= 3.0:
            limits.on_message()

    found = first_broken(limits, 60.0, on_tick=camera)
    assert found is not None
    assert found[0] == pytest.approx(18.0, abs=0.2)
    assert "time limit of 5 s reached in real time, while /clock stood still" in found[1]


def test_a_clock_that_moves_leaves_the_time_limit_to_simulated_time() -> None:
    limits = RealTimeLimits(5.0, 0.0, 0.0)
    limits.on_message()
    assert first_broken(limits, 300.0, clock=lambda now_s: 0.01 * now_s) is None


def test_poses_that_count_are_time_that_passes() -> None:
    limits = RealTimeLimits(5.0, 0.0, 0.0)
    assert first_broken(limits, 300.0, on_tick=limits.on_pose) is None


def test_a_world_that_never_says_anything_ends_a_run_with_a_time_limit() -> None:
    found = first_broken(RealTimeLimits(5.0, 0.0, 0.0), 300.0)
    assert found is not None
    assert 125.0 <= found[0] <= 125.2
    assert "nothing came" in found[1]


def test_a_car_that_drives_and_is_not_seen_is_stopped() -> None:
    limits = RealTimeLimits(0.0, 0.0, 0.0)

    def drives(now_s: float) -> None:
        if now_s <= 10.0:
            limits.on_pose(now_s)
        limits.on_driven_frame(now_s)

    found = first_broken(limits, 60.0, clock=lambda now_s: now_s, on_tick=drives)
    assert found is not None
    assert 15.0 <= found[0] <= 15.3
    assert "the brain drives, and no pose of the car came" in found[1]


def test_a_paused_world_is_waited_for() -> None:
    limits = RealTimeLimits(0.0, 0.0, 0.0)

    def paused_from_10(now_s: float) -> None:
        if now_s <= 10.0:
            limits.on_pose(now_s)
            limits.on_driven_frame(now_s)

    assert first_broken(limits, 600.0, on_tick=paused_from_10) is None


def test_a_stall_limit_counts_from_the_newest_pose() -> None:
    limits = RealTimeLimits(0.0, 2.0, 0.0)

    def poses_until_3(now_s: float) -> None:
        if now_s <= 3.0:
            limits.on_pose(now_s)

    found = first_broken(limits, 60.0, clock=lambda now_s: now_s, on_tick=poses_until_3)
    assert found is not None
    assert 5.0 <= found[0] <= 5.2
    assert found[1] == "no new pose of the car for 2 s of real time"
