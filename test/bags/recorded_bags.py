"""Writes small bags of a driven circle, ROS 1 and ROS 2, whole or without their end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.reader import BagContents, Wanted, read_bag
from pilotnet_brain.errors import input_warnings_to
from pilotnet_brain.metrics.frame_record import NUMBERS, FrameRecord

RADIUS = 50.0
LAP = 2.0 * math.pi * RADIUS
BEGIN_NS = 1_700_000_000 * 10**9
"""Wall clock at the start of the recordings; real time runs half as fast as simulated time."""
ODOM, CMD, FRAMES, INFO = (
    "/F1ROS/odom", "/F1ROS/cmd_vel", "/brain/frames", "/F1ROS/cameraL/camera_info",
)  # fmt: skip
TYPES = {
    ODOM: "nav_msgs/msg/Odometry",
    CMD: "geometry_msgs/msg/Twist",
    FRAMES: "sensor_msgs/msg/JointState",
    INFO: "sensor_msgs/msg/CameraInfo",
}
OLD_TYPES = TYPES | {FRAMES: "diagnostic_msgs/msg/DiagnosticArray"}
"""As bags had them when a frame's record travelled as text."""

Event = tuple[str, int, Any]


def circle_events(
    store: Any,
    seconds: float,
    stamped: bool = True,
    period_ns: int = 10**8,
    waiting_s: float = 0.0,
    old: bool = False,
) -> Iterator[Event]:
    """(topic, log time, message) of a car on a circle of 50 m radius at 10 m/s, 20 Hz.

    It sets off after `waiting_s`.
    """
    for i in range(int(seconds * 20) + 1):
        time = i / 20.0
        log_ns = BEGIN_NS + i * period_ns
        yield (
            ODOM,
            log_ns,
            odometry(store, time if stamped else 0.0, 10.0 * max(0.0, time - waiting_s)),
        )
        yield CMD, log_ns + 1, twist(store, 10.0, 0.2)
        yield INFO, log_ns + 2, camera_info(store, time)
        if i % 10 != 5:  # every tenth frame never reaches the brain
            frame = frame_texts if old else frame_numbers
            yield FRAMES, log_ns + 3, frame(store, time, i)


def odometry(store: Any, time: float, arc_length: float) -> Any:
    t = store.types
    angle = arc_length / RADIUS
    yaw = angle + 0.5 * math.pi
    zero, covariance = t["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0), np.zeros(36)
    point = t["geometry_msgs/msg/Point"](RADIUS * math.cos(angle), RADIUS * math.sin(angle), 0.0)
    turned = t["geometry_msgs/msg/Quaternion"](0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
    pose = t["geometry_msgs/msg/Pose"](position=point, orientation=turned)
    speed = t["geometry_msgs/msg/Twist"](t["geometry_msgs/msg/Vector3"](10.0, 0.0, 0.0), zero)
    return t["nav_msgs/msg/Odometry"](
        header=header(store, time),
        child_frame_id="base_link",
        pose=t["geometry_msgs/msg/PoseWithCovariance"](pose, covariance),
        twist=t["geometry_msgs/msg/TwistWithCovariance"](speed, covariance),
    )


def header(store: Any, time: float, frame_id: str = "odom") -> Any:
    kind = store.types["std_msgs/msg/Header"]
    nanoseconds = round(time * 1e9)
    stamp = store.types["builtin_interfaces/msg/Time"](nanoseconds // 10**9, nanoseconds % 10**9)
    if "seq" in kind.__dataclass_fields__:
        return kind(seq=0, stamp=stamp, frame_id=frame_id)
    return kind(stamp=stamp, frame_id=frame_id)


def twist(store: Any, speed: float, yaw_rate: float) -> Any:
    vector = store.types["geometry_msgs/msg/Vector3"]
    return store.types["geometry_msgs/msg/Twist"](
        vector(speed, 0.0, 0.0), vector(0.0, 0.0, yaw_rate)
    )


def frame_record(time: float, i: int) -> FrameRecord:
    return FrameRecord(
        stamp_s=time,
        preprocess_s=0.001,
        inference_s=0.002,
        callback_s=0.004,
        age_s=0.005,
        speed=10.0,
        yaw_rate=0.2,
        outputs=(0.2 + 0.3 * (i % 2), 0.5 + 0.4 * (i % 2)),
        model="baseline",
        device="cpu",
        driven=True,
        frames_received=i + 1 - (i + 4) // 10,
    )


def frame_numbers(store: Any, time: float, i: int) -> Any:
    record, nothing = frame_record(time, i), np.zeros(0)
    return store.types["sensor_msgs/msg/JointState"](
        header(store, time, record.model), list(NUMBERS), np.array(record.to_numbers()),
        nothing, nothing,
    )  # fmt: skip


def frame_texts(store: Any, time: float, i: int) -> Any:
    """A frame's record as older brains published it, word for word."""
    r = frame_record(time, i)
    assert r.outputs is not None
    texts = {
        "stamp_s": repr(r.stamp_s), "preprocess_s": repr(r.preprocess_s),
        "inference_s": repr(r.inference_s), "callback_s": repr(r.callback_s),
        "age_s": repr(r.age_s), "stamp_to_command_s": "", "speed": repr(r.speed),
        "yaw_rate": repr(r.yaw_rate), "model": r.model, "device": r.device, "driven": "true",
        "problem": "", "frames_received": str(r.frames_received), "frames_late": "0",
        "frames_broken": "0", "epoch": "0", "output_0": repr(r.outputs[0]),
        "output_1": repr(r.outputs[1]),
    }  # fmt: skip
    t = store.types
    values = [t["diagnostic_msgs/msg/KeyValue"](k, v) for k, v in texts.items()]
    status = t["diagnostic_msgs/msg/DiagnosticStatus"](0, "brain/frame", "", "", values)
    return t["diagnostic_msgs/msg/DiagnosticArray"](header(store, time), [status])


def camera_info(store: Any, time: float) -> Any:
    t = store.types
    kind = t["sensor_msgs/msg/CameraInfo"]
    upper = "K" in kind.__dataclass_fields__
    matrices = {"d": np.zeros(5), "k": np.zeros(9), "r": np.zeros(9), "p": np.zeros(12)}
    if upper:
        matrices = {name.upper(): matrix for name, matrix in matrices.items()}
    region = t["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return kind(
        header=header(store, time),
        height=480,
        width=640,
        distortion_model="plumb_bob",
        binning_x=0,
        binning_y=0,
        roi=region,
        **matrices,
    )


def write_ros2(
    path: Path,
    seconds: float,
    storage: str = "mcap",
    renamed: Mapping[str, str] | None = None,
    compressed: CompressionMode | None = None,
    **options: Any,
) -> Path:
    """Write a rosbag2 folder (storage mcap or sqlite3), topics under other names if asked.

    It is compressed by zstd as rosbag2 does it, by message or by file, or not.
    """
    names = renamed or {}
    types = OLD_TYPES if options.get("old") else TYPES
    store = get_typestore(Stores.ROS2_JAZZY)
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Ros2Writer(path, version=9, storage_plugin=plugin)
    if compressed is not None:
        writer.set_compression(compressed, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(names.get(topic, topic), kind, typestore=store)
            for topic, kind in types.items()
        }
        for topic, log_ns, message in circle_events(store, seconds, **options):
            data = store.serialize_cdr(message, types[topic])
            writer.write(connections[topic], log_ns, data)
    return path


def write_ros1(path: Path, seconds: float, compressed: bool = False) -> Path:
    """Write a ROS 1 bag."""
    store = get_typestore(Stores.ROS1_NOETIC)
    writer = Ros1Writer(path)
    if compressed:
        writer.set_compression(Ros1Writer.CompressionFormat.LZ4)
    with writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in TYPES.items()
        }
        for topic, log_ns, message in circle_events(store, seconds):
            data = store.serialize_ros1(message, TYPES[topic])
            writer.write(connections[topic], log_ns, data)
    return path


def write_split(path: Path, parts: int) -> Path:
    """Write a rosbag2 folder of a lap, 314 m at 10 m/s, in several files."""
    path.mkdir()
    for number, times in enumerate(np.array_split(np.arange(629) / 20.0, parts)):
        part = path.parent / f"{path.name}_{number}"
        with Ros2Writer(part, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            store = get_typestore(Stores.ROS2_JAZZY)
            connection = writer.add_connection(ODOM, TYPES[ODOM], typestore=store)
            for time in times.tolist():
                data = store.serialize_cdr(odometry(store, time, 10.0 * time), TYPES[ODOM])
                writer.write(connection, BEGIN_NS + int(time * 1e9), data)
        (part / f"{part.name}.mcap").rename(path / f"{part.name}.mcap")
    metadata = yaml.safe_load((part / "metadata.yaml").read_text())
    names = [f"{path.name}_{number}.mcap" for number in range(parts)]
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = names
    (path / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return path


def write_unfinished_mcap(path: Path, seconds: float) -> Path:
    """Write an MCAP file as a killed recorder leaves it: small chunks, no footer, no index."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with path.open("wb") as file:
        writer = McapWriter(file, chunk_size=4096, compression=CompressionType.ZSTD)
        writer.start(profile="ros2", library="test")
        channels = {}
        for topic, kind in TYPES.items():
            definition, _ = store.generate_msgdef(kind, ros_version=2)
            schema = writer.register_schema(kind, "ros2msg", definition.encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        for topic, log_ns, message in circle_events(store, seconds):
            data = bytes(store.serialize_cdr(message, TYPES[topic]))
            writer.add_message(channels[topic], log_ns, data, log_ns)
        # Neither the last chunk nor anything after it is ever written.
    return path


def cut(path: Path, share: float) -> Path:
    """Cut a file off behind a share of its bytes."""
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    return path


def read_with_warnings(path: Path, wanted: Wanted) -> tuple[BagContents, str]:
    """Return what `read_bag` reads, and the text of its warning; empty where it gives none."""
    texts: list[str] = []
    with input_warnings_to(texts.append):
        contents = read_bag(path, wanted)
    return contents, "".join(texts)
