"""Who publishes on a topic, and which of those that start together goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from rclpy.node import Node  # noqa: E402
from std_msgs.msg import Empty  # noqa: E402

from pilotnet_brain.nodes.ros.graph import StartingPublisher, other_publishers, takes  # noqa: E402

pytestmark = pytest.mark.live

TOPIC = "/cmd_vel"
PATIENCE_S = 20.0
Make = Callable[[str], Node]


def wait_for_others(nodes: list[Node], count: int) -> None:
    """Wait until every node sees so many other publishers, by name."""

    def named(node: Node) -> list[str]:
        return [name for name in other_publishers(node, TOPIC) if name != "another node"]

    deadline = time.monotonic() + PATIENCE_S
    while any(len(named(node)) != count for node in nodes):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start_publishing(node: Node) -> StartingPublisher:
    starting = StartingPublisher(node, TOPIC)
    node.create_publisher(Empty, TOPIC, 1)
    return starting


@pytest.mark.parametrize("names", [("brain", "brain"), ("left", "right"), ("a", "b", "b")])
def test_of_those_that_start_together_exactly_one_goes_on(
    make_node: Make, names: tuple[str, ...]
) -> None:
    nodes = [make_node(name) for name in names]
    started = [start_publishing(node) for node in nodes]
    wait_for_others(nodes, len(names) - 1)
    winners = [starting.winners() for starting in started]
    assert winners.count([]) == 1
    assert all(len(names) - 1 == len(others) for others in winners if others)


def test_who_published_before_goes_on(make_node: Make) -> None:
    before, *nodes = [make_node(name) for name in ("before", "left", "right")]
    before.create_publisher(Empty, TOPIC, 1)
    started = [start_publishing(node) for node in nodes]
    wait_for_others([before, *nodes], 2)
    assert all("/before" in starting.winners() for starting in started)


def test_a_node_yields_only_to_others_that_it_has_seen_for_a_while(make_node: Make) -> None:
    """Else a brain that was held up would let the guard drive, whose name it does not know yet."""
    before, node = make_node("before"), make_node("brain")
    starting = start_publishing(node)
    assert starting.yields_to(now_s=0.0) == []
    assert not starting.contested
    other = before.create_publisher(Empty, TOPIC, 1)
    wait_for_others([node], 1)
    # Held up for 10 s: nothing was seen meanwhile.
    assert starting.yields_to(now_s=10.0) == []
    assert starting.contested
    assert starting.yields_to(now_s=10.4) == []
    assert starting.yields_to(now_s=10.5) == ["/before"]
    before.destroy_publisher(other)
    wait_for_others([node], 0)
    assert starting.yields_to(now_s=10.6) == []
    assert not starting.contested


def test_the_mark_is_taken_away_and_hidden_while_it_is_there(make_node: Make) -> None:
    node, other = make_node("brain"), make_node("other")
    starting = start_publishing(node)
    wait_for_others([other], 1)

    def marks() -> list[str]:
        return [name for name, _ in other.get_topic_names_and_types() if "starting" in name]

    assert len(marks()) == 1
    # A name that begins with _ is left out of `ros2 topic list`.
    assert marks()[0].startswith(f"{TOPIC}/_")
    starting.close()
    deadline = time.monotonic() + PATIENCE_S
    while marks():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert other_publishers(other, TOPIC) == ["/brain"]


def test_who_takes_a_topic(make_node: Make) -> None:
    node, listener = make_node("brain"), make_node("listener")
    assert takes(node, TOPIC, [""])
    assert not takes(node, TOPIC, ["listener"])
    listener.create_subscription(Empty, TOPIC, lambda _: None, 1)
    deadline = time.monotonic() + PATIENCE_S
    while not takes(node, TOPIC, ["listener"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not takes(node, TOPIC, ["listener", "recorder"])
