"""The brain's account of its frames: how ``brain/frames`` and ``brain/status`` are delivered."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


def _latched(depth: int) -> QoSProfile:
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


FRAMES_QOS = _latched(1000)
"""Reliable and latched: a subscriber that is matched late still gets the first frames' numbers."""
STATUS_QOS = _latched(100)
"""As for the frames: every change of model that lies back no further than 100 texts."""
