"""A bag that can be opened at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.reader import read_bag
from pilotnet_brain.bags.writer import BagWriter, OfferedQos
from pilotnet_brain.errors import UserError

STORE = get_typestore(Stores.ROS2_JAZZY)
CLOCK = "rosgraph_msgs/msg/Clock"
TWIST = "geometry_msgs/msg/Twist"


def clock(seconds: int) -> bytes:
    """Return a serialized Clock message."""
    time = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=0)
    return bytes(STORE.serialize_cdr(STORE.types[CLOCK](clock=time), CLOCK))


def writer(directory: Path) -> BagWriter:
    return BagWriter(directory, {"/clock": CLOCK, "/cmd": TWIST}, {"/clock": [OfferedQos()]})


def seconds_in(bag: Path) -> list[int]:
    # A bag whose first chunk never reached the disk holds no definitions yet.
    with AnyReader([bag], default_typestore=STORE) as reader:
        return [
            reader.deserialize(data, connection.msgtype).clock.sec
            for connection, _, data in reader.messages()
        ]


def test_a_closed_bag_holds_every_message(tmp_path: Path) -> None:
    bag = writer(tmp_path / "bag")
    for second in range(1000):
        bag.write("/clock", clock(second), 10**18 + second)
    bag.close()
    assert seconds_in(tmp_path / "bag") == list(range(1000))
    with AnyReader([tmp_path / "bag"]) as reader:
        assert {c.topic: c.msgcount for c in reader.connections} == {"/clock": 1000, "/cmd": 0}
        assert reader.start_time == 10**18
    with (tmp_path / "bag" / "bag_0.mcap").open("rb") as file:
        mcap = make_reader(file)
        assert mcap.get_header().profile == "ros2"
        summary = mcap.get_summary()
        assert summary is not None
        channel = next(iter(summary.channels.values()))
        assert "reliability: 1" in channel.metadata["offered_qos_profiles"]
        assert channel.metadata["topic_type_hash"].startswith("RIHS01_")


@pytest.mark.parametrize("count", [0, 1, 300, 1000])
def test_a_bag_that_was_never_closed_opens_and_lacks_only_its_end(
    tmp_path: Path, count: int
) -> None:
    bag = writer(tmp_path / "bag")
    for second in range(count):
        bag.write("/clock", clock(second), 10**18 + second)
    read = seconds_in(tmp_path / "bag")
    assert read == list(range(len(read)))
    # 8 KiB of Clock messages, 43 bytes each with their heads.
    assert count - len(read) <= 8192 // 43 + 1
    with (tmp_path / "bag" / "bag_0.mcap").open("rb") as file:
        assert sum(1 for _ in make_reader(file).iter_messages()) == len(read)


def test_metadata_is_there_from_the_start(tmp_path: Path) -> None:
    writer(tmp_path / "bag")
    text = (tmp_path / "bag" / "metadata.yaml").read_text()
    assert "name: /cmd" in text
    assert "reliability: 1" in text


def test_a_bag_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(UserError, match="bag"):
        writer(tmp_path / "bag")


def test_every_five_minutes_another_file_begins(tmp_path: Path) -> None:
    """A file's index lies in memory until the file is complete: it must not grow for hours."""
    bag = writer(tmp_path / "bag")
    for second in range(1000):
        bag.write("/clock", clock(second), 10**18 + second * 10**9)
    metadata = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
    names = metadata["rosbag2_bagfile_information"]["relative_file_paths"]
    assert names == [f"bag_{number}.mcap" for number in range(4)]
    with (tmp_path / "bag" / "bag_2.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 300
    bag.close()
    assert seconds_in(tmp_path / "bag") == list(range(1000))
    with AnyReader([tmp_path / "bag"]) as reader:
        assert reader.message_count == 1000
        assert reader.duration == 999 * 10**9 + 1
    clocks = read_bag(tmp_path / "bag", lambda *_: True).messages
    assert [message.message.clock.sec for message in clocks] == list(range(1000))
