"""Drives whose figures can be computed by hand; each with its arithmetic."""

import math

import numpy as np
import pytest
from driven_lines import LAP, RADIUS, circle, drive, hairpin, ticks

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics


def arc(centre, radius, from_deg, to_deg, count=200):
    angles = np.radians(np.linspace(from_deg, to_deg, count, endpoint=False))
    return np.array(centre) + radius * np.column_stack([np.cos(angles), np.sin(angles)])


def straight(start, end, count=200):
    return np.linspace(start, end, count, endpoint=False)


def stadium():
    """Two straights of 100 m and two half circles of radius 20 m: a lap of 200 + 40 pi m."""
    return Circuit(
        "stadium",
        Centerline(
            np.vstack(
                [
                    straight((0.0, -20.0), (100.0, -20.0)),
                    arc((100.0, 0.0), 20.0, -90, 90),
                    straight((100.0, 20.0), (0.0, 20.0)),
                    arc((0.0, 0.0), 20.0, 90, 270),
                ]
            )
        ),
    )


def figure_eight():
    """Two circles of radius 20 m that touch in the origin, driven as an eight: 80 pi m.

    The road passes the origin twice, both times upward.
    """
    left_turn = arc((-20.0, 0.0), 20.0, 0, 360)
    right_turn = arc((20.0, 0.0), 20.0, 180, -180)
    return Circuit("eight", Centerline(np.vstack([left_turn, right_turn])))


def test_a_stadium_driven_at_a_constant_offset():
    # 0.25 m left of a line that turns left once per lap: 2 pi 0.25 m shorter than the lap.
    lap = 200.0 + 40.0 * math.pi
    metrics = drive(RunMetrics(stadium()), lambda t: 12.5 * t, ticks(27.0, 100), lambda s: 0.25)
    figures = metrics.figures()
    assert figures["lap_times_s"] == [pytest.approx(lap / 12.5, rel=1e-4)]
    assert figures["position_deviation_mae"] == pytest.approx(0.25, abs=1e-4)
    assert figures["position_deviation_score"] == pytest.approx(1000**0.25, rel=2e-3)
    assert figures["distance_m"] == pytest.approx(lap - 2.0 * math.pi * 0.25, rel=1e-4)
    assert figures["average_speed"] == pytest.approx(
        12.5 * (lap - 2.0 * math.pi * 0.25) / lap, rel=1e-4
    )


def test_an_eight_is_one_lap_although_its_road_meets_itself_half_way():
    # Left turns and right turns make up for each other: at any offset a lap is 80 pi m long.
    metrics = drive(RunMetrics(figure_eight()), lambda t: 10.0 * t, ticks(26.0, 50), lambda s: 0.3)
    figures = metrics.figures()
    assert metrics.ending == "laps done"
    assert figures["laps"] == 1
    assert figures["lap_times_s"] == [pytest.approx(8.0 * math.pi, rel=1e-3)]
    assert figures["distance_m"] == pytest.approx(80.0 * math.pi, rel=1e-3)
    assert figures["position_deviation_mae"] == pytest.approx(0.3, abs=2e-3)
    assert figures["position_deviation_max"] == pytest.approx(0.3, abs=2e-3)


def test_two_laps_are_scored_each_on_its_own():
    # 0.1 m off on the first lap and 0.3 m on the second: the mean of 1000^0.1 and 1000^0.3, where
    # taking the nearer of both laps for every point would give 1000^0.1.
    metrics = drive(
        RunMetrics(circle(), Rules(laps=2)), lambda t: 10.0 * t, ticks(64.0, 100),
        lambda s: 0.1 if s < LAP else 0.3,
    )  # fmt: skip
    figures = metrics.figures()
    assert figures["laps"] == 2
    assert figures["position_deviation_score"] == pytest.approx(
        0.5 * (1000**0.1 + 1000**0.3), rel=5e-3
    )
    assert figures["position_deviation_mae"] == pytest.approx(0.2, abs=1e-3)


def test_a_lap_cut_short_is_measured_over_what_was_driven():
    # A quarter of the lap at 0.4 m, then a quarter at 0.1 m, at half the speed: the deviation's
    # mean is by length, (0.4 + 0.1) / 2; the time is LAP / 4 / 10 + LAP / 4 / 5.
    quarter = LAP / 4.0

    def along(t):
        return 10.0 * t if t < quarter / 10.0 else quarter + 5.0 * (t - quarter / 10.0)

    end_s = quarter / 10.0 + quarter / 5.0
    metrics = drive(
        RunMetrics(circle()), along, np.linspace(0.0, end_s, 2000),
        lambda s: 0.4 if s < quarter else 0.1,
    )  # fmt: skip
    metrics.end("stopped by SIGINT")
    figures = metrics.figures()
    assert figures["lap_completed"] is False
    assert figures["completion"] == pytest.approx(0.5, abs=1e-4)
    assert figures["position_deviation_mae"] == pytest.approx(0.25, abs=1e-3)
    assert figures["simulated_time_s"] == pytest.approx(end_s)
    driven = quarter * (RADIUS - 0.4) / RADIUS + quarter * (RADIUS - 0.1) / RADIUS
    assert figures["average_speed"] == pytest.approx(driven / end_s, rel=0.01)


def test_backward_over_the_start_line_and_round_again():
    # 20 m back over the start line, then forward: a lap is full when its begin has been passed and
    # LAP more was gained, so the run is 20 + 20 + LAP m long.
    def along(t):
        return -10.0 * t if t < 2.0 else -20.0 + 10.0 * (t - 2.0)

    metrics = drive(RunMetrics(circle()), along, ticks(40.0, 50), lambda s: 0.2)
    figures = metrics.figures()
    assert metrics.ending == "laps done"
    assert figures["lap_times_s"] == [pytest.approx((40.0 + LAP) / 10.0, abs=1e-3)]
    assert figures["distance_m"] == pytest.approx((40.0 + LAP) * 49.8 / 50.0, rel=1e-4)
    assert figures["position_deviation_mae"] == pytest.approx(0.2, abs=1e-6)


def test_standing_still_on_the_way_costs_time_and_no_deviation():
    # 0.3 m off on the half lap before a stop of 5 s, 0.1 m after it; a stop weighs no length.
    half_s = LAP / 20.0

    def along(t):
        return 10.0 * min(t, max(half_s, t - 5.0))

    metrics = drive(
        RunMetrics(circle()), along, ticks(37.0, 100), lambda s: 0.3 if s <= 0.5 * LAP else 0.1
    )
    figures = metrics.figures()
    assert figures["lap_times_s"] == [pytest.approx(LAP / 10.0 + 5.0, abs=1e-3)]
    assert figures["position_deviation_mae"] == pytest.approx(0.2, abs=1e-3)
    inside = LAP * (RADIUS - 0.2) / RADIUS
    assert figures["average_speed"] == pytest.approx(inside / (LAP / 10.0 + 5.0), rel=2e-3)


@pytest.mark.parametrize("rate_hz", [2.0, 20.0, 200.0])
def test_stretches_within_a_metre_keep_their_own_deviation(rate_hz):
    # 0.4 m off the line over 40 m of each straight, on the line elsewhere: on the one straight
    # towards the other, half a metre from it, and on that one away.
    circuit = hairpin(gap=0.9)
    line = circuit.centerline
    length = line.length

    def deviation(s):
        x, y = line.position(s)
        return math.copysign(0.4, y) if abs(x) < 20.0 and abs(y) < 1.0 else 0.0

    times = ticks(length / 8.0 + 1.0, rate_hz)
    metrics = drive(RunMetrics(circuit), lambda t: 8.0 * t, times, deviation)
    figures = metrics.figures()
    assert figures["laps"] == 1
    assert figures["lap_times_s"] == [pytest.approx(length / 8.0, abs=0.01)]
    assert figures["position_deviation_max"] == pytest.approx(0.4, abs=2e-3)
    # Poses that come rarely know the ends of the 40 m less exactly.
    assert figures["position_deviation_mae"] == pytest.approx(
        0.4 * 80.0 / length, rel=0.01 + 0.2 / rate_hz
    )


def test_a_forward_jump_of_the_clock_is_time_that_passed():
    # 100 s are missing half way: they are the lap's, as by any clock that was asked at its ends.
    # Nobody saw the car stand meanwhile, or drive in circles.
    times = ticks(40.0, 20)
    metrics = RunMetrics(circle())
    half = int(10 * LAP / 10.0)
    drive(metrics, lambda t: 10.0 * t, times[:half])
    drive(metrics, lambda t: 10.0 * (t - 100.0), times[half:] + 100.0)
    figures = metrics.figures()
    assert figures["epoch"] == 0
    assert figures["lap_times_s"] == [pytest.approx(LAP / 10.0 + 100.0, abs=1e-3)]
    assert figures["average_speed"] == pytest.approx(LAP / (LAP / 10.0 + 100.0), rel=1e-3)
    assert figures["position_deviation_mae"] == pytest.approx(0.0, abs=1e-6)


def test_a_clock_that_jumps_back_begins_the_run_anew_from_there():
    # The car goes on from 200 m while the clock begins at 0 again: the lap is the one from there.
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(20.0))
    drive(metrics, lambda t: 200.5 + 20.0 * t, ticks(20.0), lambda s: 0.1)
    figures = metrics.figures()
    assert figures["epoch"] == 1
    assert figures["lap_times_s"] == [pytest.approx(LAP / 20.0, abs=1e-3)]
    assert figures["position_deviation_mae"] == pytest.approx(0.1, abs=1e-6)


def test_every_stamp_twice_and_neighbours_swapped_change_no_figure():
    # A pose that comes late is left out: of every four one, so the poses that are left are those of
    # a car that is seen less often, and the figures those of the same drive.
    times = ticks(36.0, 100).tolist()
    clean = drive(RunMetrics(circle()), lambda t: 10.0 * t, times, lambda s: 0.2).figures()
    disturbed = []
    for i in range(0, len(times) - 3, 4):
        first, second, third, fourth = times[i : i + 4]
        disturbed += [first, first, third, second, fourth, fourth]
    figures = drive(RunMetrics(circle()), lambda t: 10.0 * t, disturbed, lambda s: 0.2).figures()
    ignored = figures["poses_ignored"]
    assert ignored["duplicate"] > 1000
    assert ignored["unordered"] > 700
    assert figures["epoch"] == 0
    for key in ("lap_times_s", "average_speed", "position_deviation_mae", "distance_m"):
        assert figures[key] == pytest.approx(clean[key], rel=1e-5)
