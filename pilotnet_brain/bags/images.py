"""From a sensor_msgs/Image, live or read from a bag, to an RGB array."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
"""The encodings that are understood, with their bytes per pixel."""
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
}  # fmt: skip


class BrokenFrame(ValueError):  # noqa: N818  (named by what it is)
    """An image message that holds no image; the text says why."""


def rgb_frame(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of an image message as RGB, uint8 (height, width, 3).

    The message is one of `CHANNELS`, its rows padded or not. An rgb8 image needs no conversion: the
    array shares the message's memory.

    Raises:
        BrokenFrame: zero size, unknown encoding, or sizes that contradict each other.
    """
    width, height, step, size = image.width, image.height, image.step, len(image.data)
    channels = CHANNELS.get(image.encoding)
    if channels is None:
        raise BrokenFrame(f"unknown encoding {image.encoding[:40]!r}")
    if width == 0 or height == 0:
        raise BrokenFrame(f"zero size: {width}x{height}")
    if step < width * channels:
        raise BrokenFrame(f"a row of {step} bytes is too short for {width} {image.encoding} pixels")
    if size != step * height:
        what = "short data" if size < step * height else "wrong size"
        raise BrokenFrame(f"{what}: {size} bytes for {height} rows of {step}")
    rows = np.frombuffer(image.data, np.uint8).reshape(height, step)
    pixels = rows[:, : width * channels].reshape(height, width, channels)
    if image.encoding == "rgb8":
        return pixels
    return np.asarray(cv2.cvtColor(pixels, _TO_RGB[image.encoding]), np.uint8)
