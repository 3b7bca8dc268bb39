"""Starts Gazebo Sim with ros_gz_bridge beside it. Experimental: never run in a real one yet."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.child_process import start_child

EXPERIMENTAL = (
    "simulator gz is experimental: its world is checked with libsdformat, and was not driven in a "
    "real Gazebo Sim yet"
)
HOW_TO_GET = (
    "install Gazebo Sim Harmonic with ros_gz (ROS 2 Jazzy: apt-get install ros-jazzy-ros-gz), or "
    "drive in the embedded simulator: simulator mujoco"
)
_BRIDGE = Path("lib/ros_gz_bridge/parameter_bridge")
_ASKED_WITHIN_S = 20.0
_ENDS_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class GzPlan:
    """What Gazebo Sim is to run.

    Attributes:
        world: world file.
        models: folder of its models, for GZ_SIM_RESOURCE_PATH.
        bridge: configuration of ros_gz_bridge.
        gui: with its window.
    """

    world: Path
    models: Path
    bridge: Path
    gui: bool = False


def check_gz(gui: bool) -> None:
    """Check what can be checked before Gazebo Sim is started.

    Raises:
        UserError: gz, or its command sim, or ros_gz_bridge is not installed, or there is no
            display for the window.
    """
    if shutil.which("gz") is None:
        raise UserError(f"simulator gz (experimental): gz is not installed: {HOW_TO_GET}")
    if not _has_sim():
        raise UserError(
            "simulator gz (experimental): this machine's gz is not Gazebo Sim's (gz sim --versions "
            f"says none): {HOW_TO_GET}"
        )
    if parameter_bridge() is None:
        raise UserError(
            f"simulator gz (experimental): ros_gz_bridge is not on AMENT_PREFIX_PATH: {HOW_TO_GET}"
        )
    if gui and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise UserError("gui: Gazebo Sim's window needs a display; set DISPLAY, or leave gui out")


def parameter_bridge(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return ros_gz_bridge's program, None where it is not installed."""
    present = os.environ if environment is None else environment
    prefixes = [Path(p) for p in present.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    return next((p / _BRIDGE for p in prefixes if (p / _BRIDGE).is_file()), None)


def gz_commands(plan: GzPlan) -> list[list[str]]:
    """Return the command lines of the server, and of the window where there is one."""
    # Told to, the server draws without a display.
    server = ["gz", "sim", "-s", "-r", "-v", "2", "--headless-rendering", str(plan.world)]
    return [server, *([["gz", "sim", "-g"]] if plan.gui else [])]


def bridge_command(program: Path, plan: GzPlan) -> list[str]:
    """Return ros_gz_bridge's command line."""
    name, config = "__node:=ros_gz_bridge", f"config_file:={plan.bridge}"
    return [str(program), "--ros-args", "-r", name, "-p", config]


@dataclass
class GzServer:
    """A Gazebo Sim and its bridge, which end with this process, however it ends.

    Raises:
        UserError: ros_gz_bridge is not installed.
    """

    plan: GzPlan
    _needed: dict[str, subprocess.Popen[bytes]] = field(init=False, default_factory=dict)
    _window: list[subprocess.Popen[bytes]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        program = parameter_bridge()
        if program is None:
            raise UserError(f"ros_gz_bridge is not on AMENT_PREFIX_PATH: {HOW_TO_GET}")
        environment = _with_models(self.plan.models, os.environ)
        server, *window = gz_commands(self.plan)
        self._needed["gz sim"] = start_child(server, environment, None)
        command = bridge_command(program, self.plan)
        self._needed["ros_gz_bridge"] = start_child(command, environment, None)
        self._window = [start_child(line, environment, subprocess.DEVNULL) for line in window]

    def run(self, told_to_end: Callable[[], bool]) -> str:
        """Wait until one of them has ended, or end them all.

        Args:
            told_to_end: asked again and again.

        Returns:
            What ended by itself, and how; empty where they were told to.
        """
        ended = ""
        while not ended and not told_to_end():
            time.sleep(_LOOK_AGAIN_S)
            for name, process in self._needed.items():
                if (status := process.poll()) is not None:
                    ended = f"{name} ended with status {status}"
        self._end([*self._needed.values(), *self._window])
        return ended

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            _signal_group(process, signal.SIGINT)
        until = time.monotonic() + _ENDS_WITHIN_S
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            # gz is a script that may have started the server as a child.
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _has_sim() -> bool:
    """Return whether gz knows Gazebo Sim: Gazebo Classic has a gz of its own, without it."""
    try:
        asked = subprocess.run(
            ["gz", "sim", "--versions"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_ASKED_WITHIN_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and any(word[:1].isdigit() for word in asked.stdout.split())


def _with_models(models: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the models on the search path, and a partition of its own."""
    added = dict(environment)
    given = [added["GZ_SIM_RESOURCE_PATH"]] if added.get("GZ_SIM_RESOURCE_PATH") else []
    added["GZ_SIM_RESOURCE_PATH"] = os.pathsep.join([str(models), *given])
    # Another Gazebo Sim on the machine would answer on the same topics.
    added.setdefault("GZ_PARTITION", f"pilotnet_{os.getpid()}")
    return added


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
