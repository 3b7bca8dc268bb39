"""A client of Gazebo Classic's transport: topics in and out, without Gazebo's libraries.

The master (in gzserver) knows who publishes what; the messages themselves go from the publisher
straight to each subscriber, over a separate TCP connection.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pilotnet_brain.errors import UserError
from pilotnet_brain.message_table import BrokenMessage
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.transport.connection import ConnectionLost, FramedSocket
from pilotnet_brain.simulation.gazebo.transport.messages import new_message, parse, type_name

_ANSWER_LIMIT_S = 5.0
_SPOKEN = re.compile(r"gazebo (9|10|11)(\.\S*)?\s*")
"""The greeting of the Gazebos that speak this transport with these messages."""

_LEFT_ALONE = ("topic_namepaces_init", "topic_namespace_add", "unsubscribe")
"""The master's other messages: namespaces (misspelled so), and that a peer left one of our topics,
whose connection closes as well."""

Handler = Callable[[memoryview], None]


@dataclass(eq=False)
class Advertised:
    """A topic that this client publishes."""

    topic: str
    subscribers: list[FramedSocket] = field(default_factory=list)


class GazeboClient:
    """One connection to the Gazebo whose master is at a host and port, driven by `poll`.

    Raises:
        GazeboUnreachable: nothing answers there.
        UserError: what answers is not a supported Gazebo.
    """

    def __init__(self, host: str, port: int) -> None:
        self.address = f"{host}:{port}"
        self._selector = selectors.DefaultSelector()
        self._subscriptions: dict[str, tuple[str, Handler]] = {}
        self._sources: dict[tuple[str, str, int], FramedSocket] = {}
        self._advertised: dict[str, Advertised] = {}
        self._publishers: dict[tuple[str, str, int], str] = {}
        self.version = ""
        self.broken = 0
        """Messages that could not be understood so far."""
        try:
            self._master = _connected(host, port)
        except OSError as problem:
            raise GazeboUnreachable(f"no Gazebo answers at {self.address}: {problem}") from problem
        # Reached by the Gazebo, and by nobody whom it is not reached by: on loopback, mostly.
        here = self._master.local_host
        family = socket.AF_INET6 if ":" in here else socket.AF_INET
        self._listener = socket.create_server((here, 0), family=family)
        self._listener.setblocking(False)
        self._watch(self._listener, self._accept)
        self._watch(self._master, self._hear_master)
        try:
            self._await_greeting()
        except (GazeboUnreachable, UserError):
            self.close()
            raise

    @property
    def description(self) -> str:
        """Which Gazebo it is, and where."""
        return f"{self.version} at {self.address}"

    def poll(self, timeout_s: float = 0.0) -> None:
        """Handle what has come, waiting for it at most `timeout_s`.

        Raises:
            GazeboUnreachable: the master is gone.
        """
        for key, events in self._selector.select(timeout_s):
            if events & selectors.EVENT_WRITE:
                self._send_rest(key.fileobj)
            if events & selectors.EVENT_READ:
                key.data()

    def poll_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Handle what comes until `done`; return whether it was within the limit."""
        until = time.monotonic() + limit_s
        while not done():
            left = until - time.monotonic()
            if left <= 0.0:
                return False
            self.poll(left)
        return True

    def topic(self, name: str) -> str:
        """Return a topic's full name: ``~/…`` is in the world's namespace.

        Raises:
            GazeboUnreachable: the Gazebo has no world (yet).
        """
        if not name.startswith("~/"):
            return name
        if self.world is None:
            raise GazeboUnreachable(f"the Gazebo at {self.address} has no world")
        return f"/gazebo/{self.world}/{name[2:]}"

    @property
    def world(self) -> str | None:
        """The running world's name, None until it has been loaded."""
        for topic in self.published:
            if topic.startswith("/gazebo/") and topic.endswith("/world_stats"):
                return topic[len("/gazebo/") : -len("/world_stats")]
        return None

    @property
    def published(self) -> dict[str, str]:
        """The topics that others publish, with the name of each one's message."""
        return {
            topic: message_type.rpartition(".")[2]
            for (topic, _, _), message_type in self._publishers.items()
        }

    def subscribe(self, name: str, message_type: str, handler: Handler) -> None:
        """Call `handler` with every message of a topic, as bytes that are valid during the call.

        What the handler raises as BrokenMessage is counted in `broken`. Subscribing again changes
        the handler.
        """
        topic = self.topic(name)
        known = topic in self._subscriptions
        self._subscriptions[topic] = (message_type, handler)
        if not known:
            self._tell_master("subscribe", self._own("Subscribe", topic, message_type))

    def advertise(self, name: str, message_type: str) -> Advertised:
        """Offer a topic; messages go out with `publish`. Offering it again changes nothing."""
        topic = self.topic(name)
        if topic in self._advertised:
            return self._advertised[topic]
        advertised = self._advertised[topic] = Advertised(topic)
        self._tell_master("advertise", self._own("Publish", topic, message_type))
        return advertised

    def publish(self, advertised: Advertised, message: Any) -> None:
        """Send a message to everyone who subscribed to the topic."""
        data = message.SerializeToString()
        for subscriber in list(advertised.subscribers):
            try:
                subscriber.send(data)
            except ConnectionLost:
                self._forget(subscriber)
            else:
                self._watch_for_writing(subscriber)

    def close(self) -> None:
        """Close every connection."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _await_greeting(self) -> None:
        if not self.poll_until(lambda: self.version != "", _ANSWER_LIMIT_S):
            raise UserError(
                f"{self.address} is not a Gazebo: it accepts connections but sends nothing"
            )
        if not _SPOKEN.fullmatch(self.version):
            raise UserError(
                f"{self.address} is {self.version!r}: only Gazebo Classic 9 to 11 is supported"
            )

    # Messages from the master.

    def _hear_master(self) -> None:
        try:
            for frame in self._master.received():
                self._take_packet(frame)
        except ConnectionLost as problem:
            raise GazeboUnreachable(f"the Gazebo at {self.address} is gone: {problem}") from None

    def _take_packet(self, frame: memoryview) -> None:
        try:
            packet = parse("Packet", frame)
            self._take_message(packet.type, packet.serialized_data)
        except BrokenMessage:
            self.broken += 1

    def _take_message(self, kind: str, data: bytes) -> None:
        if kind == "version_init":
            self.version = parse("GzString", data).data
        elif kind == "publishers_init":
            for publisher in parse("Publishers", data).publisher:
                self._publishers[_key(publisher)] = publisher.msg_type
        elif kind == "publisher_add":
            publisher = parse("Publish", data)
            self._publishers[_key(publisher)] = publisher.msg_type
        elif kind in ("publisher_del", "unadvertise"):
            publisher = parse("Publish", data)
            self._publishers.pop(_key(publisher), None)
            if source := self._sources.get(_key(publisher)):
                self._forget(source)
        elif kind in ("publisher_advertise", "publisher_subscribe", "publisher_update"):
            self._connect_to(parse("Publish", data))
        elif kind not in _LEFT_ALONE:
            self.broken += 1

    def _connect_to(self, publisher: Any) -> None:
        """Connect to a publisher of a topic that this client subscribed to."""
        key = _key(publisher)
        if publisher.topic not in self._subscriptions or key in self._sources:
            return
        try:
            source = _connected(publisher.host, publisher.port)
        except OSError as problem:
            raise GazeboUnreachable(
                f"{publisher.topic} is published at {publisher.host}:{publisher.port}, which does "
                f"not answer ({problem}): start gzserver with GAZEBO_IP set to an address of its "
                "machine that this one reaches"
            ) from problem
        self._sources[key] = source
        self._watch(source, lambda: self._hear_publisher(source, publisher.topic))
        message_type = self._subscriptions[publisher.topic][0]
        source.send(_packet("sub", self._own("Subscribe", publisher.topic, message_type)))
        self._watch_for_writing(source)

    # Messages from publishers and subscribers.

    def _hear_publisher(self, source: FramedSocket, topic: str) -> None:
        try:
            for frame in source.received():
                try:
                    self._subscriptions[topic][1](frame)
                except BrokenMessage:
                    self.broken += 1
        except ConnectionLost:
            self._forget(source)

    def _accept(self) -> None:
        try:
            connection = FramedSocket(self._listener.accept()[0])
        except OSError:  # it is gone again
            return
        self._watch(connection, lambda: self._hear_subscriber(connection))

    def _hear_subscriber(self, connection: FramedSocket) -> None:
        try:
            for frame in connection.received():
                packet = parse("Packet", frame)
                topic = parse("Subscribe", packet.serialized_data).topic
                if packet.type != "sub" or topic not in self._advertised:
                    raise BrokenMessage(f"{packet.type} {topic}")
                self._advertised[topic].subscribers.append(connection)
        except BrokenMessage:
            self.broken += 1
            self._forget(connection)
        except ConnectionLost:
            self._forget(connection)

    def _forget(self, connection: FramedSocket) -> None:
        if connection.fileno() < 0:
            return
        for key, source in list(self._sources.items()):
            if source is connection:
                del self._sources[key]
        for advertised in self._advertised.values():
            if connection in advertised.subscribers:
                advertised.subscribers.remove(connection)
        self._selector.unregister(connection)
        connection.close()

    # Sending and watching.

    def _tell_master(self, kind: str, message: Any) -> None:
        try:
            self._master.send(_packet(kind, message))
        except ConnectionLost as problem:
            raise GazeboUnreachable(f"the Gazebo at {self.address} is gone: {problem}") from None
        self._watch_for_writing(self._master)

    def _own(self, kind: str, topic: str, message_type: str) -> Any:
        """Return a Subscribe or Publish that says where this client takes or offers a topic."""
        host, port = self._master.local_host, self._listener.getsockname()[1]
        return new_message(
            kind, topic=topic, msg_type=type_name(message_type), host=host, port=port
        )

    def _watch(self, connection: FramedSocket | socket.socket, handler: Callable[[], None]) -> None:
        self._selector.register(connection, selectors.EVENT_READ, handler)

    def _watch_for_writing(self, connection: FramedSocket) -> None:
        key = self._selector.get_key(connection)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.has_unsent else 0)
        if events != key.events:
            self._selector.modify(connection, events, key.data)

    def _send_rest(self, connection: Any) -> None:
        try:
            connection.send_rest()
        except ConnectionLost as problem:
            if connection is self._master:
                raise GazeboUnreachable(f"the Gazebo at {self.address} is gone") from problem
            self._forget(connection)
        else:
            self._watch_for_writing(connection)


def _connected(host: str, port: int) -> FramedSocket:
    try:
        return FramedSocket(socket.create_connection((host, port), timeout=_ANSWER_LIMIT_S))
    except UnicodeError as problem:  # a part of the name is empty, or longer than 63 characters
        raise OSError(f"{host[:80]!r} is no host name") from problem


def _packet(kind: str, message: Any) -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    packet = new_message(
        "Packet",
        stamp=new_message("Time", sec=seconds, nsec=nanoseconds),
        type=kind,
        serialized_data=message.SerializeToString(),
    )
    serialized: bytes = packet.SerializeToString()
    return serialized


def _key(publisher: Any) -> tuple[str, str, int]:
    return publisher.topic, publisher.host, publisher.port
