"""Odometry paths from bags of every kind, whole and cut off."""

import numpy as np
import pytest
from recorded_bags import (
    BEGIN_NS,
    ODOM,
    RADIUS,
    cut,
    odometry,
    read_with_warnings,
    write_ros1,
    write_ros2,
    write_unfinished_mcap,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags import reader as bag_messages
from pilotnet_brain.bags.reader import (
    ODOMETRY_TYPE,
    BagError,
    BagLibraryMissing,
    is_bag,
    read_bag,
    read_odometry_path,
    stream_bag,
)
from pilotnet_brain.circuits.catalogue import load_circuit


def odometry_only(topic, kind):
    return kind == ODOMETRY_TYPE


@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "ros1", "ros1 lz4"])
def test_every_kind_of_bag_gives_the_same_path(tmp_path, kind):
    if kind.startswith("ros1"):
        bag = write_ros1(tmp_path / "lap.bag", 3.0, compressed=kind.endswith("lz4"))
    else:
        bag = write_ros2(tmp_path / "lap", 3.0, kind)
    path = read_odometry_path(bag)
    angles = np.arange(61) * 0.5 / RADIUS
    assert path == pytest.approx(RADIUS * np.column_stack([np.cos(angles), np.sin(angles)]))
    assert read_with_warnings(bag, odometry_only)[1] == ""
    assert is_bag(bag)


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_a_single_storage_file_is_a_bag_too(tmp_path, suffix):
    folder = write_ros2(tmp_path / "lap", 1.0, "mcap" if suffix == ".mcap" else "sqlite3")
    (file,) = folder.glob(f"*{suffix}")
    assert len(read_odometry_path(file)) == 21


def test_the_lap_becomes_a_circuit(tmp_path):
    circuit = load_circuit(write_ros2(tmp_path / "lap", 34.0))
    assert circuit.centerline.length == pytest.approx(2 * np.pi * RADIUS, rel=1e-3)
    assert abs(circuit.centerline.project(RADIUS, 0.0).lateral_deviation) < 0.01


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_missing_metadata_file_costs_a_warning_only(tmp_path, storage):
    bag = write_ros2(tmp_path / "lap", 3.0, storage)
    (bag / "metadata.yaml").unlink()
    contents, warning = read_with_warnings(bag, odometry_only)
    assert len(contents.messages) == 61
    assert "was not closed properly" in warning


def test_an_mcap_file_without_footer_is_read_to_its_last_chunk(tmp_path):
    file = write_unfinished_mcap(tmp_path / "lap_0.mcap", 10.2)
    contents, warning = read_with_warnings(file, odometry_only)
    assert 194 <= len(contents.messages) < 205
    assert "breaks off" in warning
    stamps = [m.message.header.stamp.sec + m.message.header.stamp.nanosec * 1e-9
              for m in contents.messages]  # fmt: skip
    assert stamps == pytest.approx(np.arange(len(stamps)) / 20.0)


@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
def test_bags_cut_off_in_half_a_message(tmp_path, share):
    mcap = cut(write_unfinished_mcap(tmp_path / "lap_0.mcap", 10.0), share)
    sqlite = write_ros2(tmp_path / "sqlite", 10.0, "sqlite3")
    cut(next(sqlite.glob("*.db3")), share)
    ros1 = cut(write_ros1(tmp_path / "lap.bag", 10.0), share)
    for bag in (mcap, sqlite, ros1):
        contents, warning = read_with_warnings(bag, odometry_only)
        count = len(contents.messages)
        assert (share - 0.3) * 201 < count < min(201, (share + 0.3) * 201), bag
        assert "breaks off" in warning


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89MCAP0\r\n", b"#ROSBAG V2.0\n"])
@pytest.mark.parametrize("name", ["lap.mcap", "lap.db3", "lap.bag"])
def test_what_is_no_bag_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=name):
        read_odometry_path(tmp_path / name)


def test_an_empty_folder_and_a_missing_path_are_named(tmp_path):
    with pytest.raises(BagError, match="not a bag"):
        read_odometry_path(tmp_path)
    with pytest.raises(BagError, match="no such bag"):
        read_odometry_path(tmp_path / "nothing")
    assert not is_bag(tmp_path)


def write_two_odometries(folder, topics):
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for shift, topic in enumerate(topics):
            connection = writer.add_connection(topic, ODOMETRY_TYPE, typestore=store)
            data = store.serialize_cdr(odometry(store, 1.0, 10.0 * shift), ODOMETRY_TYPE)
            writer.write(connection, BEGIN_NS + shift, data)
    return folder


def test_the_only_other_odometry_topic_is_taken(tmp_path):
    assert len(read_odometry_path(write_two_odometries(tmp_path / "bag", ["/car/odom"]))) == 1


def test_of_two_the_default_one_is_taken_and_others_by_name(tmp_path):
    bag = write_two_odometries(tmp_path / "bag", ["/car/odom", ODOM])
    assert read_odometry_path(bag)[0, 1] > 1.0
    assert read_odometry_path(bag, "/car/odom")[0, 1] == pytest.approx(0.0)
    with pytest.raises(BagError, match=r"no topic /odom .*/F1ROS/odom, /car/odom"):
        read_odometry_path(bag, "/odom")


def test_two_strange_topics_must_be_named(tmp_path):
    bag = write_two_odometries(tmp_path / "bag", ["/a/odom", "/b/odom"])
    with pytest.raises(BagError, match="/a/odom, /b/odom"):
        read_odometry_path(bag)


@pytest.mark.parametrize("share", [0.6, 1.0])
@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "ros1"])
def test_a_stream_gives_what_reading_gives(tmp_path, kind, share):
    if kind == "ros1":
        file = write_ros1(tmp_path / "lap.bag", 5.0)
    else:
        (file,) = write_ros2(tmp_path / "lap", 5.0, kind).glob("lap.*")
    cut(file, share)
    streamed = [message.log_time_ns for message in stream_bag(file, odometry_only)]
    assert streamed == [m.log_time_ns for m in read_bag(file, odometry_only).messages]
    assert len(streamed) == 101 if share == 1.0 else 20 < len(streamed) < 101


def test_a_python_that_cannot_read_bags_says_so(tmp_path, monkeypatch):
    bag = write_ros2(tmp_path / "lap", 5.0)
    monkeypatch.setattr(bag_messages, "find_spec", lambda name: None)
    with pytest.raises(BagLibraryMissing, match="pip install rosbags"):
        read_odometry_path(bag)
