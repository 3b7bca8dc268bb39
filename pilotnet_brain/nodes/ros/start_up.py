"""How a simulator begins a run: once everyone is connected, and the brain has answered a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node

from pilotnet_brain.errors import UserError
from pilotnet_brain.nodes.ros.graph import missing_peers, other_publishers
from pilotnet_brain.runs.stop_signal import StopSignal

_SEEING_OTHERS_S = 0.7
"""How long another run's /clock publisher is given to show up."""
_SAY_AGAIN_S = 5.0
_SHOW_AGAIN_S = 0.1
_ANSWER_LIMIT_S = 10.0
"""How long a connected brain is given to answer the first frame."""
_TURN_S = 0.02

Turn = Callable[[float], None]
"""Handles what comes within a number of seconds."""


@dataclass(frozen=True)
class SimulatorTopics:
    """Resolved names of a simulator's topics."""

    image: str
    cmd_vel: str
    odom: str


def await_peers(
    node: Node, wait_for: Sequence[str], topics: SimulatorTopics, turn: Turn, stop: StopSignal
) -> None:
    """Return once everyone of `wait_for` is connected; say whom the run waits for.

    Args:
        node: the simulator.
        wait_for: as `peers.missing_peers` takes them; empty names are nobody.
        topics: the simulator's.
        turn: handles the simulator's events meanwhile.
        stop: ends the waiting.

    Raises:
        UserError: another simulator is in this ROS domain.
    """
    names = [name for name in wait_for if name]
    begin = say_at = time.monotonic()
    while stop.number is None:
        turn(_TURN_S)
        now = time.monotonic()
        if others := other_publishers(node, "/clock"):
            raise UserError(
                f"another simulator publishes /clock in this ROS domain ({', '.join(others)}): "
                "end that run first, or choose another ROS_DOMAIN_ID"
            )
        missing = missing_peers(node, names, topics.image, topics.cmd_vel, topics.odom)
        if not missing and now - begin > _SEEING_OTHERS_S:
            return
        if missing and now >= say_at:
            node.get_logger().info(f"waiting for {', '.join(missing)}")
            say_at = now + _SAY_AGAIN_S


def await_answer(
    node: Node,
    show: Callable[[float], None],
    answered: Callable[[], bool],
    turn: Turn,
    stop: StopSignal,
) -> None:
    """Show the brain the view from the start until a command proves that both hear each other.

    Discovery is two-sided: that this side sees the brain does not mean that the brain sees this
    side, and the frames of the first second would be lost.

    Args:
        node: the simulator.
        show: publishes the view with a stamp, s. The stamps are nanoseconds after 0: new frames
            each, at the start of simulated time.
        answered: whether a command has come.
        turn: handles the simulator's events meanwhile.
        stop: ends the waiting.
    """
    begin = time.monotonic()
    shown = 0
    while stop.number is None and not answered():
        shown += 1
        show(shown * 1e-9)
        show_again_at = time.monotonic() + _SHOW_AGAIN_S
        while not answered() and (wait := show_again_at - time.monotonic()) > 0.0:
            turn(wait)
        if time.monotonic() - begin > _ANSWER_LIMIT_S:
            node.get_logger().warning(
                f"no command within {_ANSWER_LIMIT_S:.0f} s of the first frame: "
                "the clock starts all the same"
            )
            return
    node.get_logger().info("everyone is here: the clock starts")
