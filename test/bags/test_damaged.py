"""Bags cut off at any byte, or with any byte changed: read as far as they go, and said so."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_bags import (
    BEGIN_NS,
    ODOM,
    odometry,
    write_ros1,
    write_ros2,
    write_unfinished_mcap,
)
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.reader import ODOMETRY_TYPE, BagError, read_bag, stream_bag
from pilotnet_brain.bags.writer import BagWriter

KINDS = ["mcap", "mcap without footer", "sqlite3", "ros1", "ros1 lz4"]
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
    (file,) = write_ros2(folder / "lap", SECONDS, kind).glob("lap.*")
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
        copy = self.file.with_name(f"damaged{self.file.suffix}")
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
    # Compressed blocks are whole or nothing: the small bag's only one holds every message.
    all_in_one = bag.kind == "ros1 lz4"
    try:
        contents = read_bag(copy, odometry_only)
    except BagError as error:
        assert copy.name in str(error)
        assert share < 0.4 or all_in_one
        return
    times = [message.log_time_ns for message in contents.messages]
    if bag.kind == "sqlite3":
        assert set(times) <= set(bag.held)
    else:
        assert times == list(bag.held)[: len(times)]
    for message in contents.messages:
        assert message.message.pose.pose.position.x == bag.held[message.log_time_ns]
    assert len(times) == COUNT or "was not closed properly" in contents.warning
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
        contents = read_bag(copy, odometry_only)
    except BagError as error:
        assert copy.name in str(error)
        return
    if bag.kind == "mcap without footer":
        # Its checksums tell a changed message from a true one.
        for message in contents.messages:
            assert message.message.pose.pose.position.x == bag.held[message.log_time_ns]
        assert "was not closed properly" in contents.warning


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
    assert read_bag(tmp_path / "bag", odometry_only).warning is None
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    contents = read_bag(tmp_path / "bag", odometry_only)
    assert len(contents.messages) < COUNT
    assert "was not closed properly" in contents.warning
