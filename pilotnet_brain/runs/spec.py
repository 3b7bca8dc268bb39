"""The spec of a run: everything that can be asked of it, live over ROS 2 or in lock-step.

``pilotnet drive`` has these fields as options, the launch file as arguments, run.yaml keeps them,
and a benchmark is a list of them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pilotnet_brain.driving.camera_pose import BY_TF, pose_of_text
from pilotnet_brain.driving.model import DEVICES, RUNTIMES
from pilotnet_brain.driving.takeover import RELEASES, TELEOP_TOPICS
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.user_path import user_path

SIMULATORS = ("mujoco", "gazebo", "gz", "none")
POSE_SOURCES = ("odom", "model_states")
LARGEST_SEED = 2**31 - 1
GAZEBOS = ("gazebo", "gz")
TELEOPS = ("none", "keyboard", "joy", "topic", "expert")
_WAITS_FOR_THE_BRAIN = ("mujoco",)
"""Simulators that do not start the clock before the brain has answered a frame."""
_DEFAULT_TOPICS = {
    "camera_topic": ("/F1ROS/cameraL/image_raw", "camera/image_raw"),
    "cmd_vel_topic": ("/F1ROS/cmd_vel", "cmd_vel"),
    "odom_topic": ("/F1ROS/odom", "odom"),
}
"""JdeRobot's car; in a namespace, the nodes' own names."""
_TOPIC_NAME = re.compile(r"(?!.*__)/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
_OTHER_TOPICS = (
    "brain/frames", "brain/status", "centerline", "driven_line", "/clock", "/diagnostics",
    "/rosout", "/parameter_events", "/tf", "/tf_static", *TELEOP_TOPICS,
)  # fmt: skip
"""Of a run's nodes and of ROS 2."""
_PATHS = ("circuit", "model", "reference_lap", "world", "car_file", "preset")


def _argument(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class RunSpec:
    """One run. Checked when it is made; whether files and programs exist, `check_run` checks.

    Raises:
        UserError: a value that its field cannot have, or two that exclude each other.
    """

    circuit: str = _argument(
        "simple_circuit",
        "Circuit: a name (pilotnet circuits lists them), random-SEED, or the path of a CSV of x,y "
        "or of a rosbag with one lap's odometry",
    )
    model: str = _argument(
        "baseline",
        "Model: a name (pilotnet models lists them) or the path of a TorchScript or ONNX file",
    )
    device: str = _argument("auto", "Where the model runs: auto, cpu or cuda")
    runtime: str = _argument(
        "auto",
        "What runs the model: torch (TorchScript), onnxruntime or openvino (ONNX), or auto, by its "
        "file",
    )
    simulator: str = _argument(
        "mujoco",
        "Simulator: mujoco (the embedded one), gazebo (Gazebo Classic, with gazebo_ros where that "
        "is installed), gz (Gazebo Sim, with ros_gz_bridge where that is installed) "
        "or none (one that is already running)",
    )
    lockstep: bool = _argument(
        False,
        "Simulated time waits for the brain. mujoco: simulator and model in one process, without "
        "ROS; gazebo and gz: the physics waits for the command to each frame",
    )
    laps: int = _argument(1, "Laps after which the run ends")
    time_limit: float = _argument(0.0, "Simulated seconds after which the run ends; 0 is no limit")
    rtf: float = _argument(1.0, "Simulated seconds per real second that the simulator aims at")
    looks_seed: int = _argument(
        0, "Seed of the world's colours, light and textures; 0 is the plain look"
    )
    start_arc_length: float = _argument(
        0.0,
        "Where on the line the car starts, m from the start line (not with none, or in a world of "
        "yours in gazebo)",
    )
    disturbance: str = _argument(
        "", "Disturbance of a lock-step run, NAME=AMOUNT (pilotnet benchmark --help lists them)"
    )
    seed: int = _argument(0, "Seed of what a disturbance draws, such as which frames are lost")
    waiting_limit: float = _argument(
        0.0,
        "Simulated seconds that the car may stand before it sets off; 0: 10, or 60 with a "
        "simulator that does not wait for the brain to load, or with teleop_release stop",
    )
    standing_limit: float = _argument(
        10.0, "Simulated seconds of standing still that end the run once the car has driven"
    )
    off_road_limit: float = _argument(
        0.0,
        "Simulated seconds beyond the asphalt's edge that end the run; 0: 1, or 10 where somebody "
        "can take over",
    )
    stall_limit: float = _argument(
        0.0, "Real seconds without a new pose of the car that end a live run; 0 is no limit"
    )
    guard: bool = _argument(
        True, "Stop the car when the brain falls silent, and end a live run when a node does"
    )
    record: bool = _argument(True, "Record the run's topics to bag/ (MCAP)")
    record_camera: bool = _argument(False, "Record the camera frames too (18 MB a second)")
    record_video: bool = _argument(False, "Make a video of the run, run.mp4, once it has ended")
    output: str = _argument("runs", "Directory in which the run's own directory is made")
    reference_lap: str = _argument(
        "", "CSV or rosbag of a reference lap, for position_deviation_score_published"
    )
    namespace: str = _argument(
        "", "Namespace of the run's nodes and of relative topics, such as car1 for one of two cars"
    )
    camera_topic: str = _argument(
        "", "Topic of the camera's frames; empty: /F1ROS/cameraL/image_raw, in a namespace "
        "camera/image_raw"
    )  # fmt: skip
    cmd_vel_topic: str = _argument(
        "", "Topic of the velocity commands; empty: /F1ROS/cmd_vel, in a namespace cmd_vel"
    )
    odom_topic: str = _argument(
        "", "Topic of the true pose; empty: /F1ROS/odom, in a namespace odom"
    )
    use_sim_time: bool = _argument(
        True, "Take the time from /clock; false: from the system, where a simulator has no /clock"
    )
    pose_source: str = _argument(
        "odom", "True pose from odom, or from model_states (Gazebo with gazebo_msgs)"
    )
    reliable: bool = _argument(
        False, "Ask for camera frames with reliable instead of best-effort delivery"
    )
    delay_compensation: bool = _argument(
        True,
        "Show the model the road from where the car will be when its command acts",
    )
    actuation_delay: float = _argument(
        0.0,
        "Simulated seconds from a command's publication until the car moves by it",
    )
    command_hold: float = _argument(
        0.0,
        "Simulated seconds for which the car keeps a command's direction while it turns: 0.05 "
        "under Gazebo Classic's planar_move at 20 Hz",
    )
    command_lag: float = _argument(
        0.0, "Time constant with which the car follows a command, simulated seconds"
    )
    camera_pose: str = _argument(
        "",
        "Where the camera sits on base_link: 'X Y Z ROLL PITCH YAW' (m, rad), or tf: as /tf_static "
        "says; empty: where the model's camera sat",
    )
    camera_fov: float = _argument(
        0.0,
        "The camera's horizontal field of view, rad, where no camera_info comes; 0: the model's",
    )
    max_speed: float = _argument(
        0.0, "Drive no faster than this, m/s, on the same path; 0 is no limit"
    )
    wake_ahead: float = _argument(
        0.0,
        "Real seconds before the next frame at which the network runs once to be in the caches",
    )
    teleop: str = _argument(
        "none",
        "How a person drives, or takes over from the brain: keyboard (of this terminal), joy (a "
        "joystick), topic (somebody else publishes on joy_vel or key_vel), expert (by the true "
        "pose, instead of a person) or none",
    )
    teleop_release: str = _argument(
        "brain", "Who drives once the person lets go, and before: the brain, or stop: nobody"
    )
    takeover_deviation: float = _argument(
        0.0,
        "With teleop expert: distance from the line, m, beyond which it takes over until the car "
        "is back; 0: it drives all the way, and is pushed off the line now and then",
    )
    trust_model: bool = _argument(
        False, "Drive with a model whose sha256 differs from the manifest's"
    )
    preset: str = _argument(
        "",
        "Arguments for somebody else's car, for those that are not given: jderobot_classic, "
        "jderobot_gz, or the path of a YAML file of your own",
    )
    world: str = _argument(
        "",
        "Path of a Gazebo world file of your own (the embedded simulator shows it, too); empty: a "
        "world made of the circuit",
    )
    attach: bool = _argument(
        False, "Gazebo: drive in one that already runs, and put its car at the start"
    )
    car: str = _argument("f1_renault", "Gazebo: the car's model name in the world")
    car_file: str = _argument(
        "", "Gazebo Sim: path of the car's SDF or URDF, to put it into a world that has no car"
    )
    gui: bool = _argument(False, "Gazebo: show the world in a window")
    rviz: bool = _argument(False, "Show the run in RViz, where it is installed")

    def __post_init__(self) -> None:
        _one_of("device", self.device, DEVICES)
        _one_of("runtime", self.runtime, RUNTIMES)
        _one_of("simulator", self.simulator, SIMULATORS)
        _one_of("pose_source", self.pose_source, POSE_SOURCES)
        _one_of("teleop", self.teleop, TELEOPS)
        _one_of("teleop_release", self.teleop_release, RELEASES)
        for topic, (plain, relative) in _DEFAULT_TOPICS.items():
            if not getattr(self, topic):
                object.__setattr__(self, topic, relative if self.namespace else plain)
            _topic_name(topic, getattr(self, topic))
        if self.namespace:
            _topic_name("namespace", self.namespace)
        _in_range("laps", self.laps, 1, 10000)
        _in_range("rtf", self.rtf, 0.01, 100.0)
        _in_range("looks_seed", self.looks_seed, 0, LARGEST_SEED)
        _in_range("seed", self.seed, 0, LARGEST_SEED)
        for name in ("time_limit", "start_arc_length", "waiting_limit", "standing_limit",
                     "off_road_limit", "stall_limit", "takeover_deviation"):  # fmt: skip
            if not 0.0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        self._check_camera_and_car()
        if self.waiting_limit == 0.0:
            waits = self.simulator in _WAITS_FOR_THE_BRAIN and self.teleop_release == "brain"
            object.__setattr__(self, "waiting_limit", 10.0 if waits else 60.0)
        if self.off_road_limit == 0.0:
            object.__setattr__(self, "off_road_limit", 1.0 if self.teleop == "none" else 10.0)
        self._check_together()

    def _check_camera_and_car(self) -> None:
        _in_range("actuation_delay", self.actuation_delay, 0.0, 2.0)
        _in_range("command_hold", self.command_hold, 0.0, 1.0)
        _in_range("command_lag", self.command_lag, 0.0, 1.0)
        _in_range("max_speed", self.max_speed, 0.0, 1000.0)
        _in_range("wake_ahead", self.wake_ahead, 0.0, 0.1)
        _in_range("camera_fov", self.camera_fov, 0.0, 3.1)
        if self.camera_pose == BY_TF:
            if self.in_process:
                raise UserError("camera_pose tf: lock-step in one process has no /tf_static")
        elif self.camera_pose:
            try:
                pose_of_text(self.camera_pose)
            except ValueError as problem:
                raise UserError(f"camera_pose: {problem}") from None

    def _check_together(self) -> None:
        self._check_topics()
        self._check_gazebo()
        not_put = self.simulator == "none" or (
            self.simulator == "gazebo" and (self.world or self.attach)
        )
        if self.start_arc_length > 0.0 and not_put:
            raise UserError(
                f"start_arc_length is {self.start_arc_length:g}: the car is not put elsewhere than "
                "on the start line with simulator none, or in gazebo with world or attach"
            )
        if not self.use_sim_time and self.simulator != "none":
            raise UserError(
                "use_sim_time false: only with simulator none; the others have a /clock"
            )
        if self.disturbance:
            parse_disturbance(self.disturbance)
            if not self.in_process:
                raise UserError("disturbance: needs simulator mujoco with lockstep")
        if self.in_process and self.device == "cuda":
            raise UserError("device cuda: a lock-step run drives on the CPU; leave device out")
        if self.in_process and self.teleop != "none":
            raise UserError("teleop: a lock-step run waits for no person; leave out lockstep")
        if self.teleop == "none" and self.teleop_release != "brain":
            raise UserError("teleop_release stop: name how a person drives, with teleop")
        if self.takeover_deviation and self.teleop != "expert":
            raise UserError("takeover_deviation is for teleop expert: leave it out")
        if self.in_process and self.record_camera:
            raise UserError("record_camera: a lock-step run records no bag; leave it out")

    def _check_gazebo(self) -> None:
        if self.world and self.simulator == "none":
            raise UserError("world: with simulator none the world is there already; leave it out")
        if self.world and self.simulator == "mujoco" and self.looks_seed:
            raise UserError("world: it has its own looks; leave out looks_seed")
        if self.attach and self.simulator not in GAZEBOS:
            raise UserError(f"attach is for simulator {' and '.join(GAZEBOS)}: leave it out")
        if self.attach and (self.world or self.gui):
            raise UserError("attach: the Gazebo that runs has its world; leave out world and gui")
        if self.car_file and self.simulator != "gz":
            raise UserError("car_file is for simulator gz (Gazebo Sim): leave it out")

    def _check_topics(self) -> None:
        """Refuse two roles on one topic."""
        roles = {self.resolved(topic): "a topic of every run" for topic in _OTHER_TOPICS}
        for role, topic in (
            ("camera_topic", self.camera_topic),
            ("the camera's camera_info", camera_info_topic(self.camera_topic)),
            ("cmd_vel_topic", self.cmd_vel_topic),
            ("odom_topic", self.odom_topic),
        ):
            name = self.resolved(topic)
            if name in roles:
                raise UserError(f"{role} is {topic}, which is {roles[name]}, too: name another")
            roles[name] = role

    def resolved(self, topic: str) -> str:
        """Return a topic's name as a node in the run's namespace resolves it."""
        namespace = f"/{self.namespace.strip('/')}".rstrip("/")
        return topic if topic.startswith("/") else f"{namespace}/{topic}"

    @property
    def in_process(self) -> bool:
        """Whether simulator and model run in lock-step in one process, without ROS."""
        return self.lockstep and self.simulator == "mujoco"

    def rules(self) -> Rules:
        """Return the rules by which the run ends."""
        return Rules(
            laps=self.laps,
            off_road_s=self.off_road_limit,
            scraping_s=Rules.scraping_s if self.teleop == "none" else self.off_road_limit,
            standing_s=self.standing_limit,
            waiting_s=self.waiting_limit,
            time_limit_s=self.time_limit or None,
        )

    def with_absolute_paths(self) -> RunSpec:
        """Return the spec with its paths made absolute: nodes and readers may run elsewhere."""
        return replace(self, **{name: _absolute(getattr(self, name)) for name in _PATHS})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as run.yaml keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """Return the spec of `to_dict`'s fields; unknown ones, of another version, are left out.

        Raises:
            UserError: as RunSpec.
        """
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True)
class Argument:
    """One argument of a run: its name, default value and description."""

    name: str
    default: Any
    description: str


ARGUMENTS = [Argument(f.name, f.default, f.metadata["description"]) for f in fields(RunSpec)]
"""What ``pilotnet drive`` takes as options and the launch file as arguments."""


def camera_info_topic(camera_topic: str) -> str:
    """Return the CameraInfo topic that goes with an image topic: its sibling, as ROS has it."""
    namespace, slash, _ = camera_topic.rpartition("/")
    return f"{namespace}{slash}camera_info"


def parse_disturbance(text: str) -> tuple[str, float]:
    """Return the name and amount of ``NAME=AMOUNT``.

    Raises:
        UserError: the text has no such form.
    """
    name, equals, amount = text.partition("=")
    try:
        return name, float(amount) if equals else math.nan
    except ValueError:
        raise UserError(f"disturbance is {text!r}: it must be NAME=AMOUNT") from None


def _absolute(name_or_path: str) -> str:
    path = user_path(name_or_path)
    looks_like_path = os.sep in name_or_path or path.suffix != ""
    return str(path.resolve()) if looks_like_path and path.exists() else name_or_path


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"unknown {name} {value!r}: use one of {', '.join(known)}")


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name} is {value}: it must be {low:g} to {high:g}")


def _topic_name(argument: str, name: str) -> None:
    if not _TOPIC_NAME.fullmatch(name):
        raise UserError(
            f"{argument} is {name!r}: a topic's name is words of letters, digits and single _ that "
            "do not start with a digit, joined by /"
        )
