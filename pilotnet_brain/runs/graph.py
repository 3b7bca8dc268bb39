"""Which nodes make up a live run, with which parameters and remappings: said once, as plain data.

``pilotnet drive`` and ``launch/drive.launch.py`` both start this graph.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, NO_IMAGES, dds_environment
from pilotnet_brain.runs.spec import GAZEBOS, RunSpec
from pilotnet_brain.runs.topics import remappings, topics_of
from pilotnet_brain.simulation.gazebo.classic_server import ros_prefixes
from pilotnet_brain.simulation.gazebo.sim import ros_gz_bridge

_WATCHED = ("brain", "metrics", "recorder", "simulator", "gazebo_bridge", "gz_bridge")
_OF_THE_BRAIN = (
    "delay_compensation", "actuation_delay", "command_hold", "command_lag", "camera_pose",
    "camera_fov", "max_speed", "wake_ahead",
)  # fmt: skip
"""Fields of the spec that are the brain's parameters, by the same name."""
_NODES_START_WITHIN_S = 120.0
_ANSWERS_WITHIN_S = 10.0
_WORLD_LOADS_WITHIN_S = 120.0
"""The world is made, and gzserver loads it, while the bridge waits."""


@dataclass(frozen=True)
class NodeSpec:
    """One node of a run: an executable with its parameters, remappings and environment."""

    executable: str
    name: str
    parameters: dict[str, Any]
    remappings: list[tuple[str, str]]
    environment: dict[str, str]
    namespace: str = ""
    package: str = "pilotnet_brain"
    arguments: list[str] = field(default_factory=list)
    """Command-line arguments before ``--ros-args``."""
    ends_run: bool = True
    """Whether the run ends when this node does."""
    takes_keys: bool = False
    """Whether it reads the terminal's keys."""


def run_graph(spec: RunSpec, run_dir: Path) -> list[NodeSpec]:
    """Return the nodes of a run whose results go to `run_dir`."""
    run_dir = run_dir.resolve()
    # The simulator first, since it takes longest to make its world ready.
    nodes = [
        *_simulator(spec, run_dir),
        _node(
            spec,
            "brain",
            model=spec.model,
            device=spec.device,
            runtime=spec.runtime,
            reliable=spec.reliable,
            trust_model=spec.trust_model,
            wait_for=_takers(spec),
            teleop=spec.teleop != "none",
            teleop_release=spec.teleop_release,
            **{name: getattr(spec, name) for name in _OF_THE_BRAIN},
        ),
        # All else that it needs is in the folder's run.yaml.
        _node(spec, "metrics", run_dir=str(run_dir)),
    ]
    if spec.record:
        bag = str(run_dir / "bag")
        teleop = spec.teleop != "none"
        nodes.append(_node(spec, "recorder", bag=bag, camera=spec.record_camera, teleop=teleop))
    if spec.guard:
        # Gazebo's own processes say nothing once a second; the simulator waits for the others, so
        # it is named last.
        names = [node.name for node in nodes]
        watch = [name for name in _WATCHED if name in names]
        loads_slowly = spec.simulator in GAZEBOS
        start_up = _NODES_START_WITHIN_S + (_WORLD_LOADS_WITHIN_S if loads_slowly else 0.0)
        # In lock-step the physics waits for the brain: no more than a frame's time passes.
        rtf = 1.0 if spec.lockstep else spec.rtf
        guard = _node(spec, "guard", use_sim_time=False, rtf=rtf, watch=watch, start_up=start_up)
        nodes.append(replace(guard, name="command_guard"))
    if spec.teleop == "expert":
        nodes.append(
            _node(
                spec,
                "expert",
                circuit=spec.circuit,
                takeover_deviation=spec.takeover_deviation,
                seed=spec.seed,
            )
        )
    elif spec.teleop in ("keyboard", "joy"):
        nodes.append(_teleop(spec))
    if spec.rviz:
        nodes.append(_rviz(spec))
    return nodes


def _teleop(spec: RunSpec) -> NodeSpec:
    node = _node(spec, "teleop", use_sim_time=False, device=spec.teleop)
    return replace(node, takes_keys=spec.teleop == "keyboard")


def _takers(spec: RunSpec) -> list[str]:
    """Return the nodes that must miss no command."""
    return ["metrics", "recorder"] if spec.record else ["metrics"]


def _node(spec: RunSpec, name: str, **parameters: Any) -> NodeSpec:
    """Return a node that runs on simulated time and publishes no images."""
    return NodeSpec(
        executable=name,
        name=name,
        parameters={"use_sim_time": spec.use_sim_time, **parameters},
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
        namespace=spec.namespace,
    )


def _simulator(spec: RunSpec, run_dir: Path) -> list[NodeSpec]:
    # Whom a simulator waits for before it starts the clock.
    wait_for = ["brain", *_takers(spec)]
    if spec.simulator == "mujoco":
        parameters = {
            "circuit": spec.circuit,
            "looks_seed": spec.looks_seed,
            "world": spec.world,
            "start_arc_length": spec.start_arc_length,
            "rtf": spec.rtf,
            "wait_for": wait_for,
        }
        environment = dds_environment(IMAGE_PUBLISHER)
        names = remappings(spec)
        return [NodeSpec("simulator", "simulator", parameters, names, environment, spec.namespace)]
    if spec.simulator == "none":
        return []
    bridge = {
        "car": spec.car,
        "rtf": spec.rtf,
        "wait_for": wait_for,
        "lockstep": spec.lockstep,
        "patience": _ANSWERS_WITHIN_S if spec.attach else _WORLD_LOADS_WITHIN_S,
    }
    if spec.simulator == "gz":
        return _gazebo_sim(spec, run_dir, bridge)
    if spec.attach:
        return [_bridge("gazebo_bridge", spec, bridge)]
    # Only this package's bridge holds the physics for the brain; a world of the user's that is made
    # for gazebo_ros at least waits for the camera.
    with_ros = bool(ros_prefixes()) and bool(spec.world or not spec.lockstep)
    switches = {"--ros": with_ros, "--lockstep": with_ros and spec.lockstep, "--gui": spec.gui}
    more = ["--rtf", str(spec.rtf), *(["--world", spec.world] if spec.world else [])]
    server = _gazebo("gazebo_server", "gazebo", spec, run_dir, switches, more)
    return [server] if with_ros else [server, _bridge("gazebo_bridge", spec, bridge)]


def _gazebo_sim(spec: RunSpec, run_dir: Path, bridge: dict[str, Any]) -> list[NodeSpec]:
    """Return the server, and this package's bridge where ros_gz_bridge does not do."""
    theirs = bool(spec.world) or spec.attach
    if theirs:
        bridge |= {"circuit": spec.circuit, "start_arc_length": spec.start_arc_length}
        bridge |= {"car_file": spec.car_file}
    if spec.attach:
        return [_bridge("gz_bridge", spec, bridge)]
    # Another Gazebo Sim on the machine would answer on the same topics.
    partition = "pilotnet_" + re.sub(r"[^A-Za-z0-9_-]", "_", run_dir.name)
    # It neither holds the physics for the brain nor puts a car on the line.
    with_ros = ros_gz_bridge() is not None and not spec.lockstep and not theirs
    more = ["--partition", partition, "--rtf", str(spec.rtf)]
    more += ["--world", spec.world] if spec.world else []
    switches = {"--ros": with_ros, "--gui": spec.gui}
    server = _gazebo("gz_server", "gz", spec, run_dir, switches, more)
    if with_ros:
        return [server]
    return [server, _bridge("gz_bridge", spec, {**bridge, "partition": partition})]


def _bridge(name: str, spec: RunSpec, parameters: dict[str, Any]) -> NodeSpec:
    environment = dds_environment(IMAGE_PUBLISHER) | _ONE_THREAD
    names = remappings(spec)
    return NodeSpec(name, name, parameters, names, environment, spec.namespace)


def _gazebo(
    executable: str,
    name: str,
    spec: RunSpec,
    run_dir: Path,
    switches: dict[str, bool],
    more: Sequence[str] = (),
) -> NodeSpec:
    """Return one of Gazebo's own programs; without remappings: its world has the car's topics."""
    topics = topics_of(spec)
    arguments = {
        "--circuit": spec.circuit,
        "--looks-seed": str(spec.looks_seed),
        "--start-arc-length": str(spec.start_arc_length),
        "--folder": str(run_dir / "world"),
        "--camera": topics["camera/image_raw"],
        "--camera-info": topics["camera/camera_info"],
        "--cmd-vel": topics["cmd_vel"],
        "--odom": topics["odom"],
    }
    words = [word for pair in arguments.items() for word in pair]
    words += [*more, *(switch for switch, on in switches.items() if on)]
    environment = dds_environment(IMAGE_PUBLISHER) | _no_qt_of_opencv()
    return NodeSpec(executable, name, {}, [], environment, arguments=words)


def _rviz(spec: RunSpec) -> NodeSpec:
    return NodeSpec(
        executable="rviz2",
        name="rviz2",
        package="rviz2",
        arguments=["-d", str(share_dir() / "config" / "drive.rviz")],
        parameters={"use_sim_time": True},
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _no_qt_of_opencv(),
        namespace=spec.namespace,
        ends_run=False,
    )


# Linear algebra on a second thread gains nothing at these sizes and takes the simulator's core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _no_qt_of_opencv() -> dict[str, str]:
    """Return the environment that lets RViz and Gazebo's window find their own Qt.

    pip's opencv-python points Qt at its own plugins once it is imported, in the environment that
    `ros2 launch` hands on; RViz then aborts.
    """
    return {
        name: ""
        for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
        if name not in os.environ or "cv2" in Path(os.environ[name]).parts
    }
