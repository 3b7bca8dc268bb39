"""The client talks to a master and a publisher on real sockets, and hostile ones cannot harm it."""

from __future__ import annotations

import socket

import pytest
from gazebo_peer import GazeboPeer, framed, greeting, packet, read_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.transport.client import (
    GazeboClient,
)
from pilotnet_brain.simulation.gazebo.transport.connection import master_address
from pilotnet_brain.simulation.gazebo.transport.messages import new_message, parse
from pilotnet_brain.simulation.gazebo.transport.world import await_running

CAMERA = ("/gazebo/default/car/base_link/camera/image", "gazebo.msgs.ImageStamped")


def publisher(port: int, topic: str = "/gazebo/default/clock") -> object:
    return new_message("Publish", topic=topic, msg_type="x.Time", host="127.0.0.1", port=port)


def test_knows_the_version_the_worlds_and_who_publishes_what() -> None:
    with GazeboPeer(greeting("gazebo 11.1", CAMERA)) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: CAMERA[0] in client.published, 10.0)
        assert client.version == "gazebo 11.1"
        assert client.topic("~/pose/info") == "/gazebo/default/pose/info"
        assert client.published[CAMERA[0]] == "ImageStamped"
        client.close()


def test_listens_only_where_its_gazebo_is() -> None:
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        assert client._listener.getsockname()[0] == "127.0.0.1"
        client.close()


def test_a_world_runs_once_it_tells_its_time() -> None:
    """Before that it is still being loaded, and gzserver does not bear questions."""
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: bool(client.world), 10.0)
        assert not await_running(client, 0.2)
        asked = peer.heard()
        assert asked.type == "subscribe"
        assert parse("Subscribe", asked.serialized_data).topic == "/gazebo/default/world_stats"
        stats = publisher(peer.port, "/gazebo/default/world_stats")
        peer.say(packet("publisher_subscribe", stats))
        client.poll(10.0)
        connection = peer.next_connection()
        read_frame(connection)
        time = new_message("Time", sec=1, nsec=0)
        told = new_message("WorldStatistics", sim_time=time, pause_time=time)
        connection.sendall(framed(told.SerializePartialToString()))
        assert await_running(client, 10.0)
        client.close()


def test_subscribes_with_the_master_and_then_with_the_publisher() -> None:
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: bool(client.world), 10.0)
        got: list[int] = []
        client.subscribe("~/clock", "Time", lambda data: got.append(parse("Time", data).sec))

        asked = peer.heard()
        assert asked.type == "subscribe"
        subscription = parse("Subscribe", asked.serialized_data)
        assert (subscription.topic, subscription.msg_type) == (
            "/gazebo/default/clock",
            "gazebo.msgs.Time",
        )

        peer.say(packet("publisher_subscribe", publisher(peer.port)))
        client.poll(10.0)
        with peer.next_connection() as source:
            introduced = parse("Packet", read_frame(source))
            assert introduced.type == "sub"
            assert parse("Subscribe", introduced.serialized_data).topic == "/gazebo/default/clock"
            # One message in two pieces, and one that is no Time between two good ones.
            good = framed(new_message("Time", sec=7, nsec=0).SerializeToString())
            source.sendall(good[:11])
            client.poll(0.05)
            source.sendall(good[11:] + framed(b"\xff\xff") + good)
            client.poll_until(lambda: len(got) == 2, 10.0)
        assert got == [7, 7]
        assert client.broken == 1
        client.close()


def test_publishes_to_who_asks_for_the_topic_and_to_nobody_else() -> None:
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: bool(client.world), 10.0)
        advertised = client.advertise("~/car/vel_cmd", "Time")
        offer = parse("Publish", peer.heard().serialized_data)
        assert (offer.topic, offer.msg_type) == (
            "/gazebo/default/car/vel_cmd",
            "gazebo.msgs.Time",
        )
        address = (offer.host, offer.port)
        with socket.create_connection(address, 10) as taker, socket.create_connection(address) as _:
            wish = new_message("Subscribe", topic=offer.topic, host="x", port=1, msg_type="x")
            taker.sendall(packet("sub", wish))
            client.poll_until(lambda: bool(advertised.subscribers), 10.0)
            client.publish(advertised, new_message("Time", sec=3, nsec=4))
            assert parse("Time", read_frame(taker)).sec == 3
            assert len(advertised.subscribers) == 1
        client.poll_until(lambda: not advertised.subscribers, 10.0)
        client.publish(advertised, new_message("Time", sec=3, nsec=4))
        client.close()


@pytest.mark.parametrize(
    "words",
    [
        framed(b"no packet at all"),
        packet("sub", new_message("GzString", data="no subscription")),
        packet("sub", new_message("Subscribe", topic="/other", host="x", port=1, msg_type="x")),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["no packet", "no subscription", "a topic not offered", "another protocol"],
)
def test_a_subscriber_that_talks_nonsense_is_shown_out(words: bytes) -> None:
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: bool(client.world), 10.0)
        advertised = client.advertise("~/car/vel_cmd", "Time")
        offer = parse("Publish", peer.heard().serialized_data)
        with socket.create_connection((offer.host, offer.port), 10) as taker:
            taker.sendall(words)
            taker.setblocking(False)
            closed: list[bool] = []

            def is_closed() -> bool:
                try:
                    closed.append(taker.recv(1) == b"")
                except BlockingIOError:
                    client.poll(0.01)
                except ConnectionResetError:
                    closed.append(True)
                return bool(closed)

            assert client.poll_until(is_closed, 10.0)
        assert advertised.subscribers == []
        client.close()


def test_a_master_that_ends_is_said_with_its_address() -> None:
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.poll_until(lambda: bool(client.world), 10.0)
        peer.connection.close()
        with pytest.raises(GazeboUnreachable, match=f"127.0.0.1:{peer.port} is gone"):
            client.poll_until(lambda: False, 10.0)
        client.close()


def test_where_nobody_listens_the_address_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(GazeboUnreachable, match=f"no Gazebo answers at 127.0.0.1:{port}"):
        GazeboClient("127.0.0.1", port)


@pytest.mark.parametrize("host", ["a..b", "a" * 300])
def test_what_is_no_host_name_is_unreachable(host: str) -> None:
    with pytest.raises(GazeboUnreachable, match="is no host name"):
        GazeboClient(host, 11345)
    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        client.subscribe("/clock", "Time", lambda data: None)
        there = new_message("Publish", topic="/clock", msg_type="x.Time", host=host, port=80)
        peer.say(packet("publisher_subscribe", there))
        with pytest.raises(GazeboUnreachable, match="is no host name"):
            client.poll_until(lambda: False, 10.0)
        client.close()


@pytest.mark.parametrize("version", ["gazebo 7.0.0", "gazebo", "ROS master", "gazebo eleven"])
def test_another_gazebo_is_refused_by_its_version(version: str) -> None:
    with GazeboPeer(greeting(version)) as peer, pytest.raises(UserError, match="9 to 11"):
        GazeboClient("127.0.0.1", peer.port)


@pytest.mark.parametrize(
    "uri, address",
    [
        ("http://localhost:11346", ("localhost", 11346)),
        ("http://10.0.0.2", ("10.0.0.2", 11345)),
        ("robot:12", ("robot", 12)),
    ],
)
def test_master_uri(uri: str, address: tuple[str, int]) -> None:
    assert master_address(uri) == address


@pytest.mark.parametrize("uri", ["http://", "http://host:port", "http://host:99999999"])
def test_what_is_no_address_is_said(uri: str) -> None:
    with pytest.raises(UserError, match="http://HOST:PORT"):
        master_address(uri)


_KINDS = [
    "version_init",
    "topic_namepaces_init",
    "publishers_init",
    "publisher_add",
    "publisher_del",
    "publisher_subscribe",
    "unsubscribe",
    "unheard of",
]


@settings(max_examples=60, deadline=None)
@given(
    news=st.lists(st.tuples(st.sampled_from(_KINDS), st.binary(max_size=60)), max_size=4),
    tail=st.binary(max_size=30),
)
def test_a_hostile_master_ends_the_connection_at_worst(
    news: list[tuple[str, bytes]], tail: bytes
) -> None:
    def told(kind: str, data: bytes) -> bytes:
        stamp = new_message("Time", sec=0, nsec=0)
        message = new_message("Packet", stamp=stamp, type=kind, serialized_data=data)
        return framed(message.SerializeToString())

    with GazeboPeer(greeting()) as peer:
        client = GazeboClient("127.0.0.1", peer.port)
        peer.say(b"".join(told(*item) for item in news) + tail)
        peer.connection.close()
        with pytest.raises(GazeboUnreachable):
            client.poll_until(lambda: False, 10.0)
        client.close()
