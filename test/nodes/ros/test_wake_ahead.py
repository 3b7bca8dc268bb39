"""The network is run shortly before the next frame, and never in the way of one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup  # noqa: E402
from rclpy.clock import Clock, ClockType  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402

from pilotnet_brain.nodes.ros import wake_ahead  # noqa: E402
from pilotnet_brain.nodes.ros.wake_ahead import WakeAhead  # noqa: E402

pytestmark = pytest.mark.live

AHEAD_S = 0.05
Frames = Callable[[list[float]], list[tuple[str, float]]]


@pytest.fixture
def frames(make_node: Callable[[str], Node]) -> Frames:
    """Return what happens when frames come after these pauses, s: "frame" or "wake", and when."""
    node = make_node("brain")
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    happened: list[tuple[str, float]] = []

    def wake() -> None:
        happened.append(("wake", time.perf_counter()))

    clock = Clock(clock_type=ClockType.STEADY_TIME)
    waker = WakeAhead(node, AHEAD_S, wake, clock, MutuallyExclusiveCallbackGroup())

    def after(pauses: list[float]) -> list[tuple[str, float]]:
        for pause_s in pauses:
            until = time.perf_counter() + pause_s
            while (left := until - time.perf_counter()) > 0.0:
                executor.spin_once(timeout_sec=left)
            now = time.perf_counter()
            happened.append(("frame", now))
            waker.on_frame(now)
        return happened

    return after


def test_it_is_run_before_each_frame_once_the_rate_is_known(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_ahead, "_LATE_S", AHEAD_S)
    happened = frames([0.2] * 12)
    kinds = [kind for kind, _ in happened]
    assert kinds[:5] == ["frame"] * 5
    assert 1 <= kinds.count("wake") <= 7
    for (kind, at_s), (next_kind, next_s) in zip(happened, happened[1:], strict=False):
        if kind == "wake":
            assert next_kind == "frame"
            assert 0.0 < next_s - at_s < 0.1


def test_a_frame_that_comes_early_puts_it_off(frames: Frames) -> None:
    frames([0.2] * 6)
    before = len(frames([]))
    happened = frames([0.02, 0.02, 0.02])[before:]
    assert [kind for kind, _ in happened] == ["frame"] * 3


def test_a_processor_without_time_to_spare_is_left_alone(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_ahead, "_LATE_S", 0.0)
    assert all(kind == "frame" for kind, _ in frames([0.1] * 10))


def test_frames_without_a_rate_are_left_alone(frames: Frames) -> None:
    assert all(kind == "frame" for kind, _ in frames([0.001] * 20))
