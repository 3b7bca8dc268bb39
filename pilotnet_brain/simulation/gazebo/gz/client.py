"""A client of Gazebo Sim's transport: topics and services, without Gazebo's libraries.

Messages go over ZeroMQ, from every publisher straight to each subscriber; `discovery` tells who
offers what. A message has four parts: topic, sender's address, content, type. A service is called
over two more sockets, of which the caller's receives the answer.
"""

from __future__ import annotations

import math
import os
import pwd
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from pilotnet_brain.message_table import BrokenMessage
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.gz import discovery
from pilotnet_brain.simulation.gazebo.gz.discovery import HEARTBEAT_S, LOOPBACK, SILENCE_S, offer
from pilotnet_brain.simulation.gazebo.gz.messages import new_message, parse, type_name

_NEWEST = 1_000
"""Messages that ZeroMQ keeps for a client that is held up: Gazebo's own limit."""
_ASK_AGAIN_S = 0.02

Handler = Callable[[memoryview], None]


@dataclass(frozen=True)
class Offer:
    """A topic or a service of another process."""

    process: str
    node: str
    address: str
    message_type: str  #: of a topic; of a service its request's and its response's, in one text
    socket_id: bytes = b""  #: of a service


class GzClient:
    """One process in a partition of Gazebo Sim's transport, driven by `poll`.

    Args:
        partition: who is in it; empty: GZ_PARTITION, or else Gazebo's own default.
        interface: IPv4 address of the network interface; empty: GZ_IP, or else loopback.

    Raises:
        UserError: no discovery on that interface.
    """

    def __init__(self, partition: str = "", interface: str = "") -> None:
        self.partition = partition or default_partition()
        self._interface = interface or os.environ.get("GZ_IP", "") or LOOPBACK
        self._process, self._node = str(uuid.uuid4()), str(uuid.uuid4())
        self._channels = [
            discovery.Discovery(kind, self._process, self._interface) for kind in ("msg", "srv")
        ]
        self._context = zmq.Context()
        self._subscriber = self._context.socket(zmq.SUB)
        self._publisher = self._bound(zmq.XPUB)
        self._requests = self._context.socket(zmq.ROUTER)
        self._requests.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._answers = self._bound(zmq.ROUTER, self._process.encode())
        self._subscriber.setsockopt(zmq.RCVHWM, _NEWEST)
        self._poller = zmq.Poller()
        for source in (*self._channels, self._subscriber, self._publisher, self._answers):
            self._poller.register(source, zmq.POLLIN)
        self._offers: dict[tuple[str, str], list[Offer]] = {}
        self._heard: dict[str, float] = {}
        self._subscriptions: dict[str, tuple[str, Handler]] = {}
        self._connected: set[str] = set()
        self._own: dict[str, str] = {}
        self._taken: set[str] = set()
        self._answered: dict[bytes, tuple[bytes, bool]] = {}
        self._heartbeat_s = 0.0
        self.broken = 0
        """Messages that could not be understood so far."""

    @property
    def description(self) -> str:
        """Which Gazebo it is, and where."""
        return f"Gazebo Sim in partition {self.partition}"

    def poll(self, timeout_s: float = 0.0) -> None:
        """Handle what has come, waiting for it at most `timeout_s`."""
        self._say_that_it_lives()
        until = min(time.monotonic() + timeout_s, self._heartbeat_s)
        ready = dict(self._poller.poll(max(0, math.ceil((until - time.monotonic()) * 1e3))))
        for channel in self._channels:
            if channel.fileno() in ready:
                self._hear(channel)
        for source, take in (
            (self._subscriber, self._take_message),
            (self._publisher, self._take_subscription),
            (self._answers, self._take_answer),
        ):
            if source in ready:
                self._drain(source, take)

    def poll_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Handle what comes until `done`; return whether it was within the limit."""
        until = time.monotonic() + limit_s
        while not done():
            left = until - time.monotonic()
            if left <= 0.0:
                return False
            self.poll(left)
        return True

    def offers(self, kind: str) -> dict[str, list[Offer]]:
        """Return what the partition's other processes offer now, by name.

        Args:
            kind: ``msg`` (topics) or ``srv`` (services).
        """
        prefix = self._full("")
        return {
            topic[len(prefix) :]: list(known)
            for (channel, topic), known in self._offers.items()
            if channel == kind and topic.startswith(prefix)
        }

    def is_there(self, process: str) -> bool:
        """Return whether a process was heard within the last three seconds."""
        return time.monotonic() - self._heard.get(process, -math.inf) < SILENCE_S

    def subscribe(self, topic: str, message_type: str, handler: Handler) -> None:
        """Call `handler` with every message of a topic, as bytes that are valid during the call.

        What the handler raises as BrokenMessage is counted in `broken`. Subscribing again changes
        the handler.
        """
        full = self._full(topic)
        self._subscriptions[full] = (type_name(message_type), handler)
        for known in self._offers.get(("msg", full), []):
            self._connect(full, known)
        self._say("msg", discovery.SUBSCRIBE, sub=new_message("Subscriber", topic=full))

    def advertise(self, topic: str, message_type: str) -> None:
        """Offer a topic; messages go out with `publish`."""
        self._own[self._full(topic)] = type_name(message_type)
        self._announce(self._full(topic))

    def has_subscriber(self, topic: str) -> bool:
        """Return whether someone has subscribed to a topic of this client."""
        return self._full(topic) in self._taken

    def publish(self, topic: str, message: Any) -> None:
        """Send a message to everyone who subscribed to the topic."""
        full = self._full(topic)
        content = message.SerializeToString()
        parts = [full.encode(), _address(self._publisher), content, self._own[full].encode()]
        self._publisher.send_multipart(parts)

    def call(self, service: str, request: Any, response_type: str, limit_s: float) -> Any:
        """Call a service and return its answer, a message of `response_type`.

        Raises:
            GazeboUnreachable: nobody offers it, or no answer came within the limit; it can have
                been carried out all the same.
            BrokenMessage: the service refused, or answered something else.
        """
        until = time.monotonic() + limit_s
        full = self._full(service)
        request_type = request.DESCRIPTOR.full_name
        types = f"{request_type} {type_name(response_type)}"

        def offered() -> list[Offer]:
            return [one for one in self._offers.get(("srv", full), []) if one.message_type == types]

        self._say("srv", discovery.SUBSCRIBE, sub=new_message("Subscriber", topic=full))
        if not self.poll_until(lambda: bool(offered()), limit_s):
            raise GazeboUnreachable(f"nobody in partition {self.partition} offers {service}")
        server = offered()[0]
        number = str(uuid.uuid4()).encode()
        me = [_address(self._answers), self._process.encode()]
        parts = [server.socket_id, full.encode(), *me]
        parts += [self._node.encode(), number, request.SerializeToString()]
        self._send_request(server, [*parts, *(name.encode() for name in types.split())], until)
        if not self.poll_until(lambda: number in self._answered, until - time.monotonic()):
            raise GazeboUnreachable(f"{service} does not answer within {limit_s:g} s")
        content, done = self._answered.pop(number)
        if not done:
            raise BrokenMessage(f"{service} refuses: {str(request).strip()}")
        return parse(response_type, content)

    def close(self) -> None:
        """Say goodbye and close every socket."""
        for kind, channel in zip(("msg", "srv"), self._channels, strict=True):
            self._say(kind, discovery.BYE, pub=offer("", "", self._process, ""))
            channel.close()
        self._context.destroy(linger=0)

    # Discovery.

    def _say_that_it_lives(self) -> None:
        now = time.monotonic()
        if now < self._heartbeat_s:
            return
        self._heartbeat_s = now + HEARTBEAT_S
        for kind in ("msg", "srv"):
            self._say(kind, discovery.HEARTBEAT, pub=offer("", "", self._process, ""))
        for topic in self._own:
            self._announce(topic)
        for process in [one for one in self._heard if not self.is_there(one)]:
            self._forget(process)

    def _announce(self, topic: str) -> None:
        kind = new_message("MessagePublisher", msg_type=self._own[topic])
        address = _address(self._publisher).decode()
        offered = offer(topic, address, self._process, self._node, msg_pub=kind)
        self._say("msg", discovery.ADVERTISE, pub=offered)

    def _say(self, channel: str, kind: int, **content: Any) -> None:
        self._channels[("msg", "srv").index(channel)].say(kind, **content)

    def _hear(self, channel: discovery.Discovery) -> None:
        kind = "msg" if channel is self._channels[0] else "srv"
        try:
            for said in channel.heard():
                self._heard[said.process_uuid] = time.monotonic()
                self._take_said(kind, said)
        except BrokenMessage:
            self.broken += 1

    def _take_said(self, channel: str, said: Any) -> None:
        if said.type == discovery.ADVERTISE:
            self._take_offer(channel, said.pub)
        elif said.type == discovery.UNADVERTISE:
            known = self._offers.get((channel, said.pub.topic), [])
            known[:] = [one for one in known if one.node != said.pub.node_uuid]
        elif said.type == discovery.BYE:
            self._forget(said.process_uuid)
        elif said.type == discovery.SUBSCRIBE and channel == "msg" and said.sub.topic in self._own:
            self._announce(said.sub.topic)

    def _take_offer(self, channel: str, said: Any) -> None:
        if channel == "msg":
            one = Offer(said.process_uuid, said.node_uuid, said.address, said.msg_pub.msg_type)
        else:
            types = f"{said.srv_pub.request_type} {said.srv_pub.response_type}"
            socket_id = said.srv_pub.socket_id.encode()
            one = Offer(said.process_uuid, said.node_uuid, said.address, types, socket_id)
        known = self._offers.setdefault((channel, said.topic), [])
        if one not in known:
            known.append(one)
            if channel == "msg" and said.topic in self._subscriptions:
                self._connect(said.topic, one)

    def _forget(self, process: str) -> None:
        self._heard.pop(process, None)
        for known in self._offers.values():
            known[:] = [one for one in known if one.process != process]

    # Messages.

    def _connect(self, topic: str, publisher: Offer) -> None:
        """Subscribe to a publisher, and tell it: it sends nothing to whom it does not know."""
        message_type = self._subscriptions[topic][0]
        if publisher.message_type != message_type:
            return
        if publisher.address not in self._connected:
            self._connected.add(publisher.address)
            self._connect_socket(self._subscriber, publisher.address)
        self._subscriber.setsockopt(zmq.SUBSCRIBE, topic.encode())
        kind = new_message("MessagePublisher", ctrl=publisher.process, msg_type=message_type)
        taken = offer(topic, publisher.address, self._process, self._node, msg_pub=kind)
        self._say("msg", discovery.NEW_CONNECTION, pub=taken)

    def _connect_socket(self, source: zmq.Socket[bytes], address: str) -> None:
        try:
            source.connect(address)
        except zmq.ZMQError:  # an address that is none
            self.broken += 1

    def _drain(self, source: zmq.Socket[bytes], take: Callable[[list[zmq.Frame]], None]) -> None:
        while True:
            try:
                parts = source.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                take(parts)
            except BrokenMessage:
                self.broken += 1

    def _take_message(self, parts: list[zmq.Frame]) -> None:
        if len(parts) < 4:
            raise BrokenMessage(f"a message of {len(parts)} parts")
        # A filter is a prefix: the topic may be another, longer one.
        message_type, handler = self._subscriptions.get(_text(parts[0]), ("", None))
        if handler is not None and _text(parts[3]) == message_type:
            handler(parts[2].buffer)

    def _take_subscription(self, parts: list[zmq.Frame]) -> None:
        said = parts[0].bytes
        topic = said[1:].decode(errors="replace")
        if said[:1] == b"\1":
            self._taken.add(topic)
        else:
            self._taken.discard(topic)

    # Services.

    def _send_request(self, server: Offer, parts: list[bytes], until: float) -> None:
        if server.address not in self._connected:
            self._connected.add(server.address)
            self._connect_socket(self._requests, server.address)
        while True:
            try:
                self._requests.send_multipart(parts)
                return
            except zmq.ZMQError as problem:  # not connected yet
                if problem.errno != zmq.EHOSTUNREACH or time.monotonic() > until:
                    raise GazeboUnreachable(f"{server.address} does not answer") from problem
                self.poll(_ASK_AGAIN_S)

    def _take_answer(self, parts: list[zmq.Frame]) -> None:
        if len(parts) < 6:
            raise BrokenMessage(f"an answer of {len(parts)} parts")
        *_, number, content, done = parts
        self._answered[number.bytes] = (content.bytes, done.bytes == b"1")

    def _full(self, topic: str) -> str:
        partition = f"/{self.partition.strip('/')}" if self.partition.strip("/") else ""
        return f"@{partition}@{topic}"

    def _bound(self, kind: int, identity: bytes = b"") -> zmq.Socket[bytes]:
        bound = self._context.socket(kind)
        if identity:
            bound.setsockopt(zmq.ROUTING_ID, identity)
        bound.bind(f"tcp://{self._interface}:*")
        return bound


def default_partition(environment: Mapping[str, str] = os.environ) -> str:
    """Return the partition that Gazebo's own programs are in here."""
    if "GZ_PARTITION" in environment:
        return environment["GZ_PARTITION"]
    return f"{socket.gethostname()}:{pwd.getpwuid(os.getuid()).pw_name}"


def _address(bound: zmq.Socket[bytes]) -> bytes:
    """Return where a socket listens, such as ``tcp://127.0.0.1:41234``."""
    endpoint = bound.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return endpoint.rstrip(b"\0")


def _text(part: zmq.Frame) -> str:
    return part.bytes.decode(errors="replace")
