"""From a sensor_msgs/Image to an RGB array."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
"""The encodings that are understood, with their bytes per pixel."""
_RED_FIRST = {"rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2), "bgra8": (2, 1, 0)}


class BrokenFrame(ValueError):  # noqa: N818  (named by what it is)
    """An image message that holds no image; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def rgb_frame(image: Image) -> NDArray[np.uint8]:
    """Return a message's pixels as RGB.

    Through cv_bridge where it is installed; the path without it gives the same bytes. An rgb8
    frame needs no conversion (cv_bridge would copy it): the array shares the message's memory.

    Args:
        image: rgb8, bgr8, rgba8, bgra8 or mono8, rows padded or not.

    Returns:
        uint8 (height, width, 3).

    Raises:
        BrokenFrame: zero size, unknown encoding, or sizes that contradict each other.
    """
    pixels = packed_pixels(image)
    needs_bridge = image.encoding != "rgb8" and image.step % CHANNELS[image.encoding] == 0
    if _BRIDGE is not None and needs_bridge:
        return _through_bridge(image)
    return reordered(pixels, image.encoding)


def packed_pixels(image: Image) -> NDArray[np.uint8]:
    """Return a view (height, width, channels) on a message's data, without the row padding.

    Raises:
        BrokenFrame: as `rgb_frame`.
    """
    width, height, step, size = image.width, image.height, image.step, len(image.data)
    channels = CHANNELS.get(image.encoding)
    if channels is None:
        raise BrokenFrame(f"unknown encoding {image.encoding[:40]!r}")
    if width == 0 or height == 0:
        raise BrokenFrame(f"zero size: {width}x{height}")
    if step < width * channels:
        raise BrokenFrame(f"a row of {step} bytes is too short for {width} {image.encoding} pixels")
    if size < step * height:
        raise BrokenFrame(f"short data: {size} bytes for {height} rows of {step}")
    if size > step * height:
        raise BrokenFrame(f"wrong size: {size} bytes for {height} rows of {step}")
    rows = np.frombuffer(image.data, np.uint8).reshape(height, step)
    return rows[:, : width * channels].reshape(height, width, channels)


def reordered(pixels: NDArray[np.uint8], encoding: str) -> NDArray[np.uint8]:
    """Return pixels (H, W, channels) of an encoding of `CHANNELS` as RGB (H, W, 3)."""
    if encoding == "rgb8":
        return pixels
    if encoding == "mono8":
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., _RED_FIRST[encoding]])


def _through_bridge(image: Image) -> NDArray[np.uint8]:
    try:
        converted: NDArray[np.uint8] = _BRIDGE.imgmsg_to_cv2(image, desired_encoding="rgb8")
    except Exception as problem:  # cv_bridge raises errors of its own, of cv2 and of numpy
        raise BrokenFrame(f"cv_bridge: {problem}") from problem
    return converted


def _installed_bridge() -> Any:
    if importlib.util.find_spec("cv_bridge") is None:
        return None
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):  # built for another numpy or cv2 than is installed
        return None
    return CvBridge()


_BRIDGE = _installed_bridge()
