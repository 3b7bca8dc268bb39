"""Writes a rosbag2 directory (MCAP) that can be opened at any moment, even after a SIGKILL.

rosbag2's own writers complete the file when they are closed; until then readers refuse it. Here
every write to the disk ends with MCAP's closing records, which the next write replaces, and
metadata.yaml is there from the start. Every five minutes another file begins, as with rosbag2's
max_bagfile_duration: MCAP's writer keeps the index of a file in memory until the file is complete.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from mcap.writer import CompressionType, Writer
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.errors import UserError

_CHUNK_BYTES = 8 * 1024
"""A chunk is what a SIGKILL can lose: a fifth of a second of a run without camera frames."""
_FILE_NS = 300 * 10**9
"""An index grows by some 8 chunks a second, 0.6 MB a minute."""
_CLOSING = (
    b"\x0f" + (4).to_bytes(8, "little") + bytes(4)  # DataEnd without a checksum
    + b"\x02" + (20).to_bytes(8, "little") + bytes(20)  # Footer of a file without summary
    + b"\x89MCAP0\r\n"
)  # fmt: skip
_METADATA_VERSION = 5  # Humble's; every later rosbag2 reads it too.


@dataclass(frozen=True)
class OfferedQos:
    """What a publisher offers, in rosbag2's numbers (rmw's enumerations)."""

    history: int = 1
    depth: int = 10
    reliability: int = 1
    durability: int = 2

    def as_mapping(self) -> dict[str, Any]:
        """Return it as rosbag2 spells it; the durations are rmw's "unset"."""
        unset = {"sec": 2147483647, "nsec": 4294967295}
        return asdict(self) | {
            "deadline": unset,
            "lifespan": unset,
            "liveliness": 1,
            "liveliness_lease_duration": unset,
            "avoid_ros_namespace_conventions": False,
        }


@dataclass
class _Extent:
    """When the first and the last message of a file were received, and how many there are."""

    path: str
    first_ns: int | None = None
    last_ns: int = 0
    count: int = 0

    def note(self, time_ns: int) -> None:
        self.first_ns = time_ns if self.first_ns is None else self.first_ns
        self.last_ns = time_ns
        self.count += 1

    def as_mapping(self) -> dict[str, Any]:
        first = self.first_ns or 0
        return {
            "duration": {"nanoseconds": max(0, self.last_ns - first)},
            "starting_time": {"nanoseconds_since_epoch": first},
            "message_count": self.count,
        }


def _whole(files: Sequence[_Extent]) -> _Extent:
    count = sum(file.count for file in files)
    return _Extent("", files[0].first_ns, max(file.last_ns for file in files), count)


class BagWriter:
    """One bag directory: ``<name>_0.mcap``, ``<name>_1.mcap``... and ``metadata.yaml``.

    Args:
        directory: made here; must not exist yet.
        topics: topic -> message type ("nav_msgs/msg/Odometry").
        offered: topic -> what its publishers offer, as far as known at the start.

    Raises:
        UserError: the directory exists or cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        topics: Mapping[str, str],
        offered: Mapping[str, Sequence[OfferedQos]],
    ) -> None:
        self.directory = directory
        self._topics = dict(topics)
        self._offered = {topic: list(profiles) for topic, profiles in offered.items()}
        self._counts = dict.fromkeys(topics, 0)
        self._files: list[_Extent] = []
        self._typestore = get_typestore(Stores.ROS2_JAZZY)
        try:
            directory.mkdir(parents=True)
            self._begin_file()
        except OSError as problem:
            raise UserError(f"cannot record to {directory}: {problem.strerror}") from problem
        self.write_metadata()

    def _begin_file(self) -> None:
        name = f"{self.directory.name}_{len(self._files)}.mcap"
        self._file = _AlwaysClosedFile(self.directory / name)
        self._files.append(_Extent(name))
        self._channels: dict[str, int] = {}
        stream: Any = self._file  # all that the writer needs of a stream, not all that IO has
        self._writer = Writer(stream, chunk_size=_CHUNK_BYTES, compression=CompressionType.LZ4)
        self._writer.start(profile="ros2", library="pilotnet_brain")
        self._file.commit()

    def _end_file(self) -> None:
        self._writer.finish()
        self._file.close()

    def offer(self, topic: str, message_type: str, profiles: Sequence[OfferedQos]) -> None:
        """Note what a topic's publishers offer; before its first message."""
        self._topics[topic], self._offered[topic] = message_type, list(profiles)

    def write(self, topic: str, serialized: bytes, time_ns: int) -> None:
        """Add one message (CDR), received at `time_ns` (ns since the epoch)."""
        if time_ns - (self._files[-1].first_ns or time_ns) >= _FILE_NS:
            self._end_file()
            self._begin_file()
        new = topic not in self._channels
        if new:
            self._channels[topic] = self._register(topic)
        channel = self._channels[topic]
        self._writer.add_message(channel, time_ns, serialized, time_ns, self._counts[topic])
        self._file.commit()
        self._counts[topic] += 1
        self._files[-1].note(time_ns)
        if new:
            # Readers match the file's channels with metadata.yaml's topics by the offered QoS.
            self.write_metadata()

    def write_metadata(self) -> None:
        """Bring metadata.yaml up to date, in one step."""
        write_atomically(self.directory / "metadata.yaml", _yaml(self._metadata()))

    def close(self) -> None:
        """Complete the file with its index, and the metadata."""
        self._end_file()
        self.write_metadata()

    @property
    def message_count(self) -> int:
        """Messages written so far."""
        return sum(self._counts.values())

    def _register(self, topic: str) -> int:
        message_type = self._topics[topic]
        definition, _ = self._typestore.generate_msgdef(message_type, ros_version=2)
        schema = self._writer.register_schema(message_type, "ros2msg", definition.encode())
        metadata = {
            "offered_qos_profiles": self._qos_text(topic),
            "topic_type_hash": self._typestore.hash_rihs01(message_type),
        }
        return self._writer.register_channel(topic, "cdr", schema, metadata)

    def _qos_text(self, topic: str) -> str:
        profiles = [profile.as_mapping() for profile in self._offered.get(topic, [])]
        return _yaml(profiles) if profiles else ""

    def _metadata(self) -> dict[str, Any]:
        topics = [
            {
                "topic_metadata": {
                    "name": topic,
                    "type": message_type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": self._qos_text(topic),
                },
                "message_count": self._counts[topic],
            }
            for topic, message_type in self._topics.items()
        ]
        return {
            "rosbag2_bagfile_information": {
                "version": _METADATA_VERSION,
                "storage_identifier": "mcap",
                **_whole(self._files).as_mapping(),
                "topics_with_message_count": topics,
                "compression_format": "",
                "compression_mode": "",
                "relative_file_paths": [file.path for file in self._files],
                "files": [{"path": file.path, **file.as_mapping()} for file in self._files],
            }
        }


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """Write what occurs twice out twice: not every reader of bags knows YAML's anchors."""
        return True


def _yaml(content: object) -> str:
    text: str = yaml.dump(content, Dumper=_PlainDumper, sort_keys=False)
    return text


class _AlwaysClosedFile:
    """A stream for mcap's Writer: each commit leaves a complete file behind."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._committed = 0
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        return len(data)

    def tell(self) -> int:
        return self._committed + len(self._pending)

    def flush(self) -> None:
        """Nothing here: `commit` decides what reaches the disk together."""

    def commit(self) -> None:
        if not self._pending:
            return
        self._write_all(bytes(self._pending) + _CLOSING)
        self._committed += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        """Write what is pending, which ends with the real closing records."""
        self._write_all(bytes(self._pending))
        os.ftruncate(self._descriptor, self.tell())
        os.close(self._descriptor)

    def _write_all(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], self._committed + written)
