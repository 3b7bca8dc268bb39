"""The car as a Gazebo model: body, collision box and camera by the contract, and what moves it.

One description serves every Gazebo. What differs is only what is added: how the car is moved, and
where its camera's frames go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pilotnet_brain.simulation import car
from pilotnet_brain.simulation.gazebo.sdf import FRICTIONLESS, row
from pilotnet_brain.simulation.looks import Looks

CAR_NAME = "f1_renault"
"""The model's name in the world; JdeRobot's car has the same."""
LINK_NAME = "base_link"
HINGE_DISTANCE_M = 20.0
"""Between the two hinges of Gazebo Classic's bare car, m."""

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
class Flavour:
    """What one way to drive the car adds to the common car and world, as SDF."""

    car_folder: str  #: name of the car's model folder; cars of all flavours can lie side by side
    to_link: str = ""  #: elements for base_link
    to_camera: str = ""  #: elements for its <camera>
    to_image: str = ""  #: elements for that one's <image>
    to_sensor: str = ""  #: elements for the <sensor> around that
    to_model: str = ""  #: elements for the model: joints and plugins
    to_physics: str = ""  #: elements for the world's <physics>
    to_world: str = ""  #: elements for the <world>
    sdf_version: str = "1.6"  #: of the world and the car
    world_suffix: str = ".world"  #: of the world's file
    places_view: bool = True  #: whether the world says where the window looks from
    #: how bright Gazebo's renderer must be told the light and the sky are, for the looks' own
    ambient: float = 1.0
    sun: float = 1.0
    background_gamma: float = 1.0


def car_model(looks: Looks, flavour: Flavour) -> str:
    """Return the car's <model>: it weighs nothing on the road, so nothing but walls slows it.

    Of the looks it has the mounting of its camera and the sensor's noise; blur is left out.
    """
    height = car.CAR_HEIGHT_M - _GROUND_CLEARANCE_M
    # It cannot roll or pitch: a wall would lift its nose and let it climb.
    return f"""
    <model name="{CAR_NAME}">
      <link name="{LINK_NAME}">
        <gravity>false</gravity>
        <inertial>
          <mass>10</mass>
          <inertia>
            <ixx>1000000000</ixx> <iyy>1000000000</iyy> <izz>1</izz>
            <ixy>0</ixy> <ixz>0</ixz> <iyz>0</iyz>
          </inertia>
        </inertial>
        <collision name="chassis">
          <pose>0 0 {row(_GROUND_CLEARANCE_M + 0.5 * height)} 0 0 0</pose>
          <geometry>{_box(car.CAR_LENGTH_M, car.CAR_WIDTH_M, height)}</geometry>
          {FRICTIONLESS}
        </collision>
        {_body()}
        {_camera(looks, flavour)}
        {flavour.to_link}
      </link>
      {flavour.to_model}
    </model>"""


def _body() -> str:
    """Return what others see of the car; its own camera looks out of its nose."""
    length, width = car.CAR_LENGTH_M, car.CAR_WIDTH_M
    wheel = "<cylinder><radius>0.1</radius><length>0.08</length></cylinder>"
    parts = [
        _visual("floor", (-0.02, 0.0, 0.08), _box(length - 0.04, 0.5 * width, 0.1), _PAINT),
        _visual("cockpit", (-0.15, 0.0, 0.18), _box(0.4, 0.3 * width, 0.12), _PAINT),
        _visual("wing", (-0.42, 0.0, 0.26), _box(0.05, 0.9 * width, 0.06), _PAINT),
    ]
    for end, x in (("front", 0.28), ("rear", -0.3)):
        for side, y in (("left", 1.0), ("right", -1.0)):
            place = (x, y * (0.5 * width - 0.04), 0.1)
            parts.append(_visual(f"{end}_{side}_wheel", place, wheel, _TYRE, math.pi / 2.0))
    return "".join(parts)


def _box(length: float, width: float, height: float) -> str:
    return f"<box><size>{row(length, width, height)}</size></box>"


def _visual(
    name: str,
    place: tuple[float, float, float],
    shape: str,
    colour: tuple[float, float, float],
    roll: float = 0.0,
) -> str:
    opaque = row(*colour, 1.0)
    return f"""
    <visual name="{name}">
      <pose>{row(*place, roll)} 0 0</pose>
      <geometry>{shape}</geometry>
      <material><ambient>{opaque}</ambient><diffuse>{opaque}</diffuse></material>
    </visual>"""


def _camera(looks: Looks, flavour: Flavour) -> str:
    place = np.add(car.CAMERA_POSITION, looks.camera_offset)
    return f"""
    <sensor name="camera" type="camera">
      <pose>{row(*place, looks.camera_roll, looks.camera_pitch, looks.camera_yaw)}</pose>
      <always_on>true</always_on>
      <update_rate>{row(car.CAMERA_HZ)}</update_rate>
      <visualize>false</visualize>
      <camera>
        <horizontal_fov>{row(car.CAMERA_HORIZONTAL_FOV)}</horizontal_fov>
        <image>
          <width>{car.CAMERA_WIDTH}</width>
          <height>{car.CAMERA_HEIGHT}</height>
          <format>R8G8B8</format>
          {flavour.to_image}
        </image>
        <clip><near>{row(car.CAMERA_NEAR_M)}</near><far>{row(car.CAMERA_FAR_M)}</far></clip>
        {_noise(looks)}
        {flavour.to_camera}
      </camera>
      {flavour.to_sensor}
    </sensor>"""


def _noise(looks: Looks) -> str:
    if looks.noise == 0.0:
        return ""
    deviation = row(looks.noise / 255.0)
    return f"<noise><type>gaussian</type><mean>0</mean><stddev>{deviation}</stddev></noise>"
