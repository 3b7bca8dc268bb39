"""What figures were made by: the versions of what ran, the commit, and the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pilotnet_brain import __version__

_PACKAGES = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "mujoco": ("mujoco",),
    "opencv": ("opencv-python-headless", "opencv-python"),
    "scipy": ("scipy",),
    "rclpy": ("ros-jazzy-rclpy", "ros-rclpy", "rclpy"),
    "rosbags": ("rosbags",),
    "mcap": ("mcap",),
}


def made_by() -> dict[str, Any]:
    """Return what figures were made by, as YAML and JSON have it: versions, commit, hardware."""
    commit = git_commit(Path(__file__))
    return {"versions": versions(), "git_commit": commit, "hardware": hardware()}


def versions() -> dict[str, str | None]:
    """Return the versions of Python, ROS and packages, without importing any; None if absent."""
    found: dict[str, str | None] = {
        "pilotnet_brain": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "ros_distro": os.environ.get("ROS_DISTRO") or _ros_distro_of_wheels(),
        "rmw": os.environ.get("RMW_IMPLEMENTATION") or "default",
    }
    for name, candidates in _PACKAGES.items():
        found[name] = next((v for v in map(_version, candidates) if v is not None), None)
    return found


def git_commit(file: Path) -> str | None:
    """Return the commit of the checkout that tracks a file, ``-dirty`` if changed; else None.

    A package installed inside another repository does not belong to that one.
    """
    git = ("git", "-C", str(file.resolve().parent))
    if _answer(*git, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _answer(*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _answer(*command: str) -> str | None:
    """Return what a program prints; None if it fails or prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def hardware() -> dict[str, object]:
    """Return the machine's processor, cores this process may use, memory, and graphics card."""
    linux = sys.platform == "linux"
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1,
        "memory_gb": _memory_gb(),
        "gpu": _gpu_names(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ros_distro_of_wheels() -> str | None:
    distros = ("humble", "jazzy", "kilted", "lyrical", "rolling")
    return next((distro for distro in distros if _version(f"ros-{distro}-rclpy")), None)


def cpu_model() -> str:
    """Return the processor's name, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Return the system's load over the last minute, None if it is not known."""
    with contextlib.suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return None


def _memory_gb() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
    return round(total / 2**30, 1)


def _gpu_names() -> list[str] | None:
    """Ask the driver's own tool: importing torch only to name a card would take seconds."""
    names = _answer("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return None if names is None else [line.strip() for line in names.splitlines() if line.strip()]
