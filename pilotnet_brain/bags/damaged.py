"""Bag files without their index: read record by record from the start until they break off.

Each reader yields what is whole and then raises whatever the broken rest caused; the caller keeps
what came before.
"""

from __future__ import annotations

import bz2
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, RecordLengthLimitExceeded
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Footer, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from rosbags.rosbag1.reader import Header, RecordType, read_bytes, read_uint32
from rosbags.typesys.msg import normalize_msgtype

from pilotnet_brain.bags.reader import RawMessage

_ROS1_MAGIC = b"#ROSBAG V2.0\n"


class CutOffError(Exception):
    """The file ends in the middle of a record."""


def raw_mcap(path: Path) -> Iterator[RawMessage]:
    """The messages of an MCAP file, its chunks' checksums verified, no footer needed.

    Of a chunk that is cut off, what can be decompressed is read.
    """
    types: dict[int, str] = {}
    channels: dict[int, tuple[str, str, str]] = {}
    with path.open("rb") as file:
        limit = path.stat().st_size
        records = StreamReader(file, emit_chunks=True, record_size_limit=limit).records
        start = 0
        try:
            for record in records:
                if isinstance(record, Footer):
                    return
                if isinstance(record, Chunk):
                    inside = breakup_chunk(record, validate_crc=True)
                    yield from _mcap_messages(inside, types, channels)
                else:
                    yield from _mcap_messages([record], types, channels)
                start = file.tell()
        except (EndOfFile, RecordLengthLimitExceeded):
            yield from _mcap_messages(_rest_of_chunk(file, start), types, channels)
            raise


def _mcap_messages(
    records: Iterable[McapRecord], types: dict[int, str], channels: dict[int, tuple[str, str, str]]
) -> Iterator[RawMessage]:
    """The messages in records; their schemas' types and their channels are kept for the next."""
    for record in records:
        if isinstance(record, Schema):
            types[record.id] = normalize_msgtype(record.name)
        elif isinstance(record, Channel):
            kind = types.get(record.schema_id, "")
            channels[record.id] = (record.topic, kind, record.message_encoding)
            yield RawMessage(*channels[record.id], 0, None)
        elif isinstance(record, Message):
            yield RawMessage(*channels[record.channel_id], record.log_time, record.data)


def _rest_of_chunk(file: IO[bytes], start: int) -> Iterator[McapRecord]:
    """The records in what is there of the chunk that starts at a byte; none if it is no chunk."""
    file.seek(start)
    stream = ReadDataStream(file)
    if stream.read1() != Opcode.CHUNK:
        return
    stream.read(8 + 28)  # its length; times, size and checksum of what it holds
    compression = stream.read_prefixed_string()
    stream.read8()
    data = _unpacked(file.read(), compression)
    yield from StreamReader(BytesIO(data), skip_magic=True).records


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
    with (
        _whole_pages(path) as whole,
        closing(sqlite3.connect(f"{whole.resolve().as_uri()}?{mode}", uri=True)) as database,
    ):
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
            # A page that points back would make SQLite read in circles for ever.
            if row <= newest:
                raise CutOffError(f"message {row} follows message {newest}")
            newest = row
            yield RawMessage(*topics[number], log_time_ns, data)


@contextmanager
def _whole_pages(path: Path) -> Iterator[Path]:
    """An SQLite file without a last page that is cut off: SQLite would fill it up with zeros."""
    with path.open("rb") as file:
        file.seek(16)
        page_size = int.from_bytes(file.read(2), "big")
    size = path.stat().st_size
    rest = size % (65536 if page_size == 1 else page_size or size or 1)
    if not rest:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            if (part := path.with_name(path.name + suffix)).exists():
                shutil.copyfile(part, copy.with_name(part.name))
        os.truncate(copy, size - rest)
        yield copy


def raw_ros1(path: Path) -> Iterator[RawMessage]:
    """The messages of a ROS 1 bag (format 2.0), its index at the end not needed."""
    content = path.read_bytes()
    if not content.startswith(_ROS1_MAGIC):
        raise CutOffError("no ROS 1 bag of format 2.0")
    yield from _ros1_records(BytesIO(content[len(_ROS1_MAGIC) :]), {})


def _ros1_records(
    records: BytesIO, connections: dict[int, tuple[str, str]]
) -> Iterator[RawMessage]:
    end = len(records.getbuffer())
    while records.tell() < end:
        header = Header.read(records)
        kind = header.get_uint8("op")
        if kind == RecordType.CONNECTION:
            message_type = normalize_msgtype(Header.read(records).get_string("type"))
            connection = header.get_string("topic"), message_type
            connections[header.get_uint32("conn")] = connection
            yield RawMessage(*connection, "ros1", 0, None)
            continue
        size = read_uint32(records)
        if kind == RecordType.MSGDATA:
            connection = connections[header.get_uint32("conn")]
            data = read_bytes(records, size)
            yield RawMessage(*connection, "ros1", header.get_time("time"), data)
        elif kind != RecordType.CHUNK:
            records.seek(size, os.SEEK_CUR)
        elif (compression := header.get_string("compression")) != "none":
            start = records.tell()
            data = _unpacked(records.read(size), compression)
            yield from _ros1_records(BytesIO(data), connections)
            records.seek(start + size)
        # The messages of a chunk that is not compressed follow as records.
    if records.tell() > end:
        raise CutOffError("the bag ends in the middle of a record")
