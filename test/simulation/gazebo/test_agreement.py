"""How far two drives are apart, by known geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from agreement import (
    constant_bound_m,
    paths_apart,
    same_time_apart,
)

from pilotnet_brain.driving.command import Command


def arc(speed: float, yaw_rate: float, seconds: float, heading: float = 0.0) -> np.ndarray:
    """Return a drive (N, 3) of time, x, y on a circle through the origin."""
    times = np.arange(0.0, seconds, 0.005)
    radius, turned = speed / yaw_rate, heading + yaw_rate * times
    x = radius * (np.sin(turned) - math.sin(heading))
    y = radius * (math.cos(heading) - np.cos(turned))
    return np.column_stack([times, x, y])


def test_a_drive_one_step_behind_is_a_steps_way_apart_but_on_the_same_path() -> None:
    drive = arc(10.0, 1.0, 3.0)
    late = drive[1:] - [0.005, 0.0, 0.0]
    assert same_time_apart(drive, late) == pytest.approx(0.05, rel=0.01)
    assert paths_apart(drive, late) < 0.06


def test_a_wider_circle_is_as_far_apart_as_its_diameter_is_wider() -> None:
    inner, outer = arc(10.0, 2.0, math.pi / 2.0), arc(10.2, 2.0, math.pi / 2.0)
    # Half a circle on, the two are a diameter's difference apart.
    assert same_time_apart(inner, outer) == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize(("speed", "yaw_rate"), [(5.0, 0.5), (10.0, 2.0), (17.5, 7.0)])
def test_half_a_steps_turn_at_the_start_stays_within_the_bound(
    speed: float, yaw_rate: float
) -> None:
    straight = arc(speed, yaw_rate, 4.0)
    turned = arc(speed, yaw_rate, 4.0, heading=0.5 * 0.005 * yaw_rate)
    apart = same_time_apart(straight, turned)
    assert 0.3 * speed * 0.005 < apart <= constant_bound_m(Command(speed, yaw_rate))
