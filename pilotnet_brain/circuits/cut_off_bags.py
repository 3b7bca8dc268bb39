"""Bag files without their index: read record by record from the begin until they break off.

Each reader yields what is whole and then raises whatever the broken rest caused; who calls keeps
what came before.
"""

from __future__ import annotations

import bz2
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

_ROS1_MAGIC = b"#ROSBAG V2.0\n"
_ROS1_MESSAGE, _ROS1_CHUNK, _ROS1_CONNECTION = 2, 5, 7


class RawMessage(NamedTuple):
    """A message as recorded; `data` is None for the mere mention of a topic."""

    topic: str
    type: str
    encoding: str
    """``cdr`` or ``ros1``"""
    log_time_ns: int
    data: bytes | None


class CutOffError(Exception):
    """The file ends in the middle of a record."""


def raw_mcap(path: Path) -> Iterator[RawMessage]:
    """The messages of an MCAP file, its chunks' checksums verified, no footer needed."""
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader

    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str, str]] = {}
    with path.open("rb") as file:
        for record in StreamReader(file, validate_crcs=True).records:
            if isinstance(record, Schema):
                schemas[record.id] = _ros2_type(record.name)
            elif isinstance(record, Channel):
                kind = schemas.get(record.schema_id, "")
                channels[record.id] = (record.topic, kind, record.message_encoding)
                yield RawMessage(*channels[record.id], 0, None)
            elif isinstance(record, Message):
                yield RawMessage(*channels[record.channel_id], record.log_time, record.data)


def raw_sqlite(path: Path) -> Iterator[RawMessage]:
    """The messages of an SQLite storage file in the order in which they were written."""
    # Unmerged pages of a killed writer lie in a -wal file, which `immutable` would not look at.
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)) as database:
        # Without this SQLite refuses a file shorter than its header says before reading any of it.
        database.execute("PRAGMA writable_schema = ON")
        topics: dict[int, tuple[str, str, str]] = {}
        for number, name, kind, encoding in database.execute(
            "SELECT id, name, type, serialization_format FROM topics"
        ):
            topics[number] = (name, kind, encoding)
            yield RawMessage(*topics[number], 0, None)
        for number, log_time_ns, data in database.execute(
            "SELECT topic_id, timestamp, data FROM messages NOT INDEXED"
        ):
            yield RawMessage(*topics[number], log_time_ns, data)


def raw_ros1(path: Path) -> Iterator[RawMessage]:
    """The messages of a ROS 1 bag (format 2.0), which its index at the end is not needed for."""
    content = path.read_bytes()
    if not content.startswith(_ROS1_MAGIC):
        raise CutOffError("no ROS 1 bag of format 2.0")
    yield from _ros1_messages(content, len(_ROS1_MAGIC), {})


def _ros1_messages(
    content: bytes, place: int, connections: dict[int, tuple[str, str]]
) -> Iterator[RawMessage]:
    while place < len(content):
        header_bytes, place = _ros1_block(content, place)
        header = _ros1_fields(header_bytes)
        kind = header.get("op", b"\0")[0]
        if kind == _ROS1_CHUNK and header["compression"] == b"none":
            # Its messages follow as records of their own; a chunk cut off loses only its end.
            place += 4
            continue
        data, place = _ros1_block(content, place)
        if kind == _ROS1_CHUNK:
            unpacked = _ros1_unpacked(data, header["compression"])
            yield from _ros1_messages(unpacked, 0, connections)
        elif kind == _ROS1_CONNECTION:
            number = _uint32(header["conn"])
            connections[number] = (
                header["topic"].decode(),
                _ros2_type(_ros1_fields(data)["type"].decode()),
            )
            yield RawMessage(*connections[number], "ros1", 0, None)
        elif kind == _ROS1_MESSAGE:
            seconds, nanoseconds = struct.unpack("<II", header["time"])
            topic, message_type = connections[_uint32(header["conn"])]
            log_time_ns = seconds * 10**9 + nanoseconds
            yield RawMessage(topic, message_type, "ros1", log_time_ns, data)


def _ros1_block(content: bytes, place: int) -> tuple[bytes, int]:
    """Return the bytes that follow a length, and the place after them."""
    begin = place + 4
    if begin > len(content):
        raise CutOffError(f"the file ends at byte {len(content)}, in a length")
    end = begin + _uint32(content[place:begin])
    if end > len(content):
        raise CutOffError(f"the file ends at byte {len(content)}, a record would go to {end}")
    return content[begin:end], end


def _ros1_fields(header: bytes) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    place = 0
    while place < len(header):
        entry, place = _ros1_block(header, place)
        name, _, value = entry.partition(b"=")
        fields[name.decode()] = value
    return fields


def _ros1_unpacked(data: bytes, compression: bytes) -> bytes:
    if compression == b"bz2":
        return bz2.decompress(data)
    import lz4.frame

    unpacked: bytes = lz4.frame.decompress(data)
    return unpacked


def _uint32(field: bytes) -> int:
    return int.from_bytes(field, "little")


def _ros2_type(name: str) -> str:
    """nav_msgs/Odometry and nav_msgs/msg/Odometry are the same to us."""
    package, _, message = name.partition("/")
    return name if "/" in message or not message else f"{package}/msg/{message}"
