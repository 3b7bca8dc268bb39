"""The messages of a rosbag, ROS 1 or ROS 2, read as far as the file goes.

Every file is read from its start, record by record. A bag that was cut off (its writer was killed,
the disk was full, half of it was copied) has no index or no metadata: it is read as far as it goes,
with an InputWarning.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from pilotnet_brain.errors import InputWarning, UserError
from pilotnet_brain.user_path import user_path

Wanted = Callable[[str, str], bool]
"""Whether messages of (topic, type such as nav_msgs/msg/Odometry) are to be read."""
ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
DEFAULT_ODOMETRY_TOPIC = "/F1ROS/odom"


class BagError(UserError):
    """A path that is no bag, or a bag without anything to read; the text names it."""


class BagLibraryMissing(BagError):  # noqa: N818  (named by what it is)
    """This Python has no library to read bags with."""


class BagMessage(NamedTuple):
    """One message: topic, type, time of its recording (ns), and the deserialized message."""

    topic: str
    type: str
    log_time_ns: int
    message: Any


class RawMessage(NamedTuple):
    """A message as recorded; `data` None: only says that the topic is there."""

    topic: str
    type: str
    encoding: str
    """``cdr`` or ``ros1``"""
    log_time_ns: int
    data: bytes | None


@dataclass
class BagContents:
    """What was read of a bag."""

    #: name -> type of every topic seen, wanted or not
    topics: dict[str, str] = field(default_factory=dict)
    #: the wanted ones, in order of recording
    messages: list[BagMessage] = field(default_factory=list)


def read_bag(path: str | Path, wanted: Wanted) -> BagContents:
    """Read the wanted messages of a bag.

    It is a rosbag2 folder, one of its ``.mcap`` or ``.db3`` files, compressed (``.zstd``) or not,
    or a ROS 1 ``.bag`` file. A bag that is damaged gives an InputWarning.

    Raises:
        BagError: no such path, no bag, or a bag of which nothing can be read.
    """
    contents, problems = BagContents(), list[str]()
    contents.messages.extend(_messages(_readable(path), wanted, contents.topics, problems))
    if not contents.topics:
        why = "; ".join(problems) or "it holds no topic"
        raise BagError(
            f"{path}: not a bag, or one that was cut off before its first message ({why})"
        )
    _warn(path, problems)
    contents.messages.sort(key=lambda message: message.log_time_ns)
    return contents


def stream_bag(path: str | Path, wanted: Wanted) -> Iterator[BagMessage]:
    """Yield the wanted messages of a bag one by one: camera frames do not fit into memory.

    The path is as for `read_bag`. A bag that is damaged is read as far as it goes. The InputWarning
    comes at its end, or where the caller stops.

    Raises:
        BagError: no such path.
    """
    problems: list[str] = []
    try:
        yield from _messages(_readable(path), wanted, {}, problems)
    finally:
        _warn(path, problems)


def _warn(path: str | Path, problems: list[str]) -> None:
    if problems:
        text = f"{path}: the bag was not closed properly or is damaged ({'; '.join(problems)})"
        warnings.warn(text, InputWarning, stacklevel=2)


def read_odometry_path(bag: str | Path, topic: str | None = None) -> NDArray[np.float64]:
    """Return the positions (N, 2), m, of the odometry in a bag, in order of recording.

    The bag is as for `read_bag`. Without a topic it is /F1ROS/odom, else the only odometry topic
    there is.

    Raises:
        BagError: no bag, or no finite odometry on such a topic.
    """
    contents = read_bag(bag, lambda _, kind: kind == ODOMETRY_TYPE)
    chosen = choose_topic(bag, contents.topics, ODOMETRY_TYPE, topic, DEFAULT_ODOMETRY_TOPIC)
    places = [message.message.pose.pose.position for message in contents.messages
              if message.topic == chosen]  # fmt: skip
    path = np.array([(place.x, place.y) for place in places], dtype=np.float64).reshape(-1, 2)
    path = path[np.isfinite(path).all(axis=1)]
    if not len(path):
        raise BagError(f"{bag}: topic {chosen} holds no odometry message")
    return path


def choose_topic(
    bag: str | Path, topics: Mapping[str, str], kind: str, asked: str | None, default: str
) -> str:
    """Return the topic asked for, else the default one, else the only one of its type.

    Raises:
        BagError: there is none, or more than one; lists them.
    """
    fitting = sorted(name for name, of_type in topics.items() if of_type == kind)
    if asked is not None:
        if asked in fitting:
            return asked
        raise BagError(f"{bag}: no topic {asked} of type {kind}; there is {_listed(fitting)}")
    if default in fitting:
        return default
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BagError(f"{bag}: name one of the {kind} topics: {_listed(fitting)}")
    raise BagError(f"{bag}: no {kind} topic in this bag; its topics are {_listed(sorted(topics))}")


def _listed(names: list[str]) -> str:
    return " ".join(", ".join(names).split()) or "none"


def _readable(path: str | Path) -> Path:
    path = user_path(path)
    if not path.exists():
        raise BagError(f"{path}: no such bag")
    # Otherwise a missing library would look like a damaged bag.
    for library in ("rosbags", "mcap"):
        if find_spec(library) is None:
            raise BagLibraryMissing(
                f"{path}: reading bags needs {library}, which {sys.executable} does not have: "
                f"{sys.executable} -m pip install {library}, or give a CSV of x,y"
            )
    return path


def is_bag(path: Path) -> bool:
    """Whether a path looks like a bag: a .bag, .mcap or .db3 file, or a folder holding such."""
    if path.is_dir():
        return (path / "metadata.yaml").exists() or bool(_storage_files(path))
    return _is_storage_file(path)


def _is_storage_file(path: Path) -> bool:
    # A killed `rosbag record` leaves lap.bag.active.
    return path.name.endswith((".mcap", ".db3", ".mcap.zstd", ".db3.zstd", ".bag", ".bag.active"))


def _storage_files(path: Path) -> list[Path]:
    """Return the files of a bag's folder in order of recording; of a file, itself."""
    if not path.is_dir():
        return [path]
    files = [file for file in path.iterdir() if _is_storage_file(file) and file.is_file()]
    # A recorder that was killed while it compressed a file leaves the plain one, too.
    files = [file for file in files if file.suffix != ".zstd" or file.with_suffix("") not in files]

    def number(file: Path) -> tuple[int, str]:
        digits = file.name.partition(".")[0].rpartition("_")[2]
        return (int(digits) if digits.isdecimal() else 0, file.name)

    return sorted(files, key=number)


def _missing(folder: Path, found: list[Path]) -> list[str]:
    """Return what a rosbag2 folder lacks of what its metadata.yaml names, in words."""
    if any(file.suffix in (".bag", ".active") for file in found):
        return []
    try:
        text = (folder / "metadata.yaml").read_text(encoding="utf-8")
        paths = yaml.safe_load(text)["rosbag2_bagfile_information"]["relative_file_paths"]
        names = [Path(path).name for path in paths]
    except FileNotFoundError:
        return ["metadata.yaml is missing"]
    except Exception as problem:  # yaml's parser, and any other content
        return [f"metadata.yaml cannot be read: {_one_line(problem)}"]
    there = {name for file in found for name in (file.name, file.name.removesuffix(".zstd"))}
    return [f"{name} is missing" for name in names if name.removesuffix(".zstd") not in there]


def _messages(
    path: Path, wanted: Wanted, topics: dict[str, str], problems: list[str]
) -> Iterator[BagMessage]:
    """Yield the wanted messages, file by file; add the topics seen and what is wrong."""
    from pilotnet_brain.bags.storage import raw_messages

    files = _storage_files(path)
    if path.is_dir():
        problems += _missing(path, files)
    unreadable, why = 0, ""
    for file in files:
        try:
            for topic, kind, encoding, log_time_ns, data in raw_messages(file, wanted):
                topics[topic] = kind
                if data is None or not wanted(topic, kind):
                    continue
                try:
                    message = _deserialize(encoding, kind, data)
                except Exception as problem:  # broken bytes raise anything
                    unreadable, why = unreadable + 1, why or _one_line(problem)
                else:
                    yield BagMessage(topic, kind, log_time_ns, message)
        except Exception as problem:  # a damaged file raises anything
            problems.append(f"{file.name} breaks off: {_one_line(problem)}")
    if unreadable:
        problems.append(f"{unreadable} messages could not be read and were left out: {why}")


def _deserialize(encoding: str, kind: str, data: bytes) -> Any:
    from pilotnet_brain.bags.storage import unpacked_message

    store = _typestore(encoding)
    if encoding == "ros1":
        return store.deserialize_ros1(data, kind)
    return store.deserialize_cdr(unpacked_message(data), kind)


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


_ACKERMANN = {
    "ackermann_msgs/msg/AckermannDrive": (
        "float32 steering_angle\nfloat32 steering_angle_velocity\nfloat32 speed\n"
        "float32 acceleration\nfloat32 jerk"
    ),
    "ackermann_msgs/msg/AckermannDriveStamped": (
        "std_msgs/Header header\nackermann_msgs/AckermannDrive drive"
    ),
}
"""Messages that are none of ROS' common ones, by their fields."""


@cache
def _typestore(encoding: str) -> Any:
    """The common message definitions; those we read are the same in every ROS 2 (and ROS 1)."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if encoding == "ros1" else Stores.ROS2_JAZZY)
    for name, fields in _ACKERMANN.items():
        store.register(get_types_from_msg(fields, name))
    return store
