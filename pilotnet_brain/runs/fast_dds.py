"""Fast DDS: the profile that each process of a run gets, and what dead runs left in /dev/shm.

A process that is killed leaves its Fast DDS segment (megabytes) and ports behind; in a container's
64 MiB a few of them are enough to starve the next run of shared memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
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
FAST_DDS = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
_SEGMENT_LOCK = re.compile(r"(?P<name>fast(?:rtps|dds)_[0-9a-f]{16})_el")
_PORT = re.compile(r"fast(?:rtps|dds)_port\d+")
_SETTLING_S = 1.0
"""A file younger than this may belong to a process that is just about to lock it."""


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
    if implementation in ("", *FAST_DDS):
        return None
    return (
        f"RMW_IMPLEMENTATION={implementation}: the project's DDS profile is for Fast DDS and does "
        "not apply; camera frames may be dropped and traffic may leave this machine"
    )


def remove_dead_files(directory: Path = SHARED_MEMORY) -> list[str]:
    """Remove the Fast DDS files in `directory` whose owner is dead, and return their names.

    Only this user's files are touched, and only those that no process visible here maps and
    whose lock files nobody holds (Fast DDS holds a flock on them for as long as it lives; that also
    covers processes of another container that shares the directory).
    """
    if not directory.is_dir():
        return []
    mapped = _mapped_files(directory)
    own = {p.name: p for p in directory.iterdir() if _is_own_and_settled(p)}
    removed: list[str] = []
    for name in sorted(own):
        lock = _SEGMENT_LOCK.fullmatch(name)
        if lock and lock["name"] not in mapped:
            removed += _remove_if_unlocked(directory, [name], [lock["name"], name])
        elif _PORT.fullmatch(name) and name not in mapped:
            locks = [lock for lock in (f"{name}_el", f"{name}_sl") if (directory / lock).exists()]
            if all(lock in own for lock in locks):
                removed += _remove_if_unlocked(
                    directory, locks, [name, *locks, f"sem.{name}_mutex"]
                )
    return removed


def _is_own_and_settled(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:  # gone meanwhile: its owner ended properly
        return False
    return status.st_uid == os.getuid() and time.time() - status.st_ctime > _SETTLING_S


def _remove_if_unlocked(directory: Path, locks: list[str], names: list[str]) -> list[str]:
    """Remove `names` if every lock can be had; they are held until the files are gone."""
    with contextlib.ExitStack() as held:
        for lock in locks:
            try:
                file = os.open(directory / lock, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                return []
            held.callback(os.close, file)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # held: its owner lives
                return []
        removed = []
        for name in names:
            path = directory / name
            with contextlib.suppress(FileNotFoundError):  # not every file has all companions
                if path.stat().st_uid == os.getuid():
                    path.unlink()
                    removed.append(name)
        return removed


def _mapped_files(directory: Path) -> set[str]:
    """Return the names of the files in `directory` that a process visible here has mapped."""
    prefix = f"{directory}/"
    names: set[str] = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            text = maps.read_text(errors="replace")
        except OSError:  # ended meanwhile, or another user's: whose files are not touched
            continue
        for line in text.splitlines():
            _, found, path = line.partition(prefix)
            if found:
                names.add(path.removesuffix(" (deleted)"))
    return names
