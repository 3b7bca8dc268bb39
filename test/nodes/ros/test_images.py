"""The node's frames: what our own decoding takes, and what cv_bridge does."""

from __future__ import annotations

import array

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", exc_type=ImportError)
from sensor_msgs.msg import Image  # noqa: E402

from pilotnet_brain.bags.images import BrokenFrame  # noqa: E402
from pilotnet_brain.nodes.ros import images  # noqa: E402

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def message_of(encoding: str, data: bytes, channels: int) -> Image:
    image = Image(height=4, width=6, encoding=encoding, step=6 * channels)
    image.data = array.array("B", data)
    return image


class Bridge:
    """Converts what it is told to, and notes what it was asked for."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def imgmsg_to_cv2(self, image: Image, desired_encoding: str) -> object:
        self.asked.append(f"{image.encoding} -> {desired_encoding}")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_common_encodings_need_no_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(RGB)
    monkeypatch.setattr(images, "_BRIDGE", bridge)
    frame = images.frame_of(message_of("rgb8", RGB.tobytes(), 3))
    np.testing.assert_array_equal(frame, RGB)
    assert bridge.asked == []


def test_any_other_encoding_goes_through_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(RGB)
    monkeypatch.setattr(images, "_BRIDGE", bridge)
    frame = images.frame_of(message_of("32FC1", bytes(96), 4))
    np.testing.assert_array_equal(frame, RGB)
    assert bridge.asked == ["32FC1 -> rgb8"]


def test_what_cv_bridge_refuses_is_a_broken_frame_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "_BRIDGE", Bridge(RuntimeError("no such conversion")))
    with pytest.raises(BrokenFrame, match="encoding 'mystery': cv_bridge: no such conversion"):
        images.frame_of(message_of("mystery", bytes(24), 1))


def test_without_cv_bridge_an_unknown_encoding_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_BRIDGE", None)
    with pytest.raises(BrokenFrame, match="unknown encoding '32FC1'"):
        images.frame_of(message_of("32FC1", bytes(96), 4))


def test_a_real_cv_bridge_gives_our_own_bytes() -> None:
    cv_bridge = pytest.importorskip("cv_bridge", exc_type=ImportError)
    pixels = {
        "rgb8": RGB, "bgr8": RGB[..., ::-1], "mono8": RGB[..., :1],
        "rgba8": np.dstack([RGB, np.full((4, 6), 7, np.uint8)]),
        "bgra8": np.dstack([RGB[..., ::-1], np.full((4, 6), 7, np.uint8)]),
    }  # fmt: skip
    for encoding, array_ in pixels.items():
        message = message_of(encoding, array_.tobytes(), array_.shape[2])
        converted = cv_bridge.CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8")
        np.testing.assert_array_equal(images.frame_of(message), converted)
