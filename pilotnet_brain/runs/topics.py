"""A run's topics: what its nodes call them, and what these names resolve to."""

from __future__ import annotations

from pilotnet_brain.driving.takeover import TELEOP_TOPICS
from pilotnet_brain.runs.spec import RunSpec, camera_info_topic

TOPICS = (
    "camera/image_raw", "camera/camera_info", "cmd_vel", "odom", "brain/frames", "brain/status",
    "centerline", "driven_line", *TELEOP_TOPICS,
)  # fmt: skip
"""Relative names, as the nodes use them."""


def remappings(spec: RunSpec) -> list[tuple[str, str]]:
    """Return the remappings that every node of the run gets."""
    return [
        ("camera/image_raw", spec.camera_topic),
        ("camera/camera_info", camera_info_topic(spec.camera_topic)),
        ("cmd_vel", spec.cmd_vel_topic),
        ("odom", spec.odom_topic),
    ]


def topics_of(spec: RunSpec) -> dict[str, str]:
    """Return each topic's name as the run's nodes resolve it."""
    remapped = dict(remappings(spec))
    return {topic: spec.resolved(remapped.get(topic, topic)) for topic in TOPICS}
