"""Where Gazebo's master is, and a TCP connection of its transport: length, then message.

The length is eight characters: hexadecimal digits, padded with spaces on the left.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from pilotnet_brain.errors import UserError

DEFAULT_PORT = 11345
HEADER_BYTES = 8
LARGEST_MESSAGE_BYTES = 64 * 2**20
"""A camera frame has 1 MB; a length beyond this is no length."""
_LARGEST_BACKLOG_BYTES = 4 * 2**20


def master_address(uri: str | None = None) -> tuple[str, int]:
    """Return host and port of a master's URI: GAZEBO_MASTER_URI, else http://127.0.0.1:11345.

    Raises:
        UserError: not such an address.
    """
    text = uri or os.environ.get("GAZEBO_MASTER_URI") or f"http://127.0.0.1:{DEFAULT_PORT}"
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host = None
    if not host:
        raise UserError(f"{text!r} is not the address of a Gazebo: write http://HOST:PORT")
    return host, port


class ConnectionLost(ConnectionError):  # noqa: N818  (named by what it is)
    """The peer closed the connection, or sent what is not Gazebo's transport."""


class FramedSocket:
    """Messages over one connected TCP socket, from now on this object's, without ever blocking."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._header = bytearray(HEADER_BYTES)
        self._body = bytearray()
        self._expected: int | None = None
        self._filled = 0
        self._unsent = bytearray()

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def local_host(self) -> str:
        """Address of this side, as the peer can reach it."""
        return str(self._socket.getsockname()[0])

    def received(self) -> Iterator[memoryview]:
        """Yield the messages that have come; each is valid until the next is asked for.

        Raises:
            ConnectionLost: the peer is gone, or a length is no length.
        """
        while True:
            if self._expected is None:
                if not self._receive(self._header, HEADER_BYTES):
                    return
                self._expected = _length(bytes(self._header))
                if len(self._body) < self._expected:
                    self._body = bytearray(self._expected)
            if not self._receive(self._body, self._expected):
                return
            length, self._expected = self._expected, None
            yield memoryview(self._body)[:length]

    def send(self, message: bytes) -> None:
        """Send a message, the rest later where the peer is slow (see `has_unsent`).

        Raises:
            ConnectionLost: the peer is gone, or has read nothing for megabytes.
        """
        self._unsent += f"{len(message):{HEADER_BYTES}x}".encode()
        self._unsent += message
        if len(self._unsent) > _LARGEST_BACKLOG_BYTES:
            raise ConnectionLost(f"the peer reads nothing: {len(self._unsent)} bytes wait")
        self.send_rest()

    @property
    def has_unsent(self) -> bool:
        """Whether `send_rest` is to be called once the socket takes more."""
        return bool(self._unsent)

    def send_rest(self) -> None:
        """Send as much of what waits as the socket takes; raises as `send`."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError as problem:
            raise ConnectionLost(str(problem)) from problem

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive(self, buffer: bytearray, length: int) -> bool:
        """Return whether the first `length` bytes of the buffer are filled by now."""
        with memoryview(buffer) as view:
            while self._filled < length:
                try:
                    count = self._socket.recv_into(view[self._filled : length])
                except BlockingIOError:
                    return False
                except OSError as problem:
                    raise ConnectionLost(str(problem)) from problem
                if count == 0:
                    raise ConnectionLost("the peer closed the connection")
                self._filled += count
        self._filled = 0
        return True


def _length(header: bytes) -> int:
    """Return the length that a header states.

    Raises:
        ConnectionLost: it states none, or an absurd one.
    """
    digits = header.strip(b" ")
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise ConnectionLost(f"not Gazebo's transport: {header!r} where a length should be")
    length = int(digits, 16)
    if length > LARGEST_MESSAGE_BYTES:
        raise ConnectionLost(f"not Gazebo's transport: a message of {length} bytes")
    return length
