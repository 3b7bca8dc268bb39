"""The rules that end a run."""

from pilotnet_brain.metrics.pose_filter import Pose
from pilotnet_brain.metrics.rules import OffRoadRule, StandingRule


def test_off_the_road_counts_only_on_end_and_on_both_sides():
    rule = OffRoadRule(1.5, 1.0)
    assert not rule.check(0.0, 1.6)
    assert not rule.check(0.9, -1.6)
    assert not rule.check(0.95, 1.5)
    assert not rule.check(1.0, 1.6)
    assert not rule.check(1.9, 1.6)
    assert rule.check(2.0, 1.6)


def test_turning_on_the_spot_is_standing_and_creeping_is_not():
    standing, creeping = StandingRule(), StandingRule()
    for i in range(101):
        stood = standing.standing_s(Pose(0.1 * i, 0.01 * (i % 2), 0.0, 0.5 * i, 0.0, 5.0))
        crept = creeping.standing_s(Pose(0.1 * i, 0.01 * i, 0.0, 0.0, 0.1, 0.0))
    assert stood == 10.0
    assert crept < 1.0
