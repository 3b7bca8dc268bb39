"""The nodes under attack: a run without a simulator, each node a process with a log."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pilotnet_brain.end_with_parent import end_with_parent
from pilotnet_brain.machine import made_by
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.graph import NodeSpec, run_graph
from pilotnet_brain.runs.processes import command_line
from pilotnet_brain.runs.spec import RunSpec

BRAIN_COMMANDS = "/fuzz/brain_commands"
"""The brain's cmd_vel: apart from the hostile one, so that its commands can be judged."""
_END_LIMIT_S = 30.0
_FOREVER_S = 1e6


@dataclass
class FuzzedNode:
    """One node's process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    first_mb: float = 0.0
    last_mb: float = 0.0

    def resident_mb(self) -> float:
        """Return the memory that the process holds, MB; 0 once it has ended."""
        with contextlib.suppress(OSError, ProcessLookupError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            if found := re.search(r"VmRSS:\s*(\d+) kB", status):
                return int(found[1]) / 1024
        return 0.0

    def problems(self) -> list[str]:
        """Return what went wrong by its log: tracebacks."""
        lines = self.log.read_text(errors="replace").splitlines()
        places = [n for n, line in enumerate(lines) if "Traceback" in line]
        return [" | ".join(lines[place : place + 30][-12:]) for place in places]


def run_spec(model: str, circuit: str) -> RunSpec:
    """Return the spec of a run that nothing but its end ends."""
    return RunSpec(
        model=model,
        circuit=circuit,
        simulator="none",
        device="cpu",
        laps=10_000,
        record_camera=True,
        waiting_limit=_FOREVER_S,
        standing_limit=_FOREVER_S,
        off_road_limit=_FOREVER_S,
    )


@contextlib.contextmanager
def started(spec: RunSpec, path: Path) -> Iterator[tuple[RunFolder, list[FuzzedNode]]]:
    """Start the nodes of a spec into a folder; what still runs at the end is killed."""
    folder = RunFolder.make(path)
    folder.add_to_record(spec=spec.with_absolute_paths().to_dict(), **made_by())
    folder.keep_line()
    nodes: list[FuzzedNode] = []
    try:
        for node in run_graph(spec, folder.path):
            nodes.append(_started(node, folder.path / f"{node.name}.log"))
        yield folder, nodes
    finally:
        for one in nodes:
            one.process.kill()
            one.process.wait()


def ended(nodes: list[FuzzedNode]) -> list[str]:
    """Ask the nodes to end; return what went wrong with that."""
    for node in nodes:
        node.process.send_signal(signal.SIGINT)
    problems = []
    for node in nodes:
        try:
            if status := node.process.wait(_END_LIMIT_S):
                problems.append(f"{node.name}: exit status {status} when asked to end")
        except subprocess.TimeoutExpired:
            problems.append(f"{node.name}: did not end within {_END_LIMIT_S:g} s")
    return problems


def _started(spec: NodeSpec, log: Path) -> FuzzedNode:
    if spec.name == "brain":
        spec.remappings[:] = [
            (name, BRAIN_COMMANDS if name == "cmd_vel" else topic)
            for name, topic in spec.remappings
        ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_line(spec),
            env={**os.environ, **spec.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this program, which ends them
            preexec_fn=end_with_parent,
        )
    return FuzzedNode(spec.name, process, log)
