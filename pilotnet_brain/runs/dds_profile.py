"""Which Fast DDS profile each process of a run gets, and that a run stays on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pilotnet_brain.package_share import share_dir

IMAGE_PUBLISHER = "dds_images.xml"
"""Profile of a process that publishes camera images: a shared-memory segment of 8 MiB."""
NO_IMAGES = "dds.xml"
"""Profile of every other process: a segment of 1 MiB."""

# Fast DDS 3 (from Kilted on) reads the first, Fast DDS 2 the second.
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_UP_TO_HUMBLE = ("humble", "galactic", "foxy")
_FAST_DDS = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")


def profile_path(profile: str) -> Path:
    """Return the path of one of the two profile files."""
    return share_dir() / "config" / profile


def dds_environment(profile: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables to add to a process's environment before it starts.

    Args:
        profile: IMAGE_PUBLISHER or NO_IMAGES.
        environment: what is set already (default: this process's); a profile or a discovery range
            that the user set there is left alone.
    """
    present = os.environ if environment is None else environment
    added: dict[str, str] = {}
    if not any(present.get(name) for name in PROFILE_VARIABLES):
        added.update(dict.fromkeys(PROFILE_VARIABLES, str(profile_path(profile))))
    chosen = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS")
    if not any(present.get(name) for name in chosen):
        # Jazzy and later read the range, Humble the other; set together, Jazzy warns and obeys
        # ROS_LOCALHOST_ONLY, so each distribution gets its own.
        if present.get("ROS_DISTRO") in _UP_TO_HUMBLE:
            added["ROS_LOCALHOST_ONLY"] = "1"
        else:
            added["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return added


def other_terminals(environment: Mapping[str, str] | None = None) -> str | None:
    """Return what another terminal needs to see a run's nodes, None where it needs nothing.

    Humble's nodes that stay on this machine are seen only by others that do; from Jazzy on, by all
    on this machine.
    """
    present = os.environ if environment is None else environment
    with_our_profile = not any(present.get(name) for name in PROFILE_VARIABLES)
    # Humble's setup.bash sets it to 0.
    if present.get("ROS_LOCALHOST_ONLY") == "1" or not with_our_profile:
        return None
    if present.get("ROS_DISTRO") not in _UP_TO_HUMBLE:
        return None
    return (
        "to see the nodes from another terminal, say there: "
        "export ROS_LOCALHOST_ONLY=1; ros2 daemon stop"
    )


def profile_warning(environment: Mapping[str, str] | None = None) -> str | None:
    """Return what to tell a user whose DDS is not Fast DDS, or None."""
    present = os.environ if environment is None else environment
    implementation = present.get("RMW_IMPLEMENTATION", "")
    if implementation in ("", *_FAST_DDS):
        return None
    return (
        f"RMW_IMPLEMENTATION={implementation}: the project's DDS profile is for Fast DDS and does "
        "not apply; camera frames may be dropped and traffic may leave this machine"
    )
