"""Finds a camera frame's pixels inside the bytes of a gazebo.msgs.ImageStamped, without a copy.

protobuf would copy the frame's megabyte twice to hand it out; so the two messages around it are
walked here. https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.simulation.gazebo.transport.messages import BrokenMessage, parse

_VARINT, _LENGTH_DELIMITED = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}
"""Bytes of the wire types of fixed length."""
_LONGEST_VARINT = 10

# Field numbers of ImageStamped, and of the Image in it.
_TIME, _IMAGE = 1, 2
_WIDTH, _HEIGHT, _PIXEL_FORMAT, _STEP, _DATA = 1, 2, 3, 4, 5
_RGB_INT8 = 3
"""Gazebo's number of the pixel format with three bytes, red first."""


@dataclass(frozen=True)
class CameraFrame:
    """One frame of a Gazebo camera.

    Attributes:
        time_s: simulated time at which it was taken, s.
        pixels: uint8 (height, width, 3), RGB; a view of the message's bytes.
    """

    time_s: float
    pixels: NDArray[np.uint8]


def camera_frame(message: memoryview) -> CameraFrame:
    """Return the frame in an ImageStamped's bytes.

    Raises:
        BrokenMessage: the bytes are no such message, or hold no RGB image.
    """
    spans = _spans(message)
    if _TIME not in spans or _IMAGE not in spans:
        raise BrokenMessage("an ImageStamped without time or image")
    time = parse("Time", spans[_TIME])
    return CameraFrame(time.sec + time.nsec * 1e-9, _pixels(spans[_IMAGE]))


def _pixels(image: memoryview) -> NDArray[np.uint8]:
    data = _spans(image).get(_DATA, memoryview(b""))
    numbers = {number: value for number, value in _fields(image) if isinstance(value, int)}
    width, height, step = (numbers.get(number, 0) for number in (_WIDTH, _HEIGHT, _STEP))
    pixel_format = numbers.get(_PIXEL_FORMAT)
    if pixel_format != _RGB_INT8:
        raise BrokenMessage(
            f"pixel format {pixel_format}: the camera needs <format>R8G8B8</format>"
        )
    if width == 0 or height == 0 or step < 3 * width or len(data) != step * height:
        raise BrokenMessage(f"{len(data)} bytes for {width}x{height} pixels in rows of {step}")
    rows = np.frombuffer(data, np.uint8).reshape(height, step)
    return rows[:, : 3 * width].reshape(height, width, 3)


def _spans(message: memoryview) -> dict[int, memoryview]:
    """Return a message's embedded messages and byte strings by field number, the last of each."""
    return {number: value for number, value in _fields(message) if isinstance(value, memoryview)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: a number, or the bytes of what has a length.

    Raises:
        BrokenMessage: the bytes end within a field, or are no protobuf.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _LENGTH_DELIMITED:
            length, at = _varint(message, at)
        elif wire_type in _FIXED_BYTES:
            length = _FIXED_BYTES[wire_type]
        else:
            raise BrokenMessage(f"wire type {wire_type} in an image")
        if length > len(message) - at:
            raise BrokenMessage(f"field {number} of {length} bytes is cut short")
        if wire_type == _LENGTH_DELIMITED:
            yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it."""
    value = 0
    for count, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise BrokenMessage("a number is cut short")
