"""The car obeys at once, walls stop it, and the camera sees the line where geometry puts it."""

import math

import numpy as np
import pytest

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.looks import PLAIN, random_looks
from pilotnet_brain.simulation.mujoco.simulator import TIME_STEP_S, MujocoSimulator


@pytest.fixture(scope="module")
def straight():
    """A long oval whose first 80 m run straight along x."""
    edge = np.arange(0.0, 100.0)
    bend = np.linspace(-math.pi / 2, math.pi / 2, 60)[1:-1]
    points = np.vstack(
        [
            np.column_stack([edge, np.zeros(100)]),
            np.column_stack([100.0 + 20.0 * np.cos(bend), 20.0 + 20.0 * np.sin(bend)]),
            np.column_stack([99.0 - edge, np.full(100, 40.0)]),
            np.column_stack([-20.0 * np.cos(bend), 20.0 - 20.0 * np.sin(bend)]),
        ]
    )
    circuit = Circuit("oval", Centerline(np.roll(points, -10, axis=0)))
    with MujocoSimulator(circuit) as simulator:
        yield simulator


def drive(simulator, speed, yaw_rate, seconds):
    simulator.command(speed, yaw_rate)
    for _ in range(round(seconds / TIME_STEP_S)):
        state = simulator.step()
    return state


def red_columns(frame, row):
    red = (frame[row, :, 0] > 100) & (frame[row, :, 1] < 60)
    return np.flatnonzero(red)


def test_straight_ahead_at_the_commanded_speed(straight):
    begin = straight.reset()
    end = drive(straight, 10.0, 0.0, 2.0)
    assert end.time_s == pytest.approx(2.0)
    assert end.x - begin.x == pytest.approx(20.0, abs=1e-6)
    assert end.y == pytest.approx(begin.y, abs=1e-6)
    assert end.speed == pytest.approx(10.0)


def test_an_arc_closes_after_a_full_turn(straight):
    begin = straight.reset(arc_length=20.0)
    turned = drive(straight, 2.0, 4.0, math.pi / 2)
    # Half a metre of radius; the turn ends within one step of the whole circle.
    assert turned.x == pytest.approx(begin.x, abs=0.02)
    assert turned.y == pytest.approx(begin.y, abs=0.02)
    assert turned.yaw_rate == pytest.approx(4.0)


def test_the_first_step_already_has_the_new_speed(straight):
    straight.reset()
    straight.command(16.0, 0.0)
    assert straight.step().speed == pytest.approx(16.0)
    straight.command(0.0, 0.0)
    assert straight.step().speed == pytest.approx(0.0)


def test_reset_places_the_car_beside_the_line(straight):
    state = straight.reset(arc_length=15.0, lateral=0.4, heading_error=0.2)
    here = straight.circuit.centerline.project(state.x, state.y)
    assert here.arc_length == pytest.approx(15.0, abs=1e-6)
    assert here.lateral_deviation == pytest.approx(0.4, abs=1e-6)
    assert here.heading_error(state.yaw) == pytest.approx(0.2, abs=1e-6)
    assert (state.time_s, state.speed) == (0.0, 0.0)


def test_a_wall_stops_the_car(straight):
    straight.reset(arc_length=20.0, heading_error=math.pi / 2)
    state = drive(straight, 6.0, 0.0, 2.0)
    here = straight.circuit.centerline.project(state.x, state.y)
    nose = here.lateral_deviation + 0.5 * car.CAR_LENGTH_M
    assert nose == pytest.approx(straight.circuit.asphalt_half_width, abs=0.06)
    assert abs(state.speed) < 0.5


@pytest.mark.parametrize("lateral", [-0.5, 0.0, 0.3])
def test_the_line_is_seen_where_the_pinhole_camera_puts_it(straight, lateral):
    """At row k below the middle the ground is f h / k ahead; the line is f y / d beside."""
    straight.reset(arc_length=20.0, lateral=lateral)
    frame = straight.render()
    focal = car.camera_focal_length()
    _, mount_y, mount_z = car.CAMERA_POSITION
    for row in (252, 260, 275):
        below = row + 0.5 - 0.5 * car.CAMERA_HEIGHT
        distance = focal * (mount_z - 0.004) / below
        to_the_right = lateral + mount_y
        column = 0.5 * car.CAMERA_WIDTH + focal * to_the_right / distance
        half = 0.5 * focal * straight.circuit.line_width / distance
        seen = red_columns(frame, row)
        assert seen[0] == pytest.approx(max(column - half, 0.0), abs=1.5)
        assert seen[-1] == pytest.approx(min(column + half, car.CAMERA_WIDTH - 1.0), abs=1.5)


def test_the_road_is_seen_as_far_as_the_camera_reaches(straight):
    """Row k below the middle shows the ground f h / k ahead: road at 12.8 m, sky beyond 15 m."""
    straight.reset(arc_length=5.0)
    frame = straight.render().astype(int)
    road = frame[300, 500]
    middle = car.CAMERA_HEIGHT // 2
    assert np.abs(frame[middle + 2, 340:345] - road).max() < 40
    assert np.abs(frame[middle - 4, 325:335] - road).min() > 40


def test_rendering_shows_the_state_after_the_last_step(straight):
    straight.reset(arc_length=20.0)
    drive(straight, 0.0, 10.0, TIME_STEP_S)
    stepped = straight.render()
    straight.reset(arc_length=20.0, heading_error=10.0 * TIME_STEP_S)
    assert np.abs(stepped.astype(int) - straight.render()).mean() < 0.5


def test_rendering_goes_into_the_given_array(straight):
    frame = np.zeros((480, 640, 3), np.uint8)
    assert straight.render(frame) is frame
    assert frame.any()


def test_drawing_only_what_is_near_loses_nothing():
    """What lies within the camera's 15 m is drawn: a frame equals one with everything drawn."""
    circuit = load_circuit("montmelo")
    with MujocoSimulator(circuit) as simulator:
        for station in (0.0, 150.0, 333.0, 600.0):
            simulator.reset(station)
            frame = simulator.render()
            simulator._draw_only_what_is_near = lambda: None
            simulator._model.geom_group[simulator._pieces] = 0
            assert np.array_equal(frame, simulator.render())
            del simulator._draw_only_what_is_near


def test_looks_follow_their_seed_and_change_the_picture():
    assert random_looks(5) == random_looks(5)
    assert random_looks(5) != random_looks(6)
    circuit = load_circuit("random-1")
    pictures = []
    for looks in (PLAIN, random_looks(5), random_looks(5), random_looks(6)):
        with MujocoSimulator(circuit, looks) as simulator:
            simulator.reset(3.0)
            pictures.append(simulator.render())
    assert np.array_equal(pictures[1], pictures[2])
    assert np.abs(pictures[1].astype(int) - pictures[0]).mean() > 5.0
    assert np.abs(pictures[1].astype(int) - pictures[3]).mean() > 5.0


def test_a_circuit_in_utm_coordinates_is_driven_like_the_same_one_at_the_origin():
    """Single precision has steps of half a metre there; what is seen and driven is the same."""
    near = load_circuit("random-7")
    shift = (440290.5, 4474257.2)
    frames, ends = [], []
    for circuit in (near, near.about((-shift[0], -shift[1]))):
        with MujocoSimulator(circuit) as simulator:
            begin = simulator.reset(30.0, 0.2, 0.1)
            here = circuit.centerline.project(begin.x, begin.y)
            assert here.arc_length == pytest.approx(30.0, abs=1e-3)
            assert here.lateral_deviation == pytest.approx(0.2, abs=1e-4)
            end = drive(simulator, 8.0, 0.3, 0.5)
            frames.append(simulator.render().astype(int))
            ends.append((end.x, end.y, end.yaw, end.speed))
    assert ends[1] == pytest.approx(np.add(ends[0], [*shift, 0.0, 0.0]), abs=1e-6)
    assert np.mean(np.abs(frames[1] - frames[0])) < 0.5
