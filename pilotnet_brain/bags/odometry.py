"""The path of a car, from the odometry in a rosbag."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import BagError, read_bag

ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
DEFAULT_ODOMETRY_TOPIC = "/F1ROS/odom"


def read_odometry_path(bag: str | Path, topic: str | None = None) -> NDArray[np.float64]:
    """Return the positions (N, 2), m, of the odometry in a bag, in order of recording.

    Args:
        bag: a ROS 1 bag file, or a ROS 2 bag (folder, .mcap or .db3 file).
        topic: of the odometry; None: /F1ROS/odom, else the only odometry topic there is.

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
