"""The other end of Gazebo's transport for tests: a master and publisher on real sockets.

It says what a test has it say, good or hostile; the real gzserver is in test/gazebo.
"""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any

from pilotnet_brain.simulation.gazebo.transport.messages import new_message, parse

GOOD_VERSION = "gazebo 11.1"


def packet(kind: str, message: Any) -> bytes:
    """Return a framed packet as the master sends it."""
    whole = new_message(
        "Packet",
        stamp=new_message("Time", sec=0, nsec=0),
        type=kind,
        serialized_data=message.SerializeToString(),
    )
    return framed(whole.SerializeToString())


def framed(message: bytes) -> bytes:
    """Return bytes with their length before them."""
    return b"%8x" % len(message) + message


def greeting(version: str = GOOD_VERSION, *topics: tuple[str, str]) -> bytes:
    """Return what a master says first; `topics` are names and message types."""
    publishers = new_message("Publishers")
    for topic, message_type in (*topics, ("/gazebo/default/world_stats", "")):
        publishers.publisher.add(topic=topic, msg_type=message_type, host="127.0.0.1", port=1)
    return (
        packet("version_init", new_message("GzString", data=version))
        + packet("topic_namepaces_init", new_message("GzString", data="default"))
        + packet("publishers_init", publishers)
    )


class GazeboPeer:
    """Listens on a free port; the first who connects is greeted with `first_words`."""

    def __init__(self, first_words: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(10.0)
        self.port: int = self._server.getsockname()[1]
        self._first_words = first_words
        self.connection = socket.socket()
        self._thread = threading.Thread(target=self._greet)

    def __enter__(self) -> GazeboPeer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.join()
        self.connection.close()
        self._server.close()

    def say(self, words: bytes) -> None:
        """Send bytes to whoever was greeted."""
        self._thread.join()
        self.connection.sendall(words)

    def heard(self) -> Any:
        """Return the next packet that came from whoever was greeted."""
        self._thread.join()
        return parse("Packet", read_frame(self.connection))

    def next_connection(self) -> socket.socket:
        """Return the next connection: a subscriber's."""
        connection = self._server.accept()[0]
        connection.settimeout(10.0)
        return connection

    def _greet(self) -> None:
        self.connection = self.next_connection()
        self.connection.sendall(self._first_words)


def read_frame(connection: socket.socket) -> bytes:
    """Return the next message of a blocking connection."""
    length = int(_read(connection, 8), 16)
    return _read(connection, length)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, "the connection was closed"
        data += piece
    return data
