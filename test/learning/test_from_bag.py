"""Bags become data sets: each frame with the command in force, or the expert's at that pose."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer

from pilotnet_brain.bags.reader import BagError, _typestore
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.cli import main
from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, VirtualCamera
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.preprocess import JDEROBOT, network_input
from pilotnet_brain.errors import InputWarning
from pilotnet_brain.learning.bag_drive import ACKERMANN, TWIST, TWIST_STAMPED, BagLabels
from pilotnet_brain.learning.dataset import DataSetError, load_dataset
from pilotnet_brain.learning.from_bag import BagCounts, dataset_from_bags
from pilotnet_brain.learning.recipe import check_trainable
from pilotnet_brain.metrics.frame_record import NUMBERS, FrameRecord

BEGIN_NS = 1_700_000_000 * 10**9
IMAGES, COMMANDS, ODOM = "/camera/image_raw", "/cmd_vel", "/odom"
WORDS = BagLabels()


def made(folder: Path, bag: Path, labels: BagLabels = WORDS) -> BagCounts:
    *_, counts = dataset_from_bags(folder, [bag], labels)
    return counts


class Bag:
    """Messages to be written, by the time of their recording, s."""

    def __init__(self, ros1: bool = False) -> None:
        self.ros1 = ros1
        self.store = _typestore("ros1" if ros1 else "cdr")
        self.messages: list[tuple[float, str, str, Any]] = []

    def header(self, time_s: float) -> Any:
        stamp = self.store.types["builtin_interfaces/msg/Time"](*divmod(round(time_s * 1e9), 10**9))
        more = {"seq": 0} if self.ros1 else {}
        return self.store.types["std_msgs/msg/Header"](**more, stamp=stamp, frame_id="camera")

    def frame(self, time_s: float, pixels: Any, stamp_s: float = 0.0, topic: str = IMAGES) -> None:
        height, width = pixels.shape[:2]
        kind = "sensor_msgs/msg/Image"
        self.messages.append((time_s, topic, kind, self.store.types[kind](
            self.header(stamp_s), height, width, "rgb8", 0, 3 * width, pixels.ravel()
        )))  # fmt: skip

    def jpeg(self, time_s: float, pixels: Any) -> None:
        kind = "sensor_msgs/msg/CompressedImage"
        data = cv2.imencode(".png", pixels[..., ::-1])[1]
        message = self.store.types[kind](self.header(0.0), "png", data)
        self.messages.append((time_s, IMAGES, kind, message))

    def twist(self, speed: float, yaw_rate: float) -> Any:
        vector = self.store.types["geometry_msgs/msg/Vector3"]
        return self.store.types[TWIST](vector(speed, 0.0, 0.0), vector(0.0, 0.0, yaw_rate))

    def command(self, time_s: float, speed: float, yaw_rate: float, kind: str = TWIST) -> None:
        message = self.twist(speed, yaw_rate)
        if kind == TWIST_STAMPED:
            message = self.store.types[kind](self.header(time_s), message)
        elif kind == ACKERMANN:
            drive = self.store.types["ackermann_msgs/msg/AckermannDrive"]
            message = self.store.types[kind](
                self.header(time_s), drive(yaw_rate, 0.0, speed, 0.0, 0.0)
            )
        self.messages.append((time_s, COMMANDS, kind, message))

    def pose(self, time_s: float, x: float, y: float, yaw: float, stamp_s: float) -> None:
        types, kind = self.store.types, "nav_msgs/msg/Odometry"
        turned = types["geometry_msgs/msg/Quaternion"](
            0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)
        )
        place = types["geometry_msgs/msg/Pose"](types["geometry_msgs/msg/Point"](x, y, 0.0), turned)
        none = np.zeros(36)
        message = types[kind](
            self.header(stamp_s), "base_link",
            types["geometry_msgs/msg/PoseWithCovariance"](place, none),
            types["geometry_msgs/msg/TwistWithCovariance"](self.twist(0.0, 0.0), none),
        )  # fmt: skip
        self.messages.append((time_s, ODOM, kind, message))

    def write(self, path: Path, storage: str = "mcap", compressed: str = "") -> Path:
        if self.ros1:
            writer: Any = Ros1Writer(path)
        else:
            plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
            writer = Ros2Writer(path, version=9, storage_plugin=plugin)
            if compressed:
                writer.set_compression(CompressionMode[compressed], CompressionFormat.ZSTD)
        with writer:
            connections: dict[str, Any] = {}
            for time_s, topic, kind, message in self.messages:
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=self.store)
                serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
                when = BEGIN_NS + round(time_s * 1e9)
                writer.write(connections[topic], when, serialize(message, kind))
        return path


def grey(shade: int, size: tuple[int, int] = (480, 640)) -> Any:
    return np.full((*size, 3), shade, np.uint8)


def driven(ros1: bool = False, kind: str = TWIST) -> Bag:
    """Ten frames at 10 Hz, the k-th of shade 10 k; before each the command 8 + k, 0.1 k."""
    bag = Bag(ros1)
    for k in range(10):
        bag.command(0.1 * k - 0.01, 8.0 + k, 0.1 * k, kind)
        bag.frame(0.1 * k, grey(10 * k))
    return bag


@pytest.mark.parametrize("storage", ["mcap", "sqlite3", "MESSAGE", "FILE", "ros1"])
def test_each_frame_has_the_command_in_force(tmp_path: Path, storage: str) -> None:
    bag = driven(ros1=storage == "ros1")
    compressed = storage if storage.isupper() else ""
    path = bag.write(tmp_path / ("drive.bag" if storage == "ros1" else "drive"),
                     "sqlite3" if storage == "sqlite3" else "mcap", compressed)  # fmt: skip
    counts = made(tmp_path / "set", path)
    data = load_dataset(tmp_path / "set")
    assert (counts.kept, len(data), sum(counts.left_out.values())) == (10, 10, 0)
    assert data.table["v"].to_numpy() == pytest.approx(8.0 + np.arange(10))
    assert data.table["w"].to_numpy() == pytest.approx(0.1 * np.arange(10))
    assert data.frames[:, 33, 100, 1].tolist() == [10 * k for k in range(10)]


def test_a_delay_takes_the_later_command(tmp_path: Path) -> None:
    path = driven().write(tmp_path / "drive")
    made(tmp_path / "set", path, replace(WORDS, delay_s=0.2))
    speeds = load_dataset(tmp_path / "set").table["v"].to_numpy()
    assert speeds == pytest.approx(np.minimum(10.0 + np.arange(10), 17.0))


def test_stamped_and_ackermann_commands_are_read(tmp_path: Path) -> None:
    made(tmp_path / "a", driven(kind=TWIST_STAMPED).write(tmp_path / "stamped"))
    assert load_dataset(tmp_path / "a").table["w"].iloc[3] == pytest.approx(0.3)
    steered = driven(kind=ACKERMANN).write(tmp_path / "steered")
    with pytest.raises(BagError, match=r"/cmd_vel carries steering angles: .* --wheelbase"):
        made(tmp_path / "b", steered)
    made(tmp_path / "b", steered, replace(WORDS, wheelbase=0.5))
    expected = 11.0 * math.tan(0.3) / 0.5
    assert load_dataset(tmp_path / "b").table["w"].iloc[3] == pytest.approx(expected, rel=1e-5)


def taken_over(bag: Bag, time_s: float, by_a_person: bool) -> None:
    """The brain's record of the frame of a stamp."""
    record = FrameRecord(time_s, driven=True, device="cpu", taken_over=by_a_person)
    kind, none = "sensor_msgs/msg/JointState", np.empty(0)
    values = np.array(record.to_numbers())
    message = bag.store.types[kind](bag.header(time_s), list(NUMBERS), values, none, none)
    bag.messages.append((time_s, "/brain/frames", kind, message))


def test_of_takeovers_only_the_persons_frames_are_kept(tmp_path: Path) -> None:
    """The person drives on the third to sixth of ten frames; the brain says it again later."""
    bag = Bag()
    for k in range(10):
        bag.command(0.2 * k - 0.01, 8.0 + k, 0.1 * k)
        if k in (2, 3, 4, 5):
            bag.messages.append((0.2 * k - 0.02, "/key_vel", TWIST, bag.twist(9.0 + k, 0.1 * k)))
        bag.frame(0.2 * k, grey(10 * k), stamp_s=0.2 * k)
        taken_over(bag, 0.2 * k, by_a_person=2 <= k <= 5)
    counts = made(tmp_path / "set", bag.write(tmp_path / "drive"), replace(WORDS, takeovers=True))
    assert load_dataset(tmp_path / "set").table["v"].tolist() == [11.0, 12.0, 13.0, 14.0]
    assert counts.left_out == {"driven by the brain": 6}


def test_who_lets_go_gives_no_label(tmp_path: Path) -> None:
    bag = Bag()
    bag.messages.append((0.0, "/joy_vel", TWIST, bag.twist(9.0, 0.0)))
    for k in range(1, 5):
        bag.command(0.1 * k - 0.01, 9.0, 0.0)  # the brain repeats it
        bag.frame(0.1 * k, grey(10 * k), stamp_s=0.1 * k)
        taken_over(bag, 0.1 * k, by_a_person=True)
    counts = made(tmp_path / "set", bag.write(tmp_path / "drive"), replace(WORDS, takeovers=True))
    assert counts.left_out == {"without a command for 0.25 s": 2}


def test_training_on_a_bag_of_a_test_circuit_is_warned_of(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    bag = driven().write(run / "bag")
    (run / "run.yaml").write_text("spec: {circuit: simple_circuit}")
    made(tmp_path / "set", bag)
    with pytest.warns(InputWarning, match="taken on simple_circuit, which is for testing"):
        check_trainable(tmp_path / "set")
    (run / "run.yaml").write_text("spec: {circuit: nurburgring}")
    made(tmp_path / "other", bag)
    check_trainable(tmp_path / "other")


def test_no_more_than_the_most_frames_are_kept(tmp_path: Path) -> None:
    counts = made(tmp_path / "set", driven().write(tmp_path / "drive"), replace(WORDS, most=4))
    assert counts.kept == len(load_dataset(tmp_path / "set")) == 4


def test_a_drive_that_nobody_took_over_is_told(tmp_path: Path) -> None:
    bag = driven()
    taken_over(bag, 0.1, by_a_person=False)
    with pytest.raises(BagError, match=r"drive: nobody took over on this drive"):
        made(tmp_path / "set", bag.write(tmp_path / "drive"), replace(WORDS, takeovers=True))


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    bag = Bag()
    bag.frame(0.0, grey(1))  # before the first command
    bag.command(0.1, 0.0, 0.0)
    bag.frame(0.2, grey(2))  # standing
    bag.command(0.3, 5.0, 0.0)
    bag.frame(0.4, grey(3))
    bag.frame(0.9, grey(4))  # nobody commands any more
    bag.command(1.0, 7.0, 0.0)
    bag.frame(1.1, grey(5, (20, 30)))  # too small
    bag.frame(1.2, grey(6))
    counts = made(tmp_path / "set", bag.write(tmp_path / "drive"))
    assert counts.kept == 2
    assert counts.below_range == 1
    assert counts.left_out == {
        "before the first command": 1,
        "slower than 0.1 m/s": 1,
        "without a command for 0.5 s": 1,
        "broken (the frame is 30x20: 64x48 is the least)": 1,
    }


def test_compressed_frames_of_another_size_are_warped_to_the_models_camera(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = cv2.resize(rng.integers(0, 255, (24, 32, 3), np.uint8), (320, 240))
    bag = Bag()
    bag.command(0.0, 9.0, 0.5)
    bag.jpeg(0.1, frame)
    made(tmp_path / "set", bag.write(tmp_path / "drive"))
    half = VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, JDEROBOT_CAMERA.of_size(320, 240))
    seen = network_input(frame, homography=half.homography())
    assert np.array_equal(load_dataset(tmp_path / "set").frames[0], seen)


@pytest.mark.parametrize("stamped", [True, False])
def test_the_expert_labels_bad_driving(tmp_path: Path, stamped: bool) -> None:
    circuit = load_circuit("simple_circuit")
    line, expert = circuit.centerline, Expert(circuit)
    bag = Bag()
    for k in range(240):  # at 10 m/s
        station, time_s = 0.25 * k, 0.025 * k
        x, y = line.position(station)
        yaw = float(line.heading(station)) + 0.2
        # Recorded late by as much as stamps are not.
        late_s = 0.03 if stamped else 0.0
        stamp_s = time_s if stamped else 0.0
        bag.pose(time_s + late_s, x - 0.4 * math.sin(yaw), y + 0.4 * math.cos(yaw), yaw, stamp_s)
    stations = (10.1, 30.1, 50.1)
    for station in stations:
        bag.frame(0.1 * station, grey(int(station)), 0.1 * station)
    bag.frame(9.0, grey(99), 9.0)  # after the last pose
    labels = replace(WORDS, circuit="simple_circuit")
    counts = made(tmp_path / "set", bag.write(tmp_path / "drive"), labels)
    assert counts.left_out == {"without a pose": 1}
    table = load_dataset(tmp_path / "set").table
    for row, station in zip(table.itertuples(), stations, strict=True):
        here = line.position(station)
        yaw = float(line.heading(station)) + 0.2
        x, y = here[0] - 0.4 * math.sin(yaw), here[1] + 0.4 * math.cos(yaw)
        speed, yaw_rate = expert.command(x, y, yaw, station)
        assert row.v == pytest.approx(speed, abs=0.02)
        assert row.w == pytest.approx(yaw_rate, abs=0.02)
        assert row.lateral_deviation == pytest.approx(0.4 * math.cos(0.2), abs=0.02)


def test_off_the_road_and_the_wrong_way_round_there_is_no_label(tmp_path: Path) -> None:
    line = load_circuit("simple_circuit").centerline
    (x, y), yaw = line.position(5.0), float(line.heading(5.0))
    bag = Bag()
    for k, (aside, turned) in enumerate([(3.0, 0.0), (0.0, math.pi)]):
        for time_s in (k + 0.0, k + 0.2):
            bag.pose(
                time_s, x - aside * math.sin(yaw), y + aside * math.cos(yaw), yaw + turned, time_s
            )
        bag.frame(k + 0.1, grey(k), k + 0.1)
    with pytest.raises(DataSetError, match="no frame is left .*off the road.*against the driving"):
        made(
            tmp_path / "set",
            bag.write(tmp_path / "drive"),
            replace(WORDS, circuit="simple_circuit"),
        )
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_topic": "/nowhere"}, "no topic /nowhere of type .*; there is /camera/image_raw"),
        ({"command_topic": "/x"}, "no topic /x of type .*; there is /cmd_vel"),
        ({"circuit": "montreal"}, "no nav_msgs/msg/Odometry topic in this bag"),
    ],
)
def test_a_topic_that_is_not_there_is_named(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    path = driven().write(tmp_path / "drive")
    with pytest.raises(BagError, match=reason):
        made(tmp_path / "set", path, replace(WORDS, **change))


def test_of_several_cameras_one_must_be_named(tmp_path: Path) -> None:
    bag = driven()
    bag.frame(1.0, grey(1), topic="/right/image_raw")
    path = bag.write(tmp_path / "drive")
    with pytest.raises(BagError, match="name one of the topics .*/camera/image_raw, /right"):
        made(tmp_path / "set", path)
    made(tmp_path / "set", path, replace(WORDS, image_topic="/right/image_raw"))


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(DataSetError, match="is not empty"):
        made(tmp_path / "set", driven().write(tmp_path / "drive"))


def pictured() -> Bag:
    """Three frames at 10 Hz that differ in every pixel, with commands and odometry."""
    bag, rng = Bag(), np.random.default_rng(1)
    for k in range(3):
        bag.command(0.1 * k - 0.01, 8.0 + k, 0.1 * k)
        bag.pose(0.1 * k - 0.02, 0.0, 0.0, 0.0, 0.0)
        bag.frame(0.1 * k, rng.integers(0, 256, (480, 640, 3), np.uint8))
    return bag


@pytest.mark.parametrize("layout", ["jderobot", "lerobot"])
def test_every_layout_holds_the_same(tmp_path: Path, layout: str) -> None:
    if layout == "lerobot":
        pytest.importorskip("pyarrow")
    paths = [pictured().write(tmp_path / name) for name in ("a", "b")]
    for name in ("compact", layout):
        *_, counts = dataset_from_bags(tmp_path / f"set-{name}", paths, WORDS, name)
        assert counts.kept == 6
    expected, read = (load_dataset(tmp_path / f"set-{name}") for name in ("compact", layout))
    assert np.array_equal(read.frames, expected.frames)
    assert read.table.to_numpy() == pytest.approx(expected.table.to_numpy(), abs=1e-6)
    assert (tmp_path / f"set-{layout}" / "bags.json").is_file()


def test_pictures_are_the_bags_frames(tmp_path: Path) -> None:
    bag = pictured()
    frames = [message for _, _, kind, message in bag.messages if kind.endswith("Image")]
    *_, _ = dataset_from_bags(tmp_path / "set", [bag.write(tmp_path / "drive")], WORDS, "jderobot")
    for number, message in enumerate(frames):
        picture = cv2.imread(str(tmp_path / "set" / f"{number}.png"))[..., ::-1]
        assert np.array_equal(picture, message.data.reshape(480, 640, 3))


def test_the_cars_own_motion_is_the_state_where_every_bag_has_it(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    moving, still = pictured(), pictured()
    for _, _, kind, message in moving.messages:
        if kind.endswith("Odometry"):
            message.twist.twist.linear.x, message.twist.twist.angular.z = 7.5, -0.25
    still.messages = [message for message in still.messages if message[1] != ODOM]
    paths = [moving.write(tmp_path / "moving"), still.write(tmp_path / "still")]
    for name, bags in (("one", paths[:1]), ("both", paths)):
        *_, _ = dataset_from_bags(tmp_path / name, bags, WORDS, "lerobot")
    rows = pd.read_parquet(tmp_path / "one" / "data/chunk-000/file-000.parquet")
    assert np.stack(rows["observation.state"]).tolist() == [[7.5, -0.25]] * 3
    rows = pd.read_parquet(tmp_path / "both" / "data/chunk-000/file-000.parquet")
    assert "observation.state" not in rows


@pytest.mark.parametrize("layout", ["compact", "jderobot", "lerobot"])
def test_of_a_bag_without_frames_nothing_is_left(tmp_path: Path, layout: str) -> None:
    if layout == "lerobot":
        pytest.importorskip("pyarrow")
    bag = Bag()
    bag.command(0.0, 5.0, 0.0)
    bag.frame(3.0, grey(1))
    path = bag.write(tmp_path / "drive")
    with pytest.raises(DataSetError, match="no frame is left"):
        list(dataset_from_bags(tmp_path / "set", [path], WORDS, layout))
    assert not (tmp_path / "set").exists()


def test_a_picture_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictured().write(tmp_path / "drive")
    monkeypatch.setattr("cv2.imwrite", lambda name, picture: not name.endswith("1.png"))
    with pytest.raises(DataSetError, match=r"set: cannot be written: 1\.png cannot be written"):
        list(dataset_from_bags(tmp_path / "set", [path], WORDS, "jderobot"))
    assert not (tmp_path / "set").exists()


def test_a_full_disk_is_told_and_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, frames: Any) -> None:
        path.write_bytes(b"begun")
        raise OSError("34800 requested and 0 written")

    bag = driven().write(tmp_path / "drive")
    with monkeypatch.context() as patched:
        patched.setattr("pilotnet_brain.learning.compact_format.np.save", full)
        with pytest.raises(DataSetError, match="set: cannot be written: 34800 requested"):
            made(tmp_path / "set", bag)
    assert made(tmp_path / "set", bag).kept == 10


def test_the_command_says_what_it_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = driven()
    bag.frame(3.0, grey(1))
    path, folder = bag.write(tmp_path / "drive"), tmp_path / "set"
    assert main(["data", "from-bag", str(path), str(path), "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"20 frames are in {folder}" in said
    assert "2 left out: without a command for 0.5 s" in said
    assert main(["data", "show", str(folder)]) == 0
    assert "20 frames" in capsys.readouterr().out
    arguments = [str(path), "--out", str(tmp_path / "b"), "--format", "jderobots"]
    assert main(["data", "from-bag", *arguments]) == 2
    assert "--format is 'jderobots'; formats: compact, jderobot, lerobot" in capsys.readouterr().err
    arguments = [str(path), "--out", str(tmp_path / "b"), "--camera-pose", "1 2"]
    assert main(["data", "from-bag", *arguments]) == 2
    assert "--camera-pose: " in capsys.readouterr().err
