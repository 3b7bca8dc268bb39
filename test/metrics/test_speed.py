"""The speed column against cars whose speed is known by formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from driven_lines import RADIUS, circle
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.metrics.pose_filter import Pose
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.speed import Speedometer

SETTLED_S = 0.8
"""After this a contradiction must be settled."""


def circling(
    speed: float,
    twist: Callable[[float, float], float],
    rate_hz: float = 50.0,
    seconds: float = 6.0,
    place: tuple[float, float] = (0.0, 0.0),
) -> list[Pose]:
    """Poses on a circle at a constant speed; the twist is told from time (s) and yaw (rad)."""
    poses = []
    for tick in range(int(seconds * rate_hz)):
        time_s = tick / rate_hz
        angle = speed * time_s / RADIUS
        yaw = angle + 0.5 * math.pi
        x, y = RADIUS * math.cos(angle) + place[0], RADIUS * math.sin(angle) + place[1]
        poses.append(Pose(time_s, x, y, yaw, twist(time_s, yaw), speed / RADIUS))
    return poses


def measured(poses: list[Pose]) -> tuple[np.ndarray, str | None]:
    speedometer = Speedometer()
    return np.array([speedometer.measure(pose) for pose in poses]), speedometer.warning


WRONG = {
    "in the world's frame": lambda time_s, yaw: 8.0 * math.cos(yaw),
    "always zero": lambda time_s, yaw: 0.0,
    "in km/h": lambda time_s, yaw: 28.8,
    "of a quarter": lambda time_s, yaw: 2.0,
}


@pytest.mark.parametrize("twist", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("rate_hz", [10.0, 50.0, 200.0])
@pytest.mark.parametrize("place", [(0.0, 0.0), (440290.5, 4474257.2)])
def test_a_twist_that_contradicts_the_positions_is_not_used(twist, rate_hz, place):
    poses = circling(8.0, twist, rate_hz, place=place)
    speeds, warning = measured(poses)
    settled = np.array([pose.time_s for pose in poses]) > SETTLED_S
    assert speeds[settled] == pytest.approx(8.0, rel=2e-3)
    assert "from t = 0." in warning or "from t = 1." in warning
    assert "moved at 8.0 m/s" in warning
    assert "\n" not in warning


def test_driving_backward_has_a_negative_speed_from_positions_too():
    speeds, _ = measured(circling(-3.0, lambda time_s, yaw: 0.0))
    assert speeds[-1] == pytest.approx(-3.0, rel=2e-3)


@given(
    speed=st.floats(-5.0, 15.0),
    rate_hz=st.sampled_from([2.0, 10.0, 20.0, 50.0, 200.0]),
    period_s=st.floats(0.3, 5.0),
)
def test_a_true_twist_is_passed_on_to_the_bit(speed, rate_hz, period_s):
    """Also where it jumps between two poses, as that of a car that follows commands at once."""
    poses, x, now = [], 0.0, 0.0
    for tick in range(300):
        after = speed if int(tick / rate_hz / period_s) % 2 else 0.0
        # The command came somewhere between the two poses.
        x += (0.3 * now + 0.7 * after) / rate_hz
        now = after
        poses.append(Pose(tick / rate_hz, x, 0.0, 0.0, now, 0.0))
    speeds, warning = measured(poses)
    assert warning is None
    assert speeds.tolist() == [pose.speed for pose in poses]


def test_a_right_twist_stays_with_positions_that_jitter_or_jump():
    rng = np.random.default_rng(0)
    for spread in (0.01, 0.5):
        poses = circling(8.0, lambda time_s, yaw: 8.0)
        noisy = [p._replace(x=p.x + rng.normal(0.0, spread)) for p in poses]
        assert measured(noisy)[1] is None
    jumped = [p._replace(x=p.x + 0.7) if p.time_s > 3.0 else p for p in poses]
    speeds, warning = measured(jumped)
    assert warning is None
    assert set(speeds) == {8.0}


def test_a_right_twist_stays_with_a_yaw_that_is_wrong():
    poses = [pose._replace(yaw=0.0) for pose in circling(8.0, lambda time_s, yaw: 8.0)]
    speeds, warning = measured(poses)
    assert warning is None
    assert set(speeds) == {8.0}


def test_absurd_first_readings_pass_without_a_word():
    """Gazebo Sim's odometry begins as if the car had come from the origin."""
    readings = [192.0, 1824.0, 1e300, 500.0]

    def twist(time_s: float, yaw: float) -> float:
        return readings[tick] if (tick := round(200.0 * time_s)) < len(readings) else 8.0

    speeds, warning = measured(circling(8.0, twist, rate_hz=200.0))
    assert speeds[0] == 0.0
    assert speeds[1:] == pytest.approx(8.0, rel=1e-3)
    assert warning is None


@given(
    numbers=st.lists(
        st.tuples(st.floats(0.001, 10.0), *[st.floats(-1e8, 1e8)] * 2, st.floats(-1e9, 1e9)),
        max_size=80,
    )
)
def test_hostile_poses_give_finite_speeds(numbers):
    speedometer, time_s = Speedometer(), 0.0
    for step, x, y, speed in numbers:
        time_s += step
        assert math.isfinite(speedometer.measure(Pose(time_s, x, y, speed, speed, 0.0)))


def test_a_run_tells_once_where_its_speed_is_from():
    told = RunMetrics(circle(), Rules(laps=0))
    silent = RunMetrics(circle(), Rules(laps=0))
    rows = []
    for pose in circling(8.0, WRONG["in the world's frame"]):
        rows += told.add_pose(*pose)
        silent.add_pose(*pose._replace(speed=8.0))
    assert rows[-1].speed == pytest.approx(8.0, rel=2e-3)
    assert told.progress()["speed"] == rows[-1].speed
    (warning,) = told.warnings
    assert told.figures()["warnings"] == [warning]
    assert silent.figures()["warnings"] == []


def test_the_speed_begins_again_after_a_reset():
    """The step from the last pose to the start is not a way that was driven."""
    metrics = RunMetrics(circle(), Rules(laps=0))
    poses = circling(8.0, lambda time_s, yaw: 8.0)
    rows = []
    for pose in [*poses, *poses]:
        rows += metrics.add_pose(*pose)
    assert metrics.epoch == 1
    assert {row.speed for row in rows} == {8.0}
    assert metrics.warnings == []
