"""Cameras over a flat road, against geometry that does not use homographies."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.camera import (
    JDEROBOT_CAMERA,
    STILL,
    Camera,
    Motion,
    VirtualCamera,
)
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.looks import PLAIN
from pilotnet_brain.simulation.mujoco.simulator import MujocoSimulator

ANGLE = st.floats(-0.3, 0.3)
CAMERAS = st.builds(
    Camera,
    width=st.sampled_from([320, 640, 1280]),
    height=st.sampled_from([240, 480, 720]),
    focal_x=st.floats(150.0, 900.0),
    focal_y=st.floats(150.0, 900.0),
    centre_x=st.floats(100.0, 600.0),
    centre_y=st.floats(100.0, 400.0),
    x=st.floats(-0.5, 0.8),
    y=st.floats(-0.3, 0.3),
    z=st.floats(0.05, 1.0),
    roll=ANGLE,
    pitch=ANGLE,
    yaw=ANGLE,
)
MOTIONS = st.builds(Motion, st.floats(0.0, 5.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
WORD = st.one_of(st.floats(), st.integers(), st.text(max_size=4))


def turned(roll, pitch, yaw):
    """Rotation matrix from body axes to the parent's: about x, then y, then z (REP 103)."""
    cos, sin = math.cos, math.sin
    about_x = [[1, 0, 0], [0, cos(roll), -sin(roll)], [0, sin(roll), cos(roll)]]
    about_y = [[cos(pitch), 0, sin(pitch)], [0, 1, 0], [-sin(pitch), 0, cos(pitch)]]
    about_z = [[cos(yaw), -sin(yaw), 0], [sin(yaw), cos(yaw), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def seen_at(camera, point):
    """Pixel and depth (m) of a point on base_link, by the pinhole's definition."""
    rotation = turned(camera.roll, camera.pitch, camera.yaw)
    ahead, left, up = rotation.T @ (np.array(point) - [camera.x, camera.y, camera.z])
    return (
        camera.centre_x - camera.focal_x * left / ahead,
        camera.centre_y - camera.focal_y * up / ahead,
        ahead,
    )


def projected(homography, x, y):
    column, row, depth = homography @ [x, y, 1.0]
    return column / depth, row / depth


def test_the_default_is_the_simulated_cars_camera():
    camera = JDEROBOT_CAMERA
    assert (camera.width, camera.height) == (car.CAMERA_WIDTH, car.CAMERA_HEIGHT)
    assert (camera.x, camera.y, camera.z) == car.CAMERA_POSITION
    assert camera.focal_x == pytest.approx(car.camera_focal_length())
    assert camera.horizontal_fov == pytest.approx(car.CAMERA_HORIZONTAL_FOV)


def test_a_level_camera_sees_a_point_straight_ahead_below_its_centre():
    camera = Camera()
    column, row = projected(camera.ground_to_pixel(), camera.x + 2.0, camera.y)
    assert column == pytest.approx(319.5)
    # 0.1 m below at 2 m: f * 0.1 / 2 pixels down.
    assert row == pytest.approx(239.5 + camera.focal_y * 0.05)


@given(CAMERAS, st.floats(1.5, 14.0), st.floats(-3.0, 3.0))
def test_the_ground_is_seen_where_a_pinhole_sees_it(camera, ahead, left):
    column, row, depth = seen_at(camera, (ahead, left, 0.0))
    if depth < 0.1:
        return
    assert projected(camera.ground_to_pixel(), ahead, left) == pytest.approx(
        (column, row), rel=1e-9, abs=1e-6
    )


@given(CAMERAS, MOTIONS, st.floats(1.5, 14.0), st.floats(-3.0, 3.0))
def test_a_point_of_the_later_view_is_found_in_the_frame_at_hand(real, motion, ahead, left):
    """A point on the road, seen from the later pose by the trained camera, as an input pixel."""
    column, row, _ = seen_at(JDEROBOT_CAMERA, (ahead, left, 0.0))
    input_pixel = ((column + 0.5) / 3.2 - 0.5, (row - 240 + 0.5) * 66 / 240 - 0.5)
    heading = turned(0.0, 0.0, motion.yaw)
    now = heading @ [ahead, left, 0.0] + [motion.x, motion.y, 0.0]
    column, row, depth = seen_at(real, now)
    homography = VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, real).homography(motion)
    if depth < 0.1 or homography is None:
        return
    assert projected(homography, *input_pixel) == pytest.approx((column, row), rel=1e-6, abs=1e-3)


def test_the_trained_camera_at_rest_is_the_plain_crop():
    assert VirtualCamera(JDEROBOT_CAMERA, JDEROBOT).homography(STILL) is None
    # Gazebo's camera_info is off by half a pixel or a whole one.
    gazebos = replace(JDEROBOT_CAMERA, centre_x=320.5, centre_y=240.5)
    assert VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, gazebos).homography(STILL) is None
    turned_away = replace(JDEROBOT_CAMERA, yaw=0.02)
    assert VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, turned_away).homography(STILL) is not None


def test_a_warp_to_the_same_camera_is_the_plain_crop_and_resize():
    frame = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    scale = np.array([[3.2, 0.0, 1.1], [0.0, 240 / 66, 120 / 66 - 0.5 + 240], [0.0, 0.0, 1.0]])
    difference = network_input(frame, homography=scale).astype(int) - network_input(frame)
    # cv2 interpolates a warp in steps of 1/32 pixel.
    assert np.abs(difference).max() <= 8
    assert np.abs(difference).mean() < 1.0


def rendered(looks, metres, lateral=0.0, heading_error=0.0):
    with MujocoSimulator(load_circuit("many_curves"), looks) as simulator:
        state = simulator.reset(metres, lateral, heading_error)
        return simulator.render(), state


def difference_on_the_road(view, expected):
    """Mean absolute difference, grey levels, where both show the road: 0.7 to 3 m ahead."""
    road = np.s_[5:28, 60:140]
    return float(np.abs(view[road].astype(int) - expected[road]).mean())


def test_a_rendered_frame_is_warped_to_what_is_rendered_from_the_later_pose():
    now, here = rendered(PLAIN, 30.0)
    later, there = rendered(PLAIN, 30.6, 0.05, 0.08)
    cos, sin = math.cos(here.yaw), math.sin(here.yaw)
    dx, dy = there.x - here.x, there.y - here.y
    motion = Motion(cos * dx + sin * dy, cos * dy - sin * dx, there.yaw - here.yaw)
    homography = VirtualCamera(JDEROBOT_CAMERA, JDEROBOT).homography(motion)
    expected = network_input(later)
    plain = difference_on_the_road(network_input(now), expected)
    assert difference_on_the_road(network_input(now, homography=homography), expected) < plain / 3


@pytest.mark.parametrize(
    "mount",
    [{"camera_yaw": 0.087}, {"camera_pitch": 0.05, "camera_roll": 0.05},
     {"camera_offset": (0.0, 0.1, 0.1)}],
)  # fmt: skip
def test_a_camera_mounted_otherwise_shows_what_the_trained_one_would(mount):
    expected = network_input(rendered(PLAIN, 30.0)[0])
    frame, _ = rendered(replace(PLAIN, **mount), 30.0)
    off_x, off_y, off_z = mount.get("camera_offset", (0.0, 0.0, 0.0))
    x, y, z = car.CAMERA_POSITION
    real = Camera(
        x=x + off_x, y=y + off_y, z=z + off_z, roll=mount.get("camera_roll", 0.0),
        pitch=mount.get("camera_pitch", 0.0), yaw=mount.get("camera_yaw", 0.0),
    )  # fmt: skip
    homography = VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, real).homography()
    plain = difference_on_the_road(network_input(frame), expected)
    assert difference_on_the_road(network_input(frame, homography=homography), expected) < plain / 3


@given(CAMERAS, st.sampled_from([(320, 240), (640, 480), (1280, 720), (64, 48), (641, 479)]))
def test_another_size_shows_the_same_directions(camera, size):
    other = camera.of_size(*size)
    assert (other.width, other.height) == size
    assert other.horizontal_fov == pytest.approx(camera.horizontal_fov)
    assert other.focal_y / other.focal_x == pytest.approx(camera.focal_y / camera.focal_x)


@given(CAMERAS, CAMERAS, MOTIONS)
def test_whatever_the_cameras_the_input_has_its_shape(trained, real, motion):
    frame = np.zeros((real.height, real.width, 3), np.uint8)
    fmt = replace(
        JDEROBOT, frame_width=trained.width, frame_height=trained.height,
        crop_top=trained.height // 2, crop_bottom=trained.height,
    )  # fmt: skip
    homography = VirtualCamera(trained, fmt, real).homography(motion)
    if homography is not None:
        assert network_input(frame, fmt, homography=homography).shape == (66, 200, 3)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(vars(JDEROBOT_CAMERA), WORD)))
def test_a_camera_that_cannot_be_is_refused_in_words(values):
    try:
        camera = Camera(**values)
    except ValueError as problem:
        assert "camera's" in str(problem)  # noqa: PT017
    else:
        assert np.isfinite(camera.ground_to_pixel()).all()
