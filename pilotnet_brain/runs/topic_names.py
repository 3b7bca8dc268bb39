"""Names of topics that follow from other names."""

from __future__ import annotations


def camera_info_topic(camera_topic: str) -> str:
    """Return the CameraInfo topic that goes with an image topic: its sibling, as ROS has it."""
    namespace, slash, _ = camera_topic.rpartition("/")
    return f"{namespace}{slash}camera_info"


def absolute(topic: str) -> str:
    """Return a topic's name as a node in the root namespace resolves it."""
    return topic if topic.startswith("/") else f"/{topic}"
