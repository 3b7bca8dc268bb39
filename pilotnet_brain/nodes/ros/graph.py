"""Who else is in the ROS graph: other publishers of a topic, and those a run waits for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from std_msgs.msg import Empty

from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.signals import StopSignal

GUARD = "command_guard"
"""Name of the node that publishes a zero command once the brain is silent: it drives nobody."""
DISCOVERY_S = 0.7
"""How long other nodes are given to show up in the graph."""
_SETTLED_S = 0.5
"""While a node is being discovered, a part of its endpoints is seen without the others."""
_UNKNOWN = "_UNKNOWN_"
_LOG_AGAIN_S = 5.0
_FRAME_AGAIN_S = 0.1
_ANSWER_LIMIT_S = 10.0
"""How long a connected brain is given to answer the first frame."""
_SPIN_S = 0.02

Spin = Callable[[float], None]
"""Handles what comes within a number of seconds."""


def other_publishers(node: Node, topic: str) -> list[str]:
    """Return the full names of the nodes, other than `node`, that publish on a topic.

    A second node of the same name counts as another; the guard does not count.

    Args:
        node: whose view of the graph is asked.
        topic: its resolved name.
    """
    own = full_name(node.get_namespace(), node.get_name())
    own_count = sum(1 for publisher in node.publishers if publisher.topic_name == topic)
    names = [
        full_name(info.node_namespace, info.node_name)
        for info in node.get_publishers_info_by_topic(topic)
        if info.node_name != GUARD
    ]
    for _ in range(own_count):
        if own in names:
            names.remove(own)
    # An endpoint may be discovered before the name of its node.
    return sorted("another node" if _UNKNOWN in name else name for name in names)


class StartingPublisher:
    """Decides which of the nodes that start to publish on one topic together goes on.

    A node first looks for `other_publishers`: those were there before it. Two nodes that start
    together find nobody and see each other only afterwards. So each one, while it is starting,
    marks itself in the graph by a hidden topic, TOPIC/_starting_NUMBER, the number drawn at random
    (rclpy does not tell a publisher its own GID). Where there are more other publishers than marks
    of others, one of them has been publishing for longer and goes on; else the smallest number
    does. Every node that is starting comes to the same answer from the graph alone, once it sees
    all of it: an answer counts that stays for a while.

    Made before the node's publisher on the topic, closed after it: what other nodes see of the two
    comes in that order.

    Args:
        node: that starts to publish.
        topic: resolved name.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic
        self._prefix = f"{topic}/_starting_"
        self._number = secrets.randbits(32)
        self._mark = node.create_publisher(Empty, f"{self._prefix}{self._number:08x}", 1)
        self._losing_since_s: float | None = None

    @property
    def contested(self) -> bool:
        """Whether another node would have gone on, when it was last asked."""
        return self._losing_since_s is not None

    def yields_to(self, now_s: float) -> list[str]:
        """Return the `winners` once they were seen for half a second: whom this node lets drive.

        A node that was held up sees, at its first look, endpoints without the names of their nodes.

        Args:
            now_s: of a steady clock, s.
        """
        winners = self.winners()
        if not winners:
            self._losing_since_s = None
            return []
        if self._losing_since_s is None:
            self._losing_since_s = now_s
        return winners if now_s - self._losing_since_s >= _SETTLED_S else []

    def winners(self) -> list[str]:
        """Return the full names of the nodes that go on instead of this one; none: it goes on."""
        others = other_publishers(self._node, self._topic)
        if not others:
            return []
        marks = [
            int(name[len(self._prefix) :], 16)
            for name, _ in self._node.get_topic_names_and_types()
            if name.startswith(self._prefix)
        ]
        started_together = len(others) <= len(marks) - 1
        return [] if started_together and self._number == min(marks) else others

    def close(self) -> None:
        """Take the mark away: this node is no longer starting."""
        self._node.destroy_publisher(self._mark)


@dataclass(frozen=True)
class SimulatorTopics:
    """Resolved names of a simulator's topics."""

    image: str
    cmd_vel: str
    odom: str


def wait_for_nodes(
    node: Node, wait_for: Sequence[str], topics: SimulatorTopics, spin: Spin, stop: StopSignal
) -> None:
    """Return once everyone of `wait_for` is connected; log whom the run waits for.

    Args:
        node: the simulator.
        wait_for: "brain" (whoever takes the frames and publishes commands), and names of nodes
            that take the odometry; empty names are nobody.
        topics: the simulator's.
        spin: handles the simulator's events meanwhile.
        stop: ends the waiting.

    Raises:
        UserError: another simulator is in this ROS domain.
    """
    names = [name for name in wait_for if name]
    start = log_at = time.monotonic()
    while stop.number is None:
        spin(_SPIN_S)
        now = time.monotonic()
        if others := other_publishers(node, "/clock"):
            raise UserError(
                f"another simulator publishes /clock in this ROS domain ({', '.join(others)}): "
                "end that run first, or choose another ROS_DOMAIN_ID"
            )
        missing = _missing(node, names, topics)
        if not missing and now - start > DISCOVERY_S:
            return
        if missing and now >= log_at:
            node.get_logger().info(f"waiting for {', '.join(missing)}")
            log_at = now + _LOG_AGAIN_S


def wait_for_command(
    node: Node,
    publish_frame: Callable[[float], None],
    has_command: Callable[[], bool],
    spin: Spin,
    stop: StopSignal,
) -> None:
    """Publish the view from the start until a command proves that both sides are connected.

    Discovery is two-sided: that this side sees the brain does not mean that the brain sees this
    side, and the frames of the first second would be lost.

    Args:
        node: the simulator.
        publish_frame: publishes the view with a stamp, s. The stamps are nanoseconds after 0: each
            a new frame, at the start of simulated time.
        has_command: whether a command has come.
        spin: handles the simulator's events meanwhile.
        stop: ends the waiting.
    """
    start = time.monotonic()
    published = 0
    while stop.number is None and not has_command():
        published += 1
        publish_frame(published * 1e-9)
        again_at = time.monotonic() + _FRAME_AGAIN_S
        while not has_command() and (wait := again_at - time.monotonic()) > 0.0:
            spin(wait)
        if time.monotonic() - start > _ANSWER_LIMIT_S:
            node.get_logger().warning(
                f"no command within {_ANSWER_LIMIT_S:.0f} s of the first frame: "
                "the clock starts all the same"
            )
            return
    node.get_logger().info("all nodes are connected: the clock starts")


def _missing(node: Node, wait_for: Sequence[str], topics: SimulatorTopics) -> list[str]:
    """Return who of `wait_for` is not connected yet, in words."""
    missing = []
    if "brain" in wait_for:
        if node.count_subscribers(topics.image) == 0:
            missing.append(f"a brain that takes {topics.image}")
        if node.count_publishers(topics.cmd_vel) == 0:
            missing.append(f"a brain that publishes {topics.cmd_vel}")
    others = [name for name in wait_for if name != "brain" and not takes(node, topics.odom, [name])]
    return missing + [f"{name} ({topics.odom})" for name in others]


def takes(node: Node, topic: str, names: Sequence[str]) -> bool:
    """Return whether each of the named nodes subscribes to a topic; empty names are nobody.

    Args:
        node: whose view of the graph is asked.
        topic: its resolved name.
        names: of nodes, without their namespaces.
    """
    takers = {info.node_name for info in node.get_subscriptions_info_by_topic(topic)}
    return takers.issuperset(filter(None, names))


def full_name(namespace: str, name: str) -> str:
    """Return a node's name with its namespace, as ``ros2 node list`` shows it."""
    return f"{namespace.rstrip('/')}/{name}"
