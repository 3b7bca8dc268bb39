"""Where a camera sits on the car, as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.driving.camera_pose import pose_of_text


@given(st.one_of(st.text(), st.lists(st.floats(), max_size=8).map(lambda v: " ".join(map(str, v)))))
def test_a_pose_is_six_numbers_or_refused(text):
    try:
        pose = pose_of_text(text)
    except ValueError:
        return
    assert len(pose) == 6 and all(map(math.isfinite, pose))


def test_a_pose_is_written_as_in_sdf():
    assert pose_of_text("0.45 0.04 0.1 0 0.05 -0.1") == (0.45, 0.04, 0.1, 0.0, 0.05, -0.1)
    with pytest.raises(ValueError, match="six numbers"):
        pose_of_text("0.45 0.04 0.1")
    with pytest.raises(ValueError, match="above the road"):
        pose_of_text("0.45 0.04 -0.1 0 0 0")
