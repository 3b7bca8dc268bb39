"""Lets the tests of this room share their peer."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gz_peer import multicast_reaches_itself  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def multicast() -> None:
    if not multicast_reaches_itself():
        pytest.skip("this machine delivers no multicast on its loopback interface")
