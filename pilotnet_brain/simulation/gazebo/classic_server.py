"""Starts Gazebo Classic's gzserver (and gzclient), and explains in one line why it does not run."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.gazebo.child_process import (
    ament_prefixes,
    check_display,
    prepend,
    start_child,
)
from pilotnet_brain.simulation.gazebo.errors import NotInstalled
from pilotnet_brain.simulation.gazebo.output_watch import Complaints, OutputWatch
from pilotnet_brain.simulation.gazebo.transport.connection import master_address

ROS_SYSTEM_PLUGINS = ("libgazebo_ros_init.so", "libgazebo_ros_factory.so")
"""gazebo_ros' plugins of the server: clock and resets; spawning."""
CLOCK_HZ = 200.0
"""Of gazebo_ros' /clock, whose default is 10."""

HOW_TO_GET = (
    "install Gazebo Classic 11 (Ubuntu 22.04 and Debian 11: apt-get install gazebo; with ROS 2 "
    "Humble: ros-humble-gazebo-ros-pkgs), or drive in the embedded simulator: simulator mujoco"
)
_ENDS_WITHIN_S = 1.0
_LOOK_AGAIN_S = 0.1

# What gzserver prints when it cannot go on, and what that means.
_FATAL = {
    r"Address already in use": (
        "another Gazebo uses the port: stop it, or set another GAZEBO_MASTER_URI"
    ),
    r"Unable to find uri\[(?P<what>[^\]]*)\]": (
        "the world needs {what}, which is not on GAZEBO_MODEL_PATH: add the folder that holds it"
    ),
    r"Could not open file\[(?P<what>[^\]]*)\]": "gzserver cannot open {what}",
    r"(Unable to read sdf file|Unable to parse sdf|Error parsing XML)(?P<what>.*)": (
        "gzserver cannot read the world file{what}"
    ),
    # Without these a car neither sees nor moves; the world may do without others.
    r"Failed to load plugin (\S*/)?"
    r"(?P<what>libgazebo_ros_(init|factory|camera|planar_move)\.so): (?P<why>.*)": (
        "gzserver cannot load {what} ({why}): install gazebo_ros (ROS 2 Humble: "
        "ros-humble-gazebo-ros-pkgs), or put a car that does not need it into the world: "
        "pilotnet world CIRCUIT --scenery WORLD --out DIR"
    ),
    r"Can't open display|Unable to create X window": (
        "gzserver has no display to draw the camera's frames on: set DISPLAY, or start the run "
        "with xvfb-run -a"
    ),
    # A failed libGL ends like the last; "libGL error" alone may be followed by another driver.
    r"(?i)(Unable to create|Failed to create|no).{0,20}(glx|OpenGL|GL context)|"
    r"X Error of failed request: +GLX": (
        "gzserver has no OpenGL to draw the camera's frames with: install libgl1-mesa-dri, or set "
        "LIBGL_ALWAYS_SOFTWARE=1"
    ),
}


COMPLAINTS = Complaints(
    "gzserver", re.compile(r"\[(Err|Wrn)\]|^Error"), re.compile(r"OpenAL\.cc"), _FATAL
)


@dataclass(frozen=True)
class ServerPlan:
    """What gzserver is to run."""

    world: Path  #: world file
    models: tuple[Path, ...] = ()  #: folders of models it needs, for GAZEBO_MODEL_PATH
    with_ros: bool = False  #: with gazebo_ros' system plugins
    lockstep: bool = False  #: the physics waits for the camera, so that no frame is left out
    gui: bool = False  #: with gzclient


def check_gazebo(gui: bool) -> None:
    """Check what can be checked before gzserver is started.

    Raises:
        NotInstalled: gzserver or gzclient is not installed.
        UserError: another Gazebo has the port, or there is no display for gzclient.
    """
    for program in ("gzserver", *(["gzclient"] if gui else [])):
        if shutil.which(program) is None:
            raise NotInstalled(f"simulator gazebo: {program} is not installed: {HOW_TO_GET}")
    if gui:
        check_display("gzclient")
    host, port = master_address()
    with suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        raise UserError(
            f"simulator gazebo: a Gazebo already runs at {host}:{port}: stop it, drive in it with "
            f"attach, or choose another port: GAZEBO_MASTER_URI=http://{host}:{port + 1}"
        )


def ros_prefixes(environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return the prefixes that hold gazebo_ros and its plugins; none where it is not installed."""
    prefixes = ament_prefixes(environment)
    holds = "share/ament_index/resource_index/packages"
    if not any((prefix / holds / "gazebo_ros").exists() for prefix in prefixes):
        return []
    wanted = ("gazebo_ros", "gazebo_plugins")
    return [p for p in prefixes if any((p / holds / name).exists() for name in wanted)]


def server_command(plan: ServerPlan) -> list[str]:
    """Return gzserver's command line."""
    command = ["gzserver", "--verbose"]
    if plan.lockstep:
        command.append("--lockstep")
    if plan.with_ros:
        for plugin in ROS_SYSTEM_PLUGINS:
            command += ["-s", plugin]
    command.append(str(plan.world))
    if plan.with_ros:
        # gzserver takes -p for a log file to play.
        command += ["--ros-args", "--param", f"publish_rate:={CLOCK_HZ}"]
    return command


def server_environment(plan: ServerPlan, environment: Mapping[str, str]) -> dict[str, str]:
    """Return gzserver's environment: the given one with the search paths it needs added."""
    added = dict(environment)
    prepend(added, "GAZEBO_MODEL_PATH", plan.models)
    if plan.with_ros:
        prepend(added, "GAZEBO_PLUGIN_PATH", [p / "lib" for p in ros_prefixes(environment)])
    # Gazebo asks a server on the internet for models otherwise, and waits for it.
    added.setdefault("GAZEBO_MODEL_DATABASE_URI", "")
    return added


class GazeboServer:
    """A gzserver (and gzclient) that ends with this process, however it ends."""

    def __init__(self, plan: ServerPlan) -> None:
        environment = server_environment(plan, os.environ)
        self._server = start_child(server_command(plan), environment, subprocess.PIPE)
        self._client = None
        if plan.gui:
            self._client = start_child(["gzclient"], environment, subprocess.DEVNULL)
        self._output = OutputWatch(self._server, COMPLAINTS, self._server.kill)

    @property
    def last_words(self) -> str:
        """The last line that gzserver printed; empty before the first."""
        return self._output.last_words

    def run(self, told_to_end: Callable[[], bool]) -> int:
        """Wait until gzserver has ended, or end it; return its exit status (negative: a signal).

        It is ended once `told_to_end` (polled) is true. With a camera it may hang on exit; then it
        is killed.

        Raises:
            UserError: it could not go on; the message says why.
        """
        kill_at = math.inf
        while (status := self._server.poll()) is None:
            time.sleep(_LOOK_AGAIN_S)
            if kill_at == math.inf and told_to_end():
                self._server.send_signal(signal.SIGINT)
                kill_at = time.monotonic() + _ENDS_WITHIN_S
            elif time.monotonic() > kill_at:
                self._server.kill()
            self._look_after_client()
        self._output.join(_ENDS_WITHIN_S)
        if self._client is not None:
            self._client.terminate()
        if self._output.reason is not None:
            raise UserError(f"gazebo: {self._output.reason}")
        return status

    def _look_after_client(self) -> None:
        """Warn once if gzclient ended; the run goes on without it."""
        if self._client is None or (status := self._client.poll()) is None:
            return
        self._client = None
        if status != 0:  # 0: somebody closed its window
            print(
                f"gzclient ended with status {status}: the run goes on without it; is DISPLAY a "
                "display with OpenGL?",
                file=sys.stderr,
                flush=True,
            )
