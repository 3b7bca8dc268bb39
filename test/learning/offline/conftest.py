"""The small networks and their data set."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from small_models import drives, int8_file, int8_network, pixels, tiny, tiny_file  # noqa: E402, F401
