"""Gazebo Sim: a circuit's world, its server, and ros_gz_bridge where that is installed.

From Harmonic on; the same road and car as Gazebo Classic's, with gz-sim's own systems: physics,
sensors, velocity control, odometry and pose publishers.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import yaml

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, LINK_NAME, Flavour, RosTopics
from pilotnet_brain.simulation.gazebo.child_process import (
    ament_prefixes,
    check_display,
    prepend,
    start_child,
)
from pilotnet_brain.simulation.gazebo.errors import NotInstalled
from pilotnet_brain.simulation.gazebo.gz.discovery import LOOPBACK
from pilotnet_brain.simulation.gazebo.output_watch import Complaints, OutputWatch
from pilotnet_brain.simulation.gazebo.sdf import row
from pilotnet_brain.simulation.gazebo.world import write_world
from pilotnet_brain.simulation.looks import Looks

HOW_TO_GET = (
    "install Gazebo Sim (Harmonic or later; ROS 2 Jazzy: apt-get install ros-jazzy-ros-gz), or "
    "drive in the embedded simulator: simulator mujoco"
)
_ASKED_WITHIN_S = 20.0
_ENDS_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.1
_TF = f"/{CAR_NAME}/tf"


def _system(library: str, name: str, content: str = "") -> str:
    names = f'filename="gz-sim-{library}-system" name="gz::sim::systems::{name}"'
    return f"<plugin {names}>{content}</plugin>"


_WORLD_SYSTEMS = (
    _system("physics", "Physics")
    + _system("user-commands", "UserCommands")
    + _system("scene-broadcaster", "SceneBroadcaster")
    + _system("sensors", "Sensors", "<render_engine>ogre2</render_engine>")
)


def gz_flavour(topics: RosTopics) -> Flavour:
    """Return what Gazebo Sim's systems need; its topics have the names of those of ROS."""
    return Flavour(
        "pilotnet_car_gz",
        to_camera="<optical_frame_id>camera_optical_frame</optical_frame_id>",
        # As in the embedded simulator; four samples a pixel take a software renderer twice as long.
        to_image="<anti_aliasing>1</anti_aliasing>",
        to_sensor=f"<topic>{escape(topics.camera)}</topic>",
        to_model=_system(
            "velocity-control", "VelocityControl", f"<topic>{escape(topics.cmd_vel)}</topic>"
        )
        + _system(
            "odometry-publisher",
            "OdometryPublisher",
            f"""
            <odom_frame>odom</odom_frame>
            <robot_base_frame>{LINK_NAME}</robot_base_frame>
            <odom_publish_frequency>{row(1.0 / TIME_STEP_S)}</odom_publish_frequency>
            <odom_topic>{escape(topics.odom)}</odom_topic>
            <tf_topic>{_TF}</tf_topic>
            <dimensions>2</dimensions>""",
        ),
        to_world=_WORLD_SYSTEMS,
        sdf_version="1.7",  # the tests' libsdformat reads it, too
        world_suffix=".sdf",
        places_view=False,
        # Measured under ogre2: so the road, the line and the walls are as bright as in the embedded
        # simulator, and the sky has its colour.
        ambient=1.8,
        sun=1.5,
        background_gamma=2.2,
    )


# What gz sim prints when it cannot go on, and what that means.
_FATAL = {
    r"Unable to find uri\[(?P<what>[^\]]*)\]": (
        "the world needs {what}, which is not on GZ_SIM_RESOURCE_PATH: add the folder that holds it"
    ),
    r"Unable to read file: \[(?P<what>[^\]]*)\]": "gz sim cannot load the world file {what}",
    # Without these a car neither sees nor moves; the world may do without others.
    r"Failed to load system plugin \[(?P<what>gz-sim-(physics|user-commands|sensors|"
    r"velocity-control|odometry-publisher)-system)\]": (
        "gz sim has no {what}: install it, or add its folder to GZ_SIM_SYSTEM_PLUGIN_PATH"
    ),
    # Without EGL it crashes in its renderer, and prints the stack.
    r"Unable to create the rendering window after|dllStartPlugin": (
        "gz sim has no OpenGL to draw the camera's frames with: install libegl1 and "
        "libgl1-mesa-dri, or set LIBGL_ALWAYS_SOFTWARE=1"
    ),
}
COMPLAINTS = Complaints(
    "gz sim", re.compile(r"\[(Err|Wrn)\]|^Error|^Warning"), re.compile(r"SetVisibilityMask"), _FATAL
)


@dataclass(frozen=True)
class GzPlan:
    """What Gazebo Sim is to run."""

    world: Path  #: world file
    models: Path  #: folder of its models, for GZ_SIM_RESOURCE_PATH
    bridge: Path = Path("ros_gz_bridge.yaml")  #: configuration of ros_gz_bridge's parameter_bridge
    gui: bool = False  #: with its window
    with_ros: bool = False  #: with ros_gz_bridge; else the server starts paused, for gz_bridge
    partition: str = ""  #: of Gazebo's transport; empty: a new one


def write_gz_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    topics: RosTopics | None = None,
    rtf: float = 1.0,
    start_arc_length: float = 0.0,
) -> GzPlan:
    """Write ``CIRCUIT.sdf``, ``models/`` and ``ros_gz_bridge.yaml`` into a folder.

    Gazebo aims at `rtf` simulated seconds per real second. The car stands on the line,
    `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    topics = topics or RosTopics()
    files = write_world(circuit, looks, folder, gz_flavour(topics), rtf, start_arc_length)
    bridge = folder / "ros_gz_bridge.yaml"
    try:
        write_atomically(bridge, yaml.safe_dump(bridge_entries(topics), sort_keys=False))
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return GzPlan(files.world, files.models, bridge)


def bridge_entries(topics: RosTopics) -> list[dict[str, str]]:
    """Return ros_gz_bridge's entries: topics have the same names in Gazebo, but for /tf."""
    to_ros, from_ros = "GZ_TO_ROS", "ROS_TO_GZ"
    rows = [
        ("/clock", "/clock", "rosgraph_msgs/msg/Clock", "Clock", to_ros),
        (topics.camera, topics.camera, "sensor_msgs/msg/Image", "Image", to_ros),
        (
            topics.camera_info,
            topics.camera_info,
            "sensor_msgs/msg/CameraInfo",
            "CameraInfo",
            to_ros,
        ),
        (topics.odom, topics.odom, "nav_msgs/msg/Odometry", "Odometry", to_ros),
        ("/tf", _TF, "tf2_msgs/msg/TFMessage", "Pose_V", to_ros),
        (topics.cmd_vel, topics.cmd_vel, "geometry_msgs/msg/Twist", "Twist", from_ros),
    ]
    keys = ("ros_topic_name", "gz_topic_name", "ros_type_name", "gz_type_name", "direction")
    return [
        dict(zip(keys, (*names, f"gz.msgs.{gz_type}", direction), strict=True))
        for *names, gz_type, direction in rows
    ]


def check_gz(gui: bool) -> None:
    """Check what can be checked before Gazebo Sim is started.

    Raises:
        NotInstalled: gz, or its command sim, is not installed.
        UserError: there is no display for the window.
    """
    if shutil.which("gz") is None:
        raise NotInstalled(f"simulator gz: gz is not installed: {HOW_TO_GET}")
    if not has_gazebo_sim():
        raise NotInstalled(
            "simulator gz: this machine's gz is not Gazebo Sim's (gz sim --versions "
            f"lists none): {HOW_TO_GET}"
        )
    if gui:
        check_display("Gazebo Sim's window")


def ros_gz_bridge() -> Path | None:
    """Return ros_gz_bridge's program; None where it is not installed."""
    programs = (prefix / "lib/ros_gz_bridge/parameter_bridge" for prefix in ament_prefixes())
    return next((program for program in programs if program.is_file()), None)


def gz_commands(plan: GzPlan) -> list[list[str]]:
    """Return the command lines of the server, and of the window where there is one."""
    # Told to, the server draws without a display.
    server = ["gz", "sim", "-s", "-v", "2", "--headless-rendering", str(plan.world)]
    if plan.with_ros:
        server.insert(3, "-r")
    return [server, *([["gz", "sim", "-g"]] if plan.gui else [])]


class GzServer:
    """A Gazebo Sim, and its ros_gz_bridge, which end with this process, however it ends.

    Raises:
        UserError: ros_gz_bridge is not installed.
    """

    def __init__(self, plan: GzPlan) -> None:
        environment = gz_environment(plan, os.environ)
        server, *window = gz_commands(plan)
        program = ros_gz_bridge()
        if plan.with_ros and program is None:
            raise UserError(f"ros_gz_bridge is not on AMENT_PREFIX_PATH: {HOW_TO_GET}")
        started = start_child(server, environment, subprocess.PIPE)
        self._needed = {"gz sim": started}
        self._output = OutputWatch(
            started, COMPLAINTS, lambda: _signal_group(started, signal.SIGKILL)
        )
        if plan.with_ros:
            bridge = [str(program), "--ros-args", "-r", "__node:=ros_gz_bridge"]
            bridge += ["-p", f"config_file:={plan.bridge}"]
            self._needed["ros_gz_bridge"] = start_child(bridge, environment, None)
        self._window = [start_child(line, environment, subprocess.DEVNULL) for line in window]

    def run(self, told_to_end: Callable[[], bool]) -> str:
        """Wait until one of them has ended, or `told_to_end` (polled) is true; end them all.

        Returns:
            What ended by itself, and how; empty where they were told to end.

        Raises:
            UserError: the server could not go on; the message says why.
        """
        ended = ""
        while not ended and not told_to_end():
            time.sleep(_LOOK_AGAIN_S)
            for name, process in self._needed.items():
                if (status := process.poll()) is not None:
                    ended = f"{name} ended with status {status}"
        self._end([*self._needed.values(), *self._window])
        self._output.join(_ENDS_WITHIN_S)
        if self._output.reason is not None:
            raise UserError(f"gz: {self._output.reason}")
        words = f"; its last line: {self._output.last_words}" if self._output.last_words else ""
        return ended + words if ended.startswith("gz sim") else ended

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


def has_gazebo_sim() -> bool:
    """Return whether this machine's gz knows Gazebo Sim: Gazebo Classic's own gz does not."""
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


def gz_environment(plan: GzPlan, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Gazebo's programs: models, partition, loopback only."""
    added = dict(environment)
    prepend(added, "GZ_SIM_RESOURCE_PATH", [plan.models])
    if plan.partition:
        added["GZ_PARTITION"] = plan.partition
    added.setdefault("GZ_PARTITION", f"pilotnet_{os.getpid()}")
    added.setdefault("GZ_IP", LOOPBACK)
    # Messages would have a part more, which the bridge does not know.
    added.pop("GZ_TRANSPORT_TOPIC_STATISTICS", None)
    return added


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
