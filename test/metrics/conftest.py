"""Lets the tests of this room share their lines, and the bags that the bags' tests write."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "bags")]
