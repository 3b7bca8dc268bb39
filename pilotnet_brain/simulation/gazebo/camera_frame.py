"""One frame of a Gazebo camera: Classic's and Sim's image messages have the same fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.message_table import BrokenMessage

_RGB_INT8 = 3
"""Gazebo's number of the pixel format with three bytes, red first."""


@dataclass(frozen=True)
class CameraFrame:
    """One frame of a Gazebo camera."""

    time_s: float  #: simulated time at which it was taken, s
    pixels: NDArray[np.uint8]  #: uint8 (height, width, 3), RGB, read-only


def frame_of(image: Any, time: Any, pixel_format: int) -> CameraFrame:
    """Return the frame of an image message with width, height, step and data, and of its Time.

    Raises:
        BrokenMessage: it is no RGB image of that size.
    """
    width, height, step, pixels = image.width, image.height, image.step, image.data
    if pixel_format != _RGB_INT8:
        raise BrokenMessage(
            f"pixel format {pixel_format}: the camera needs <format>R8G8B8</format>"
        )
    if width == 0 or height == 0 or step < 3 * width or len(pixels) != step * height:
        raise BrokenMessage(f"{len(pixels)} bytes for {width}x{height} pixels in rows of {step}")
    rows = np.frombuffer(pixels, np.uint8).reshape(height, step)
    return CameraFrame(seconds(time), rows[:, : 3 * width].reshape(height, width, 3))


def seconds(time: Any) -> float:
    """Return a Time message in s."""
    return float(time.sec + time.nsec * 1e-9)
