"""How long after its start a process drives its first frame, and the memory that it needs by then.

A program, so that it brings nothing with it but what driving brings:

    python -m pilotnet_brain.learning.offline.first_command MODEL RUNTIME STARTED

STARTED is time.monotonic() as the process was started. It prints the figures as JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pilotnet_brain.driving.model.load import load_model
from pilotnet_brain.driving.pilot import Pilot


@dataclass(frozen=True)
class FirstCommand:
    """A process's first command."""

    seconds: float  #: from the process's start
    memory_bytes: int  #: the most that was resident until then


def measure(path: Path, runtime: str) -> FirstCommand:
    """Drive a frame with a model in a new process, and return what it took."""
    program = [sys.executable, "-m", __name__, str(path), runtime, str(time.monotonic())]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    return FirstCommand(**json.loads(done.stdout))


def _drive(path: str, runtime: str, started: float) -> FirstCommand:
    pilot = Pilot(load_model(path, "cpu", runtime=runtime))
    fmt = pilot.model.record.input_format
    pilot.drive(np.zeros((fmt.frame_height, fmt.frame_width, 3), np.uint8))
    seconds = time.monotonic() - started
    return FirstCommand(seconds, _peak_memory())


def _peak_memory() -> int:
    """Return the most that was resident in this process, bytes.

    getrusage's figure would not do: it starts with that of the process that started this one.
    """
    (line,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(line)


if __name__ == "__main__":
    print(json.dumps(asdict(_drive(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
