"""A run's figures against cases that can be computed by hand."""

import json
import math

import numpy as np
import pytest
from driven_lines import LAP, RADIUS, circle, drive, hairpin, ticks
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics

KEYS_OF_THE_CONTRACT = set(
    """circuit model device simulator lap_completed completion laps lap_times_s
distance_m average_speed position_deviation_mae position_deviation_max position_deviation_score
position_deviation_score_published brain_iteration_frequency brain_rate_hz mean_inference_time
inference_time_p50 inference_time_p99 frame_age_p50 frame_age_p99 frames_received frames_dropped
real_time_factor suddenness simulated_time_s real_time_s""".split()  # noqa: SIM905
)


def test_a_circle_driven_at_a_constant_offset():
    # 0.3 m left of a counterclockwise circle: a circle of radius 49.7 m.
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(40.0, 100), lambda s: 0.3)
    figures = metrics.figures()
    assert metrics.ending == "laps done"
    assert figures["lap_completed"] is True
    assert figures["completion"] == 1.0
    assert figures["laps"] == 1
    assert figures["position_deviation_mae"] == pytest.approx(0.3, abs=1e-6)
    assert figures["position_deviation_max"] == pytest.approx(0.3, abs=1e-6)
    assert figures["position_deviation_score"] == pytest.approx(1000**0.3, rel=1e-3)
    assert figures["lap_times_s"] == [pytest.approx(LAP / 10.0, abs=1e-5)]
    assert figures["simulated_time_s"] == pytest.approx(LAP / 10.0, abs=1e-5)
    assert figures["distance_m"] == pytest.approx(2.0 * math.pi * 49.7, rel=1e-5)
    assert figures["average_speed"] == pytest.approx(10.0 * 49.7 / 50.0, rel=1e-5)
    assert figures["circuit"] == "circle"


def test_a_shorter_line_is_driven_on_the_inside_of_the_bend():
    outside = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(40, 100), lambda s: -1.0)
    assert outside.figures()["distance_m"] == pytest.approx(2 * math.pi * (RADIUS + 1), rel=1e-5)


def test_the_deviation_changes_its_sign_within_a_segment():
    # +0.4 m and -0.2 m at successive poses: two triangles, (0.4^2 + 0.2^2) / (2 * 0.6) on average.
    swings = drive(
        RunMetrics(circle(), Rules(laps=0)),
        lambda t: 10.0 * t,
        ticks(10.0, 1.0),
        lambda s: 0.4 if round(s / 10.0) % 2 == 0 else -0.2,
    )
    assert swings.figures()["position_deviation_mae"] == pytest.approx(0.2 / 1.2, abs=2e-3)


def test_several_laps_and_their_times():
    # 10 m/s for a lap and a half from a start away from the start line, then 20 m/s.
    change = 1.5 * LAP

    def along(t: float) -> float:
        return 77.0 + (10.0 * t if 10.0 * t < change else change + 20.0 * (t - change / 10.0))

    figures = drive(RunMetrics(circle(), Rules(laps=3)), along, ticks(200.0, 20)).figures()
    assert figures["laps"] == 3
    assert figures["lap_completed"] is True
    assert figures["lap_times_s"] == pytest.approx(
        [LAP / 10, LAP / 20 + LAP / 40, LAP / 20], abs=1e-3
    )
    assert figures["position_deviation_mae"] == pytest.approx(0.0, abs=1e-6)
    assert figures["position_deviation_score"] == pytest.approx(1.0, abs=0.01)


def test_a_lap_cut_short():
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(10.0), lambda s: 0.1)
    metrics.end("the brain died")
    figures = metrics.figures()
    assert figures["lap_completed"] is False
    assert figures["ending"] == "the brain died"
    assert figures["completion"] == pytest.approx(100.0 / LAP, abs=1e-6)
    assert figures["laps"] == 0
    assert figures["lap_times_s"] == []
    assert figures["simulated_time_s"] == pytest.approx(10.0)
    # Scored against the stretch that was driven only: the rest would be up to 100 m away.
    assert figures["position_deviation_score"] == pytest.approx(1000**0.1, rel=0.01)


def test_driving_backward_gains_no_lap():
    metrics = drive(RunMetrics(circle()), lambda t: -10.0 * t, ticks(100.0), lambda s: 0.2)
    figures = metrics.figures()
    assert metrics.ending is None
    assert figures["laps"] == 0
    assert figures["completion"] == 0.0
    assert figures["distance_m"] == pytest.approx(1000.0 * 49.8 / 50.0, rel=1e-3)
    assert figures["position_deviation_mae"] == pytest.approx(0.2, abs=1e-6)
    assert figures["position_deviation_score"] == pytest.approx(1000**0.2, rel=0.01)


def test_turning_round_half_way_does_not_finish_the_lap():
    half = LAP / 20.0
    metrics = drive(
        RunMetrics(circle()), lambda t: 10 * t if t < half else 10 * (2 * half - t), ticks(30.0)
    )
    assert metrics.figures()["laps"] == 0
    assert metrics.figures()["completion"] == pytest.approx(0.5, abs=1e-3)


def test_crossing_the_start_line_twice_counts_once():
    # Over the line, 8 m back over it, over it again, and on for a second lap.
    def along(t: float) -> float:
        first = LAP / 10.0 + 0.4
        if t < first:
            return 10.0 * t
        if t < first + 0.8:
            return LAP + 4.0 - 10.0 * (t - first)
        return LAP - 4.0 + 10.0 * (t - first - 0.8)

    metrics = drive(RunMetrics(circle(), Rules(laps=0)), along, ticks(2 * LAP / 10.0 + 1.0))
    figures = metrics.figures()
    assert figures["laps"] == 1
    drive(metrics, along, ticks(2 * LAP / 10.0 + 3.0, begin_s=2 * LAP / 10.0 + 1.05))
    assert metrics.figures()["lap_times_s"] == pytest.approx([LAP / 10, LAP / 10 + 1.6], abs=1e-3)


def test_standing_still_ends_the_run_after_ten_seconds():
    metrics = drive(RunMetrics(circle()), lambda t: min(10.0 * t, 50.0), ticks(30.0))
    assert metrics.ending.startswith("stood still for 10 s")
    figures = metrics.figures()
    assert figures["simulated_time_s"] == pytest.approx(15.0, abs=0.06)
    assert figures["distance_m"] == pytest.approx(50.0, rel=1e-3)
    assert figures["average_speed"] == pytest.approx(50.0 / 15.0, rel=0.01)
    assert figures["lap_completed"] is False


def test_a_car_that_never_sets_off():
    metrics = drive(RunMetrics(circle()), lambda t: 0.0, ticks(30.0))
    figures = metrics.figures()
    assert "never set off" in metrics.ending
    assert figures["distance_m"] == 0.0
    assert figures["average_speed"] == 0.0
    assert figures["simulated_time_s"] == pytest.approx(10.0, abs=0.06)
    assert figures["position_deviation_mae"] is None
    assert figures["position_deviation_score"] is None


def test_going_round_in_circles_ends_the_run():
    """A metre of the road, then circles of 0.9 m radius, as tight as a network can turn."""
    metrics = RunMetrics(circle())
    for t in ticks(60.0):
        if t < 0.2:
            metrics.add_pose(t, RADIUS, 6.5 * t, math.pi / 2, 6.5, 0.0)
        else:
            angle = (t - 0.2) * 6.5 / 0.9
            x, y = RADIUS - 0.9 + 0.9 * math.cos(angle), 1.3 + 0.9 * math.sin(angle)
            metrics.add_pose(t, x, y, math.pi / 2 + angle, 6.5, 6.5 / 0.9)
    assert metrics.ending is not None
    assert metrics.ending.startswith("drove in circles for 15 s")
    assert not metrics.figures()["lap_completed"]


@pytest.mark.parametrize(("offset", "finishes"), [(1.1, True), (1.3, False), (-1.3, False)])
def test_sliding_along_the_wall_is_no_lap(offset, finishes):
    """1.5 m of asphalt and a car 0.4 m wide: 1.3 m off the line its side is at the wall."""
    metrics = RunMetrics(circle(half_width=1.5))
    for t in ticks(60.0):
        angle, radius = t * 10.0 / RADIUS, RADIUS - offset
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        metrics.add_pose(t, x, y, angle + math.pi / 2, 10.0, 0.2)
    figures = metrics.figures()
    assert figures["lap_completed"] is finishes
    assert finishes or figures["ending"].startswith("scraped along the wall for 3 s")


def test_waiting_for_the_brain_is_not_driving():
    metrics = RunMetrics(circle(), Rules(waiting_s=60.0))
    drive(metrics, lambda t: max(0.0, 10.0 * (t - 20.0)), ticks(60.0))
    figures = metrics.figures()
    assert figures["waited_s"] == pytest.approx(20.0)
    assert figures["average_speed"] == pytest.approx(10.0, rel=1e-3)
    assert figures["lap_times_s"] == [pytest.approx(LAP / 10.0, abs=1e-4)]


def test_leaving_the_road_ends_the_run_after_a_second():
    # From 50 m on the car is 1.6 m off a road of 1.5 m half width.
    metrics = drive(
        RunMetrics(circle(1.5)), lambda t: 10 * t, ticks(30.0), lambda s: 1.6 if s >= 50 else 0.0
    )
    assert metrics.ending.startswith("left the road: 1.60 m off the line")
    assert metrics.figures()["simulated_time_s"] == pytest.approx(6.0, abs=0.06)


def test_half_a_second_off_the_road_is_forgiven():
    metrics = drive(
        RunMetrics(circle(1.5)), lambda t: 10 * t, ticks(40), lambda s: 1.6 if s % 50 < 5 else 0.0
    )
    assert metrics.ending == "laps done"


def test_the_time_limit_ends_the_run():
    metrics = drive(RunMetrics(circle(), Rules(time_limit_s=5.0)), lambda t: 10 * t, ticks(40.0))
    assert metrics.ending.startswith("time limit of 5 s")
    assert metrics.figures()["simulated_time_s"] == pytest.approx(5.0)


def test_stretches_that_pass_within_a_metre_are_not_mixed_up():
    # 0.4 m left of a straight whose neighbour is 0.9 m away: 0.5 m from that one.
    circuit = hairpin(gap=0.9)
    length = circuit.centerline.length
    metrics = drive(
        RunMetrics(circuit), lambda t: 8.0 * t, ticks(length / 8 + 1, 20), lambda s: 0.4
    )
    figures = metrics.figures()
    assert metrics.ending == "laps done"
    assert figures["lap_times_s"] == [pytest.approx(length / 8.0, abs=1e-3)]
    assert figures["position_deviation_max"] == pytest.approx(0.4, abs=1e-3)


def test_the_same_stretch_with_one_pose_a_second():
    circuit = hairpin(gap=0.9)
    length = circuit.centerline.length
    metrics = drive(RunMetrics(circuit), lambda t: 5.0 * t, ticks(length / 5 + 2, 1.0))
    assert metrics.ending == "laps done"
    assert metrics.figures()["position_deviation_max"] < 1e-6


def test_a_clock_reset_starts_the_run_again():
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(20.0))
    drive(metrics, lambda t: 5.0 * t, ticks(10.0))
    figures = metrics.figures()
    assert figures["epoch"] == 1
    assert figures["distance_m"] == pytest.approx(50.0, rel=1e-3)
    assert figures["average_speed"] == pytest.approx(5.0, rel=1e-3)
    assert figures["simulated_time_s"] == pytest.approx(10.0)


def test_a_reset_shortly_after_the_start():
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(0.3))
    drive(metrics, lambda t: 5.0 * t, ticks(10.0))
    assert metrics.figures()["epoch"] == 1
    assert metrics.figures()["distance_m"] == pytest.approx(50.0, rel=1e-3)


def test_a_car_put_elsewhere_by_hand_starts_again():
    metrics = drive(RunMetrics(circle()), lambda t: 10.0 * t, ticks(10.0))
    drive(metrics, lambda t: 10.0 * t + 150.0, ticks(20.0, begin_s=10.05))
    assert metrics.figures()["epoch"] == 1
    assert metrics.figures()["distance_m"] == pytest.approx(99.5, rel=1e-3)


def test_duplicate_and_unordered_stamps_change_nothing():
    times = ticks(40.0)
    clean = drive(RunMetrics(circle()), lambda t: 10 * t, times, lambda s: 0.1).figures()
    disturbed = times.tolist()
    disturbed[100:100] = [disturbed[99]] * 3  # three duplicates
    disturbed[200], disturbed[201] = disturbed[201], disturbed[200]  # one out of order
    disturbed[300:300] = [disturbed[300 - 40]]  # two seconds old
    disturbed[400:400] = [disturbed[400] + 1000.0]  # from the future
    metrics = drive(RunMetrics(circle()), lambda t: 10 * t, disturbed, lambda s: 0.1)
    figures = metrics.figures()
    assert figures.pop("poses_ignored") == {
        "not_finite": 0, "duplicate": 3, "unordered": 2, "implausible": 1,
    }  # fmt: skip
    assert figures["ending"] == "laps done"
    assert figures["epoch"] == 0
    for key in ("distance_m", "average_speed", "position_deviation_mae", "simulated_time_s"):
        assert figures[key] == pytest.approx(clean[key], rel=1e-5)


def test_poses_that_are_not_finite_are_ignored_and_counted():
    metrics = RunMetrics(circle())
    for bad in (math.nan, math.inf):
        for place in range(6):
            pose = [1.0, 50.0, 0.0, 0.0, 1.0, 0.0]
            pose[place] = bad
            assert metrics.add_pose(*pose) == ()
    drive(metrics, lambda t: 10 * t, ticks(40.0))
    assert metrics.figures()["poses_ignored"]["not_finite"] == 12
    assert metrics.figures()["lap_completed"] is True


def test_without_any_input_nothing_is_claimed():
    figures = RunMetrics(circle()).figures(simulator="mujoco")
    assert set(figures) >= KEYS_OF_THE_CONTRACT
    stated = {key for key in KEYS_OF_THE_CONTRACT if figures[key] is not None}
    assert stated == {"circuit", "simulator", "lap_completed"}
    assert figures["lap_completed"] is False
    assert RunMetrics(circle()).progress()["completion"] is None


def test_after_the_ending_nothing_changes():
    metrics = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(40.0))
    before = metrics.figures()
    assert drive(metrics, lambda t: 10 * t, ticks(60.0, begin_s=41.0)).figures() == before
    metrics.end("stopped")
    assert metrics.ending == "laps done"


def test_real_time_comes_from_the_poses():
    metrics = RunMetrics(circle(), Rules(laps=0))
    for i in range(101):
        angle = 0.5 * i / RADIUS
        x, y = RADIUS * math.cos(angle), RADIUS * math.sin(angle)
        metrics.add_pose(0.05 * i, x, y, angle, 10.0, 0.2, real_time_s=1000.0 + 0.1 * i)
    assert metrics.figures()["real_time_s"] == pytest.approx(10.0)
    assert metrics.figures()["real_time_factor"] == pytest.approx(0.5)


def test_rows_carry_the_place_on_the_line_and_the_newest_command():
    metrics = RunMetrics(circle())
    (first,) = metrics.add_pose(0.0, 50.0, 0.0, math.pi / 2, 0.0, 0.0)
    assert first.command_speed is None
    metrics.add_command(0.01, 12.0, 0.25)
    (second,) = metrics.add_pose(0.05, 50.1, 1.0, math.pi / 2, 10.0, 0.2)
    assert (second.command_speed, second.command_yaw_rate) == (12.0, 0.25)
    assert second.lateral_deviation == pytest.approx(50.0 - math.hypot(50.1, 1.0), abs=1e-6)
    assert second.arc_length == pytest.approx(50.0 * math.atan2(1.0, 50.1), abs=1e-6)


def test_the_figures_are_json():
    metrics = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(40.0))
    metrics.add_frame(FrameRecord(1.0, inference_s=np.float64(0.1), driven=True))
    text = json.dumps(metrics.figures(simulator="mujoco"), allow_nan=False)
    assert json.loads(text)["lap_completed"] is True


def test_a_reference_lap_gives_the_published_score():
    # A reference 0.2 m outside the line, a car on the line.
    angles = np.linspace(0, 2 * math.pi, 2000, endpoint=False)
    lap = (RADIUS + 0.2) * np.column_stack([np.cos(angles), np.sin(angles)])
    metrics = RunMetrics(circle(), reference_lap=lap)
    figures = drive(metrics, lambda t: 10 * t, ticks(40.0, 100)).figures()
    assert figures["position_deviation_score_published"] == pytest.approx(1000**0.2, rel=1e-3)
    assert figures["position_deviation_score"] == pytest.approx(1.0, abs=1e-3)


@settings(deadline=None, max_examples=15)
@given(
    rate=st.floats(8.0, 60.0),
    waves=st.integers(1, 6),
    amplitude=st.floats(0.05, 1.0),
    phase=st.floats(0.0, 6.0),
)
def test_the_deviation_does_not_depend_on_how_often_poses_come(rate, waves, amplitude, phase):
    # A sine of deviation over the lap: its mean absolute value is 2 / pi of the amplitude.
    def wave(s: float) -> float:
        return amplitude * math.sin(2 * math.pi * waves * s / LAP + phase)

    figures = drive(RunMetrics(circle()), lambda t: 10 * t, ticks(33.0, rate), wave).figures()
    assert figures["lap_completed"] is True
    expected = amplitude * 2.0 / math.pi
    assert figures["position_deviation_mae"] == pytest.approx(expected, rel=5e-3)
    assert figures["lap_times_s"] == [pytest.approx(LAP / 10.0, abs=1e-3)]


@settings(deadline=None, max_examples=10)
@given(slow=st.floats(4.0, 8.0), share=st.floats(0.2, 0.8))
def test_slow_stretches_weigh_by_their_length_and_not_by_their_time(slow, share):
    # 0.4 m off on the slowly driven part of the lap, 0 on the rest.
    turn = share * LAP / slow

    def along(t: float) -> float:
        return slow * t if t < turn else share * LAP + 15.0 * (t - turn)

    metrics = drive(
        RunMetrics(circle()),
        along,
        ticks(turn + 18.0, 25),
        lambda s: 0.4 if s < share * LAP else 0.0,
    )
    assert metrics.figures()["position_deviation_mae"] == pytest.approx(0.4 * share, rel=0.01)


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(st.floats(-12.0, 12.0), min_size=1, max_size=150))
def test_laps_are_full_turns_of_the_farthest_progress(steps):
    positions = np.cumsum([0.0, *steps])
    metrics = RunMetrics(circle(), Rules(laps=0, standing_s=math.inf))
    drive(metrics, lambda t: positions[int(round(t))], range(len(positions)))
    assert metrics.laps_done == int(max(positions) / LAP + 1e-12)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 6), min_size=1, max_size=40
    )
)
def test_no_pose_however_wild_raises(poses):
    metrics = RunMetrics(circle(), reference_lap=np.array([[50.0, 0.0], [50.0, 1.0]]))
    for pose in poses:
        metrics.add_pose(*pose)
    json.dumps(metrics.figures(), allow_nan=False)


@pytest.mark.parametrize(
    "shift",
    [(440290.5, 4474257.2), (-6_378_137.3, 9_999_000.9)],
    ids=["utm", "as far as coordinates on Earth reach"],
)
def test_figures_do_not_depend_on_where_the_circuit_lies(shift):
    """1.2 laps of a road with bends of 2 m, swerving and backing up: the same 4474 km away."""
    near = load_circuit("montmelo")
    far = near.about((-shift[0], -shift[1]))
    line = near.centerline
    reference = line.position(np.arange(0.0, line.length, 0.3)) + [0.05, -0.03]
    runs = [
        RunMetrics(near, Rules(laps=0), reference_lap=reference),
        RunMetrics(far, Rules(laps=0), reference_lap=reference + shift),
    ]
    rows = ([], [])
    for tick in range(2000):
        s = 0.45 * tick + 6.0 * math.sin(0.05 * tick)
        x, y = line.position(s)
        yaw, off = float(line.heading(s)), 0.3 * math.sin(0.11 * s)
        pose = np.array([x - off * math.sin(yaw), y + off * math.cos(yaw)])
        for run, kept, place in zip(runs, rows, (pose, pose + shift), strict=True):
            kept += run.add_pose(0.05 * tick, *place.tolist(), yaw, 0.0, 0.0)
    figures = [run.figures() for run in runs]
    assert figures[0]["laps"] == figures[1]["laps"] == 1
    for name, value in figures[0].items():
        if isinstance(value, float | list) and name != "warnings":
            assert figures[1][name] == pytest.approx(value, abs=1e-6), name
    first, second = (np.array([row[:8] for row in kept]) for kept in rows)
    assert second - [0.0, *shift, 0.0, 0.0, 0.0, 0.0, 0.0] == pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize(("delay_s", "warned"), [(0.05, False), (0.099, True)])
def test_commands_that_come_long_after_their_frames_are_told(delay_s, warned):
    metrics = drive(RunMetrics(circle(), Rules(laps=0)), lambda t: 10.0 * t, ticks(5.0, 20.0))
    for tick in range(100):
        metrics.add_frame(FrameRecord(0.05 * tick, driven=True, stamp_to_command_s=delay_s))
    warnings = metrics.figures()["warnings"]
    assert any("commands come 99 ms of simulated time" in line for line in warnings) == warned


@pytest.mark.parametrize(("takeovers", "autonomy"), [(0, 1.0), (1, 0.7), (5, 0.0)])
def test_each_takeover_costs_six_seconds_of_autonomy(takeovers, autonomy):
    """As in the PilotNet paper: 1 - interventions * 6 s / elapsed time, here 20 s."""
    metrics = drive(RunMetrics(circle(), Rules(laps=0)), lambda t: 10.0 * t, ticks(20.0, 20.0))
    for tick in range(400):
        metrics.add_frame(
            FrameRecord(
                0.05 * tick, driven=True, taken_over=tick % 60 < 5 and tick < 60 * takeovers
            )
        )
    assert metrics.figures()["takeovers"] == takeovers
    assert metrics.figures()["autonomy"] == pytest.approx(autonomy, abs=0.01)


def test_what_is_compensated_for_is_told_with_the_delay():
    metrics = drive(RunMetrics(circle(), Rules(laps=0)), lambda t: 10.0 * t, ticks(5.0, 20.0))
    for tick in range(100):
        record = FrameRecord(
            0.05 * tick, driven=True, stamp_to_command_s=0.099, compensated_s=0.074
        )
        metrics.add_frame(record)
    assert metrics.figures()["warnings"][-1] == (
        "commands come 99 ms of simulated time after their frames (median), 74 ms of which are "
        "compensated for"
    )


def test_how_late_the_car_turns_is_measured():
    """Along a circle at 5 m/s, swaying: each turn 0.1 s after its command."""
    metrics = RunMetrics(circle(), Rules(laps=0))
    yaw = 0.0
    for tick in range(500):
        time_s = 0.02 * tick
        yaw += 0.02 * math.sin(time_s - 0.1 - 0.01)
        x, y = circle().centerline.position(5.0 * time_s).tolist()
        metrics.add_pose(time_s, x, y, yaw, 5.0, 0.0)
        if tick % 2 == 0:
            command = FrameRecord(
                time_s - 0.03, driven=True, stamp_to_command_s=0.03, speed=5.0,
                yaw_rate=math.sin(time_s + 0.02),
            )  # fmt: skip
            metrics.add_frame(command)
    assert metrics.figures()["command_to_motion"] == pytest.approx(0.1, abs=0.006)
