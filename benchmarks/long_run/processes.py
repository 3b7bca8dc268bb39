"""Memory and processor time of a run's processes, from /proc."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SETTLED_S = 600.0
"""Memory is compared with that after ten minutes, or half of a shorter run."""
_NODE = re.compile(r"pilotnet_brain\.executables\0(\w+)\0")


@dataclass(frozen=True)
class Sample:
    """One moment: by node, resident memory (bytes) and processor time so far (s)."""

    time_s: float  #: of the steady clock
    memory: dict[str, int]
    processor_s: dict[str, float]

    def line(self, first: Sample) -> str:
        """Return it as one line, with the time since the first."""
        nodes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in self.memory.items())
        return f"{(self.time_s - first.time_s) / 60.0:6.1f} min: {nodes}"


@dataclass(frozen=True)
class Usage:
    """What one process took, early and late."""

    node: str
    settled_mb: float  #: resident memory after ten minutes
    end_mb: float  #: at the end
    first_s: float  #: processor seconds a minute in the first quarter
    last_s: float  #: in the last quarter


def sample() -> Sample:
    """Sample the nodes that this process started."""
    memory, processor_s = {}, {}
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            with suppress(OSError):  # it has just ended
                process = Path("/proc", pid)
                found = _NODE.search((process / "cmdline").read_text())
                if found is not None:
                    memory[found[1]] = _resident(process)
                    processor_s[found[1]] = _processor_s(process)
    return Sample(time.monotonic(), memory, processor_s)


def usage_of(samples: Sequence[Sample]) -> list[Usage]:
    """Return what each process took over a row of samples."""
    begin_s, end_s = samples[0].time_s, samples[-1].time_s
    settled_s = begin_s + min(SETTLED_S, 0.5 * (end_s - begin_s))
    settled = next(one for one in samples if one.time_s >= settled_s)
    quarter = len(samples) // 4
    early, late = (samples[0], samples[quarter]), (samples[-1 - quarter], samples[-1])
    return [
        Usage(
            node,
            settled.memory[node] / 1e6,
            samples[-1].memory[node] / 1e6,
            _per_minute(node, *early),
            _per_minute(node, *late),
        )
        for node in sorted(samples[-1].memory)
    ]


def _per_minute(node: str, first: Sample, last: Sample) -> float:
    spent_s = last.processor_s[node] - first.processor_s[node]
    return 60.0 * spent_s / (last.time_s - first.time_s)


def _resident(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Rss:"))


def _processor_s(process: Path) -> float:
    # The name of the program, in brackets, may hold anything.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
