"""One run with one fault: started, disturbed, watched to its end, and checked."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fault_campaign.observer import Observer
from pilotnet_brain.bags.reader import BagError, read_bag
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryFileError, read_trajectory
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment
from pilotnet_brain.runs.folder import RunFolder

TIME_LIMIT_S = 8.0
DRIVES_M = 15.0
_END_S = TIME_LIMIT_S - 0.4
_POLL_S = 0.02
_ENDS_WITHIN_S = 170.0
_LEFT_ALONE_S = 10.0
"""The nodes of a run that is killed end by themselves within so long."""
_LOST_ROWS_S = 1.2
"""Rows are handed to the system once a second."""

NODES = ("simulator", "brain", "metrics", "recorder", "guard")
START, MIDDLE, END = "start", "mid-lap", "end"


@dataclass(frozen=True)
class Fault:
    """What is done to a run, when, and what must hold then."""

    name: str
    when: str
    do: Callable[[Trial], object]
    ending: str  #: regular expression that the run's ending matches
    stop_s: float | None = None  #: within so long the car is told to stand; None: only at the end
    status: Sequence[int] = (1,)
    options: Sequence[str] = ()  #: of pilotnet drive
    wrapper: Sequence[str] = ()  #: command that starts it
    bag: bool = True  #: whether a readable bag must be there
    rows: bool = True  #: whether trajectory.csv is as complete as the figures
    simulator: bool = False  #: whether the simulator runs outside the run, with a failing camera
    more: Callable[[Trial], list[str]] = field(default=lambda trial: [])  #: further checks


class Trial:
    """The run that a fault happens to.

    Attributes:
        process: of ``pilotnet drive``.
        observer: sees its commands.
        fault_s: when the fault happened, by the steady clock.
    """

    def __init__(self, fault: Fault, root: Path, domain_id: int) -> None:
        self.fault, self.root, self.domain_id = fault, root, domain_id
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self.environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}
        self.observer = Observer(domain_id)
        self.fault_s = self.simulated_s = math.nan
        self._shared_memory: set[str] = set()
        self._others: list[subprocess.Popen[bytes]] = []

    def run(self) -> list[str]:
        """Drive, inject, wait for the end; return what did not hold."""
        try:
            if self.fault.simulator:
                self.start_simulator()
            self.process = self.start_run(self.root / "runs", *self.fault.options)
            self._wait_for_the_moment()
            self.simulated_s, self.fault_s = self.driven()[0], time.monotonic()
            self._note_shared_memory()
            self.fault.do(self)
            self._note_shared_memory()
            try:
                status = self.process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                return [f"it did not end within {_ENDS_WITHIN_S:.0f} s"]
            until = time.monotonic() + _LEFT_ALONE_S
            while self._nodes_left() and time.monotonic() < until:
                time.sleep(_POLL_S)
            return self._problems(status)
        finally:
            self._clear()

    def start_run(self, output: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start ``pilotnet drive``; its output goes to a file."""
        words = [*self.fault.wrapper, sys.executable, "-m", "pilotnet_brain.cli", "drive"]
        words += ["--model", "tiny_quant", "--time-limit", str(TIME_LIMIT_S)]
        words += ["--output", str(output), *options]
        with output.with_suffix(".log").open("wb") as log:
            return subprocess.Popen(
                words, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def start_simulator(self) -> None:
        """Start the embedded simulator by itself, and a camera in front of it that can fail."""
        topics = {"camera/image_raw": "cameraL/image_raw", "cmd_vel": "cmd_vel", "odom": "odom"}
        topics["camera/camera_info"] = "cameraL/camera_info"
        words = [sys.executable, "-m", "pilotnet_brain.executables", "simulator", "--ros-args"]
        words += ["-p", "wait_for:=['']"]
        words += [w for k, v in topics.items() for w in ("-r", f"{k}:=/F1ROS/{v}")]
        environment = self.environment | dds_environment(IMAGE_PUBLISHER)
        with (self.root / "simulator.log").open("wb") as log:
            self._others.append(
                subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
        self.observer.relay_camera()

    def _note_shared_memory(self) -> None:
        """Note the shared memory that the run's nodes have, besides the ports that others share."""
        for node in NODES:
            with suppress(OSError):
                maps = Path(f"/proc/{self.pid(node)}/maps").read_text()
                self._shared_memory |= set(re.findall(r"/dev/shm/fastrtps_[0-9a-f]{8,}", maps))

    def pid(self, node: str) -> int | None:
        """Return the process of a node of the run; None while there is none."""
        pid = self.process.pid
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                if "pilotnet_brain.executables" in words and node in words:
                    return int(child)
        return None

    def signal(self, node: str, number: int) -> None:
        """Send a signal to a node; one that has ended already is left alone."""
        pid = self.pid(node)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def folder(self) -> RunFolder | None:
        """Return the run's folder; None before it is made."""
        with suppress(UserError):
            return RunFolder.open(self.root / "runs" / "latest")
        return None

    def driven(self) -> tuple[float, float]:
        """Return the newest pose's time (s), and how far the car has come (m)."""
        folder = self.folder()
        if folder is None:
            return 0.0, 0.0
        try:
            rows = read_trajectory(folder.trajectory_csv)
        except TrajectoryFileError:
            return 0.0, 0.0
        if not len(rows):
            return 0.0, 0.0
        place = rows[:, COLUMNS.index("arc_length")]
        return float(rows[-1, 0]), float(place[-1] - place[0])

    def log(self) -> str:
        """Return what the run printed."""
        return (self.root / "runs.log").read_text(errors="replace")

    def _wait_for_the_moment(self) -> None:
        node = "brain"
        reached = {
            START: lambda: self.pid(node) is not None,
            MIDDLE: lambda: self.driven()[1] > DRIVES_M,
            END: lambda: self.driven()[0] > _END_S,
        }[self.fault.when]
        until = time.monotonic() + 60.0
        while not reached() and self.process.poll() is None and time.monotonic() < until:
            time.sleep(_POLL_S)

    def _problems(self, status: int) -> list[str]:
        problems = []
        if status not in self.fault.status:
            problems.append(f"exit status {status}")
        if "Traceback" in self.log():
            problems.append("a traceback")
        problems += self._of_the_car()
        folder = self.folder()
        if folder is None:
            problems.append("no results")
        else:
            problems += self._of_the_results(folder)
        problems += self._of_what_is_left()
        return problems + self.fault.more(self)

    def _of_the_car(self) -> list[str]:
        if self.observer.last_moves():
            return ["the car was left driving"]
        after, bound = self.observer.zero_after_s(self.fault_s), self.fault.stop_s
        if bound is None or self.fault.when == START:
            return []
        if after is None or after > bound:
            return [f"stopped after {after} s instead of {bound:g}"]
        return []

    def _of_the_results(self, folder: RunFolder) -> list[str]:
        problems = []
        figures = folder.read_metrics() or {}
        ending = str(figures.get("ending"))
        if not re.search(self.fault.ending, ending):
            problems.append(f"ended by {ending!r}")
        try:
            rows = read_trajectory(folder.trajectory_csv)
        except TrajectoryFileError:
            rows = np.empty((0, len(COLUMNS)))
        if self.simulated_s and (
            not len(rows) or rows[:, 0].max() < self.simulated_s - _LOST_ROWS_S
        ):
            problems.append("rows before the fault are lost")
        deviation = figures.get("position_deviation_mae")
        if self.simulated_s and not figures.get("epoch") and self.fault.rows:
            metrics = folder.new_metrics()
            for row in rows.tolist():
                metrics.add_pose(*row[:6])
            again = metrics.progress()["position_deviation_mae"]
            if not isinstance(deviation, float) or not np.isclose(deviation, again, rtol=0.02):  # type: ignore[arg-type]
                problems.append(f"deviation {deviation} instead of {again}")
        if self.fault.bag:
            try:
                if not read_bag(folder.bag, lambda *_: True).messages and self.simulated_s:
                    problems.append("the bag is empty")
            except BagError as problem:
                problems.append(str(problem))
        return problems

    def _of_what_is_left(self) -> list[str]:
        problems = [f"left behind: {line[:80]}" for line in self._nodes_left()]
        # A node maps the segments of those that it hears, the observer's among them.
        own = Path("/proc/self/maps").read_text()
        left = [n for n in self._shared_memory if Path(n).exists() and n not in own]
        if left:
            problems.append(f"left behind: {', '.join(left)}")
        return problems

    def _nodes_left(self) -> list[str]:
        """Return the command lines of the run's nodes that are still there."""
        lines = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if str(self.root / "runs") in path.read_text():
                    lines.append((path.parent / "cmdline").read_text().replace("\0", " "))
        return [line for line in lines if "executables" in line]

    def _clear(self) -> None:
        for process in [*self._others, getattr(self, "process", None)]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.observer.close()
