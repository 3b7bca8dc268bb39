"""The car as a Gazebo model: body, collision box and camera by the contract, and what moves it.

One description serves every Gazebo. What differs is only what is added: how the car is moved, and
where its camera's frames go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.gazebo.sdf import tag
from pilotnet_brain.simulation.looks import Looks

CAR_NAME = "f1_renault"
"""The model's name in the world; JdeRobot's car has the same."""
LINK_NAME = "base_link"
SENSOR_NAME = "camera"
HINGE_DISTANCE_M = 20.0
"""Between the two hinges of `bare_equipment`, m."""

_GROUND_CLEARANCE_M = 0.02
_PAINT, _TYRE = (0.85, 0.65, 0.05), (0.05, 0.05, 0.05)


@dataclass(frozen=True)
class RosTopics:
    """The ROS topics of a car: the contract's, unless a run asks for others."""

    camera: str = "/F1ROS/cameraL/image_raw"
    camera_info: str = "/F1ROS/cameraL/camera_info"
    cmd_vel: str = "/F1ROS/cmd_vel"
    odom: str = "/F1ROS/odom"


@dataclass(frozen=True)
class Equipment:
    """What a flavour of the car adds to the common one.

    Attributes:
        to_link: elements for base_link.
        to_sensor: elements for its camera's <sensor>.
        to_camera: elements for the <camera> in it.
        to_model: elements for the model: joints and plugins.
    """

    to_link: tuple[Element, ...] = ()
    to_sensor: tuple[Element, ...] = ()
    to_camera: tuple[Element, ...] = ()
    to_model: tuple[Element, ...] = ()


def car_model(looks: Looks, equipment: Equipment) -> Element:
    """Return the car's <model>: it weighs nothing on the road, so nothing but walls slows it.

    Args:
        looks: the mounting of its camera. The sensor's noise and blur are left out.
        equipment: what moves it and takes its frames.
    """
    # It cannot roll or pitch: a wall would lift its nose and let it climb.
    inertia = {"ixx": 1e9, "iyy": 1e9, "izz": 1.0, "ixy": 0.0, "ixz": 0.0, "iyz": 0.0}
    link = tag(
        "link",
        tag("gravity", False),
        tag(
            "inertial",
            tag("mass", 10.0),
            tag("inertia", *(tag(name, value) for name, value in inertia.items())),
        ),
        _chassis(),
        *_body(),
        _camera(looks, equipment),
        *equipment.to_link,
        name=LINK_NAME,
    )
    return tag("model", link, *equipment.to_model, name=CAR_NAME)


def ros_equipment(topics: RosTopics) -> Equipment:
    """Return gazebo_ros' plugins: a camera, and a planar move that also tells the odometry."""
    camera = tag(
        "plugin",
        tag(
            "ros",
            tag("remapping", f"car/image_raw:={topics.camera}"),
            tag("remapping", f"car/camera_info:={topics.camera_info}"),
        ),
        tag("camera_name", "car"),
        tag("frame_name", "camera_optical_frame"),
        name="camera_driver",
        filename="libgazebo_ros_camera.so",
    )
    # An update rate of 0 is every step of the physics.
    move = tag(
        "plugin",
        tag(
            "ros",
            tag("remapping", f"cmd_vel:={topics.cmd_vel}"),
            tag("remapping", f"odom:={topics.odom}"),
        ),
        tag("update_rate", 0.0),
        tag("publish_rate", 200.0),
        tag("publish_odom", True),
        tag("publish_odom_tf", True),
        tag("odometry_frame", "odom"),
        tag("robot_base_frame", LINK_NAME),
        name="planar_move",
        filename="libgazebo_ros_planar_move.so",
    )
    return Equipment(to_sensor=(camera,), to_model=(move,))


def bare_equipment() -> Equipment:
    """Return what moves the car over Gazebo Classic's own transport, exactly and at once.

    Gazebo's transport has no planar move, but its DiffDrivePlugin sets two joints' velocities
    before every step, and setting a joint's velocity sets the moved link's velocity outright. So
    base_link gets a hinge at its own place, another `HINGE_DISTANCE_M` to its left, and a slide
    along its x axis, all three to the world, with constraints that do not hold (the world's CFM).
    The plugin's command on ``~/f1_renault/vel_cmd``, a Pose of x = v and yaw = 2 (v - w) / 20,
    then turns the car by w and moves it by v.

    The plugin takes half of the moved link's bounding box as its wheel's radius: the collision
    sphere of radius 1 m that collides with nothing makes that 1.
    """
    hinge = tag("axis", tag("xyz", (0.0, 0.0, 1.0)))
    slide = tag("axis", tag("xyz", (1.0, 0.0, 0.0)))
    aside = (0.0, HINGE_DISTANCE_M, 0.0, 0.0, 0.0, 0.0)
    return Equipment(
        to_link=(_unit_wheel(),),
        to_model=(
            _world_joint("turn", "revolute", hinge),
            _world_joint("far_turn", "revolute", tag("pose", aside), hinge),
            _world_joint("move", "prismatic", slide),
            _diff_drive("turn", left="far_turn", right="turn"),
            # After the turn: the last one that sets a velocity counts.
            _diff_drive("move", left="move", right="move"),
        ),
    )


def _world_joint(name: str, kind: str, *content: Element) -> Element:
    ends = tag("parent", "world"), tag("child", LINK_NAME)
    return tag("joint", *ends, *content, name=name, type=kind)


def _diff_drive(name: str, left: str, right: str) -> Element:
    joints = tag("left_joint", left), tag("right_joint", right)
    return tag("plugin", *joints, name=f"{name}_driver", filename="libDiffDrivePlugin.so")


def _unit_wheel() -> Element:
    return tag(
        "collision",
        tag("geometry", tag("sphere", tag("radius", 1.0))),
        tag("surface", tag("contact", tag("collide_bitmask", "0"))),
        name="unit_wheel",
    )


def _chassis() -> Element:
    height = car.CAR_HEIGHT_M - _GROUND_CLEARANCE_M
    size = (car.CAR_LENGTH_M, car.CAR_WIDTH_M, height)
    slippery = tag("friction", tag("ode", tag("mu", 0.0), tag("mu2", 0.0)))
    return tag(
        "collision",
        tag("pose", (0.0, 0.0, _GROUND_CLEARANCE_M + 0.5 * height, 0.0, 0.0, 0.0)),
        tag("geometry", tag("box", tag("size", size))),
        tag("surface", slippery),
        name="chassis",
    )


def _body() -> list[Element]:
    """Return what others see of the car; its own camera looks out of its nose."""
    length, width = car.CAR_LENGTH_M, car.CAR_WIDTH_M
    wheel = tag("cylinder", tag("radius", 0.1), tag("length", 0.08))
    parts = [
        _visual("floor", (-0.02, 0.0, 0.08), _box(length - 0.04, 0.5 * width, 0.1), _PAINT),
        _visual("cockpit", (-0.15, 0.0, 0.18), _box(0.4, 0.3 * width, 0.12), _PAINT),
        _visual("wing", (-0.42, 0.0, 0.26), _box(0.05, 0.9 * width, 0.06), _PAINT),
    ]
    for end, x in (("front", 0.28), ("rear", -0.3)):
        for side, y in (("left", 1.0), ("right", -1.0)):
            place = (x, y * (0.5 * width - 0.04), 0.1)
            parts.append(_visual(f"{end}_{side}_wheel", place, wheel, _TYRE, math.pi / 2.0))
    return parts


def _box(length: float, width: float, height: float) -> Element:
    return tag("box", tag("size", (length, width, height)))


def _visual(
    name: str,
    place: tuple[float, float, float],
    shape: Element,
    colour: tuple[float, float, float],
    roll: float = 0.0,
) -> Element:
    opaque = (*colour, 1.0)
    return tag(
        "visual",
        tag("pose", (*place, roll, 0.0, 0.0)),
        tag("geometry", shape),
        tag("material", tag("ambient", opaque), tag("diffuse", opaque)),
        name=name,
    )


def _camera(looks: Looks, equipment: Equipment) -> Element:
    place = np.add(car.CAMERA_POSITION, looks.camera_offset)
    pose = (*place, looks.camera_roll, looks.camera_pitch, looks.camera_yaw)
    camera = tag(
        "camera",
        tag("horizontal_fov", car.CAMERA_HORIZONTAL_FOV),
        tag(
            "image",
            tag("width", str(car.CAMERA_WIDTH)),
            tag("height", str(car.CAMERA_HEIGHT)),
            tag("format", "R8G8B8"),
        ),
        tag("clip", tag("near", car.CAMERA_NEAR_M), tag("far", car.CAMERA_FAR_M)),
        *equipment.to_camera,
    )
    return tag(
        "sensor",
        tag("pose", pose),
        tag("always_on", True),
        tag("update_rate", car.CAMERA_HZ),
        tag("visualize", False),
        camera,
        *equipment.to_sensor,
        name=SENSOR_NAME,
        type="camera",
    )
