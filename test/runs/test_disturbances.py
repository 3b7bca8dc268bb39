"""Each disturbance does what its name says, the same for the same seed."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.disturbances import (
    DISTURBANCES,
    DisturbanceError,
    disturb,
    find_disturbance,
)
from pilotnet_brain.runs.lockstep import Conditions, drive_lockstep, without_timings
from pilotnet_brain.runs.lockstep_run import conditions_of, drive_spec
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.simulation.car import CAMERA_POSITION
from pilotnet_brain.simulation.looks import random_looks
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator

CIRCUIT = load_circuit("nurburgring")
PLAIN = Conditions()


class Notes:
    """Drives straight on at a speed that rises by a frame, and notes what it saw and when."""

    def __init__(self):
        self.times_s = []
        self.frames = []

    def __call__(self, frame, state, motion):
        self.times_s.append(state.time_s)
        self.frames.append(frame.copy())
        return Command(1.0 + 0.1 * len(self.frames), 0.0)


def driven(conditions, seconds=1.5):
    """Return the driver's notes, the run's rows and its figures."""
    notes, rows = Notes(), []
    metrics = RunMetrics(CIRCUIT, Rules(time_limit_s=seconds))
    figures = drive_lockstep(metrics, notes, conditions, on_row=rows.append)
    return notes, rows, figures


def frame_of(conditions, s=30.0):
    with MujocoSimulator(CIRCUIT, conditions.looks) as simulator:
        simulator.reset(s)
        return conditions.sensor(simulator.render())


@pytest.fixture(scope="module")
def plain():
    return driven(PLAIN)


def test_an_unknown_disturbance_lists_the_known_ones():
    with pytest.raises(DisturbanceError, match="unknown disturbance 'rain'") as caught:
        find_disturbance("rain")
    assert all(name in str(caught.value) for name in DISTURBANCES)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_amounts_are_within_their_limits_and_others_are_refused(name):
    disturbance = find_disturbance(name)
    for amount in (*disturbance.amounts, disturbance.none, disturbance.low, disturbance.high):
        disturbance.check(amount)
    for amount in (disturbance.low - 0.1, disturbance.high + 0.1, math.nan, math.inf):
        with pytest.raises(DisturbanceError, match=disturbance.unit):
            disturb(PLAIN, name, amount)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_the_amount_none_changes_nothing(name, plain):
    figures = driven(disturb(PLAIN, name, find_disturbance(name).none))[2]
    assert without_timings(figures) == without_timings(plain[2])


@pytest.mark.parametrize(
    ("name", "amount"), [("dropped_frames", 0.5), ("delayed_frames", 150.0), ("camera_noise", 20.0)]
)
def test_the_same_seed_is_the_same_run(name, amount):
    notes = [driven(disturb(PLAIN, name, amount, seed))[0] for seed in (1, 1, 2)]
    assert notes[0].times_s == notes[1].times_s
    assert all(map(np.array_equal, notes[0].frames, notes[1].frames))
    if name != "camera_noise":  # whose seed is that of the looks
        assert notes[0].times_s != notes[2].times_s


def test_noise_has_the_standard_deviation_that_was_asked_for():
    clean = frame_of(PLAIN)
    noise = frame_of(disturb(PLAIN, "camera_noise", 10.0)).astype(float) - clean
    # Where the noise cannot be cut off at black or white.
    middle = (clean > 60) & (clean < 195)
    assert noise[middle].std() == pytest.approx(10.0, rel=0.05)
    assert abs(noise[middle].mean()) < 1.0


def test_noise_and_blur_add_to_what_the_looks_have():
    looks = random_looks(3)
    disturbed = disturb(disturb(Conditions(looks), "camera_noise", 3.0), "camera_blur", 4.0).looks
    assert disturbed.noise == pytest.approx(math.sqrt(looks.noise**2 + 9.0))
    assert disturbed.blur == pytest.approx(math.sqrt(looks.blur**2 + 16.0))


def test_blur_takes_edges_away_and_leaves_the_mean():
    def edges(frame):
        return np.abs(np.diff(frame.astype(float), axis=1)).max()

    clean, blurred = frame_of(PLAIN), frame_of(disturb(PLAIN, "camera_blur", 4.0))
    assert edges(blurred) < 0.4 * edges(clean)
    assert blurred.mean() == pytest.approx(clean.mean(), abs=1.0)


@settings(max_examples=30)
@given(
    gain=st.floats(0.0, 20.0),
    grey=st.integers(0, 255),
)
def test_brightness_is_a_gain_up_to_white(gain, grey):
    frame = np.full((480, 640, 3), grey, np.uint8)
    seen = disturb(PLAIN, "brightness", gain).sensor(frame)
    assert seen.dtype == np.uint8 and seen.shape == (480, 640, 3)
    assert (seen == seen[0, 0, 0]).all()
    assert abs(int(seen[0, 0, 0]) - min(255.0, gain * grey)) <= 0.51


def centre_of_the_line(conditions):
    """Return the mean column of the red pixels, and their uppermost row."""
    frame = frame_of(conditions, s=0.0).astype(int)
    red = (frame[..., 0] > 100) & (frame[..., 1] < 60) & (frame[..., 2] < 60)
    rows, columns = np.nonzero(red)
    return columns.mean(), rows.min()


def test_the_camera_turns_left_and_down_as_asked():
    column, row = centre_of_the_line(PLAIN)
    left = centre_of_the_line(disturb(PLAIN, "camera_yaw", 4.0))
    down = centre_of_the_line(disturb(PLAIN, "camera_pitch", 4.0))
    # 320 pixels from the axis to the edge, which is 45 degrees off it: tan(4 deg) * 320 = 22.
    assert left[0] == pytest.approx(column + 22.0, abs=6.0)
    # The far end of the line, near the horizon.
    assert down[1] == pytest.approx(row - 22.0, abs=4.0)


def test_the_camera_leans_to_the_right_as_asked():
    """A camera that leans to the right sees its picture turned to the left about the middle."""

    def turned(frame, degrees):
        matrix = cv2.getRotationMatrix2D((319.5, 239.5), degrees, 1.0)
        return cv2.warpAffine(frame, matrix, (640, 480))[120:360, 160:480].astype(float)

    upright, leaning = frame_of(PLAIN), frame_of(disturb(PLAIN, "camera_roll", 8.0))
    seen = turned(leaning, 0.0)
    off = {angle: np.abs(turned(upright, angle) - seen).mean() for angle in (-8, 0, 4, 8, 12)}
    assert min(off, key=off.get) == 8
    assert off[8] < 0.4 * min(off[4], off[12])


@pytest.mark.parametrize("radians", [1.2, 2.0])
def test_the_camera_is_as_wide_as_asked(radians):
    """A wider picture is smaller about its middle, by the ratio of the focal lengths."""
    scale = math.tan(0.5 * radians) / math.tan(0.5 * 1.57)
    matrix = cv2.getRotationMatrix2D((319.5, 239.5), 0.0, scale)
    wide, usual = frame_of(disturb(PLAIN, "camera_fov", radians)), frame_of(PLAIN)
    middle = (slice(180, 300), slice(240, 400))
    seen = cv2.warpAffine(wide, matrix, (640, 480)).astype(float)
    off = np.abs(seen[middle] - usual[middle]).mean()
    assert off < 0.4 * np.abs(wide[middle].astype(float) - usual[middle]).mean()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (64, 48)])
def test_frames_are_as_small_as_asked_and_show_the_same(width, height):
    small = disturb(PLAIN, "frame_width", float(width))
    frame = frame_of(small)
    assert frame.shape == (height, width, 3)
    assert small.frame_size == (width, height)
    assert frame.mean() == pytest.approx(frame_of(PLAIN).mean(), abs=1.0)


@pytest.mark.parametrize("degrees", [45.0, -30.0])
def test_the_car_starts_beside_the_line_and_turned_away(degrees):
    _, rows, _ = driven(disturb(PLAIN, "start_turned", degrees), seconds=0.1)
    side = math.copysign(1.0, degrees)
    assert rows[0].lateral_deviation == pytest.approx(0.5 * side, abs=1e-3)
    turned = rows[0].yaw - CIRCUIT.centerline.heading(rows[0].arc_length)
    assert math.remainder(turned, math.tau) == pytest.approx(math.radians(degrees), abs=1e-3)


def test_of_another_car_all_that_is_drawn_is_told():
    looks = random_looks(3)
    cars = [disturb(Conditions(looks), "another_car", 1.0, seed) for seed in range(200)]
    latencies = [car.latency_s for car in cars]
    assert 0.0 <= min(latencies) < 0.01 < 0.19 < max(latencies) <= 0.2
    for car in cars:
        told, seen = car.known_camera, car.looks
        moved = np.subtract(seen.camera_offset, looks.camera_offset)
        assert told[:3] == pytest.approx(np.add(CAMERA_POSITION, moved))
        assert np.abs(moved).max() <= 0.1 and moved[2] >= 0.0
        turned = (
            seen.camera_roll - looks.camera_roll,
            seen.camera_pitch - looks.camera_pitch,
            seen.camera_yaw - looks.camera_yaw,
        )
        assert told[3:] == pytest.approx(turned)
        assert np.abs(turned).max() <= math.radians(5.0)
        assert 1.27 <= seen.camera_fov <= 1.77
    assert len({car.looks for car in cars}) == len(cars)
    again = disturb(Conditions(looks), "another_car", 1.0, 7)
    assert (again.looks, again.latency_s) == (cars[7].looks, cars[7].latency_s)


@pytest.mark.parametrize("rate_hz", [10.0, 5.0, 15.0, 3.0])
def test_the_camera_takes_so_many_frames_a_second(rate_hz, plain):
    notes, _, figures = driven(disturb(PLAIN, "frame_rate", rate_hz))
    expected = np.arange(len(notes.times_s)) / rate_hz
    assert notes.times_s == pytest.approx(expected, abs=0.5 * TIME_STEP_S + 1e-9)
    assert len(notes.times_s) == pytest.approx(len(plain[0].times_s) * rate_hz / 20.0, abs=1)
    assert figures["frames_dropped"] == 0


def test_no_command_comes_of_a_dropped_frame(plain):
    notes, rows, figures = driven(disturb(PLAIN, "dropped_frames", 0.5, seed=4))
    sent = plain[0].times_s
    lost = sorted(set(sent) - set(notes.times_s))
    assert 0.2 * len(sent) < len(lost) < 0.8 * len(sent)
    assert set(notes.times_s) < set(sent)
    changes_s = [
        after.time_s
        for before, after in zip(rows, rows[1:], strict=False)
        if after.command_speed != before.command_speed
    ]
    for time_s in lost:
        assert not any(abs(time_s + PLAIN.latency_s - change) < 1e-6 for change in changes_s)
    assert figures["frames_driven"] == len(notes.times_s)
    # The last ones before the end may still be on their way.
    assert len(lost) - 5 <= figures["frames_dropped"] <= len(lost)


def test_frames_that_all_get_lost_never_move_the_car():
    notes, _, figures = driven(disturb(PLAIN, "dropped_frames", 1.0), seconds=None)
    assert notes.times_s == []
    assert figures["ending"].startswith("stood still")
    assert not figures["lap_completed"]


def test_a_car_without_frames_is_stopped_as_the_live_one_is():
    """The watchdog's half second: frames come every second, the car drives for half of it."""
    _, rows, _ = driven(disturb(PLAIN, "frame_rate", 1.0), seconds=4.0)
    speeds = {round(row.time_s, 3): row.command_speed for row in rows}
    assert speeds[1.5] > 0.0
    assert speeds[1.53] == 0.0
    assert speeds[1.99] == 0.0
    assert speeds[2.03] > 0.0


def test_delayed_frames_come_late_and_none_is_driven_on_after_a_newer_one(plain):
    plan = disturb(PLAIN, "delayed_frames", 200.0, seed=2)
    delays = [plan.transport(number) for number in range(1000)]
    assert min(delays) >= 0.0 and max(delays) < 0.2
    assert np.mean(delays) == pytest.approx(0.1, abs=0.01)
    notes, _, figures = driven(plan)
    assert (np.diff(notes.times_s) > 0.0).all()
    assert len(notes.times_s) < len(plain[0].times_s)
    assert figures["frames_late"] > 0
    assert 0.02 < figures["stamp_to_command_p50"] < 0.22


def test_a_frame_that_comes_late_shows_what_it_showed():
    late = driven(disturb(PLAIN, "delayed_frames", 200.0, seed=2))[0]
    with MujocoSimulator(CIRCUIT) as simulator:
        assert np.array_equal(late.frames[0], simulator.render())


@pytest.mark.parametrize(
    ("name", "latency_ms"),
    [("latency", 0.0), ("latency", 50.0), ("latency", 200.0), ("unknown_latency", 100.0)],
)
def test_latency_shifts_commands_by_exactly_that_many_steps(name, latency_ms):
    _, rows, figures = driven(disturb(PLAIN, name, latency_ms))
    commanded = [(row.time_s, row.command_speed) for row in rows if row.command_speed is not None]
    for time_s, speed in commanded:
        # The n-th frame, of (n - 1) / 20 s, asks for 1 + 0.1 n.
        frame_s = (round((speed - 1.0) / 0.1) - 1) / 20.0
        assert frame_s + latency_ms * 1e-3 - 1e-6 <= time_s < frame_s + 0.05 + latency_ms * 1e-3
    assert commanded[0][0] == pytest.approx(latency_ms * 1e-3, abs=1e-9)
    known_ms = PLAIN.latency_s * 1e3 if name == "unknown_latency" else latency_ms
    assert figures["stamp_to_command_p50"] == pytest.approx(known_ms * 1e-3, abs=1e-9)


@pytest.fixture(scope="module")
def int8():
    cv2.setNumThreads(1)
    return Pilot(load_model(resolve_model("tiny_quant"), "cpu"))


def test_a_lap_under_a_mild_disturbance_is_finished(int8):
    mild = disturb(disturb(PLAIN, "camera_noise", 4.0), "dropped_frames", 0.1)
    metrics = RunMetrics(load_circuit("simple_circuit"))
    lap = drive_lockstep(metrics, lambda frame, *_: int8.drive(frame), mild)
    assert lap["lap_completed"], lap["ending"]
    assert lap["position_deviation_mae"] < 0.1


def stretch_of(name, amount, seconds=8.0):
    """Metrics of a stretch that a spec with this disturbance drives."""
    spec = RunSpec(
        circuit="simple_circuit", model="tiny_quant", lockstep=True, time_limit=seconds,
        disturbance=f"{name}={amount}",
    )  # fmt: skip
    metrics = RunMetrics(load_circuit(spec.circuit), spec.rules())
    return drive_spec(spec, metrics, lambda row: None)


def test_latency_that_nobody_told_shows_in_the_cars_motion():
    assert stretch_of("unknown_latency", 60.0)["command_to_motion"] == pytest.approx(0.04, abs=6e-3)
    assert stretch_of("latency", 60.0)["command_to_motion"] <= 0.006


@pytest.mark.parametrize(
    ("known", "unknown", "amount", "bound_m"),
    [("known_camera_yaw", "camera_yaw", 8.0, 0.03), ("latency", "unknown_latency", 120.0, 0.04),
     ("known_camera_shift", "camera_shift", 0.15, 0.04)],
)  # fmt: skip
def test_what_the_model_is_told_costs_little(known, unknown, amount, bound_m):
    told, untold = stretch_of(known, amount), stretch_of(unknown, amount)
    assert told["position_deviation_mae"] < bound_m
    assert untold["position_deviation_mae"] > 2.0 * told["position_deviation_mae"]


@pytest.mark.parametrize(
    ("name", "amount"), [("camera_yaw", 40.0), ("brightness", 0.0), ("latency", 1000.0)]
)
def test_a_lap_under_an_absurd_disturbance_ends_with_a_reason(int8, name, amount):
    metrics = RunMetrics(load_circuit("simple_circuit"), Rules(time_limit_s=30.0))
    absurd = disturb(PLAIN, name, amount)
    lap = drive_lockstep(metrics, lambda frame, *_: int8.drive(frame), absurd)
    assert not lap["lap_completed"]
    assert lap["ending"] and lap["ending"] != "laps done"


def test_a_specs_disturbance_is_drawn_from_its_seed():
    """Which frames get lost follows from the spec's seed, so that a benchmark's seed reaches it."""

    def lost(seed):
        spec = RunSpec(lockstep=True, disturbance="dropped_frames=0.5", seed=seed)
        return [
            conditions_of(spec, load_circuit(spec.circuit)).transport(number) is None
            for number in range(100)
        ]

    assert lost(0) == lost(0)
    assert lost(0) != lost(99)
