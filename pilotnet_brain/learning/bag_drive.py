"""What a bag says of a drive: the commands, where the car was, and who had taken over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.images import COMPRESSED_TYPE, IMAGE_TYPE
from pilotnet_brain.bags.messages import nanoseconds, seconds, yaw_of
from pilotnet_brain.bags.reader import (
    DEFAULT_ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    BagContents,
    BagError,
    BagMessage,
    choose_topic,
    read_bag,
)
from pilotnet_brain.driving.camera_pose import Pose
from pilotnet_brain.driving.command import Command
from pilotnet_brain.driving.takeover import TELEOP_TOPICS
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record

TWIST, TWIST_STAMPED, ACKERMANN = (
    "geometry_msgs/msg/Twist",
    "geometry_msgs/msg/TwistStamped",
    "ackermann_msgs/msg/AckermannDriveStamped",
)
_COMMANDS = (TWIST, TWIST_STAMPED, ACKERMANN)
_IMAGES = (IMAGE_TYPE, COMPRESSED_TYPE)
_FRAMES_TYPE = "sensor_msgs/msg/JointState"
_FRAMES_TOPIC = "brain/frames"
_DEFAULT_IMAGES = ("/F1ROS/cameraL/image_raw", "/F1ROS/cameraL/image_raw/compressed")
_DEFAULT_COMMANDS = ("/F1ROS/cmd_vel", "/cmd_vel")


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


class BagDrive(NamedTuple):
    """What a bag says of the drive, by time: a row a command, a row a pose."""

    images: str  #: the frames' topic
    commands: NDArray[np.float64]  #: (N, 3): s of the recording, m/s, rad/s
    poses: NDArray[np.float64]  #: (M, 6): s, x, y, yaw; the car's own m/s, rad/s
    poses_have_stamps: bool  #: their times are stamps, not the recording's
    #: stamps (ns) of the frames on which a person had taken over; None: not asked
    taken_over: frozenset[int] | None = None
    with_state: bool = False  #: the car's own motion belongs to the frames


def read_drive(bag: Path, labels: BagLabels) -> BagDrive:
    """Return what a bag says of its drive, as far as the labels need it.

    Raises:
        BagError: it cannot be read, or lacks the frames, commands, odometry or takeovers needed.
    """
    kinds = (*_COMMANDS, ODOMETRY_TYPE, *((_FRAMES_TYPE,) if labels.takeovers else ()))
    contents = read_bag(bag, lambda _, kind: kind in kinds)
    taken_over = _taken_over(bag, contents) if labels.takeovers else None
    images = _topic(bag, contents.topics, _IMAGES, labels.image_topic, _DEFAULT_IMAGES)
    if labels.circuit:
        odometry = choose_topic(
            bag, contents.topics, ODOMETRY_TYPE, labels.odometry_topic or None,
            DEFAULT_ODOMETRY_TOPIC,
        )  # fmt: skip
        return BagDrive(images, np.empty((0, 3)), *_poses(contents, odometry), taken_over)
    if labels.takeovers:
        rows = _rows([m for m in contents.messages if m.topic.endswith(TELEOP_TOPICS)], labels)
        return BagDrive(images, rows, *_known_poses(contents, labels), taken_over)
    topic = _topic(bag, contents.topics, _COMMANDS, labels.command_topic, _DEFAULT_COMMANDS)
    if contents.topics[topic] == ACKERMANN and labels.wheelbase <= 0.0:
        raise BagError(
            f"{bag}: {topic} carries steering angles: the yaw rate needs the car's --wheelbase"
        )
    rows = _rows([m for m in contents.messages if m.topic == topic], labels)
    return BagDrive(images, rows, *_known_poses(contents, labels), taken_over)


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
        if message.type == _FRAMES_TYPE and message.topic.endswith(_FRAMES_TOPIC):
            with suppress(FrameRecordError):
                if frame_record(message.message).taken_over:
                    found.add(nanoseconds(message.message.header.stamp))
    if not found:
        raise BagError(
            f"{bag}: nobody took over on this drive, as far as the bag's {_FRAMES_TOPIC} says"
        )
    return frozenset(found)


def _known_poses(contents: BagContents, labels: BagLabels) -> tuple[NDArray[np.float64], bool]:
    """Return the poses of the odometry meant, without rows where that is not clear."""
    fitting = [name for name, kind in contents.topics.items() if kind == ODOMETRY_TYPE]
    for name in (labels.odometry_topic, DEFAULT_ODOMETRY_TOPIC, *fitting[: len(fitting) == 1]):
        if name in fitting:
            return _poses(contents, name)
    return np.empty((0, 6)), False


def _poses(contents: BagContents, topic: str) -> tuple[NDArray[np.float64], bool]:
    """Return a row a pose (see `BagDrive`), and whether times are stamps or the recording's."""
    messages = [message for message in contents.messages if message.topic == topic]
    stamps = [seconds(message.message.header.stamp) for message in messages]
    stamped = len(set(stamps)) > 1
    rows = []
    for message, stamp in zip(messages, stamps, strict=True):
        place, motion = message.message.pose.pose, message.message.twist.twist
        time_s = stamp if stamped else message.log_time_ns * 1e-9
        yaw = yaw_of(place.orientation)
        own = (motion.linear.x, motion.angular.z)
        rows.append((time_s, place.position.x, place.position.y, yaw, *own))
    return _finite_in_order(rows, 6), stamped


def _finite_in_order(rows: list[Any], columns: int) -> NDArray[np.float64]:
    """Return the rows whose time and place or command are finite numbers, in order of time."""
    table = np.array(rows, np.float64).reshape(-1, columns)
    table = table[np.isfinite(table[:, :4]).all(axis=1)]
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
        hint = "; a run's camera is recorded with --record-camera" if kinds == _IMAGES else ""
        raise BagError(f"{bag}: no topic of type {' or '.join(kinds)} in this bag{hint}")
    raise BagError(f"{bag}: name one of the topics of type {' or '.join(kinds)}: {known}")
