"""The real Gazebo Sim, for tests marked `gz`."""

from __future__ import annotations

import shutil
import sys
import uuid
from pathlib import Path

import pytest

ROOMS = Path(__file__).parents[1]
# The helpers next to the tests, and of rooms that drive live and in Gazebo Classic.
sys.path[:0] = [str(Path(__file__).parent), str(ROOMS / "nodes"), str(ROOMS / "gazebo")]


@pytest.fixture(scope="session", autouse=True)
def gz() -> str:
    """The path of Gazebo Sim's command."""
    found = shutil.which("gz")
    if found is None:
        pytest.fail("gz is not on PATH: these tests need Gazebo Sim (Harmonic or later)")
    return found


@pytest.fixture
def partition(monkeypatch: pytest.MonkeyPatch) -> str:
    """A partition for Gazebos of the test's own, on the loopback interface."""
    name = f"test_{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("GZ_PARTITION", name)
    monkeypatch.setenv("GZ_IP", "127.0.0.1")
    return name
