"""A circuit as a world for Gazebo Sim (Harmonic and later), and its bridge to ROS 2. Experimental.

The same road and the same car as Gazebo Classic's, with gz-sim's own systems: physics, sensors,
velocity control, odometry and pose publishers. Checked with libsdformat; not run in Gazebo Sim.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import yaml

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo import car as gazebo_car
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, LINK_NAME, Equipment, RosTopics
from pilotnet_brain.simulation.gazebo.circuit import (
    circuit_model_name,
    file_stem,
    write_circuit_model,
    write_model_files,
)
from pilotnet_brain.simulation.gazebo.classic_world import include, on_road, scene, sun
from pilotnet_brain.simulation.gazebo.sdf import document, tag, write_xml
from pilotnet_brain.simulation.looks import Looks

# Gazebo Sim reads it, and so does the libsdformat that the tests have.
_SDF_VERSION = "1.7"
_CAR_MODEL = "pilotnet_car_gz"
_RATE_HZ = 1.0 / TIME_STEP_S
# gz-sim publishes the camera_info beside the image.
_IMAGE, _CAMERA_INFO = f"/{CAR_NAME}/image", f"/{CAR_NAME}/camera_info"
_CMD_VEL, _ODOMETRY = f"/{CAR_NAME}/cmd_vel", f"/{CAR_NAME}/odometry"
_POSE, _TF = f"/model/{CAR_NAME}/pose", f"/{CAR_NAME}/tf"


@dataclass(frozen=True)
class GzWorldFiles:
    """Where a written world lies.

    Attributes:
        world: the world file.
        models: the folder of its models, for GZ_SIM_RESOURCE_PATH.
        bridge: the configuration of ros_gz_bridge's parameter_bridge.
    """

    world: Path
    models: Path
    bridge: Path


def write_gz_world(
    circuit: Circuit, looks: Looks, folder: Path, topics: RosTopics | None = None
) -> GzWorldFiles:
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
        write_atomically(bridge, entries.encode())
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return GzWorldFiles(world, models, bridge)


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
