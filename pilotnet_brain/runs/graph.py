"""Which nodes make up a live run, with which parameters and remappings: said once, as plain data.

``pilotnet drive`` and ``launch/drive.launch.py`` both start this graph.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, NO_IMAGES, dds_environment
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.runs.topics import camera_info_topic, remappings
from pilotnet_brain.simulation.gazebo.classic_server import ros_prefixes

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
    package: str = "pilotnet_brain"
    arguments: list[str] = field(default_factory=list)
    """Command-line arguments before ``--ros-args``."""
    ends_run: bool = True
    """Whether the run ends when this node does."""


def run_graph(spec: RunSpec, run_dir: Path) -> list[NodeSpec]:
    """Return the nodes of a run whose results go to `run_dir`."""
    nodes = [_brain(spec), _metrics(spec, run_dir)]
    if spec.simulator == "mujoco":
        # First, since it takes longest to make its world ready.
        nodes.insert(0, _simulator(spec))
    elif spec.simulator == "gazebo":
        with_ros = bool(ros_prefixes())
        nodes = [_gazebo(spec, run_dir, with_ros), *([] if with_ros else [_bridge(spec)]), *nodes]
    elif spec.simulator == "gz":
        nodes.insert(0, _gz(spec, run_dir))
    if spec.record:
        nodes.append(_recorder(spec, run_dir))
    if spec.rviz:
        nodes.append(_rviz(spec))
    return nodes


def _simulator(spec: RunSpec) -> NodeSpec:
    return NodeSpec(
        executable="simulator",
        name="simulator",
        parameters={
            "circuit": spec.circuit,
            "looks_seed": spec.looks_seed,
            "start_arc_length": spec.start_arc_length,
            "rtf": spec.rtf,
            "wait_for": _everyone(spec),
        },
        remappings=remappings(spec),
        environment=dds_environment(IMAGE_PUBLISHER),
    )


def _gazebo(spec: RunSpec, run_dir: Path, with_ros: bool) -> NodeSpec:
    """Gazebo's own programs, which take no remappings: the car's topics are in its world."""
    arguments = {**_world_arguments(spec, run_dir), "--rtf": str(spec.rtf)}
    if spec.world:
        arguments["--world"] = spec.world
    switches = {"--ros": with_ros, "--lockstep": spec.lockstep, "--gui": spec.gui}
    return NodeSpec(
        executable="gazebo_server",
        name="gazebo",
        arguments=[
            *(word for pair in arguments.items() for word in pair),
            *(name for name, on in switches.items() if on),
        ],
        parameters={},
        remappings=[],
        environment=dds_environment(IMAGE_PUBLISHER) | _no_qt_of_opencv(),
    )


def _gz(spec: RunSpec, run_dir: Path) -> NodeSpec:
    """Gazebo Sim with its bridge, whose configuration is written with the world."""
    arguments = _world_arguments(spec, run_dir)
    return NodeSpec(
        executable="gz_server",
        name="gz",
        arguments=[
            *(word for pair in arguments.items() for word in pair),
            *(["--gui"] if spec.gui else []),
        ],
        parameters={},
        remappings=[],
        environment=dds_environment(IMAGE_PUBLISHER) | _no_qt_of_opencv(),
    )


def _world_arguments(spec: RunSpec, run_dir: Path) -> dict[str, str]:
    return {
        "--circuit": spec.circuit,
        "--looks-seed": str(spec.looks_seed),
        "--folder": str(run_dir.resolve() / "world"),
        "--camera": spec.camera_topic,
        "--camera-info": camera_info_topic(spec.camera_topic),
        "--cmd-vel": spec.cmd_vel_topic,
        "--odom": spec.odom_topic,
    }


def _bridge(spec: RunSpec) -> NodeSpec:
    return NodeSpec(
        executable="gazebo_bridge",
        name="gazebo_bridge",
        parameters={
            "car": spec.car,
            "rtf": spec.rtf,
            "patience": _WORLD_LOADS_WITHIN_S,
            "wait_for": _everyone(spec),
        },
        remappings=remappings(spec),
        environment=dds_environment(IMAGE_PUBLISHER) | _ONE_THREAD,
    )


def _everyone(spec: RunSpec) -> list[str]:
    """Return whom a simulator waits for before it starts the clock."""
    return ["brain", "metrics", *(["recorder"] if spec.record else [])]


def _brain(spec: RunSpec) -> NodeSpec:
    return NodeSpec(
        executable="brain",
        name="brain",
        parameters={
            "use_sim_time": True,
            "model": spec.model,
            "device": spec.device,
            "reliable": spec.reliable,
            "trust_model": spec.trust_model,
        },
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _metrics(spec: RunSpec, run_dir: Path) -> NodeSpec:
    return NodeSpec(
        executable="metrics",
        name="metrics",
        # All else is in the folder's run.yaml.
        parameters={"use_sim_time": True, "run_dir": str(run_dir.resolve())},
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _recorder(spec: RunSpec, run_dir: Path) -> NodeSpec:
    return NodeSpec(
        executable="recorder",
        name="recorder",
        parameters={
            "use_sim_time": True,
            "bag": str(run_dir.resolve() / "bag"),
            "camera": spec.record_camera,
        },
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _rviz(spec: RunSpec) -> NodeSpec:
    from pilotnet_brain.package_share import share_dir

    return NodeSpec(
        executable="rviz2",
        name="rviz2",
        package="rviz2",
        arguments=["-d", str(share_dir() / "config" / "drive.rviz")],
        parameters={"use_sim_time": True},
        remappings=remappings(spec),
        environment=dds_environment(NO_IMAGES) | _no_qt_of_opencv(),
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
