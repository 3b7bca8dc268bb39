"""Lets the tests of this room share their world and their network, and bags."""

import sys
from pathlib import Path

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / room) for room in ("nodes", "bags", "simulation/gazebo/gz")]
