"""Lets the tests of this room share the live runs' small network, and bags."""

import sys
from pathlib import Path

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / room) for room in ("nodes", "bags")]
