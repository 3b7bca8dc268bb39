"""The small networks; and lets the tests import what lies in benchmarks/, not in the package."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "benchmarks")]

from small_models import drives, int8_file, int8_network, pixels, tiny, tiny_file  # noqa: E402, F401
