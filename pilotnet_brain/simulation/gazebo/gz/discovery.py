"""How the processes of a Gazebo Sim find each other: UDP multicast, wire version 10.

Every process says once a second that it is there, and which topics (on one port) and services (on
another) it offers; it repeats an offer when asked for it. A datagram is its length, two bytes with
the low one first, and a gz.msgs.Discovery.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pilotnet_brain.errors import UserError
from pilotnet_brain.message_table import BrokenMessage
from pilotnet_brain.simulation.gazebo.gz.messages import new_message, parse

ADVERTISE, SUBSCRIBE, UNADVERTISE, HEARTBEAT, BYE, NEW_CONNECTION, END_CONNECTION = range(1, 8)
"""Kinds of what is said."""
LOOPBACK = "127.0.0.1"
HEARTBEAT_S = 1.0
SILENCE_S = 3.0
"""A process that says nothing for so long is gone."""
_WIRE_VERSION = 10
_LENGTH = struct.Struct("<H")
_LONGEST = 65_536
_ALL = 2
"""Scope of an offer that every machine may take."""
_MULTICAST_ALL = 49
"""Linux's IP_MULTICAST_ALL, which Python's socket does not name."""


def discovery_address(kind: str, environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Return the multicast group and the port on which offers are announced.

    Args:
        kind: ``msg`` (topics) or ``srv`` (services).
        environment: GZ_DISCOVERY_MULTICAST_IP, GZ_DISCOVERY_MSG_PORT and GZ_DISCOVERY_SRV_PORT
            change them, as in Gazebo.

    Raises:
        UserError: a variable is no port.
    """
    variable, default = f"GZ_DISCOVERY_{kind.upper()}_PORT", {"msg": 10317, "srv": 10318}[kind]
    text = environment.get(variable, "") or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UserError(f"{variable} is {text!r}: a port is needed (1 to 65535)")
    return environment.get("GZ_DISCOVERY_MULTICAST_IP", "") or "239.255.0.7", int(text)


class Discovery:
    """One channel, of topics or of services, on one network interface.

    Args:
        kind: ``msg`` or ``srv``.
        process: this process's UUID.
        interface: IPv4 address of the interface.

    Raises:
        UserError: the channel cannot be opened there.
    """

    def __init__(self, kind: str, process: str, interface: str = LOOPBACK) -> None:
        self._kind, self._process = kind, process
        self._address = discovery_address(kind)
        group, port = self._address
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            here = socket.inet_aton(interface)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Otherwise what comes over interfaces that other processes joined would come, too.
            self._receiver.setsockopt(socket.IPPROTO_IP, _MULTICAST_ALL, 0)
            self._receiver.bind((group, port))
            membership = socket.inet_aton(group) + here
            self._receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            self._receiver.setblocking(False)
            self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
            self._sender.bind((interface, 0))
        except OSError as problem:
            self.close()
            raise UserError(
                f"Gazebo Sim cannot be looked for on {interface} (multicast to {group}:{port}): "
                f"{problem}; set GZ_IP to the address of an interface with multicast"
            ) from problem

    def fileno(self) -> int:
        """Return what to poll for reading."""
        return self._receiver.fileno()

    def say(self, kind: int, **content: Any) -> None:
        """Tell every process something: `content` is ``pub`` (an `offer`) or ``sub``."""
        said = new_message(
            "Discovery", version=_WIRE_VERSION, process_uuid=self._process, type=kind, **content
        )
        body = said.SerializeToString()
        with suppress(OSError):  # the interface is down: said again in a second
            self._sender.sendto(_LENGTH.pack(len(body)) + body, self._address)

    def heard(self) -> Iterator[Any]:
        """Yield what other processes have said since the last call, as Discovery messages.

        Raises:
            BrokenMessage: a datagram is none; the next call goes on after it.
        """
        while True:
            try:
                datagram = self._receiver.recv(_LONGEST)
            except BlockingIOError:
                return
            body = datagram[_LENGTH.size :]
            if len(datagram) < _LENGTH.size or len(body) != _LENGTH.unpack_from(datagram)[0]:
                raise BrokenMessage(f"a datagram of {len(datagram)} bytes is no discovery message")
            said = parse("Discovery", body)
            # A process with topic statistics has another version: its messages have a fifth part.
            if said.version == _WIRE_VERSION and said.process_uuid != self._process:
                yield said

    def close(self) -> None:
        """Close the channel."""
        self._receiver.close()
        self._sender.close()


def offer(topic: str, address: str, process: str, node: str, **kind: Any) -> Any:
    """Return what announces a topic (``msg_pub=``) or a service (``srv_pub=``)."""
    return new_message(
        "Publisher",
        topic=topic,
        address=address,
        process_uuid=process,
        node_uuid=node,
        scope=_ALL,
        **kind,
    )
