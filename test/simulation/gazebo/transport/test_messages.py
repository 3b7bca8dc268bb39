"""A camera frame comes out of its message as it was put in; hostile bytes are BrokenMessage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotnet_brain.message_table import BrokenMessage
from pilotnet_brain.simulation.gazebo.transport.messages import camera_frame, new_message

RGB_INT8 = 3


def image_message(rows: Any, width: int, pixel_format: int = RGB_INT8) -> bytes:
    """Return an ImageStamped of uint8 rows (height, step) as protobuf itself writes it."""
    height, step = rows.shape
    message = new_message(
        "ImageStamped",
        time=new_message("Time", sec=12, nsec=345_000_000),
        image=new_message(
            "Image",
            width=width,
            height=height,
            pixel_format=pixel_format,
            step=step,
            data=rows.tobytes(),
        ),
    )
    serialized: bytes = message.SerializeToString()
    return serialized


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 70),
    padding=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_finds_what_protobuf_wrote(height: int, width: int, padding: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 256, (height, 3 * width + padding), np.uint8)
    message = bytearray(image_message(rows, width))

    frame = camera_frame(memoryview(message))

    assert frame.time_s == pytest.approx(12.345)
    assert np.array_equal(frame.pixels, rows[:, : 3 * width].reshape(height, width, 3))


def test_refuses_another_pixel_format_and_says_the_mend() -> None:
    grey = image_message(np.zeros((4, 12), np.uint8), 4, pixel_format=1)
    with pytest.raises(BrokenMessage, match="R8G8B8"):
        camera_frame(memoryview(grey))


@pytest.mark.parametrize("width", [0, 5, 2**31])
def test_refuses_sizes_that_contradict_the_data(width: int) -> None:
    with pytest.raises(BrokenMessage, match="pixels in rows of 12"):
        camera_frame(memoryview(image_message(np.zeros((4, 12), np.uint8), width)))


@given(cut=st.integers(0, 200))
def test_a_cut_message_is_broken(cut: int) -> None:
    whole = image_message(np.zeros((4, 48), np.uint8), 16)
    assert cut < len(whole)
    with pytest.raises(BrokenMessage):
        camera_frame(memoryview(whole[:cut]))


@given(st.binary(max_size=80))
def test_any_bytes_are_an_image_or_broken(data: bytes) -> None:
    try:
        frame = camera_frame(memoryview(data))
    except BrokenMessage:
        return
    assert frame.pixels.ndim == 3


@given(at=st.integers(0, 40), value=st.integers(0, 255))
def test_a_changed_byte_is_an_image_or_broken(at: int, value: int) -> None:
    message = bytearray(image_message(np.zeros((4, 12), np.uint8), 4))
    message[at] = value
    try:
        frame = camera_frame(memoryview(message))
    except BrokenMessage:
        return
    assert frame.pixels.size > 0
