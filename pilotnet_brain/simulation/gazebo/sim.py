"""Gazebo Sim: a circuit's world, its bridge to ROS 2 and its server. Experimental.

From Harmonic on; the same road and car as Gazebo Classic's, with gz-sim's own systems: physics,
sensors, velocity control, odometry and pose publishers.
"""

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
from xml.etree.ElementTree import Element

import yaml

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo import car as gazebo_car
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, LINK_NAME, Equipment, RosTopics
from pilotnet_brain.simulation.gazebo.child_process import (
    ament_prefixes,
    check_display,
    prepend,
    start_child,
)
from pilotnet_brain.simulation.gazebo.circuit import (
    circuit_model_name,
    file_stem,
    write_circuit_model,
    write_model_files,
)
from pilotnet_brain.simulation.gazebo.classic_world import include, on_road, scene, sun
from pilotnet_brain.simulation.gazebo.sdf import document, tag, write_xml
from pilotnet_brain.simulation.looks import Looks

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
# Gazebo Sim reads it, and so does the libsdformat that the tests have.
_SDF_VERSION = "1.7"
_CAR_MODEL = "pilotnet_car_gz"
_RATE_HZ = 1.0 / TIME_STEP_S
# gz-sim publishes camera_info next to the image.
_IMAGE, _CAMERA_INFO = f"/{CAR_NAME}/image", f"/{CAR_NAME}/camera_info"
_CMD_VEL, _ODOMETRY = f"/{CAR_NAME}/cmd_vel", f"/{CAR_NAME}/odometry"
_POSE, _TF = f"/model/{CAR_NAME}/pose", f"/{CAR_NAME}/tf"


@dataclass(frozen=True)
class GzPlan:
    """What Gazebo Sim is to run.

    Attributes:
        world: world file.
        models: folder of its models, for GZ_SIM_RESOURCE_PATH.
        bridge: configuration of ros_gz_bridge's parameter_bridge.
        gui: with its window.
    """

    world: Path
    models: Path
    bridge: Path
    gui: bool = False


def write_gz_world(
    circuit: Circuit, looks: Looks, folder: Path, topics: RosTopics | None = None
) -> GzPlan:
    """Write ``CIRCUIT.sdf``, ``models/`` and ``ros_gz_bridge.yaml`` into a folder.

    Raises:
        UserError: the folder cannot be written.
    """
    models = folder / "models"
    name = circuit_model_name(circuit)
    world, bridge = folder / f"{file_stem(circuit)}.sdf", folder / "ros_gz_bridge.yaml"
    car = gazebo_car.car_model(looks, _equipment())
    try:
        write_circuit_model(circuit, looks, models)
        write_model_files(models / _CAR_MODEL, _SDF_VERSION, car, "The car with its camera")
        parts = (
            _physics(),
            *_world_systems(),
            scene(looks),
            sun(looks),
            include(name),
            include(_CAR_MODEL, tag("name", CAR_NAME), tag("pose", on_road(circuit.start_pose()))),
        )
        write_xml(world, document(_SDF_VERSION, tag("world", *parts, name="default")))
        entries = yaml.safe_dump(bridge_entries(topics or RosTopics()), sort_keys=False)
        write_atomically(bridge, entries)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return GzPlan(world, models, bridge)


def bridge_entries(topics: RosTopics) -> list[dict[str, str]]:
    """Return ros_gz_bridge's entries: which topic of Gazebo is which topic of ROS."""
    to_ros, from_ros = "GZ_TO_ROS", "ROS_TO_GZ"
    rows = [
        ("/clock", "/clock", "rosgraph_msgs/msg/Clock", "gz.msgs.Clock", to_ros),
        (topics.camera, _IMAGE, "sensor_msgs/msg/Image", "gz.msgs.Image", to_ros),
        (
            topics.camera_info,
            _CAMERA_INFO,
            "sensor_msgs/msg/CameraInfo",
            "gz.msgs.CameraInfo",
            to_ros,
        ),
        (topics.odom, _ODOMETRY, "nav_msgs/msg/Odometry", "gz.msgs.Odometry", to_ros),
        ("/tf", _TF, "tf2_msgs/msg/TFMessage", "gz.msgs.Pose_V", to_ros),
        (_POSE, _POSE, "geometry_msgs/msg/PoseStamped", "gz.msgs.Pose", to_ros),
        (topics.cmd_vel, _CMD_VEL, "geometry_msgs/msg/Twist", "gz.msgs.Twist", from_ros),
    ]
    keys = ("ros_topic_name", "gz_topic_name", "ros_type_name", "gz_type_name", "direction")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _equipment() -> Equipment:
    move = _system("velocity-control", "VelocityControl", tag("topic", _CMD_VEL))
    odometry = _system(
        "odometry-publisher",
        "OdometryPublisher",
        tag("odom_frame", "odom"),
        tag("robot_base_frame", LINK_NAME),
        tag("odom_publish_frequency", _RATE_HZ),
        tag("odom_topic", _ODOMETRY),
        tag("tf_topic", _TF),
        tag("dimensions", "2"),
    )
    pose = _system(
        "pose-publisher",
        "PosePublisher",
        tag("publish_model_pose", True),
        tag("publish_link_pose", False),
        tag("publish_sensor_pose", False),
        tag("publish_collision_pose", False),
        tag("publish_visual_pose", False),
        tag("use_pose_vector_msg", False),
        tag("update_frequency", _RATE_HZ),
    )
    return Equipment(
        to_sensor=(tag("topic", _IMAGE),),
        to_camera=(tag("optical_frame_id", "camera_optical_frame"),),
        to_model=(move, odometry, pose),
    )


def _world_systems() -> tuple[Element, ...]:
    return (
        _system("physics", "Physics"),
        _system("user-commands", "UserCommands"),
        _system("scene-broadcaster", "SceneBroadcaster"),
        _system("sensors", "Sensors", tag("render_engine", "ogre2")),
    )


def _system(library: str, name: str, *content: Element) -> Element:
    return tag(
        "plugin",
        *content,
        filename=f"gz-sim-{library}-system",
        name=f"gz::sim::systems::{name}",
    )


def _physics() -> Element:
    return tag(
        "physics",
        tag("max_step_size", TIME_STEP_S),
        tag("real_time_factor", 1.0),
        name="steps",
        type="ignored",
    )


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
            f"lists none): {HOW_TO_GET}"
        )
    if parameter_bridge() is None:
        raise UserError(
            f"simulator gz (experimental): ros_gz_bridge is not on AMENT_PREFIX_PATH: {HOW_TO_GET}"
        )
    if gui:
        check_display("Gazebo Sim's window")


def parameter_bridge() -> Path | None:
    """Return ros_gz_bridge's program, None where it is not installed."""
    prefixes = ament_prefixes()
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
            told_to_end: polled; once true, all are ended.

        Returns:
            What ended by itself, and how; empty where they were told to end.
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
    """Return whether gz knows Gazebo Sim: Gazebo Classic's own gz does not."""
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
    """Return the environment with the models on the search path, and its own partition."""
    added = dict(environment)
    prepend(added, "GZ_SIM_RESOURCE_PATH", [models])
    # Another Gazebo Sim on the machine would answer on the same topics.
    added.setdefault("GZ_PARTITION", f"pilotnet_{os.getpid()}")
    return added


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
