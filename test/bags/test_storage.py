"""Bags cut off at any byte, or with any byte changed: read as far as they go, and said so."""

import gzip
import sqlite3
import tracemalloc
import warnings
from contextlib import closing

import lz4.frame
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.data_stream import RecordBuilder
from mcap.records import Channel, Chunk, Schema
from recorded_bags import (
    BEGIN_NS,
    ODOM,
    cut,
    odometry,
    read_with_warnings,
    write_ros1,
    write_ros2,
    write_split,
    write_unfinished_mcap,
)
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.reader import (
    ODOMETRY_TYPE,
    BagError,
    is_bag,
    read_bag,
    read_odometry_path,
    stream_bag,
)
from pilotnet_brain.bags.writer import BagWriter
from pilotnet_brain.errors import InputWarning

KINDS = [
    "mcap", "mcap without footer", "mcap message", "mcap file", "sqlite3", "sqlite3 message",
    "sqlite3 file", "ros1", "ros1 lz4",
]  # fmt: skip
"""A storage, and how it is compressed: rosbag2's by message or by file."""
SECONDS, COUNT = 3.0, 61
often = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def odometry_only(topic, kind):
    return kind == ODOMETRY_TYPE


def written(folder, kind):
    """Write a bag of a kind; return its storage file."""
    if kind == "mcap without footer":
        return write_unfinished_mcap(folder / "lap_0.mcap", SECONDS)
    if kind.startswith("ros1"):
        return write_ros1(folder / "lap.bag", SECONDS, compressed=kind.endswith("lz4"))
    storage, _, mode = kind.partition(" ")
    compressed = CompressionMode[mode.upper()] if mode else None
    (file,) = write_ros2(folder / "lap", SECONDS, storage, compressed=compressed).glob("lap.*")
    return file


class Bag:
    """A bag's storage file, its bytes, and what it holds: time of recording -> x."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.file = written(folder, kind)
        self.content = self.file.read_bytes()
        whole = read_bag(self.file, odometry_only).messages
        self.held = {m.log_time_ns: m.message.pose.pose.position.x for m in whole}

    def damaged(self, content):
        """Write the content next to the file and return its path."""
        copy = self.file.with_name(f"damaged.{self.file.name.partition('.')[2]}")
        copy.write_bytes(content)
        return copy


@pytest.fixture(scope="module", params=KINDS)
def bag(request, tmp_path_factory):
    made = Bag(request.param, tmp_path_factory.mktemp("bags"))
    assert len(made.held) == COUNT or made.kind == "mcap without footer"
    return made


@often
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_bag_cut_off_at_any_byte_gives_what_came_before(bag, share):
    copy = bag.damaged(bag.content[: int(share * len(bag.content))])
    # Compressed blocks are whole or nothing, and a small bag has one; a small database few pages.
    all_in_one = bag.kind in ("ros1 lz4", "mcap file", "sqlite3 file", "sqlite3 message")
    try:
        contents, warning = read_with_warnings(copy, odometry_only)
    except BagError as error:
        assert copy.name in str(error)
        assert share < 0.4 or all_in_one
        return
    times = [message.log_time_ns for message in contents.messages]
    if bag.kind.startswith("sqlite3"):
        assert set(times) <= set(bag.held)
    else:
        assert times == list(bag.held)[: len(times)]
    for message in contents.messages:
        assert message.message.pose.pose.position.x == bag.held[message.log_time_ns]
    assert len(times) == COUNT or "was not closed properly" in warning
    # The index, the chunk in the making and SQLite's own pages are the rest.
    assert all_in_one or len(times) >= (share - 0.4) * COUNT


@often
@given(place=st.floats(0.0, 1.0, exclude_max=True), bits=st.integers(1, 255))
def test_a_bag_with_any_byte_changed_is_read_or_refused_in_words(bag, place, bits):
    changed = bytearray(bag.content)
    changed[int(place * len(changed))] ^= bits
    copy = bag.damaged(bytes(changed))
    list(stream_bag(copy, odometry_only))
    try:
        contents, warning = read_with_warnings(copy, odometry_only)
    except BagError as error:
        assert copy.name in str(error)
        return
    if bag.kind == "mcap without footer":
        # Its checksums tell a changed message from a true one.
        for message in contents.messages:
            assert message.message.pose.pose.position.x == bag.held[message.log_time_ns]
        assert "was not closed properly" in warning


EDITS = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.integers(0, 200), st.binary(max_size=20)), max_size=5
)


@often
@given(edits=EDITS)
def test_a_bag_with_bytes_replaced_anywhere_is_read_or_refused_in_words(bag, edits):
    content = bag.content
    for place, dropped, inserted in edits:
        at = int(place * len(content))
        content = content[:at] + inserted + content[at + dropped :]
    copy = bag.damaged(content)
    list(stream_bag(copy, lambda topic, kind: True))
    try:
        read_odometry_path(copy)
    except BagError as error:
        assert copy.name in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE topics SET name = NULL", "topic 1 has no name or type"),
        ("UPDATE topics SET type = x'00ff'", "topic 1 has no name or type"),
        ("UPDATE messages SET timestamp = 'noon'", "message 1 has no time or no content"),
        ("UPDATE messages SET data = NULL", "message 1 has no time or no content"),
    ],
)
def test_a_database_with_values_of_other_types_is_told(tmp_path, change, told):
    bag = Bag("sqlite3", tmp_path)
    copy = bag.damaged(bag.content)
    with closing(sqlite3.connect(copy)) as database, database:
        for table in ("topics", "messages"):
            database.execute(f"ALTER TABLE {table} RENAME TO {table}_with_types")
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM {table}_with_types")
        database.execute(change)
    try:
        contents, warning = read_with_warnings(copy, odometry_only)
    except BagError as refused:
        assert told in str(refused)
    else:
        assert contents.messages == []
        assert told in warning


def test_a_database_with_rows_without_end_is_refused(tmp_path):
    endless = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i AS id, "
    columns = {
        "topics": "'/t' AS name, 'a/msg/B' AS type, 'cdr' AS serialization_format",
        "messages": "1 AS topic_id, 0 AS timestamp, x'00' AS data",
    }
    with closing(sqlite3.connect(tmp_path / "endless.db3")) as database, database:
        for table, of in columns.items():
            database.execute(f"CREATE VIEW {table} AS {endless} {of} FROM c")
    with pytest.raises(BagError, match=r"endless\.db3: .* it has views"):
        read_bag(tmp_path / "endless.db3", odometry_only)


def test_a_database_cut_off_within_a_page_gives_no_message_of_zeros(tmp_path):
    bag = Bag("sqlite3", tmp_path)
    for size in range(4096 * 5, len(bag.content), 700):
        copy = bag.damaged(bag.content[:size])
        for reader in (lambda *a: read_bag(*a).messages, stream_bag):
            for message in reader(copy, odometry_only):
                assert message.message.pose.pose.position.x == bag.held[message.log_time_ns]


def test_of_a_chunk_that_was_cut_off_what_there_is_is_read(tmp_path):
    # One chunk holds the whole lap.
    bag = Bag("mcap", tmp_path)
    counts = []
    for share in (0.2, 0.4, 0.6, 0.8):
        copy = bag.damaged(bag.content[: int(share * len(bag.content))])
        counts.append(len(read_bag(copy, odometry_only).messages))
    assert np.all(np.diff(counts) > 5), counts


def test_a_changed_byte_in_a_closed_recording_is_found(tmp_path):
    """What our recorder wrote and closed: the reader by index alone would take it for true."""
    bag = BagWriter(tmp_path / "bag", {ODOM: ODOMETRY_TYPE}, {})
    store = get_typestore(Stores.ROS2_JAZZY)
    for number in range(COUNT):
        message = odometry(store, number / 20.0, number / 2.0)
        bag.write(ODOM, bytes(store.serialize_cdr(message, ODOMETRY_TYPE)), BEGIN_NS + number)
    bag.close()
    (file,) = (tmp_path / "bag").glob("*.mcap")
    content = bytearray(file.read_bytes())
    assert read_with_warnings(tmp_path / "bag", odometry_only)[1] == ""
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    contents, warning = read_with_warnings(tmp_path / "bag", odometry_only)
    assert len(contents.messages) < COUNT
    assert "was not closed properly" in warning


@pytest.mark.parametrize("mode", [CompressionMode.MESSAGE, CompressionMode.FILE])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_rosbag2s_own_compression_is_read_without_metadata(tmp_path, storage, mode):
    bag = write_ros2(tmp_path / "lap", SECONDS, storage, compressed=mode)
    whole, warning = read_with_warnings(bag, odometry_only)
    assert (len(whole.messages), warning) == (COUNT, "")
    (file,) = bag.glob("lap.*")
    assert is_bag(file)
    single, warning = read_with_warnings(file, odometry_only)
    assert (len(single.messages), warning) == (COUNT, "")
    (bag / "metadata.yaml").unlink()
    assert is_bag(bag)
    killed, warning = read_with_warnings(bag, odometry_only)
    assert len(killed.messages) == len(list(stream_bag(bag, odometry_only))) == COUNT
    assert "was not closed properly" in warning and "metadata.yaml is missing" in warning


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_compressed_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path, storage):
    # Of a longer one in sqlite3 nothing is left: its index is three levels high then.
    bag = write_ros2(tmp_path / "lap", 40.0, storage, compressed=CompressionMode.FILE)
    (file,) = bag.glob("*.zstd")
    contents, warning = read_with_warnings(cut(file, 0.6), odometry_only)
    assert 200 < len(contents.messages) < 800
    assert "breaks off" in warning


def test_of_a_file_whose_compression_was_cut_short_the_plain_one_is_read(tmp_path):
    bag = write_ros2(tmp_path / "lap", SECONDS)
    (file,) = bag.glob("*.mcap")
    file.with_name(f"{file.name}.zstd").write_bytes(zstandard.compress(file.read_bytes())[:500])
    contents, warning = read_with_warnings(bag, odometry_only)
    assert (len(contents.messages), warning) == (COUNT, "")


def write_messages(folder, *contents):
    """Write an MCAP bag of odometry messages with any bytes for their content."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(ODOM, ODOMETRY_TYPE, typestore=store)
        for number, data in enumerate(contents):
            writer.write(connection, BEGIN_NS + number, data)
    return folder


def test_messages_in_another_compression_are_told_as_the_cause(tmp_path):
    bag = write_messages(tmp_path / "lap", gzip.compress(bytes(700)))
    contents, warning = read_with_warnings(bag, odometry_only)
    assert contents.messages == []
    assert "its messages are compressed with gzip" in warning


GIGABYTE = bytes(1 << 30)


def mcap_bomb(path):
    """An MCAP file of one chunk that unpacks to a gigabyte."""
    records = RecordBuilder()
    Schema(id=1, name=ODOMETRY_TYPE, encoding="ros2msg", data=b"").write(records)
    Channel(id=1, topic=ODOM, message_encoding="cdr", metadata={}, schema_id=1).write(records)
    Chunk(
        compression="zstd",
        data=zstandard.compress(GIGABYTE),
        message_start_time=0,
        message_end_time=0,
        uncompressed_crc=0,
        uncompressed_size=len(GIGABYTE),
    ).write(records)
    file = path / "bomb.mcap"
    file.write_bytes(b"\x89MCAP0\r\n" + records.end())
    return file


def message_bomb(path):
    return write_messages(path / "bomb", zstandard.compress(GIGABYTE))


def file_bomb(path):
    (file,) = write_ros2(path / "bomb", SECONDS).glob("*.mcap")
    bomb = file.with_name("bomb.mcap.zstd")
    bomb.write_bytes(zstandard.compress(file.read_bytes() + GIGABYTE))
    return bomb


def ros1_bomb(path):
    file = write_ros1(path / "bomb.bag", SECONDS, compressed=True)
    content = file.read_bytes()
    start = content.index(b"\x04\x22\x4d\x18")
    size = int.from_bytes(content[start - 4 : start], "little")
    bomb = lz4.frame.compress(lz4.frame.decompress(content[start : start + size]) + GIGABYTE)
    length = len(bomb).to_bytes(4, "little")
    file.write_bytes(content[: start - 4] + length + bomb + content[start + size :])
    return file


@pytest.mark.parametrize("make", [mcap_bomb, message_bomb, file_bomb, ros1_bomb])
def test_what_unpacks_to_a_gigabyte_is_not_unpacked(tmp_path, make):
    bomb = make(tmp_path)
    assert sum(f.stat().st_size for f in tmp_path.rglob("bomb*") if f.is_file()) < 10_000_000
    tracemalloc.start()
    try:
        try:
            _, told = read_with_warnings(bomb, odometry_only)
        except BagError as refused:
            told = str(refused)
        assert tracemalloc.get_traced_memory()[1] < 500_000_000
    finally:
        tracemalloc.stop()
    assert "larger than" in told


def test_a_ros1_bag_that_is_still_active_is_read(tmp_path):
    file = cut(write_ros1(tmp_path / "lap.bag", SECONDS), 0.7).rename(tmp_path / "lap.bag.active")
    assert is_bag(file)
    contents, warning = read_with_warnings(tmp_path, odometry_only)
    assert 20 < len(contents.messages) < COUNT
    assert "lap.bag.active breaks off" in warning


def test_a_lost_part_of_a_split_bag_is_named_by_every_reader(tmp_path):
    bag = write_split(tmp_path / "lap", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        assert len(list(stream_bag(bag, odometry_only))) == 629
    (bag / "lap_1.mcap").unlink()
    with pytest.warns(InputWarning, match=r"lap: .*\(lap_1\.mcap is missing\)"):
        assert len(read_bag(bag, odometry_only).messages) == 419
    with pytest.warns(InputWarning, match=r"lap_1\.mcap is missing"):
        assert len(list(stream_bag(bag, odometry_only))) == 419
    with pytest.warns(InputWarning, match=r"lap_1\.mcap is missing"):
        stream = stream_bag(bag, odometry_only)
        assert next(stream).topic == ODOM
        stream.close()


@pytest.mark.parametrize("text", ["", "[]", "a: {", "rosbag2_bagfile_information: 3"])
def test_a_broken_metadata_file_costs_a_warning_only(tmp_path, text):
    bag = write_ros2(tmp_path / "lap", SECONDS)
    (bag / "metadata.yaml").write_text(text)
    contents, warning = read_with_warnings(bag, odometry_only)
    assert len(contents.messages) == COUNT
    assert "metadata.yaml cannot be read" in warning
