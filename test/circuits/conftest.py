"""Lets the tests of this room share the bags that the bags' tests write."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bags"))
