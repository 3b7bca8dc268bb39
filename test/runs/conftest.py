"""Lets the tests of this room share the nodes' world and network, known lines, bags and runs."""

import sys
from pathlib import Path

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / room) for room in ("nodes", "metrics", "bags", "report")]

sys.path.insert(0, str(ROOMS))
