"""The two ends of the transport bench: camera frames from one process to another.

``transport.py`` runs it: ``camera_stream.py publish|receive TOPIC``.
Stamps are readings of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from pilotnet_brain.nodes.ros.simulator_output import image_message

NO_PEER = 3
"""Exit status: the other end did not show up."""
_WARM_FRAMES = 20
_PEER_LIMIT_S = 10.0
# The contract's camera: always the newest frame.
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def publish(node: Node, topic: str, rate_hz: float, count: int) -> int:
    """Publish frames at a rate once a receiver is there; print how long the calls took as JSON."""
    publisher = node.create_publisher(Image, topic, _NEWEST)
    deadline = time.monotonic() + _PEER_LIMIT_S
    while node.count_subscribers(topic) == 0 or publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline:
            return NO_PEER
        time.sleep(0.01)
    message, pixels = image_message()
    pixels[...] = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    call_s = []
    begin = time.monotonic() + 0.2
    for number in range(-_WARM_FRAMES, count):
        due = begin + (number + _WARM_FRAMES) / rate_hz
        time.sleep(max(0.0, due - time.monotonic()))
        message.header.frame_id = str(number)
        stamp_ns = time.monotonic_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        publisher.publish(message)
        if number >= 0:
            call_s.append((time.monotonic_ns() - stamp_ns) * 1e-9)
    duration_s = time.monotonic() - begin - _WARM_FRAMES / rate_hz
    time.sleep(0.3)  # the last frames are still under way
    print(json.dumps({"call_s": call_s, "duration_s": duration_s}), flush=True)
    return 0


def receive(node: Node, topic: str) -> int:
    """Receive frames until SIGTERM; print their numbers and ages (seconds) as JSON."""
    frames: dict[int, float] = {}

    def on_image(message: Image) -> None:
        now_ns = time.monotonic_ns()
        stamp = message.header.stamp
        number = int(message.header.frame_id)
        if number >= 0:
            age_s = (now_ns - stamp.sec * 1_000_000_000 - stamp.nanosec) * 1e-9
            frames.setdefault(number, age_s)

    node.create_subscription(Image, topic, on_image, _NEWEST)
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    print("ready", flush=True)
    _spin_until(node, asked)
    print(json.dumps({"number": list(frames), "age_s": list(frames.values())}), flush=True)
    return 0


def _spin_until(node: Node, asked: list[Any]) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not asked:
        executor.spin_once(timeout_sec=0.1)
    executor.remove_node(node)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one end; return its exit status."""
    parser = argparse.ArgumentParser(prog="camera_stream")
    parser.add_argument("end", choices=("publish", "receive"))
    parser.add_argument("topic")
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--count", type=int, default=100)
    asked = parser.parse_args(arguments)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(f"image_{asked.end}")
    try:
        if asked.end == "publish":
            return publish(node, asked.topic, asked.rate, asked.count)
        return receive(node, asked.topic)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
