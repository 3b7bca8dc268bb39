"""Image messages become RGB arrays, and hostile ones become BrokenFrame."""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.images import CHANNELS, BrokenFrame, rgb_frame


@dataclass
class Image:
    """The fields of a sensor_msgs/Image that say what its pixels are."""

    height: int = 0
    width: int = 0
    encoding: str = ""
    step: int = 0
    data: Any = b""


def image_of(pixels: NDArray[np.uint8], encoding: str, padding: int = 0) -> Image:
    """Return a message of pixels (H, W, channels), rows padded with 255s."""
    height, width, channels = pixels.shape
    rows = np.full((height, width * channels + padding), 255, np.uint8)
    rows[:, : width * channels] = pixels.reshape(height, -1)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.data = array.array("B", rows.tobytes())
    return message


sizes = st.integers(1, 9)


@given(height=sizes, width=sizes, padding=st.integers(0, 5), seed=st.integers(0, 99))
def test_every_encoding_gives_the_same_picture(
    height: int, width: int, padding: int, seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    alpha = np.full((height, width, 1), 7, np.uint8)
    encoded = {
        "rgb8": rgb,
        "bgr8": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], axis=2),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], axis=2),
    }
    for encoding, pixels in encoded.items():
        frame = rgb_frame(image_of(pixels, encoding, padding))
        assert frame.dtype == np.uint8
        np.testing.assert_array_equal(frame, rgb)


@given(height=sizes, width=sizes, padding=st.integers(0, 5), seed=st.integers(0, 99))
def test_grey_is_the_same_in_all_three_channels(
    height: int, width: int, padding: int, seed: int
) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (height, width, 1), np.uint8)
    frame = rgb_frame(image_of(grey, "mono8", padding))
    np.testing.assert_array_equal(frame, np.repeat(grey, 3, axis=2))


def test_an_rgb8_frame_is_not_copied() -> None:
    message = image_of(np.zeros((4, 5, 3), np.uint8), "rgb8")
    frame = rgb_frame(message)
    assert np.shares_memory(frame, np.frombuffer(message.data, np.uint8))


@settings(max_examples=300)
@given(
    height=st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
    width=st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
    step=st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)),
    encoding=st.one_of(st.sampled_from([*CHANNELS, "bayer_rggb8", ""]), st.text(max_size=60)),
    data=st.binary(max_size=300),
)
def test_a_hostile_header_gives_a_frame_of_its_size_or_a_reason(
    height: int, width: int, step: int, encoding: str, data: bytes
) -> None:
    message = Image(height, width, encoding, step, array.array("B", data))
    try:
        frame = rgb_frame(message)
    except BrokenFrame as broken:
        assert str(broken)
    else:
        assert frame.shape == (height, width, 3)
        assert frame.dtype == np.uint8


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"width": 0}, "zero size"),
        ({"height": 0}, "zero size"),
        ({"encoding": "yuv422"}, "unknown encoding"),
        ({"step": 14}, "too short"),
        ({"height": 5}, "short data"),
        ({"height": 3}, "wrong size"),
    ],
)
def test_each_fault_is_named(change: dict[str, object], reason: str) -> None:
    message = image_of(np.zeros((4, 5, 3), np.uint8), "rgb8")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(BrokenFrame, match=reason):
        rgb_frame(message)


def test_a_live_message_and_one_from_a_bag_give_the_same_frame() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8)
    expected = rgb_frame(image_of(pixels, "bgr8"))
    store = get_typestore(Stores.ROS2_JAZZY)
    stamp = store.types["builtin_interfaces/msg/Time"](1, 2)
    recorded = store.types["sensor_msgs/msg/Image"](
        store.types["std_msgs/msg/Header"](stamp, "camera"), 4, 5, "bgr8", 0, 15, pixels.ravel()
    )
    np.testing.assert_array_equal(rgb_frame(recorded), expected)
    live_image = pytest.importorskip("sensor_msgs.msg", exc_type=ImportError).Image
    live = live_image(height=4, width=5, encoding="bgr8", step=15)
    live.data = array.array("B", pixels.tobytes())
    np.testing.assert_array_equal(rgb_frame(live), expected)
