"""Lets the tests of this room use the bags that the circuits' tests write."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "circuits"))
