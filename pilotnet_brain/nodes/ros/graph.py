"""Who else is in the run, as the ROS graph shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

_UNKNOWN = "_UNKNOWN_"


def other_publishers(node: Node, topic: str) -> list[str]:
    """Return the full names of the nodes, other than `node`, that publish on a topic.

    A second node of the same name counts as another.

    Args:
        node: whose view of the graph is asked.
        topic: its resolved name.
    """
    own = _full_name(node.get_namespace(), node.get_name())
    own_count = sum(1 for publisher in node.publishers if publisher.topic_name == topic)
    names = [
        _full_name(info.node_namespace, info.node_name)
        for info in node.get_publishers_info_by_topic(topic)
    ]
    for _ in range(own_count):
        if own in names:
            names.remove(own)
    # An endpoint may be discovered before the name of its node.
    return sorted("another node" if _UNKNOWN in name else name for name in names)


def missing_peers(
    node: Node, wait_for: Sequence[str], image: str, cmd_vel: str, odom: str
) -> list[str]:
    """Return who of `wait_for` is not connected yet, in words.

    Args:
        node: the simulator.
        wait_for: "brain" (whoever takes the frames and publishes commands), and names of nodes
            that take the odometry.
        image: resolved topic name; as are cmd_vel and odom.
    """
    missing = []
    if "brain" in wait_for:
        if node.count_subscribers(image) == 0:
            missing.append(f"a brain that takes {image}")
        if node.count_publishers(cmd_vel) == 0:
            missing.append(f"a brain that publishes {cmd_vel}")
    takers = {info.node_name for info in node.get_subscriptions_info_by_topic(odom)}
    missing += [f"{name} ({odom})" for name in wait_for if name != "brain" and name not in takers]
    return missing


def _full_name(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"
