"""Subscriptions that take what is published, and what in the graph keeps messages from coming."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from pilotnet_brain.nodes.ros.graph import full_name

_MOST_NAMES = 4
_ENVIRONMENT = (
    "ROS_DOMAIN_ID", "ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS",
    "ROS_DISCOVERY_SERVER", "RMW_IMPLEMENTATION", "CYCLONEDDS_URI",
)  # fmt: skip
"""Variables that decide which nodes see each other."""


class OfferedSubscription:
    """A subscription of the type, and with the reliability, that its topic's publishers offer.

    A publisher may come later and offer something else: `follow` is to be called once a second.

    Args:
        node: whose subscription it is.
        topic: as `Node.create_subscription` takes it.
        callbacks: by message type; the first one is assumed until a publisher is seen.
        qos: used where every publisher offers it; else best effort.
        more: further arguments of `Node.create_subscription`.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        callbacks: Mapping[Any, Callable[..., Any]],
        qos: QoSProfile,
        **more: Any,
    ) -> None:
        self._node, self._topic, self._qos, self._more = node, topic, qos, more
        self._callbacks = {type_name(kind): (kind, call) for kind, call in callbacks.items()}
        self.topic = node.resolve_topic_name(topic)
        self._now = (next(iter(self._callbacks)), qos.reliability)
        self._subscription = self._subscribe()

    def follow(self) -> str:
        """Take what is offered now; return why nothing can come, the empty text if it can."""
        offers = self._node.get_publishers_info_by_topic(self.topic)
        fitting = [offer for offer in offers if offer.topic_type in self._callbacks]
        if not fitting:
            return self._why_nothing_comes(offers)
        kinds = {offer.topic_type for offer in fitting}
        kind = self._now[0] if self._now[0] in kinds else fitting[0].topic_type
        offered = {o.qos_profile.reliability for o in fitting if o.topic_type == kind}
        weak = ReliabilityPolicy.BEST_EFFORT in offered
        wanted = (kind, ReliabilityPolicy.BEST_EFFORT if weak else self._qos.reliability)
        if wanted != self._now:
            self._now = wanted
            self.close()
            self._subscription = self._subscribe()
            how = "best effort" if weak else "reliable"
            self._node.get_logger().info(f"{self.topic}: taken as {kind}, {how}")
        return ""

    def close(self) -> None:
        """Destroy the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Any:
        kind, callback = self._callbacks[self._now[0]]
        qos = QoSProfile(
            depth=self._qos.depth, durability=self._qos.durability, reliability=self._now[1]
        )
        return self._node.create_subscription(kind, self._topic, callback, qos, **self._more)

    def _why_nothing_comes(self, offers: list[Any]) -> str:
        needed = " or ".join(self._callbacks)
        if offers:
            found = " and ".join(sorted({offer.topic_type for offer in offers}))
            return f"{self.topic} carries {found} ({_names(offers)}); {needed} is needed"
        alike = [
            name
            for name, kinds in self._node.get_topic_names_and_types()
            if name != self.topic and set(kinds) & set(self._callbacks)
            if self._node.count_publishers(name)
        ]
        there = f"; there is {', '.join(alike[:_MOST_NAMES])}" if alike else ""
        return f"nobody publishes {self.topic}{there}"


def taking_problem(publisher: Any, node: Node) -> str:
    """Return why a subscriber cannot take what a publisher of `node` publishes, else nothing."""
    kind = type_name(publisher.msg_type)
    for taker in node.get_subscriptions_info_by_topic(publisher.topic_name):
        name = full_name(taker.node_namespace, taker.node_name)
        if taker.topic_type != kind:
            return f"{name} takes {publisher.topic_name} as {taker.topic_type}, not as {kind}"
        # The graph gives durations as infinite that are unset here: only these two are compared.
        offered, asked = publisher.qos_profile, taker.qos_profile
        for offer, ask in (
            (offered.reliability == ReliabilityPolicy.RELIABLE, asked.reliability),
            (offered.durability == DurabilityPolicy.TRANSIENT_LOCAL, asked.durability),
        ):
            if not offer and ask in (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL):
                return f"{name} asks for {publisher.topic_name} with {ask.name.lower()} delivery"
    return ""


def environment_text() -> str:
    """Return the variables that decide which nodes see each other, as they are set."""
    given = [f"{name}={os.environ[name]}" for name in _ENVIRONMENT if os.environ.get(name)]
    return ", ".join(given) or "none of ROS' variables is set"


def type_name(message_type: Any) -> str:
    """Return a message class's name, such as sensor_msgs/msg/Image."""
    package, _, _ = message_type.__module__.partition(".")
    return f"{package}/msg/{message_type.__name__}"


def _names(infos: list[Any]) -> str:
    names = sorted({full_name(info.node_namespace, info.node_name) for info in infos})
    return ", ".join(names[:_MOST_NAMES])
