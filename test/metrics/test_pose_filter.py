"""Stamps and positions that do not follow each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.pose_filter import Pose, PoseFilter


def pose(time, x=None):
    return Pose(time, 10.0 * time if x is None else x, 0.0, 0.0, 10.0, 0.0)


def push_all(poses):
    kept = PoseFilter()
    passed = [p for one in poses for p in kept.push(one)]
    return kept, [p.time_s for p in passed]


def test_poses_in_order_pass():
    kept, times = push_all([pose(0.1 * i) for i in range(50)])
    assert len(times) == 50
    assert kept.epoch == 0


def test_a_straggler_is_left_out():
    kept, times = push_all([pose(1.0), pose(1.1), pose(0.2), pose(1.2)])
    assert times == [1.0, 1.1, 1.2]
    assert kept.ignored.unordered == 1


def test_two_stragglers_of_different_age_are_left_out():
    _, times = push_all([pose(1.0), pose(1.1), pose(0.2), pose(0.9), pose(1.2)])
    assert times == [1.0, 1.1, 1.2]


def test_a_reset_is_believed_at_the_third_pose_and_loses_none():
    kept, times = push_all([pose(5.0), pose(5.1), *[pose(0.1 * i) for i in range(5)]])
    assert times == pytest.approx([5.0, 5.1, 0.0, 0.1, 0.2, 0.3, 0.4])
    assert kept.epoch == 1


def test_a_clock_that_was_paused_for_long_goes_on_without_a_new_epoch():
    kept, times = push_all([pose(1.0, 3.0), *[pose(60.0 + i, 3.0) for i in range(4)]])
    assert times == [1.0, 60.0, 61.0, 62.0, 63.0]
    assert kept.epoch == 0


def test_one_pose_from_far_away_is_left_out():
    kept, times = push_all([pose(1.0), pose(1.1, 500.0), pose(1.2)])
    assert times == [1.0, 1.2]
    assert kept.ignored.implausible == 1


def test_a_repeated_stamp_counts_as_duplicate_wherever_it_is():
    kept, times = push_all([pose(1.0), pose(1.0), pose(1.0, 77.0), pose(1.1)])
    assert times == [1.0, 1.1]
    assert kept.ignored.duplicate == 2


@given(st.lists(st.floats(-1e3, 1e3), max_size=60))
def test_within_an_epoch_time_always_grows(times):
    kept = PoseFilter()
    epoch, last = 0, None
    for time in times:
        for passed in kept.push(pose(time, 0.0)):
            if kept.epoch != epoch:
                epoch, last = kept.epoch, None
            assert last is None or passed.time_s > last
            last = passed.time_s


@pytest.mark.parametrize("place", [(440_290.5, 9_999_000.0), (-6_378_137.0, 0.0)])
def test_coordinates_of_all_the_earth_are_plausible(place):
    poses = PoseFilter()
    x, y = place
    assert poses.push(Pose(0.0, x, y, 0.0, 0.0, 0.0))
    assert not poses.push(Pose(0.1, 1e9, y, 0.0, 0.0, 0.0))
    assert poses.ignored.implausible == 1
