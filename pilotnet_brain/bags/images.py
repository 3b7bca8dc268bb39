"""From an image message, live or read from a bag, to an RGB array."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
# A compressed image may say that it is larger than the machine's memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))


class Encoding(NamedTuple):
    """How the pixels of an encoding lie in memory, and what makes RGB of them."""

    channels: int = 3
    to_rgb: int | None = None  #: OpenCV's conversion; None: it is RGB
    bits: int = 8  #: of a value; 16-bit values are divided by 257
    rows: float = 1.0  #: rows of values per row of pixels


_FROM_BGR, _FROM_BGRA = cv2.COLOR_BGR2RGB, cv2.COLOR_BGRA2RGB
_FROM_GRAY, _FROM_RGBA = cv2.COLOR_GRAY2RGB, cv2.COLOR_RGBA2RGB
# OpenCV names a Bayer pattern by its second row, ROS by its first.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB, "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB, "grbg": cv2.COLOR_BayerGB2RGB,
}  # fmt: skip
ENCODINGS = {
    "rgb8": Encoding(), "bgr8": Encoding(3, _FROM_BGR),
    "rgba8": Encoding(4, _FROM_RGBA), "bgra8": Encoding(4, _FROM_BGRA),
    "mono8": Encoding(1, _FROM_GRAY), "8UC1": Encoding(1, _FROM_GRAY),
    # Without names for their channels: in OpenCV's order, as RViz takes them.
    "8UC3": Encoding(3, _FROM_BGR), "8UC4": Encoding(4, _FROM_BGRA),
    "rgb16": Encoding(bits=16), "bgr16": Encoding(3, _FROM_BGR, 16),
    "rgba16": Encoding(4, _FROM_RGBA, 16), "bgra16": Encoding(4, _FROM_BGRA, 16),
    "mono16": Encoding(1, _FROM_GRAY, 16), "16UC1": Encoding(1, _FROM_GRAY, 16),
    "16UC3": Encoding(3, _FROM_BGR, 16), "16UC4": Encoding(4, _FROM_BGRA, 16),
    "yuv422": Encoding(2, cv2.COLOR_YUV2RGB_UYVY), "uyvy": Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": Encoding(2, cv2.COLOR_YUV2RGB_YUY2), "yuyv": Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    "nv12": Encoding(1, cv2.COLOR_YUV2RGB_NV12, rows=1.5),
    "nv21": Encoding(1, cv2.COLOR_YUV2RGB_NV21, rows=1.5),
    **{f"bayer_{name}8": Encoding(1, code) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": Encoding(1, code, 16) for name, code in _BAYER.items()},
}  # fmt: skip
"""By ROS' names (sensor_msgs/image_encodings.hpp)."""


class BrokenFrame(ValueError):  # noqa: N818  (named by what it is)
    """An image message that holds no image; the text says why."""


def rgb_frame(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of an image message as RGB, uint8 (height, width, 3).

    The message is a sensor_msgs/Image of one of `ENCODINGS`, its rows padded or not, or a
    CompressedImage that OpenCV can read (JPEG, PNG...). An rgb8 image needs no conversion: the
    array shares the message's memory.

    Raises:
        BrokenFrame: zero size, unknown encoding, or sizes that contradict each other.
    """
    if hasattr(image, "format"):
        return _decompressed(image)
    encoding = ENCODINGS.get(image.encoding)
    if encoding is None:
        raise BrokenFrame(f"unknown encoding {image.encoding[:40]!r}")
    values = _values(image, encoding)
    if encoding.to_rgb is None:
        return values
    return _converted(values, encoding.to_rgb, f"{image.encoding} of {image.width}x{image.height}")


def _values(image: Any, encoding: Encoding) -> NDArray[np.uint8]:
    """Return the values as uint8 (rows, width, channels), a view of the message where they are."""
    width, height, step, size = image.width, image.height, image.step, len(image.data)
    row_bytes = width * encoding.channels * encoding.bits // 8
    if width == 0 or height == 0:
        raise BrokenFrame(f"zero size: {width}x{height}")
    if step < row_bytes:
        raise BrokenFrame(f"a row of {step} bytes is too short for {width} {image.encoding} pixels")
    rows = int(height * encoding.rows)
    if size != step * rows:
        what = "short data" if size < step * rows else "wrong size"
        raise BrokenFrame(f"{what}: {size} bytes for {rows} rows of {step}")
    used = np.frombuffer(image.data, np.uint8).reshape(rows, step)[:, :row_bytes]
    if encoding.bits == 16:
        wide = np.ascontiguousarray(used).view(">u2" if image.is_bigendian else "<u2")
        used = np.asarray(cv2.convertScaleAbs(wide.astype(np.uint16), alpha=1 / 257), np.uint8)
    return used.reshape(rows, width, encoding.channels)


def _decompressed(image: Any) -> NDArray[np.uint8]:
    what = f"compressed image, {len(image.data)} bytes of {image.format[:40]!r}"
    try:
        pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as problem:  # no bytes, or larger than OpenCV takes
        raise BrokenFrame(f"{what}: {problem.err}") from problem
    if pixels is None:
        raise BrokenFrame(f"{what}: OpenCV cannot read it")
    return _converted(pixels, _FROM_BGR, what)


def _converted(pixels: NDArray[Any], to_rgb: int, what: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(cv2.cvtColor(pixels, to_rgb), np.uint8)
    except cv2.error as problem:  # an odd size where pixels share values, mostly
        raise BrokenFrame(f"{what} cannot be converted to rgb8: {problem.err}") from problem
