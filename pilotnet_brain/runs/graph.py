"""Which nodes make up a run, with which parameters and remappings: said once, as plain data.

``pilotnet drive`` and ``launch/drive.launch.py`` both start this graph.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pilotnet_brain.driving.model import DEVICES
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.dds_profile import IMAGE_PUBLISHER, NO_IMAGES, dds_environment
from pilotnet_brain.simulation.gazebo.classic_server import check_gazebo, ros_prefixes
from pilotnet_brain.simulation.gazebo.sim import check_gz
from pilotnet_brain.runs.topic_names import camera_info_topic

SIMULATORS = ("mujoco", "gazebo", "gz", "none")
_WORLD_LOADS_WITHIN_S = 120.0
"""The world is made, and gzserver loads it, while the bridge waits."""
POSE_SOURCES = ("odom", "model_states")
_TOPIC_NAME = re.compile(r"(?!.*__)/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)


def _argument(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class RunPlan:
    """What a user asks of a run: the arguments of ``pilotnet drive`` and of the launch file."""

    circuit: str = _argument(
        "simple_circuit",
        "Circuit: a name (pilotnet circuits lists them), random-SEED, or the path of a CSV of x,y "
        "or of a rosbag with one lap's odometry",
    )
    model: str = _argument(
        "baseline", "Model: a name (pilotnet models lists them) or the path of a TorchScript file"
    )
    device: str = _argument("auto", "Where the model runs: auto, cpu or cuda")
    simulator: str = _argument(
        "mujoco",
        "Simulator: mujoco (the embedded one), gazebo (Gazebo Classic, with gazebo_ros where that "
        "is installed), gz (Gazebo Sim with ros_gz_bridge, experimental) or none (one that runs "
        "already)",
    )
    laps: int = _argument(1, "Laps after which the run ends")
    rtf: float = _argument(1.0, "Simulated seconds per real second that the simulator aims at")
    looks_seed: int = _argument(
        0, "Seed of the embedded world's colours, light and textures; 0 is the plain look"
    )
    start_arc_length: float = _argument(
        0.0, "Where on the line the embedded simulator's car starts, m from the start line"
    )
    record: bool = _argument(True, "Record the run's topics to bag/ (MCAP)")
    record_camera: bool = _argument(False, "Record the camera frames too (18 MB a second)")
    record_video: bool = _argument(False, "Make a video of the run, run.mp4, once it has ended")
    output: str = _argument("runs", "Directory in which the run's own directory is made")
    reference_lap: str = _argument(
        "", "CSV or rosbag of a reference lap, for position_deviation_score_published"
    )
    time_limit: float = _argument(0.0, "Simulated seconds after which the run ends; 0 is no limit")
    camera_topic: str = _argument("/F1ROS/cameraL/image_raw", "Topic of the camera's frames")
    cmd_vel_topic: str = _argument("/F1ROS/cmd_vel", "Topic of the velocity commands")
    odom_topic: str = _argument("/F1ROS/odom", "Topic of the true pose")
    pose_source: str = _argument(
        "odom", "True pose from odom, or from model_states (Gazebo with gazebo_msgs)"
    )
    reliable: bool = _argument(
        False, "Ask for camera frames with reliable instead of best-effort delivery"
    )
    trust_model: bool = _argument(
        False, "Drive with a model whose sha256 differs from the manifest's"
    )
    world: str = _argument(
        "", "Gazebo: path of a world file of your own; empty is a world made of the circuit"
    )
    car: str = _argument("f1_renault", "Gazebo: the car's model name in the world")
    lockstep: bool = _argument(
        False, "Gazebo: the physics waits for the camera, so that a slow machine drops no frame"
    )
    gui: bool = _argument(False, "Gazebo: show the world in a window")
    rviz: bool = _argument(False, "Show the run in RViz, where it is installed")

    def __post_init__(self) -> None:
        _one_of("device", self.device, DEVICES)
        _one_of("simulator", self.simulator, SIMULATORS)
        _one_of("pose_source", self.pose_source, POSE_SOURCES)
        for topic in ("camera_topic", "cmd_vel_topic", "odom_topic"):
            _topic_name(topic, getattr(self, topic))
        if not 1 <= self.laps <= 10000:
            raise UserError(f"laps is {self.laps}: it must be 1 to 10000")
        if not 0.01 <= self.rtf <= 100.0:
            raise UserError(f"rtf is {self.rtf}: it must be 0.01 to 100")
        if not 0 <= self.looks_seed < 2**31:
            raise UserError(f"looks_seed is {self.looks_seed}: it must be 0 to {2**31 - 1}")
        if not 0.0 <= self.start_arc_length < float("inf"):
            raise UserError(f"start_arc_length is {self.start_arc_length}: it must be 0 or more m")
        if self.start_arc_length > 0.0 and self.simulator != "mujoco":
            raise UserError(
                f"start_arc_length is {self.start_arc_length:g}: only simulator mujoco starts a "
                "car elsewhere than on the start line"
            )
        if not 0.0 <= self.time_limit < float("inf"):
            raise UserError(f"time_limit is {self.time_limit}: it must be 0 (none) or more seconds")

    def as_dict(self) -> dict[str, Any]:
        """Return the arguments by name, as run.yaml keeps them."""
        return asdict(self)


@dataclass(frozen=True)
class Argument:
    """One argument of a run: its name, default value and description."""

    name: str
    default: Any
    description: str


ARGUMENTS = [Argument(f.name, f.default, f.metadata["description"]) for f in fields(RunPlan)]
"""What ``pilotnet drive`` takes as options and the launch file as arguments."""


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


def checked_plan(plan: RunPlan) -> RunPlan:
    """Return the plan after checking everything that can be checked before a process starts.

    Raises:
        UserError: unknown circuit or model, a model whose sha256 differs from the manifest's, a
            reference lap that does not exist or is of another circuit, a device, an RViz, a Gazebo
            or a gazebo_msgs that this machine does not have, another Gazebo on the port, an
            argument that the simulator cannot take.
    """
    from pilotnet_brain.bags.reader import BagLibraryMissing
    from pilotnet_brain.driving.model.archive import read_archive
    from pilotnet_brain.driving.model.catalogue import resolve_model

    # `ros2 launch` runs on ROS' own Python, which may lack it; the nodes have it, and look too.
    with suppress(BagLibraryMissing):
        _check_lines(plan)
    read_archive(resolve_model(plan.model, trust=plan.trust_model))
    if plan.pose_source == "model_states" and find_spec("gazebo_msgs") is None:
        raise UserError("pose_source model_states needs gazebo_msgs: install it, or use odom")
    if plan.simulator == "gazebo":
        check_gazebo(plan.world, plan.gui)
    elif plan.simulator == "gz":
        _check_for_gz(plan)
    if plan.rviz and shutil.which("rviz2") is None:
        raise UserError("rviz: rviz2 is not installed; install ROS's rviz2 or leave rviz out")
    if plan.device == "cuda" and not _has_cuda_driver():
        raise UserError("device cuda: this machine has no NVIDIA driver; use device cpu or auto")
    return plan


def _check_lines(plan: RunPlan) -> None:
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.metrics.reference_lap import read_reference_lap_of

    circuit = load_circuit(plan.circuit)
    if plan.reference_lap:
        read_reference_lap_of(circuit, plan.reference_lap)


def run_graph(plan: RunPlan, run_dir: Path) -> list[NodeSpec]:
    """Return the nodes of a run whose results go to `run_dir`."""
    nodes = [_brain(plan), _metrics(plan, run_dir)]
    if plan.simulator == "mujoco":
        # First, since it takes longest to make its world ready.
        nodes.insert(0, _simulator(plan))
    elif plan.simulator == "gazebo":
        with_ros = bool(ros_prefixes())
        nodes = [_gazebo(plan, run_dir, with_ros), *([] if with_ros else [_bridge(plan)]), *nodes]
    elif plan.simulator == "gz":
        nodes.insert(0, _gz(plan, run_dir))
    if plan.record:
        nodes.append(_recorder(plan, run_dir))
    if plan.rviz:
        nodes.append(_rviz(plan))
    return nodes


def _simulator(plan: RunPlan) -> NodeSpec:
    return NodeSpec(
        executable="simulator",
        name="simulator",
        parameters={
            "circuit": _path_made_absolute(plan.circuit),
            "looks_seed": plan.looks_seed,
            "start_arc_length": plan.start_arc_length,
            "rtf": plan.rtf,
            "wait_for": _everyone(plan),
        },
        remappings=_remappings(plan),
        environment=dds_environment(IMAGE_PUBLISHER),
    )


def _gazebo(plan: RunPlan, run_dir: Path, with_ros: bool) -> NodeSpec:
    """Gazebo's own programs, which take no remappings: the car's topics are in its world."""
    arguments = {**_world_arguments(plan, run_dir), "--rtf": str(plan.rtf)}
    if plan.world:
        arguments["--world"] = _path_made_absolute(plan.world)
    switches = {"--ros": with_ros, "--lockstep": plan.lockstep, "--gui": plan.gui}
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


def _gz(plan: RunPlan, run_dir: Path) -> NodeSpec:
    """Gazebo Sim with its bridge, whose configuration is written with the world."""
    arguments = _world_arguments(plan, run_dir)
    return NodeSpec(
        executable="gz_server",
        name="gz",
        arguments=[
            *(word for pair in arguments.items() for word in pair),
            *(["--gui"] if plan.gui else []),
        ],
        parameters={},
        remappings=[],
        environment=dds_environment(IMAGE_PUBLISHER) | _no_qt_of_opencv(),
    )


def _world_arguments(plan: RunPlan, run_dir: Path) -> dict[str, str]:
    return {
        "--circuit": _path_made_absolute(plan.circuit),
        "--looks-seed": str(plan.looks_seed),
        "--folder": str(run_dir.resolve() / "world"),
        "--camera": plan.camera_topic,
        "--camera-info": camera_info_topic(plan.camera_topic),
        "--cmd-vel": plan.cmd_vel_topic,
        "--odom": plan.odom_topic,
    }


def _bridge(plan: RunPlan) -> NodeSpec:
    return NodeSpec(
        executable="gazebo_bridge",
        name="gazebo_bridge",
        parameters={
            "car": plan.car,
            "rtf": plan.rtf,
            "patience": _WORLD_LOADS_WITHIN_S,
            "wait_for": _everyone(plan),
        },
        remappings=_remappings(plan),
        environment=dds_environment(IMAGE_PUBLISHER) | _ONE_THREAD,
    )


def _everyone(plan: RunPlan) -> list[str]:
    """Return whom a simulator waits for before it starts the clock."""
    return ["brain", "metrics", *(["recorder"] if plan.record else [])]


def _brain(plan: RunPlan) -> NodeSpec:
    return NodeSpec(
        executable="brain",
        name="brain",
        parameters={
            "use_sim_time": True,
            "model": _path_made_absolute(plan.model),
            "device": plan.device,
            "reliable": plan.reliable,
            "trust_model": plan.trust_model,
        },
        remappings=_remappings(plan),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _metrics(plan: RunPlan, run_dir: Path) -> NodeSpec:
    return NodeSpec(
        executable="metrics",
        name="metrics",
        parameters={
            "use_sim_time": True,
            "circuit": _path_made_absolute(plan.circuit),
            "laps": plan.laps,
            "run_dir": str(run_dir.resolve()),
            "reference_lap": _path_made_absolute(plan.reference_lap),
            "time_limit": plan.time_limit,
            "pose_source": plan.pose_source,
            "car": plan.car,
            "place_car": plan.simulator == "none",
            "model": plan.model,
            "simulator": plan.simulator,
        },
        remappings=_remappings(plan),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _recorder(plan: RunPlan, run_dir: Path) -> NodeSpec:
    return NodeSpec(
        executable="recorder",
        name="recorder",
        parameters={
            "use_sim_time": True,
            "bag": str(run_dir.resolve() / "bag"),
            "camera": plan.record_camera,
        },
        remappings=_remappings(plan),
        environment=dds_environment(NO_IMAGES) | _ONE_THREAD,
    )


def _rviz(plan: RunPlan) -> NodeSpec:
    from pilotnet_brain.package_share import share_dir

    return NodeSpec(
        executable="rviz2",
        name="rviz2",
        package="rviz2",
        arguments=["-d", str(share_dir() / "config" / "drive.rviz")],
        parameters={"use_sim_time": True},
        remappings=_remappings(plan),
        environment=dds_environment(NO_IMAGES) | _no_qt_of_opencv(),
        ends_run=False,
    )


def _remappings(plan: RunPlan) -> list[tuple[str, str]]:
    return [
        ("camera/image_raw", plan.camera_topic),
        ("camera/camera_info", camera_info_topic(plan.camera_topic)),
        ("cmd_vel", plan.cmd_vel_topic),
        ("odom", plan.odom_topic),
    ]


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


def _path_made_absolute(name_or_path: str) -> str:
    """Return a path as absolute (a node may run elsewhere), anything else as it is."""
    path = Path(name_or_path).expanduser()
    looks_like_path = os.sep in name_or_path or path.suffix != ""
    return str(path.resolve()) if looks_like_path and path.exists() else name_or_path


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"unknown {name} {value!r}: use one of {', '.join(known)}")


def _check_for_gz(plan: RunPlan) -> None:
    for name, given in (("world", plan.world), ("lockstep", plan.lockstep)):
        if given:
            raise UserError(f"{name} is for simulator gazebo (Gazebo Classic): leave it out for gz")
    if plan.pose_source != "odom":
        raise UserError(f"pose_source {plan.pose_source} is Gazebo Classic's: use odom for gz")
    check_gz(plan.gui)


def _topic_name(argument: str, name: str) -> None:
    if not _TOPIC_NAME.fullmatch(name):
        raise UserError(
            f"{argument} is {name!r}: a topic's name is words of letters, digits and single _ that "
            "do not begin with a digit, joined by /"
        )


def _has_cuda_driver() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap"))
