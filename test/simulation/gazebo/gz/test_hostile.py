"""Hostile bytes on every socket are counted, and the client goes on."""

from __future__ import annotations

import os
import socket
import struct
import uuid
from collections.abc import Iterator

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotnet_brain.errors import UserError
from pilotnet_brain.message_table import BrokenMessage
from pilotnet_brain.simulation.gazebo.gz.client import GzClient, default_partition
from pilotnet_brain.simulation.gazebo.gz.discovery import discovery_address
from pilotnet_brain.simulation.gazebo.gz.messages import camera_frame, new_message

PORT = 30_000 + 2 * (os.getpid() % 5000)
PATIENCE_S = 20.0
HOSTILE = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[GzClient]:
    monkeypatch.setenv("GZ_DISCOVERY_MSG_PORT", str(PORT))
    monkeypatch.setenv("GZ_DISCOVERY_SRV_PORT", str(PORT + 1))
    one = GzClient(f"hostile_{uuid.uuid4().hex[:8]}")
    yield one
    one.close()


def say(datagram: bytes, port: int = PORT) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(datagram, ("239.255.0.7", port))


def announced(topic: str, address: str, process: str) -> bytes:
    publisher = new_message(
        "Publisher",
        topic=topic,
        address=address,
        process_uuid=process,
        scope=2,
        msg_pub=new_message("MessagePublisher", msg_type="gz.msgs.Clock"),
    )
    said = new_message("Discovery", version=10, process_uuid=process, type=1, pub=publisher)
    body = said.SerializeToString()
    return struct.pack("<H", len(body)) + body


@HOSTILE
@given(datagram=st.binary(max_size=200), service=st.booleans())
def test_datagrams_of_any_kind_are_left_out(
    client: GzClient, datagram: bytes, service: bool
) -> None:
    say(datagram, PORT + service)
    # Comes after it on the same socket.
    last = uuid.uuid4().hex
    say(announced(f"@/{client.partition}@/last", "tcp://127.0.0.1:1", last), PORT + service)
    assert client.poll_until(lambda: client.is_there(last), PATIENCE_S)


@HOSTILE
@given(address=st.text(max_size=40))
def test_an_address_that_is_none_is_left_out(client: GzClient, address: str) -> None:
    client.subscribe("/clock", "Clock", lambda content: None)
    process = uuid.uuid4().hex
    say(announced(f"@/{client.partition}@/clock", address, process))
    assert client.poll_until(lambda: client.is_there(process), PATIENCE_S)


@settings(HOSTILE, max_examples=10)
@given(parts=st.lists(st.binary(max_size=30), min_size=1, max_size=7))
def test_messages_of_any_parts_reach_no_handler_or_are_counted(
    client: GzClient, parts: list[bytes]
) -> None:
    full = f"@/{client.partition}@/image"
    seen: list[object] = []
    ends: list[bytes] = []
    client.subscribe("/image", "Image", lambda content: seen.append(camera_frame(content)))
    client.subscribe("/image/end", "Clock", lambda content: ends.append(bytes(content)))
    with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        publisher.bind("tcp://127.0.0.1:*")
        address = publisher.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        process = uuid.uuid4().hex
        say(announced(f"{full}/end", address, process))
        client.poll_until(lambda: client.is_there(process), PATIENCE_S)

        def ended() -> bool:
            publisher.send_multipart([full.encode() + b"/end", *parts])
            publisher.send_multipart([(full + "/end").encode(), b"", b"end", b"gz.msgs.Clock"])
            return bool(ends)

        assert client.poll_until(ended, PATIENCE_S)
    assert seen == []


@given(content=st.binary(max_size=200))
def test_bytes_that_are_no_image_are_refused(content: bytes) -> None:
    with pytest.raises(BrokenMessage):
        camera_frame(content)


def test_an_image_of_another_size_than_it_says_is_refused() -> None:
    image = new_message("Image", width=4, height=2, step=12, data=b"\0" * 23, pixel_format_type=3)
    with pytest.raises(BrokenMessage, match="23 bytes for 4x2 pixels in rows of 12"):
        camera_frame(image.SerializeToString())


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "10317x", "²"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(UserError, match="GZ_DISCOVERY_MSG_PORT"):
        discovery_address("msg", {"GZ_DISCOVERY_MSG_PORT": port})


def test_the_variables_of_gazebo_are_read() -> None:
    assert discovery_address("srv", {}) == ("239.255.0.7", 10318)
    changed = {"GZ_DISCOVERY_MULTICAST_IP": "239.255.0.9", "GZ_DISCOVERY_SRV_PORT": "1234"}
    assert discovery_address("srv", changed) == ("239.255.0.9", 1234)
    assert default_partition({"GZ_PARTITION": "mine"}) == "mine"
    assert default_partition({}).startswith(f"{socket.gethostname()}:")


def test_an_interface_that_is_none_is_refused_with_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="GZ_IP"):
        GzClient("mine", "203.0.113.7")
