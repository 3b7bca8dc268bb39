"""Image messages become RGB arrays, and hostile ones become BrokenFrame."""

from __future__ import annotations

import array
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.images import ENCODINGS, BrokenFrame, rgb_frame


@dataclass
class Image:
    """The fields of a sensor_msgs/Image that say what its pixels are."""

    height: int = 0
    width: int = 0
    encoding: str = ""
    step: int = 0
    data: Any = b""
    is_bigendian: int = 0


@dataclass
class CompressedImage:
    """The fields of a sensor_msgs/CompressedImage."""

    format: str = "jpeg"
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


@given(height=sizes, width=sizes, padding=st.integers(0, 5), seed=st.integers(0, 99))
def test_sixteen_bits_give_the_picture_of_eight(
    height: int, width: int, padding: int, seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    for encoding, pixels in {"rgb16": rgb, "bgr16": rgb[..., ::-1], "mono16": rgb[..., :1]}.items():
        for big, kind in ((0, "<u2"), (1, ">u2")):
            wide = (pixels.astype(np.uint16) * 257).astype(kind).view(np.uint8)
            message = image_of(wide.reshape(height, width, -1), encoding, padding)
            message.is_bigendian = big
            expected = np.repeat(pixels, 3, axis=2) if encoding == "mono16" else rgb
            np.testing.assert_array_equal(rgb_frame(message), expected)


def test_pixels_whose_channels_have_no_names_are_in_opencvs_order() -> None:
    blue = np.full((2, 2, 4), (255, 0, 0, 9), np.uint8)
    for encoding, channels in {"8UC3": 3, "8UC4": 4}.items():
        frame = rgb_frame(image_of(blue[..., :channels], encoding))
        np.testing.assert_array_equal(frame, np.full((2, 2, 3), (0, 0, 255), np.uint8))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_bayer_pattern_gives_back_the_colour_that_it_was_made_of(pattern: str, bits: int) -> None:
    colour = {"r": 200, "g": 120, "b": 40}
    tile = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (4, 5))
    values = mosaic if bits == 8 else (mosaic.astype("<u2") * 257).view(np.uint8)
    frame = rgb_frame(image_of(values.reshape(8, 10, -1), f"bayer_{pattern}{bits}"))
    np.testing.assert_array_equal(frame, np.full((8, 10, 3), (200, 120, 40), np.uint8))


def test_yuv_gives_back_the_colour_that_it_was_made_of() -> None:
    # ITU-R BT.601, studio range: red (255, 0, 0) is Y 81, U 90, V 240.
    y, u, v = 81, 90, 240
    rows = {
        "yuv422": np.tile([u, y, v, y], (4, 3)),
        "uyvy": np.tile([u, y, v, y], (4, 3)),
        "yuv422_yuy2": np.tile([y, u, y, v], (4, 3)),
        "yuyv": np.tile([y, u, y, v], (4, 3)),
        "nv12": np.vstack([np.full((4, 6), y), np.tile([u, v], (2, 3))]),
        "nv21": np.vstack([np.full((4, 6), y), np.tile([v, u], (2, 3))]),
    }
    for encoding, values in rows.items():
        message = Image(height=4, width=6, encoding=encoding, step=values.shape[1])
        message.data = values.astype(np.uint8).tobytes()
        red = np.full((4, 6, 3), (255, 0, 0), float)
        np.testing.assert_allclose(rgb_frame(message), red, atol=2, err_msg=encoding)


def test_a_compressed_image_is_decoded() -> None:
    bgr = np.full((48, 64, 3), (40, 120, 200), np.uint8)
    for kind in ("png", "jpeg"):
        data = cv2.imencode(f".{kind}", bgr)[1].tobytes()
        frame = rgb_frame(CompressedImage(f"rgb8; {kind} compressed bgr8", data))
        np.testing.assert_allclose(frame, bgr[..., ::-1], atol=2)


@given(data=st.binary(max_size=200), cut=st.integers(0, 500), flipped=st.integers(0, 500))
def test_a_damaged_compressed_image_is_shown_or_is_a_broken_frame(
    data: bytes, cut: int, flipped: int
) -> None:
    whole = bytearray(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())
    whole[flipped % len(whole)] ^= 0x55
    for tried in (data, bytes(whole[:cut])):
        try:
            frame = rgb_frame(CompressedImage("png", tried))
        except BrokenFrame:
            continue
        assert frame.dtype == np.uint8
        assert frame.shape[2] == 3


def test_a_compressed_image_that_says_that_it_is_huge_is_a_broken_frame() -> None:
    small = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">II", 2**15, 2**15) + small[24:29]
    huge = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    with pytest.raises(BrokenFrame, match="compressed image, "):
        rgb_frame(CompressedImage("png", huge))


def test_an_rgb8_frame_is_not_copied() -> None:
    message = image_of(np.zeros((4, 5, 3), np.uint8), "rgb8")
    frame = rgb_frame(message)
    assert np.shares_memory(frame, np.frombuffer(message.data, np.uint8))


@settings(max_examples=300)
@given(
    height=st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
    width=st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
    step=st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)),
    encoding=st.one_of(st.sampled_from([*ENCODINGS, ""]), st.text(max_size=60)),
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
        ({"encoding": "R8G8B8"}, "unknown encoding"),
        ({"encoding": "yuv422"}, "yuv422 of 5x4 cannot be converted"),
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
