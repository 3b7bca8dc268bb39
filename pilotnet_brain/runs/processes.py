"""Starts a run's nodes as processes, watches them, and ends them in order."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pilotnet_brain.end_with_parent import end_with_parent
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.events import KILLED, process_environment, record_event
from pilotnet_brain.runs.graph import NodeSpec

_POLL_S = 0.02
_ZERO_COMMAND_S = 0.15
"""How long the measuring goes on for the brain's last zero command..."""
_BRAIN_ENDS_S = 1.0
"""...and how long the simulator and the recorder do."""
_KILL_AFTER_S = 4.0


class RunProcesses:
    """The processes of one run.

    They are started all at once (on two cores their imports overlap), each in a process group of
    its own, so that Ctrl-C reaches this process only (and who reads the keys); should this process
    be killed, the kernel ends them.

    Args:
        specs: what to start.
        folder: of the run, where the processes find its events.
        output: takes what the nodes print; None: as this process's own.
    """

    def __init__(
        self, specs: Sequence[NodeSpec], folder: Path, output: IO[bytes] | None = None
    ) -> None:
        self._specs = list(specs)
        self._folder = folder
        self._output = output
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._received: int | None = None

    def run(self) -> tuple[str, int] | None:
        """Start the nodes and wait until one of them ends or this process is told to.

        Returns:
            Name and exit status (negative: the signal that killed it) of the node that ended
            first, or None when a signal came (see `received_signal`).
        """
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            for spec in self._specs:
                self._processes[spec.name] = start_node(
                    spec, process_environment(self._folder), self._output
                )
            return self._first_to_end()
        finally:
            for number, handler in previous.items():
                # A second Ctrl-C must not leave the children behind either.
                signal.signal(number, self._on_signal if self._received else handler)

    @property
    def received_signal(self) -> int | None:
        """The signal that told this process to end the run."""
        return self._received

    def stop(self) -> None:
        """End every node: the brain first, so that its zero command still reaches the car.

        Before it only the person's keys, who drives no more.

        Those that do not end are killed; an event says so.
        """
        begin = time.monotonic()
        first = ["teleop", "brain", "metrics"]
        names = [name for name in first if name in self._processes]
        names += [name for name in self._processes if name not in first]
        for name in names:
            self._signal(name, signal.SIGTERM)
            if name == "brain":
                self._wait([name], begin + _ZERO_COMMAND_S)
            elif name == "metrics":
                # The car stands, and the bag has it; what the brain did not drive on from here
                # on is no dropped frame.
                self._wait(names[:1], begin + _BRAIN_ENDS_S)
        self._wait(names, begin + _KILL_AFTER_S)
        killed = [name for name in names if self._processes[name].poll() is None]
        for name in killed:
            self._signal(name, signal.SIGKILL)
            record_event(self._folder, name, KILLED, "it did not end when it was told to")
        for name in names:
            self._processes[name].wait()

    def _first_to_end(self) -> tuple[str, int] | None:
        while self._received is None:
            for spec in self._specs:
                status = self._processes[spec.name].poll()
                if status is not None and spec.ends_run:
                    return spec.name, status
            time.sleep(_POLL_S)
        return None

    def _wait(self, names: list[str], until: float) -> None:
        while time.monotonic() < until and any(
            self._processes[name].poll() is None for name in names
        ):
            time.sleep(_POLL_S)

    def _signal(self, name: str, number: int) -> None:
        process = self._processes[name]
        if process.poll() is None:
            process.send_signal(number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._received = self._received or number


def start_node(
    spec: NodeSpec,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start one node in its own process group, or in this one's if it reads the terminal.

    Args:
        spec: what to start.
        environment: added to this process's environment and the spec's.
        output: takes what it prints; None: as this process's own.

    Raises:
        UserError: the executable of another package is not installed.
    """
    return subprocess.Popen(
        command_line(spec),
        env={**os.environ, "PYTHONPATH": _python_path(), **spec.environment, **(environment or {})},
        stdin=None if spec.takes_keys else subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        # A terminal's keys go to the processes of its foreground group only.
        preexec_fn=end_with_parent if spec.takes_keys else _own_group_ended_with_parent,
    )


def command_line(spec: NodeSpec) -> list[str]:
    """Return the command that starts a node.

    Raises:
        UserError: the executable of another package is not installed.
    """
    if spec.package == "pilotnet_brain":
        command = [sys.executable, "-m", "pilotnet_brain.executables", spec.executable]
    else:
        found = shutil.which(spec.executable)
        if found is None:
            raise UserError(f"{spec.executable} is not installed: install ROS's {spec.package}")
        command = [found]
    command += [*spec.arguments, "--ros-args", "-r", f"__node:={spec.name}"]
    if spec.namespace:
        command += ["-r", f"__ns:=/{spec.namespace.strip('/')}"]
    for source, target in spec.remappings:
        command += ["-r", f"{source}:={target}"]
    for name, value in spec.parameters.items():
        command += ["-p", f"{name}:={_parameter_text(value)}"]
    return command


def how_it_ended(status: int) -> str:
    """Return an exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    return signal.Signals(-status).name


def _parameter_text(value: Any) -> str:
    """Return a parameter's value as YAML: JSON, except for whole floats and how texts escape.

    JSON writes a character beyond U+FFFF as two surrogates, which YAML refuses.
    """
    if isinstance(value, float):
        return repr(value)
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)


def _python_path() -> str:
    root = str(Path(__file__).resolve().parent.parent.parent)
    present = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return os.pathsep.join([root, *(path for path in present if path != root)])


def _own_group_ended_with_parent() -> None:
    """In the child: its own process group, and told to end when the parent dies, however."""
    os.setpgid(0, 0)
    end_with_parent()
