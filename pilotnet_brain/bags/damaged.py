"""Bag files without their index: read record by record from the begin until they break off.

Each reader yields what is whole and then raises whatever the broken rest caused; who calls keeps
what came before.
"""

from __future__ import annotations

import bz2
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

_ROS1_MAGIC = b"#ROSBAG V2.0\n"
_MCAP_MAGIC = b"\x89MCAP0\r\n"
_MCAP_HEAD = struct.Struct("<BQ")
_MCAP_FOOTER, _MCAP_SCHEMA, _MCAP_CHANNEL, _MCAP_MESSAGE, _MCAP_CHUNK = 2, 3, 4, 5, 6
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
    """The messages of an MCAP file, its chunks' checksums verified, no footer needed.

    Of a chunk that is cut off, what can be unpacked is read.
    """
    size = path.stat().st_size
    topics = _McapTopics({}, {})
    with path.open("rb") as file:
        if file.read(len(_MCAP_MAGIC)) != _MCAP_MAGIC:
            raise CutOffError("no MCAP file")
        while True:
            begin = file.tell()
            head = file.read(_MCAP_HEAD.size)
            if len(head) < _MCAP_HEAD.size:
                raise CutOffError(f"the file ends at byte {size}, without its footer")
            kind, length = _MCAP_HEAD.unpack(head)
            record = file.read(min(length, size - file.tell()))
            whole = len(record) == length
            if kind == _MCAP_CHUNK:
                yield from _mcap_chunk(record, whole, begin, topics)
            elif whole:
                yield from _mcap_record(kind, record, topics)
            if not whole:
                raise CutOffError(
                    f"the file ends at byte {size}, a record would go to "
                    f"{begin + _MCAP_HEAD.size + length}"
                )
            if kind == _MCAP_FOOTER:
                return


def check_mcap(path: Path) -> None:
    """Read an MCAP file to its end. Raises CutOffError, or anything, where it is damaged."""
    for _ in raw_mcap(path):
        pass


class _McapTopics(NamedTuple):
    schemas: dict[int, str]
    channels: dict[int, tuple[str, str, str]]


def _mcap_chunk(
    record: bytes, whole: bool, begin: int, topics: _McapTopics
) -> Iterator[RawMessage]:
    """The messages of a chunk, or of as much of it as there is."""
    _, _, _, checksum = struct.unpack_from("<QQQI", record)
    compression, place = _mcap_text(record, 28)
    data = _unpacked(record[place + 8 :], compression)
    if whole and checksum and zlib.crc32(data) != checksum:
        raise CutOffError(f"the chunk at byte {begin} does not fit its checksum")
    place = 0
    while place + _MCAP_HEAD.size <= len(data):
        kind, length = _MCAP_HEAD.unpack_from(data, place)
        place += _MCAP_HEAD.size + length
        if place <= len(data):
            yield from _mcap_record(kind, data[place - length : place], topics)


def _mcap_record(kind: int, record: bytes, topics: _McapTopics) -> Iterator[RawMessage]:
    if kind == _MCAP_SCHEMA:
        topics.schemas[_uint16(record, 0)] = _ros2_type(_mcap_text(record, 2)[0])
    elif kind == _MCAP_CHANNEL:
        topic, place = _mcap_text(record, 4)
        encoding, _ = _mcap_text(record, place)
        channel = topic, topics.schemas.get(_uint16(record, 2), ""), encoding
        topics.channels[_uint16(record, 0)] = channel
        yield RawMessage(*channel, 0, None)
    elif kind == _MCAP_MESSAGE:
        number, _, log_time_ns, _ = struct.unpack_from("<HIQQ", record)
        yield RawMessage(*topics.channels[number], log_time_ns, record[22:])


def _mcap_text(record: bytes, place: int) -> tuple[str, int]:
    """Return the text at a place, and the place after it."""
    begin = place + 4
    end = begin + _uint32(record[place:begin])
    if end > len(record):
        raise CutOffError("a record's text is longer than the record")
    return record[begin:end].decode(), end


def _unpacked(data: bytes, compression: str) -> bytes:
    """Return what compressed bytes hold; of those that are cut off, as far as they go."""
    if compression in ("", "none"):
        return data
    if compression == "bz2":
        return bz2.BZ2Decompressor().decompress(data)
    if compression == "lz4":
        import lz4.frame

        unpacked: bytes = lz4.frame.LZ4FrameDecompressor().decompress(data)
        return unpacked
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    raise CutOffError(f"a chunk is compressed by {compression}, which is not known")


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
        newest = -1
        for row, number, log_time_ns, data in database.execute(
            "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED"
        ):
            # A page that points back would have SQLite walk in circles for ever.
            if row <= newest:
                raise CutOffError(f"message {row} follows message {newest}")
            newest = row
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
        if kind == _ROS1_CHUNK:
            end = place + 4 + _uint32(content[place : place + 4])
            unpacked = _unpacked(content[place + 4 : end], header["compression"].decode())
            yield from _ros1_messages(unpacked, 0, connections)
        data, place = _ros1_block(content, place)
        if kind == _ROS1_CONNECTION:
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


def _uint32(field: bytes) -> int:
    return int.from_bytes(field, "little")


def _uint16(record: bytes, place: int) -> int:
    return int.from_bytes(record[place : place + 2], "little")


def _ros2_type(name: str) -> str:
    """nav_msgs/Odometry and nav_msgs/msg/Odometry are the same to us."""
    package, _, message = name.partition("/")
    return name if "/" in message or not message else f"{package}/msg/{message}"
