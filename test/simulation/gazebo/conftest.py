"""Lets the tests of this room share the helpers of those in the real Gazebo."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "gazebo"))
