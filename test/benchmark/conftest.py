"""The small networks; and lets the tests of this room share a benchmark's rows."""

import sys
from pathlib import Path

ROOM = Path(__file__).parent
sys.path[:0] = [str(ROOM), str(ROOM.parent)]

from small_models import drives, int8_file, int8_network, pixels, tiny, tiny_file  # noqa: E402, F401
