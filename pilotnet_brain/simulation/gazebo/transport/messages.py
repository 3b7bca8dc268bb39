"""The few of Gazebo Classic 11's messages that a car's camera, clock and motion need.

Built at import from a table instead of from ``.proto`` files: there is nothing to generate, and
generated code would only run with the protobuf release that it was made for. Names, field numbers
and types are those of Gazebo's transport (package gazebo.msgs); protobuf skips fields that are not
listed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from numpy.typing import NDArray

_PACKAGE = "gazebo.msgs"
_FILE = "pilotnet_brain/gazebo_msgs.proto"
_RGB_INT8 = 3
"""Gazebo's number of the pixel format with three bytes, red first."""
_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = ("bool", "bytes", "double", "int32", "string", "uint32", "uint64")

# Message: its fields as "label type name number".
_MESSAGES = """
Time: required int32 sec 1; required int32 nsec 2
Packet: required Time stamp 1; required string type 2; required bytes serialized_data 3
GzString: required string data 1
Publish: required string topic 1; required string msg_type 2; required string host 3;
  required uint32 port 4
Publishers: repeated Publish publisher 1
Subscribe: required string topic 1; required string host 2; required uint32 port 3;
  required string msg_type 4; optional bool latching 5
Vector3d: required double x 1; required double y 2; required double z 3
Quaternion: required double x 2; required double y 3; required double z 4; required double w 5
Pose: optional string name 1; optional uint32 id 2; required Vector3d position 3;
  required Quaternion orientation 4
PosesStamped: required Time time 1; repeated Pose pose 2
Image: required uint32 width 1; required uint32 height 2; required uint32 pixel_format 3;
  required uint32 step 4; required bytes data 5
ImageStamped: required Time time 1; required Image image 2
WorldStatistics: required Time sim_time 2; required Time pause_time 3;
  required Time real_time 4; required bool paused 5; required uint64 iterations 6
WorldReset: optional bool all 1; optional bool time_only 2; optional bool model_only 3
WorldControl: optional bool pause 1; optional bool step 2; optional uint32 multi_step 3;
  optional WorldReset reset 4; optional uint32 seed 5
Physics: optional double real_time_update_rate 14
Request: required int32 id 1; required string request 2; optional string data 3;
  optional double dbl_data 4
Response: required int32 id 1; required string request 2; required string response 3;
  optional string type 4; optional bytes serialized_data 5
Model: required string name 1; optional uint32 id 2; optional Pose pose 4
Model_V: repeated Model models 2
"""


def _file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto2")
    for line in _MESSAGES.strip().replace("\n ", "").splitlines():
        message_name, _, rows = line.partition(":")
        described = file.message_type.add(name=message_name)
        for row in rows.split(";"):
            label, kind, name, number = row.split()
            field = described.field.add(name=name, number=int(number))
            field.label = _FIELD.Label.Value(f"LABEL_{label.upper()}")
            if kind in _KINDS:
                field.type = _FIELD.Type.Value(f"TYPE_{kind.upper()}")
            else:
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
    return file


# A separate pool: another package in this process may have Gazebo's full descriptions.
_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file_descriptor())
_CLASSES = message_factory.GetMessageClassesForFiles([_FILE], _POOL)


def new_message(name: str, **fields: Any) -> Any:
    """Return a message, such as ``new_message("Time", sec=1, nsec=0)``.

    Raises:
        KeyError: no such message is described here.
    """
    return _CLASSES[type_name(name)](**fields)


def parse(name: str, data: bytes | memoryview) -> Any:
    """Return the message that `data` holds.

    Raises:
        KeyError: no such message is described here.
        BrokenMessage: the data is no such message.
    """
    try:
        parsed = _CLASSES[type_name(name)].FromString(bytes(data))
    except message.DecodeError as problem:
        raise BrokenMessage(f"not a {_PACKAGE}.{name}: {problem}") from problem
    if not parsed.IsInitialized():
        missing = ", ".join(parsed.FindInitializationErrors())
        raise BrokenMessage(f"not a {_PACKAGE}.{name}: without {missing}")
    return parsed


def type_name(name: str) -> str:
    """Return a message's full name, as publishers and subscribers state it."""
    return f"{_PACKAGE}.{name}"


class BrokenMessage(ValueError):  # noqa: N818  (named by what it is)
    """Bytes that are not the message they should be."""


@dataclass(frozen=True)
class CameraFrame:
    """One frame of a Gazebo camera."""

    time_s: float  #: simulated time at which it was taken, s
    pixels: NDArray[np.uint8]  #: uint8 (height, width, 3), RGB, read-only


def camera_frame(data: memoryview) -> CameraFrame:
    """Return the frame in an ImageStamped's bytes.

    Raises:
        BrokenMessage: the bytes are no such message, or hold no RGB image.
    """
    stamped = parse("ImageStamped", data)
    image, pixels = stamped.image, stamped.image.data
    width, height, step = image.width, image.height, image.step
    if image.pixel_format != _RGB_INT8:
        raise BrokenMessage(
            f"pixel format {image.pixel_format}: the camera needs <format>R8G8B8</format>"
        )
    if width == 0 or height == 0 or step < 3 * width or len(pixels) != step * height:
        raise BrokenMessage(f"{len(pixels)} bytes for {width}x{height} pixels in rows of {step}")
    rows = np.frombuffer(pixels, np.uint8).reshape(height, step)
    time_s = stamped.time.sec + stamped.time.nsec * 1e-9
    return CameraFrame(time_s, rows[:, : 3 * width].reshape(height, width, 3))
