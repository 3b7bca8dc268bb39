"""Messages cross a TCP connection whole, however it cuts them, and nonsense ends it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.simulation.gazebo.transport.connection import (
    LARGEST_MESSAGE_BYTES,
    ConnectionLost,
    FramedSocket,
)


def connected_pair() -> tuple[FramedSocket, socket.socket]:
    """Return the two ends of a TCP connection, the second one plain and blocking."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = socket.create_connection(server.getsockname())
        return FramedSocket(server.accept()[0]), plain


@pytest.fixture
def ends() -> Iterator[tuple[FramedSocket, socket.socket]]:
    framed, plain = connected_pair()
    plain.settimeout(10.0)
    yield framed, plain
    framed.close()
    plain.close()


def framed_bytes(message: bytes) -> bytes:
    """Return a message as Gazebo sends it: std::setw(8) << std::hex before it."""
    return b"%8x" % len(message) + message


def received_after(framed: FramedSocket, count: int) -> list[bytes]:
    """Return the messages received until there are `count`."""
    messages: list[bytes] = []
    while len(messages) < count:
        messages += [bytes(message) for message in framed.received()]
    return messages


@settings(max_examples=40, deadline=None)
@given(
    messages=st.lists(st.binary(max_size=300), min_size=1, max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=10),
)
def test_messages_arrive_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    framed, plain = connected_pair()
    stream = b"".join(framed_bytes(message) for message in messages)
    got: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        plain.sendall(stream[at : at + size])
        at, turn = at + size, turn + 1
        got += [bytes(message) for message in framed.received()]
    got += received_after(framed, len(messages) - len(got))
    assert got == messages
    framed.close()
    plain.close()


def test_a_camera_frame_passes(ends: tuple[FramedSocket, socket.socket]) -> None:
    framed, plain = ends
    frame = bytes(range(256)) * 3600
    plain.sendall(framed_bytes(frame[:5]))
    framed.send(frame)
    back = plain.recv(8)
    assert int(back, 16) == len(frame)
    arrived = b""
    while len(arrived) < len(frame):
        framed.send_rest()
        arrived += plain.recv(1 << 20)
    assert arrived == frame
    assert not framed.has_unsent
    assert received_after(framed, 1) == [frame[:5]]


@pytest.mark.parametrize(
    "header", [b"GET / HT", b"        ", b"-0000001", b"0x000010", b"1 2 3 4 ", b"\x00" * 8]
)
def test_what_is_no_length_ends_the_connection(
    ends: tuple[FramedSocket, socket.socket], header: bytes
) -> None:
    framed, plain = ends
    plain.sendall(header)
    with pytest.raises(ConnectionLost, match="where a length should be"):
        received_after(framed, 1)


def test_an_absurd_length_ends_the_connection_before_any_memory_is_taken(
    ends: tuple[FramedSocket, socket.socket],
) -> None:
    framed, plain = ends
    plain.sendall(b"%8x" % (LARGEST_MESSAGE_BYTES + 1))
    with pytest.raises(ConnectionLost, match="a message of"):
        received_after(framed, 1)


def test_a_peer_that_closes_amid_a_message_is_lost(
    ends: tuple[FramedSocket, socket.socket],
) -> None:
    framed, plain = ends
    plain.sendall(framed_bytes(b"whole") + framed_bytes(b"never finished")[:-3])
    plain.close()
    messages: list[bytes] = []
    with pytest.raises(ConnectionLost, match="closed the connection"):
        while True:
            for message in framed.received():
                messages.append(bytes(message))
    assert messages == [b"whole"]


def test_a_peer_that_reads_nothing_is_given_up(ends: tuple[FramedSocket, socket.socket]) -> None:
    framed, _ = ends
    with pytest.raises(ConnectionLost, match="reads nothing"):
        for _ in range(100):
            framed.send(bytes(2**20))
