"""A run as a separate process, in the test's ROS domain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pilotnet_brain.runs.folder import RunFolder

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
DOMAIN_ID = 70 + os.getppid() % 15 + 15 * (_WORKER % 2)
"""Two workers of one pytest have two."""
PATIENCE_S = 60.0


class Run:
    """One run as a process, in the test's domain."""

    def __init__(self, output: Path, **arguments: object) -> None:
        self.output = output
        options = [
            word
            for name, value in {"output": output, **arguments}.items()
            for word in _option(name, value)
        ]
        self.log = output.with_suffix(".log")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pilotnet_brain.cli", "drive", *options],
            env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN_ID)},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    @property
    def folder(self) -> Path:
        return self.output / "latest"

    @property
    def metrics(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text())
        return figures

    @property
    def record(self) -> dict[str, Any]:
        return RunFolder.open(self.folder).read_record()

    def node(self, name: str) -> int:
        """Return the pid of a node's process."""
        started = f"pilotnet_brain.executables {name} "
        return next(pid for pid, line in self.children().items() if started in line)

    def children(self) -> dict[int, str]:
        """Return the command lines of the run's processes by pid."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(p): command_line(int(p)) for p in pids}

    def wait_until_driving(self) -> None:
        """Wait until the car has moved."""

        def drives() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            path = self.folder / "trajectory.csv"
            return path.exists() and path.read_text().count("\n") > 20

        wait_for(drives, f"the car to drive: {self.log}")

    def end(self, number: int | None = None, patience_s: float = PATIENCE_S) -> tuple[int, float]:
        """Send a signal, if given; return the exit status and how long the end took (s)."""
        begin = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(patience_s), time.monotonic() - begin


def refusal(run: Run) -> str:
    """Return the error line of a run that was refused, after checking that it was."""
    status, _ = run.end(patience_s=2.0 * PATIENCE_S)
    text = run.log.read_text()
    assert status == 2, text
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, text
    assert not list(run.output.glob("*-*"))
    return lines[0]


def _option(name: str, value: object) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", str(value)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return ""


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def still_alive(run: Run) -> list[str]:
    """Return the run's processes that outlived it."""
    lines = [command_line(int(p.name)) for p in Path("/proc").glob("[0-9]*")]
    return [line for line in lines if str(run.output) in line and "executables" in line]
