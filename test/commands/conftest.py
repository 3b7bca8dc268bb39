"""Lets the tests of this room share the live runs' small network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "nodes"))
