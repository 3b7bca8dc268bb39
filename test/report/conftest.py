"""Lets the tests of this room drive the metrics' known lines and write the circuits' bags."""

import sys
from pathlib import Path

ROOMS = Path(__file__).parents[1]
sys.path[:0] = [str(ROOMS / "metrics"), str(ROOMS / "circuits")]
