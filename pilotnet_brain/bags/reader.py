"""The messages of a rosbag, ROS 1 or ROS 2, read as far as the file goes.

A bag that was closed properly is read by rosbags. One that was cut off (its writer was killed, the
disk was full, half of it was copied) has no index or no metadata: it is read from its start, record
by record, as far as it can be understood, and the result carries a warning.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError
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
    warning: str | None = None  #: what is wrong with the bag, None if nothing


def read_bag(path: str | Path, wanted: Wanted) -> BagContents:
    """Read the wanted messages of a bag.

    It is a rosbag2 folder, one of its ``.mcap`` or ``.db3`` files, or a ROS 1 ``.bag`` file.

    Raises:
        BagError: no such path, no bag, or a bag of which nothing can be read.
    """
    path = _readable(path)
    from pilotnet_brain.bags.damaged import raw_mcap

    try:
        contents = BagContents()
        _decode(_raw_by_index(path, wanted), wanted, contents)
        for file in _storage_files(path):
            if file.suffix == ".mcap":
                # The readers by index do not look at the checksums.
                deque(raw_mcap(file), maxlen=0)
        if contents.messages or not any(wanted(*topic) for topic in contents.topics.items()):
            return contents
        # rosbags skips channels whose quality of service differs from metadata.yaml's.
        why = "its metadata does not match its files"
    except Exception as problem:  # a damaged file raises anything; the warning says what
        why = _one_line(problem)
    contents = _read_from_start(path, wanted)
    if not contents.topics:
        raise BagError(
            f"{path}: not a bag, or one that was cut off before its first message ({why})"
        )
    broken_off = contents.warning or "every message of its files was read"
    contents.warning = f"{path}: the bag was not closed properly ({why}); {broken_off}"
    return contents


def stream_bag(path: str | Path, wanted: Wanted) -> Iterator[BagMessage]:
    """Yield the wanted messages of a bag one by one: camera frames do not fit into memory.

    The path is as for `read_bag`. A bag that was cut off is read as far as it goes; what cannot be
    read is left out silently.

    Raises:
        BagError: no such path.
    """
    path = _readable(path)
    newest_ns = -1
    try:
        for raw in _raw_by_index(path, wanted):
            if raw.data is not None:
                newest_ns = raw.log_time_ns
                yield from _decoded_one(raw)
        if newest_ns >= 0:
            return
    except Exception:  # a damaged file raises anything; the rest is read without its index
        pass
    for file in _storage_files(path):
        with suppress(Exception):
            for raw in _raw_reader(file)(file):
                if raw.data is None or raw.log_time_ns <= newest_ns:
                    continue
                if wanted(raw.topic, raw.type):
                    yield from _decoded_one(raw)


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
    return ", ".join(names) or "none"


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


def _decoded_one(raw: RawMessage) -> Iterator[BagMessage]:
    """Yield the message; nothing where its bytes are broken."""
    with suppress(Exception):
        message = _deserialize(raw.encoding, raw.type, raw.data or b"")
        yield BagMessage(raw.topic, raw.type, raw.log_time_ns, message)


def is_bag(path: Path) -> bool:
    """Whether a path looks like a bag: a .bag, .mcap or .db3 file, or a folder holding such."""
    if path.is_dir():
        return (path / "metadata.yaml").exists() or bool(_storage_files(path))
    return path.suffix in (".bag", ".mcap", ".db3")


def _raw_by_index(path: Path, wanted: Wanted) -> Iterator[RawMessage]:
    """The messages of a whole bag through rosbags' readers, by order of recording."""
    from rosbags.rosbag1 import Reader as Ros1Reader
    from rosbags.rosbag2 import Reader as Ros2Reader

    ros1 = path.suffix == ".bag"
    with Ros1Reader(path) if ros1 else Ros2Reader(path) as reader:
        for connection in reader.connections:
            yield RawMessage(connection.topic, connection.msgtype, "", 0, None)
        chosen = [c for c in reader.connections if wanted(c.topic, c.msgtype)]
        encoding = "ros1" if ros1 else "cdr"
        if chosen:
            for connection, log_time_ns, data in reader.messages(connections=chosen):
                yield RawMessage(
                    connection.topic, connection.msgtype, encoding, log_time_ns, bytes(data)
                )


def _read_from_start(path: Path, wanted: Wanted) -> BagContents:
    contents = BagContents()
    for file in _storage_files(path):
        try:
            # What came before an error is kept.
            _decode(_raw_reader(file)(file), wanted, contents)
        except Exception as problem:  # as above
            contents.warning = f"{file.name} breaks off: {_one_line(problem)}"
    contents.messages.sort(key=lambda message: message.log_time_ns)
    return contents


def _raw_reader(file: Path) -> Callable[[Path], Iterator[RawMessage]]:
    from pilotnet_brain.bags.damaged import raw_mcap, raw_ros1, raw_sqlite

    return {".mcap": raw_mcap, ".db3": raw_sqlite}.get(file.suffix, raw_ros1)


def _storage_files(path: Path) -> list[Path]:
    """Return the files of a bag's folder in order of recording; of a file, itself."""
    if not path.is_dir():
        return [path]
    files = [f for f in path.iterdir() if f.suffix in (".mcap", ".db3", ".bag") and f.is_file()]

    def number(file: Path) -> tuple[int, str]:
        digits = file.stem.rpartition("_")[2]
        return (int(digits) if digits.isdigit() else 0, file.name)

    return sorted(files, key=number)


def _decode(raw: Iterable[RawMessage], wanted: Wanted, contents: BagContents) -> None:
    """Add the wanted messages to `contents`; broken ones are counted in its warning."""
    unreadable = 0
    for topic, kind, encoding, log_time_ns, data in raw:
        contents.topics[topic] = kind
        if data is None or not wanted(topic, kind):
            continue
        try:
            message = _deserialize(encoding, kind, data)
        except Exception:  # broken bytes raise anything; counted in the warning
            unreadable += 1
            continue
        contents.messages.append(BagMessage(topic, kind, log_time_ns, message))
    if unreadable:
        contents.warning = f"{unreadable} messages could not be read and were left out"


def _deserialize(encoding: str, kind: str, data: bytes) -> Any:
    store = _typestore(encoding)
    if encoding == "ros1":
        return store.deserialize_ros1(data, kind)
    return store.deserialize_cdr(data, kind)


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


@cache
def _typestore(encoding: str) -> Any:
    """The common message definitions; those we read are the same in every ROS 2 (and ROS 1)."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS1_NOETIC if encoding == "ros1" else Stores.ROS2_JAZZY)
