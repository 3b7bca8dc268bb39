"""What is said of the car's camera, and what is assumed where nothing is."""

import math

import pytest

from pilotnet_brain.driving.camera import JDEROBOT_CAMERA
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.car_camera import CarCamera
from pilotnet_brain.driving.preprocess import BadFrame

K = (500.0, 0.0, 310.0, 0.0, 510.0, 235.0, 0.0, 0.0, 1.0)
POSE = Pose(0.2, 0.0, 0.3, 0.0, 0.1, 0.0)


def test_of_nothing_said_it_is_the_models_camera():
    assert CarCamera().on_frames_of(640, 480, JDEROBOT_CAMERA) == JDEROBOT_CAMERA


def test_frames_of_another_size_are_as_wide_as_the_models():
    camera = CarCamera().on_frames_of(1280, 720, JDEROBOT_CAMERA)
    assert camera.horizontal_fov == pytest.approx(1.57)
    assert camera.centre_y == 359.5


def test_a_width_that_is_given_holds_until_camera_info_comes():
    known = CarCamera(horizontal_fov=1.2)
    assert known.on_frames_of(640, 480, JDEROBOT_CAMERA).horizontal_fov == pytest.approx(1.2)
    assert not known.has_intrinsics
    assert known.set_intrinsics(640, 480, K)
    assert known.has_intrinsics
    camera = known.on_frames_of(640, 480, JDEROBOT_CAMERA)
    assert (camera.focal_x, camera.focal_y) == (500.0, 510.0)
    assert (camera.centre_x, camera.centre_y) == (310.0, 235.0)


def test_the_same_again_is_no_news():
    known = CarCamera()
    assert known.set_intrinsics(640, 480, K)
    assert not known.set_intrinsics(640, 480, K)
    assert known.set_intrinsics(320, 240, K)


def test_the_place_on_the_car_is_kept_whatever_the_intrinsics():
    known = CarCamera(POSE)
    known.set_intrinsics(640, 480, K)
    camera = known.on_frames_of(320, 240, JDEROBOT_CAMERA)
    assert (camera.z, camera.pitch) == (0.3, 0.1)
    assert camera.focal_x == pytest.approx(250.0)


@pytest.mark.parametrize(
    ("width", "height", "k"),
    [(0, 0, K), (640, 480, (0.0,) * 8 + (1.0,)), (640, 480, (math.nan,) * 9), (10**9, 480, K)],
)
def test_what_no_camera_has_is_refused_and_what_was_known_stays(width, height, k):
    known = CarCamera()
    known.set_intrinsics(640, 480, K)
    with pytest.raises(ValueError, match="camera's"):
        known.set_intrinsics(width, height, k)
    assert known.on_frames_of(640, 480, JDEROBOT_CAMERA).focal_x == 500.0


def test_a_camera_that_is_not_calibrated_tells_nothing():
    known = CarCamera(horizontal_fov=1.2)
    assert not known.set_intrinsics(0, 0, (0.0,) * 9)
    assert not known.has_intrinsics


def test_frames_that_show_too_little_are_bad():
    with pytest.raises(BadFrame, match="the frame is 40x30: 64x48 is the least"):
        CarCamera().on_frames_of(40, 30, JDEROBOT_CAMERA)
