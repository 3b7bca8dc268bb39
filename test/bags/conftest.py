"""Lets the tests of this room share what writes their bags."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
