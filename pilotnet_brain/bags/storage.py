"""The files of a bag, read record by record from the start; their index is not needed.

Each reader yields what is whole and then raises whatever the broken rest caused; the caller keeps
what came before. What is unpacked is bounded: a few bytes can claim to hold gigabytes.
"""

from __future__ import annotations

import bz2
import mmap
import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, RecordLengthLimitExceeded
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Footer, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag1.reader import Header, RecordType, read_bytes, read_uint32
from rosbags.typesys.msg import normalize_msgtype

from pilotnet_brain.bags.reader import RawMessage, Wanted

_ROS1_MAGIC = b"#ROSBAG V2.0\n"
_COMPRESSED = {
    b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"BZh": "bz2", b"\x1f\x8b": "gzip",
}  # fmt: skip
"""How compressed data begins. A CDR message begins with a zero byte."""
_LARGEST_BYTES = 1 << 27
"""Of an unpacked message or chunk; recorders write chunks of about 1 MB."""
_LARGEST_RATIO = 100
"""Of a whole file and what it is compressed to; bags have 2 to 30."""


class CutOffError(Exception):
    """The file ends in the middle of a record, or does not hold what it says."""


def raw_messages(file: Path, wanted: Wanted) -> Iterator[RawMessage]:
    """The wanted messages of a storage file, compressed as a whole or not; others may come, too."""
    if file.suffix == ".zstd":
        yield from _of_compressed_file(file, wanted)
    elif file.suffix == ".mcap":
        yield from _raw_mcap(file)
    elif file.suffix == ".db3":
        yield from _raw_sqlite(file, wanted)
    else:
        yield from _raw_ros1(file)


def unpacked_message(data: bytes) -> bytes:
    """Return a CDR message that the recorder may have compressed by itself."""
    for magic, compression in _COMPRESSED.items():
        if data.startswith(magic):
            try:
                return _unpacked(data, compression)
            except Exception as problem:  # of four libraries
                text = f"its messages are compressed with {compression}: {problem}"
                raise CutOffError(text) from problem
    return data


def _of_compressed_file(file: Path, wanted: Wanted) -> Iterator[RawMessage]:
    """The messages of a file as far as it can be unpacked."""
    import zstandard

    broken: Exception | None = None
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / file.stem
        left = max(2 * _LARGEST_BYTES, _LARGEST_RATIO * file.stat().st_size)
        left = min(left, shutil.disk_usage(folder).free // 2)
        with file.open("rb") as packed, plain.open("wb") as out:
            try:
                for piece in zstandard.ZstdDecompressor().read_to_iter(packed):
                    left -= len(piece)
                    if left < 0:
                        raise CutOffError("unpacked, it is far larger than a bag or than the disk")
                    out.write(piece)
            except (CutOffError, zstandard.ZstdError) as problem:
                broken = problem
        yield from raw_messages(plain, wanted)
    if broken is not None:
        raise broken


def _raw_mcap(path: Path) -> Iterator[RawMessage]:
    """The messages of an MCAP file, its chunks' checksums verified, no footer needed.

    Of a chunk that is cut off, what can be unpacked is read.
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
                inside = _in_chunk(record) if isinstance(record, Chunk) else [record]
                yield from _mcap_messages(inside, types, channels)
                start = file.tell()
        except (EndOfFile, RecordLengthLimitExceeded):
            with suppress(EndOfFile):
                yield from _mcap_messages(_rest_of_chunk(file, start), types, channels)
            raise CutOffError("it ends in the middle of a record") from None


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


def _in_chunk(chunk: Chunk) -> Iterator[McapRecord]:
    """The records in a whole chunk."""
    data = _unpacked(chunk.data, chunk.compression)
    if chunk.uncompressed_crc not in (0, zlib.crc32(data)):
        raise CutOffError("the checksum of a chunk is wrong")
    return _records(data)


def _rest_of_chunk(file: IO[bytes], start: int) -> Iterator[McapRecord]:
    """The records in what is there of the chunk that starts at a byte; none if it is no chunk."""
    file.seek(start)
    stream = ReadDataStream(file)
    if stream.read1() != Opcode.CHUNK:
        return
    stream.read(8 + 28)  # its length; times, size and checksum of what it holds
    compression = stream.read_prefixed_string()
    stream.read8()
    yield from _records(_unpacked(file.read(_LARGEST_BYTES), compression))


def _records(data: bytes) -> Iterator[McapRecord]:
    """The records one after another in some bytes."""
    stream = BytesIO(data)
    records = StreamReader(stream, skip_magic=True, record_size_limit=len(data)).records
    while stream.tell() < len(data):
        yield next(records)


def _unpacked(data: bytes, compression: str) -> bytes:
    """Return what compressed bytes hold; of those that are cut off, as far as they go."""
    most = _LARGEST_BYTES + 1
    if compression in ("", "none"):
        unpacked = data
    elif compression == "bz2":
        unpacked = bz2.BZ2Decompressor().decompress(data, most)
    elif compression == "lz4":
        import lz4.frame

        unpacked = lz4.frame.LZ4FrameDecompressor().decompress(data, most)
    elif compression == "zstd":
        unpacked = _unpacked_zstd(data, most)
    else:
        raise CutOffError(f"{compression} cannot be read here")
    if len(unpacked) > _LARGEST_BYTES:
        raise CutOffError(f"unpacked, it is larger than {_LARGEST_BYTES >> 20} MiB")
    return unpacked


def _unpacked_zstd(data: bytes, most: int) -> bytes:
    import zstandard

    unpacked = bytearray()
    for piece in zstandard.ZstdDecompressor().read_to_iter(data):
        unpacked += piece
        if len(unpacked) >= most:
            break
    return bytes(unpacked)


def _raw_sqlite(path: Path, wanted: Wanted) -> Iterator[RawMessage]:
    """The wanted messages of an SQLite storage file in the order in which they were written."""
    # Unmerged pages of a killed writer lie in a -wal file, which `immutable` would not look at.
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    with (
        _whole_pages(path) as whole,
        closing(sqlite3.connect(f"{whole.resolve().as_uri()}?{mode}", uri=True)) as database,
    ):
        # Without this SQLite refuses a file shorter than its header says before reading any of it.
        database.execute("PRAGMA writable_schema = ON")
        # A view can have rows without end.
        if "view" in dict(database.execute("SELECT type, name FROM sqlite_master")):
            raise CutOffError("it has views, as no bag does")
        topics: dict[int, tuple[str, str, str]] = {}
        for number, name, kind, encoding in database.execute(
            "SELECT id, name, type, serialization_format FROM topics"
        ):
            if not all(isinstance(text, str) for text in (name, kind, encoding)):
                raise CutOffError(f"topic {number} has no name or type")
            topics[number] = (name, kind, encoding)
            yield RawMessage(*topics[number], 0, None)
        asked = [n for n, (name, kind, _) in topics.items() if wanted(name, kind)]
        newest = -1
        for row, number, log_time_ns, data in database.execute(
            "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE topic_id IN "  # noqa: S608
            f"({', '.join('?' * len(asked))})",
            asked,
        ):
            # A page that points back would make SQLite read in circles for ever.
            if row <= newest:
                raise CutOffError(f"message {row} follows message {newest}")
            if not isinstance(log_time_ns, int) or not isinstance(data, bytes):
                raise CutOffError(f"message {row} has no time or no content")
            newest = row
            yield RawMessage(*topics[number], log_time_ns, data)
    _check_page_count(path)


def _check_page_count(path: Path) -> None:
    """Raise CutOffError for an SQLite file that is shorter than its header says."""
    with path.open("rb") as file:
        header = file.read(32)
    page_size = int.from_bytes(header[16:18], "big")
    said = int.from_bytes(header[28:32], "big") * (65536 if page_size == 1 else page_size)
    if path.stat().st_size < said:
        raise CutOffError(f"{path.stat().st_size} of {said} bytes are there")


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


def _raw_ros1(path: Path) -> Iterator[RawMessage]:
    """The messages of a ROS 1 bag (format 2.0), its index at the end not needed."""
    with path.open("rb") as file:
        if file.read(len(_ROS1_MAGIC)) != _ROS1_MAGIC:
            raise CutOffError("no ROS 1 bag of format 2.0")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            content.seek(len(_ROS1_MAGIC))
            begin = Header.read(content)  # type: ignore[arg-type]  # it reads like a file
            content.seek(len(_ROS1_MAGIC))
            yield from _ros1_records(content, len(content), {})
            if not 0 < begin.get_uint64("index_pos") <= len(content):
                raise CutOffError("it has no index")


def _ros1_records(
    records: Any, end: int, connections: dict[int, tuple[str, str]]
) -> Iterator[RawMessage]:
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
            read_bytes(records, size)
        elif (compression := header.get_string("compression")) != "none":
            packed = records.read(size)
            data = _unpacked(packed, compression)
            yield from _ros1_records(BytesIO(data), len(data), connections)
            if len(packed) < size:
                raise CutOffError("it ends in the middle of a chunk")
        # The messages of a chunk that is not compressed follow as records.
