"""The real Gazebo Classic 11, for tests marked `gazebo`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The helpers next to the tests.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "nodes")]

MAKE = Path(__file__).parent / "make_gazebo11.sh"


@pytest.fixture(scope="session", autouse=True)
def gazebo11() -> Iterator[Path]:
    """The folder with Gazebo in it, which `make test-gazebo` made."""
    where = subprocess.run([MAKE, "--where"], capture_output=True, text=True)
    if where.returncode != 0:
        pytest.fail(where.stderr.strip())
    yield Path(where.stdout.strip())
