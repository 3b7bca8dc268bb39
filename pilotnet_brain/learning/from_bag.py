"""A data set from rosbags: each camera frame with the command in force, or with the expert's.

A bag is read twice: first its commands and its odometry, which fit into memory, then its frames.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.bags.images import COMPRESSED_TYPE, IMAGE_TYPE, BrokenFrame, rgb_frame
from pilotnet_brain.bags.messages import nanoseconds, seconds, yaw_of
from pilotnet_brain.bags.reader import (
    DEFAULT_ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    BagContents,
    BagError,
    BagMessage,
    choose_topic,
    read_bag,
    stream_bag,
)
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.camera import JDEROBOT_CAMERA, VirtualCamera
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.car_camera import CarCamera
from pilotnet_brain.driving.command import JDEROBOT_RANGE, Command
from pilotnet_brain.driving.expert import Expert
from pilotnet_brain.driving.preprocess import JDEROBOT, BadFrame, network_input
from pilotnet_brain.driving.takeover import TELEOP_TOPICS
from pilotnet_brain.learning.dataset import FRAMES_FILE, TABLE_FILE, DataSetError
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record

TWIST, TWIST_STAMPED, ACKERMANN = (
    "geometry_msgs/msg/Twist",
    "geometry_msgs/msg/TwistStamped",
    "ackermann_msgs/msg/AckermannDriveStamped",
)
SOURCE_FILE = "bags.json"
"""What the data set was made of."""
_COMMANDS = (TWIST, TWIST_STAMPED, ACKERMANN)
_IMAGES = (IMAGE_TYPE, COMPRESSED_TYPE)
FRAMES_TYPE = "sensor_msgs/msg/JointState"
FRAMES_TOPIC = "brain/frames"
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_DEFAULT_IMAGES = ("/F1ROS/cameraL/image_raw", "/F1ROS/cameraL/image_raw/compressed")
_DEFAULT_COMMANDS = ("/F1ROS/cmd_vel", "/cmd_vel")
_IN_FORCE_S = 0.5
"""An older command is nobody's any more: whoever gave it is gone."""
_PERSON_IN_FORCE_S = 0.25
"""A person whose command is older is letting go: it stays in force only until that is sure."""
_POSES_APART_S = 0.5
_PROGRESS_EVERY = 50


@dataclass(frozen=True)
class BagLabels:
    """How the frames of bags are labelled."""

    circuit: str = ""  #: label by the expert on this circuit; empty: by the driver's command
    delay_s: float = 0.0  #: the driver's command this long after a frame is its label
    most: int = 0  #: frames that are kept; 0: all
    takeovers: bool = False  #: only the frames on which a person had taken over from the brain
    min_speed: float = 0.1  #: frames of a slower driver are left out, m/s
    wheelbase: float = 0.0  #: of a car that is driven by Ackermann commands, m
    image_topic: str = ""  #: empty: JdeRobot's, or the only one; so for the others
    command_topic: str = ""
    odometry_topic: str = ""
    camera_pose: Pose | None = None  #: where the camera sat; None: where the model's does
    camera_fov: float = 0.0  #: horizontal, rad, where no camera_info was recorded; 0: the model's


@dataclass
class BagCounts:
    """What became of the frames of bags."""

    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  #: how many, by the reason
    below_range: int = 0  #: of the kept ones: slower than the network's outputs reach in 0..1


class _Drive(NamedTuple):
    """What a bag says of the drive, by time: a row a command, a row a pose."""

    images: str  #: the frames' topic
    commands: NDArray[np.float64]  #: (N, 3): s of the recording, m/s, rad/s
    poses: NDArray[np.float64]  #: (M, 4): s, x, y, yaw
    poses_have_stamps: bool  #: their times are stamps, not the recording's
    taken_over: frozenset[int] | None  #: stamps (ns) of a person's frames; None: all are taken


def dataset_from_bags(folder: Path, bags: Sequence[Path], labels: BagLabels) -> Iterator[BagCounts]:
    """Make a data set of bags in a folder; yields the counts so far, at the end those of all.

    Raises:
        BagError: a bag that cannot be read, or lacks the frames, commands or odometry needed.
        DataSetError: the folder holds something else, or no frame is left.
        UserError: there is no such circuit.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataSetError(f"{folder}: is not empty; name another folder or remove it")
    expert = _ExpertLabels(labels.circuit) if labels.circuit else None
    counts = BagCounts()
    frames: list[NDArray[np.uint8]] = []
    rows: list[tuple[float, ...]] = []
    for number, bag in enumerate(bags):
        drive = _read_drive(bag, labels)
        for pixels, label in _labelled(bag, drive, labels, expert, counts):
            frames.append(pixels)
            rows.append((*label, number))
            counts.kept += 1
            counts.below_range += label[0] < JDEROBOT_RANGE.speed_min
            if counts.kept % _PROGRESS_EVERY == 0:
                yield counts
            if counts.kept == labels.most:
                break
    if not frames:
        why = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.most_common())
        raise DataSetError(f"{', '.join(map(str, bags))}: no frame is left ({why or 'no frames'})")
    names = ("v", "w", "lateral_deviation", "heading_error", "curvature", "world")
    table = pd.DataFrame(rows, columns=list(names if expert else ("v", "w", "world"))).round(6)
    _write(folder, np.stack(frames), table, bags, labels, counts)
    yield counts


def _write(
    folder: Path,
    frames: NDArray[np.uint8],
    table: pd.DataFrame,
    bags: Sequence[Path],
    labels: BagLabels,
    counts: BagCounts,
) -> None:
    source = {
        "bags": [str(bag) for bag in bags],
        **asdict(labels),
        "kept": counts.kept,
        "left_out": dict(counts.left_out),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / FRAMES_FILE, frames)
        write_atomically(folder / SOURCE_FILE, json.dumps(source, indent=2) + "\n")
        write_atomically(folder / TABLE_FILE, table.to_csv(index=False))
    except OSError as problem:
        # What was begun is no data set, and would be in the way of the next try.
        for name in (FRAMES_FILE, SOURCE_FILE, TABLE_FILE):
            (folder / name).unlink(missing_ok=True)
        # numpy gives a full disk's no error number.
        reason = problem.strerror or problem
        raise DataSetError(f"{folder}: cannot be written: {reason}") from problem


def _read_drive(bag: Path, labels: BagLabels) -> _Drive:
    kinds = (*_COMMANDS, ODOMETRY_TYPE, *((FRAMES_TYPE,) if labels.takeovers else ()))
    contents = read_bag(bag, lambda _, kind: kind in kinds)
    taken_over = _taken_over(bag, contents) if labels.takeovers else None
    images = _topic(bag, contents.topics, _IMAGES, labels.image_topic, _DEFAULT_IMAGES)
    if labels.circuit:
        odometry = choose_topic(
            bag, contents.topics, ODOMETRY_TYPE, labels.odometry_topic or None,
            DEFAULT_ODOMETRY_TOPIC,
        )  # fmt: skip
        return _Drive(images, np.empty((0, 3)), *_poses(contents, odometry), taken_over)
    if labels.takeovers:
        rows = _rows([m for m in contents.messages if m.topic.endswith(TELEOP_TOPICS)], labels)
        return _Drive(images, rows, np.empty((0, 4)), False, taken_over)
    topic = _topic(bag, contents.topics, _COMMANDS, labels.command_topic, _DEFAULT_COMMANDS)
    if contents.topics[topic] == ACKERMANN and labels.wheelbase <= 0.0:
        raise BagError(
            f"{bag}: {topic} carries steering angles: the yaw rate needs the car's --wheelbase"
        )
    rows = _rows([m for m in contents.messages if m.topic == topic], labels)
    return _Drive(images, rows, np.empty((0, 4)), False, taken_over)


def _rows(messages: Sequence[BagMessage], labels: BagLabels) -> NDArray[np.float64]:
    rows = [(m.log_time_ns * 1e-9, *_command_of(m, labels.wheelbase)) for m in messages]
    return _finite_in_order(rows, 3)


def _taken_over(bag: Path, contents: BagContents) -> frozenset[int]:
    """Return the stamps of the frames on which a person had taken over, ns.

    Raises:
        BagError: there is none.
    """
    found: set[int] = set()
    for message in contents.messages:
        if message.type == FRAMES_TYPE and message.topic.endswith(FRAMES_TOPIC):
            with suppress(FrameRecordError):
                if frame_record(message.message).taken_over:
                    found.add(nanoseconds(message.message.header.stamp))
    if not found:
        raise BagError(
            f"{bag}: nobody took over on this drive, as far as the bag's {FRAMES_TOPIC} says"
        )
    return frozenset(found)


def _poses(contents: BagContents, topic: str) -> tuple[NDArray[np.float64], bool]:
    """Return a row a pose: time (s), x, y, yaw; and whether times are stamps or the recording's."""
    messages = [message for message in contents.messages if message.topic == topic]
    stamps = [seconds(message.message.header.stamp) for message in messages]
    stamped = len(set(stamps)) > 1
    rows = []
    for message, stamp in zip(messages, stamps, strict=True):
        place = message.message.pose.pose
        time_s = stamp if stamped else message.log_time_ns * 1e-9
        rows.append((time_s, place.position.x, place.position.y, yaw_of(place.orientation)))
    return _finite_in_order(rows, 4), stamped


def _finite_in_order(rows: list[Any], columns: int) -> NDArray[np.float64]:
    table = np.array(rows, np.float64).reshape(-1, columns)
    table = table[np.isfinite(table).all(axis=1)]
    return table[np.argsort(table[:, 0], kind="stable")]


def _command_of(message: BagMessage, wheelbase: float) -> Command:
    if message.type == TWIST:
        return Command(message.message.linear.x, message.message.angular.z)
    if message.type == TWIST_STAMPED:
        return Command(message.message.twist.linear.x, message.message.twist.angular.z)
    # The bicycle model: the yaw rate about the rear axle.
    drive = message.message.drive
    return Command(drive.speed, drive.speed * math.tan(drive.steering_angle) / wheelbase)


def _topic(
    bag: Path, topics: Mapping[str, str], kinds: tuple[str, ...], asked: str, usual: Sequence[str]
) -> str:
    """Return the topic asked for, else a usual one, else the only one of the kinds."""
    fitting = sorted(name for name, kind in topics.items() if kind in kinds)
    # A person's commands are among those that the car was given.
    fitting = [name for name in fitting if name == asked or not name.endswith(TELEOP_TOPICS)]
    known = ", ".join(fitting) or "none"
    if asked:
        if asked in fitting:
            return asked
        raise BagError(f"{bag}: no topic {asked} of type {' or '.join(kinds)}; there is {known}")
    for name in usual:
        if name in fitting:
            return name
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise BagError(f"{bag}: no topic of type {' or '.join(kinds)} in this bag")
    raise BagError(f"{bag}: name one of the topics of type {' or '.join(kinds)}: {known}")


Label = tuple[float, ...]
"""Speed (m/s) and yaw rate (rad/s); of the expert, too, how the car stood to the line."""


def _labelled(
    bag: Path,
    drive: _Drive,
    labels: BagLabels,
    expert: _ExpertLabels | None,
    counts: BagCounts,
) -> Iterator[tuple[NDArray[np.uint8], Label]]:
    """Yield a bag's frames as the network sees them, with their labels."""
    view = _View(labels)

    def wanted(topic: str, kind: str) -> bool:
        return topic == drive.images or kind == _CAMERA_INFO

    for message in stream_bag(bag, wanted):
        if message.type == _CAMERA_INFO:
            view.tell(message.message)
            continue
        stamp = message.message.header.stamp
        if drive.taken_over is not None and nanoseconds(stamp) not in drive.taken_over:
            counts.left_out["driven by the brain"] += 1
            continue
        if expert is None:
            label: Label | str = _driver_label(drive, message.log_time_ns * 1e-9, labels)
        else:
            time_s = seconds(stamp) if drive.poses_have_stamps else message.log_time_ns * 1e-9
            label = expert.label(drive.poses, time_s)
        if isinstance(label, str):
            counts.left_out[label] += 1
            continue
        try:
            yield view.pixels(rgb_frame(message.message)), label
        except (BrokenFrame, BadFrame) as problem:
            counts.left_out[f"broken ({problem})"[:100]] += 1


def _driver_label(drive: _Drive, time_s: float, labels: BagLabels) -> Label | str:
    """Return the command in force, or why the frame is left out."""
    when = time_s + labels.delay_s
    newest = int(np.searchsorted(drive.commands[:, 0], when, side="right")) - 1
    if newest < 0:
        return "before the first command"
    given_s, speed, yaw_rate = drive.commands[newest].tolist()
    in_force_s = _PERSON_IN_FORCE_S if labels.takeovers else _IN_FORCE_S
    if when - given_s > in_force_s:
        return f"without a command for {in_force_s:g} s"
    if speed < labels.min_speed:
        return f"slower than {labels.min_speed:g} m/s"
    return speed, yaw_rate


class _ExpertLabels:
    """Labels by the expert, at the poses of the odometry."""

    def __init__(self, circuit: str) -> None:
        self._circuit = load_circuit(circuit)
        self._expert = Expert(self._circuit)

    def label(self, poses: NDArray[np.float64], time_s: float) -> Label | str:
        """Return the expert's command at a time, or why there is none."""
        after = int(np.searchsorted(poses[:, 0], time_s))
        if not 0 < after < len(poses):
            return "without a pose"
        (t0, x0, y0, yaw0), (t1, x1, y1, yaw1) = poses[after - 1].tolist(), poses[after].tolist()
        if t1 - t0 > _POSES_APART_S:
            return "without a pose"
        share = (time_s - t0) / (t1 - t0)
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        yaw = yaw0 + share * math.remainder(yaw1 - yaw0, math.tau)
        here = self._circuit.centerline.project(x, y)
        if abs(here.lateral_deviation) > self._circuit.asphalt_half_width:
            return "off the road"
        error = here.heading_error(yaw)
        if math.cos(error) < 0.0:
            return "against the driving direction"
        speed, yaw_rate = self._expert.command(x, y, yaw, here.arc_length)
        limit = -JDEROBOT_RANGE.yaw_rate_min
        yaw_rate = min(max(yaw_rate, -limit), limit)
        return speed, yaw_rate, here.lateral_deviation, error, here.curvature


class _View:
    """Warps frames to the model's camera, as the brain does."""

    def __init__(self, labels: BagLabels) -> None:
        self._camera = CarCamera(labels.camera_pose, labels.camera_fov)
        self._size = (0, 0)
        self._homography: NDArray[np.float64] | None = None

    def tell(self, info: Any) -> None:
        """Take a CameraInfo; one that no camera has changes nothing."""
        try:
            if self._camera.set_intrinsics(info.width, info.height, info.k):
                self._size = (0, 0)
        except ValueError:
            return

    def pixels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame as the network sees it. Raises BadFrame for one that is too small."""
        size = (frame.shape[1], frame.shape[0])
        if size != self._size:
            camera = self._camera.on_frames_of(*size, JDEROBOT_CAMERA)
            self._homography = VirtualCamera(JDEROBOT_CAMERA, JDEROBOT, camera).homography()
            self._size = size
        return network_input(frame, homography=self._homography)
