"""The camera's pose by /tf_static: the rotation of scipy, whatever frames the car has."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pilotnet_brain.driving.mounting import Transform, camera_pose_of

OPTICAL = Transform("camera_link", (0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5))
angles = st.floats(-0.6, 0.6)
places = st.tuples(st.floats(-2.0, 2.0), st.floats(-1.0, 1.0), st.floats(0.05, 3.0))


def mounted(place, roll, pitch, yaw, parent="base_link"):
    turn = Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_quat()
    return Transform(parent, place, tuple(turn.tolist()))


@given(places, st.tuples(angles, angles, st.floats(-1.3, 1.3)))
def test_the_optical_frame_and_the_bodys_give_the_pose(place, turn):
    transforms = {"camera_link": mounted(place, *turn), "camera_optical_frame": OPTICAL}
    expected = pytest.approx((*place, *turn), abs=1e-9)
    assert camera_pose_of(transforms, "camera_link") == expected
    assert camera_pose_of(transforms, "camera_optical_frame") == expected


@pytest.mark.parametrize("footprint_is_the_parent", [True, False])
def test_the_road_is_where_base_footprint_is(footprint_is_the_parent):
    if footprint_is_the_parent:
        footprint = {"base_link": Transform("base_footprint", (0.0, 0.0, 0.3), (0, 0, 0, 1))}
    else:
        footprint = {"base_footprint": Transform("base_link", (0.0, 0.0, -0.3), (0, 0, 0, 1))}
    transforms = {
        "mast": Transform("base_link", (0.1, 0.0, 0.2), (0.0, 0.0, 0.0, 2.0)),
        "camera": mounted((0.0, 0.0, 0.5), 0.0, 0.2, 0.0, parent="mast"),
    }
    pose = camera_pose_of(transforms | footprint, "camera")
    assert pose == pytest.approx((0.1, 0.0, 1.0, 0.0, 0.2, 0.0), abs=1e-12)


def test_a_car_without_either_frame_is_seen_from_its_root():
    transforms = {"camera": mounted((0.3, 0.0, 0.4), 0.0, 0.1, 0.0, parent="chassis")}
    assert camera_pose_of(transforms, "camera") == pytest.approx((0.3, 0, 0.4, 0, 0.1, 0), abs=1e-9)


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ({}, "no transform on /tf_static places 'camera'"),
        ({"camera": mounted((0, 0, 1), 0, 0, 0, parent="a"), "a": mounted((0, 0, 1), 0, 0, 0,
          parent="camera")}, "back to it"),
        ({"camera": mounted((0, 0, 1), 0, 0, 0, parent="mast"),
          "wheel": mounted((0, 0, 1), 0, 0, 0)},
         "lead from 'camera' to 'base_link'"),
        ({"camera": Transform("base_link", (0, 0, 1), (0, 0, 0, 0))}, "is not one"),
        ({"camera": Transform("base_link", (0, math.nan, 1), (0, 0, 0, 1))}, "is not one"),
        ({"camera": mounted((0, 0, -1), 0, 0, 0)}, "above the road"),
        ({"camera": mounted((0, 0, 1), 0, 0, math.pi)}, "must look ahead"),
    ],
)  # fmt: skip
def test_what_says_nothing_of_a_camera_is_refused(transforms, said):
    with pytest.raises(ValueError, match=said):
        camera_pose_of(transforms, "camera")


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.builds(
            Transform,
            st.sampled_from(["a", "b", "c", "d", "base_link"]),
            st.tuples(*[st.floats()] * 3),
            st.tuples(*[st.floats()] * 4),
        ),
    )
)
def test_any_transforms_give_a_pose_or_a_reason(transforms):
    try:
        pose = camera_pose_of(transforms, "a")
    except ValueError:
        return
    assert all(map(math.isfinite, pose))
