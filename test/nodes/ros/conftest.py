"""Nodes of a test, each in its own context, as in its own process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402

from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment  # noqa: E402

DOMAIN_ID = 40 + os.getpid() % 30


@pytest.fixture
def make_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Node]]:
    """Make nodes by name.

    Fast DDS reads its profile once a process: later tests publish images from this one.
    """
    for name, value in dds_environment(IMAGE_PUBLISHER).items():
        monkeypatch.setenv(name, value)
    nodes: list[Node] = []

    def make(name: str) -> Node:
        context = Context()
        context.init(domain_id=DOMAIN_ID)
        nodes.append(Node(name, context=context))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
        node.context.try_shutdown()
