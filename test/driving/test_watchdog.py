import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.watchdog import (
    AHEAD_LIMIT_S,
    JUMP_S,
    FrameWatchdog,
    StopReason,
    Verdict,
)

_PERIOD_S = 0.05


def _drive(watchdog: FrameWatchdog, clock_s: float, steady_s: float, stamp_s: float) -> Verdict:
    watchdog.see_clock(clock_s, steady_s)
    verdict = watchdog.judge(stamp_s)
    if verdict is Verdict.DRIVE:
        watchdog.accept(stamp_s)
    return verdict


def _driven_until(seconds: float) -> FrameWatchdog:
    watchdog = FrameWatchdog()
    for tick in range(round(seconds / _PERIOD_S) + 1):
        time_s = tick * _PERIOD_S
        assert _drive(watchdog, time_s, time_s, time_s) is Verdict.DRIVE
    return watchdog


def test_without_a_frame_the_car_stands():
    watchdog = FrameWatchdog()
    assert watchdog.stop_reason(0.0) is StopReason.NO_FRAME
    watchdog.see_clock(0.0, 0.0)
    assert watchdog.stop_reason(0.0) is StopReason.NO_FRAME


def test_before_the_first_clock_no_frame_is_driven_on():
    assert FrameWatchdog().judge(0.0) is Verdict.AHEAD


@given(
    delays=st.lists(st.floats(0.0, 0.4), min_size=1, max_size=60),
    rate=st.floats(0.1, 10.0),
)
def test_frames_at_20_hz_are_all_driven_on_and_never_stop_the_car(delays, rate):
    """Whatever the transport's delay below the limit and the real-time factor."""
    watchdog = FrameWatchdog()
    arrivals = sorted((k * _PERIOD_S + delay, k * _PERIOD_S) for k, delay in enumerate(delays))
    newest = -1.0
    for arrival_s, stamp_s in arrivals:
        verdict = _drive(watchdog, arrival_s, arrival_s / rate, stamp_s)
        assert verdict is (Verdict.DRIVE if stamp_s > newest else Verdict.LATE)
        newest = max(newest, stamp_s)
        assert watchdog.stop_reason(arrival_s / rate) is None


def test_half_a_second_of_simulated_time_without_a_frame_stops_the_car():
    watchdog = _driven_until(1.0)
    watchdog.see_clock(1.49, 1.0)
    assert watchdog.stop_reason(1.0) is None
    watchdog.see_clock(1.5, 1.0)
    assert watchdog.stop_reason(1.0) is StopReason.FRAME_OLD
    assert _drive(watchdog, 1.55, 1.0, 1.55) is Verdict.DRIVE
    assert watchdog.stop_reason(1.0) is None


def test_slow_simulated_time_stops_the_car_by_simulated_time_only():
    watchdog = FrameWatchdog()
    _drive(watchdog, 0.0, 0.0, 0.0)
    for tick in range(1, 49):  # 0.1 times real time: 4.8 s pass
        watchdog.see_clock(tick * 0.01, tick * 0.1)
        assert watchdog.stop_reason(tick * 0.1) is None


def test_two_real_seconds_of_a_still_clock_stop_the_car():
    watchdog = _driven_until(1.0)
    for steady_s in (1.5, 2.0, 2.99):
        watchdog.see_clock(1.0, steady_s)
        assert watchdog.stop_reason(steady_s) is None
    watchdog.see_clock(1.0, 3.0)
    assert watchdog.stop_reason(3.0) is StopReason.CLOCK_STILL
    watchdog.see_clock(1.005, 3.1)
    assert watchdog.stop_reason(3.1) is None


def test_a_clock_that_was_never_seen_again_counts_as_still():
    watchdog = _driven_until(1.0)
    assert watchdog.stop_reason(3.0) is StopReason.CLOCK_STILL


def test_stamps_that_are_no_time_of_the_clock_are_told_apart():
    watchdog = FrameWatchdog()
    assert _drive(watchdog, 0.0, 0.0, 1.7e9) is Verdict.NO_CLOCK
    assert _drive(watchdog, 12.0, 12.0, 1.7e9) is Verdict.OTHER_CLOCK
    assert _drive(watchdog, 1.7e9, 13.0, 12.0) is Verdict.OTHER_CLOCK
    watchdog = FrameWatchdog()
    assert _drive(watchdog, 0.2, 0.0, 0.0) is Verdict.DRIVE
    assert _drive(watchdog, 0.25, 0.0, 0.0) is Verdict.UNSTAMPED
    assert _drive(watchdog, 5.0, 5.0, 0.0) is Verdict.UNSTAMPED


def test_late_and_repeated_frames_are_counted_and_skipped():
    watchdog = _driven_until(1.0)
    assert watchdog.judge(0.95) is Verdict.LATE
    assert watchdog.judge(1.0) is Verdict.LATE
    assert watchdog.late_frames == 2


def test_a_frame_older_than_the_limit_is_not_driven_on():
    watchdog = FrameWatchdog()
    assert _drive(watchdog, 10.0, 0.0, 9.5) is Verdict.STALE
    assert _drive(watchdog, 10.0, 0.0, 9.6) is Verdict.DRIVE
    assert watchdog.late_frames == 1


def test_a_reset_opens_an_epoch_and_its_frames_are_driven_on():
    watchdog = _driven_until(5.0)
    assert watchdog.see_clock(0.0, 6.0)
    assert watchdog.epoch == 1
    assert watchdog.stop_reason(6.0) is StopReason.NO_FRAME
    for tick in range(20):
        time_s = tick * _PERIOD_S
        assert _drive(watchdog, time_s, 6.0 + time_s, time_s) is Verdict.DRIVE
    assert watchdog.late_frames == 0
    assert watchdog.epoch == 1


def test_a_straggler_of_the_last_epoch_does_not_make_the_new_frames_late():
    watchdog = _driven_until(5.0)
    watchdog.see_clock(0.0, 6.0)
    assert _drive(watchdog, 0.01, 6.0, 5.05) is Verdict.AHEAD
    assert _drive(watchdog, 0.05, 6.0, 0.05) is Verdict.DRIVE


def test_reordered_ticks_are_no_reset():
    watchdog = _driven_until(1.0)
    assert not watchdog.see_clock(1.02, 1.0)
    assert not watchdog.see_clock(1.02 - JUMP_S / 2, 1.0)
    assert watchdog.epoch == 0


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_limits_must_be_positive(limit):
    with pytest.raises(ValueError):
        FrameWatchdog(frame_limit_s=limit)


_EVENTS = st.lists(
    st.tuples(
        st.one_of(st.floats(0.0, 0.3), st.just(0.0), st.floats(-30.0, 30.0)),  # clock's step
        st.floats(0.0, 3.0),  # steady clock's step
        st.one_of(st.none(), st.floats(-1.0, 1.0), st.floats(-40.0, 40.0)),  # stamp - clock
    ),
    max_size=60,
)


@given(_EVENTS)
def test_whatever_comes_the_rules_hold(events):
    """Compare with the contract said directly, over any clocks and any stamps."""
    watchdog = FrameWatchdog()
    clock_s = steady_s = furthest_s = 10.0
    moved_at_s, newest_s, epoch = None, None, 0
    for clock_step, steady_step, offset in events:
        steady_s += steady_step
        before_s, clock_s = clock_s, clock_s + clock_step
        if moved_at_s is None or clock_s != before_s:
            first, moved_at_s = moved_at_s is None, steady_s
            if not first and clock_s < furthest_s - JUMP_S:
                epoch, newest_s, furthest_s = epoch + 1, None, clock_s
            furthest_s = clock_s if first else max(furthest_s, clock_s)
        watchdog.see_clock(clock_s, steady_s)
        assert watchdog.epoch == epoch
        if offset is not None:
            stamp_s = clock_s + offset
            if watchdog.judge(stamp_s) is Verdict.DRIVE:
                assert clock_s - stamp_s < watchdog.frame_limit_s
                assert stamp_s <= clock_s + AHEAD_LIMIT_S
                assert newest_s is None or stamp_s > newest_s
                watchdog.accept(stamp_s)
                newest_s = stamp_s
        must_stop = (
            newest_s is None
            or clock_s - newest_s >= watchdog.frame_limit_s
            or steady_s - moved_at_s >= watchdog.clock_limit_s
        )
        assert (watchdog.stop_reason(steady_s) is not None) == must_stop
