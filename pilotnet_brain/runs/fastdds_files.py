"""Removes what dead runs left in /dev/shm.

A process that is killed leaves its Fast DDS segment (megabytes) and ports behind; in a container's
64 MiB a few of them are enough to starve the next run of shared memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

DIRECTORY = Path("/dev/shm")
_SEGMENT_LOCK = re.compile(r"(?P<name>fast(?:rtps|dds)_[0-9a-f]{16})_el")
_PORT = re.compile(r"fast(?:rtps|dds)_port\d+")
_SETTLING_S = 1.0
"""A file younger than this may belong to a process that is just about to lock it."""


def remove_dead_files(directory: Path = DIRECTORY) -> list[str]:
    """Remove the Fast DDS files in `directory` whose owner is dead, and return their names.

    Only files of one's own user are touched, and only those that no process visible here maps and
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
