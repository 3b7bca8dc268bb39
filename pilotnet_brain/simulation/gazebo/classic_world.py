"""A circuit as a world for Gazebo Classic 11: the road, the car on its start line, light, physics.

The folder that is written holds everything: ``CIRCUIT.world``, and ``models/`` for
GAZEBO_MODEL_PATH. `write_world_with_our_car` puts the car into an existing world instead, whose
own car may need another gazebo_ros than there is.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo.car import (
    CAR_NAME,
    HINGE_DISTANCE_M,
    LINK_NAME,
    Flavour,
    RosTopics,
    car_model,
)
from pilotnet_brain.simulation.gazebo.circuit import (
    SDF_VERSION,
    circuit_model_name,
    file_stem,
    write_circuit_model,
    write_model_files,
)
from pilotnet_brain.simulation.gazebo.sdf import read_xml, row, write_sdf, write_xml
from pilotnet_brain.simulation.looks import PLAIN, Looks

_ON_ROAD_M = 2.0
"""A car waits on its road, which reaches 1.2 to 1.65 m from the line."""


@dataclass(frozen=True)
class WorldFiles:
    """Where a written world lies."""

    world: Path  #: the world file
    models: Path  #: the folder of its models, for Gazebo's search path


def bare() -> Flavour:
    """Return what moves the car over Gazebo Classic's own transport, exactly and at once.

    Gazebo's transport has no planar move, but its DiffDrivePlugin sets two joints' velocities
    before every step, and setting a joint's velocity sets the moved link's velocity outright. So
    base_link gets a hinge at its own place, another `HINGE_DISTANCE_M` to its left, and a slide
    along its x axis, all three to the world, with constraints that do not hold: the world's CFM
    makes them hold nothing, while contacts have their own CFM and hold. The plugin's command on
    ``~/f1_renault/vel_cmd``, a Pose of x = v and yaw = 2 (v - w) / 20, then turns the car by w and
    moves it by v.

    The plugin takes half of the moved link's bounding box as its wheel's radius: the collision
    sphere of radius 1 m that collides with nothing makes that 1.
    """
    unit_wheel = """
    <collision name="unit_wheel">
      <geometry><sphere><radius>1</radius></sphere></geometry>
      <surface><contact><collide_bitmask>0</collide_bitmask></contact></surface>
    </collision>"""
    ends = f"<parent>world</parent><child>{LINK_NAME}</child>"
    # The drive that moves comes after the one that turns: the last that sets a velocity counts.
    joints = f"""
    <joint name="turn" type="revolute">{ends}<axis><xyz>0 0 1</xyz></axis></joint>
    <joint name="far_turn" type="revolute">
      {ends}
      <pose>0 {row(HINGE_DISTANCE_M)} 0 0 0 0</pose>
      <axis><xyz>0 0 1</xyz></axis>
    </joint>
    <joint name="move" type="prismatic">{ends}<axis><xyz>1 0 0</xyz></axis></joint>
    <plugin name="turn_driver" filename="libDiffDrivePlugin.so">
      <left_joint>far_turn</left_joint><right_joint>turn</right_joint>
    </plugin>
    <plugin name="move_driver" filename="libDiffDrivePlugin.so">
      <left_joint>move</left_joint><right_joint>move</right_joint>
    </plugin>"""
    loose = "<ode><constraints><cfm>1000000000000</cfm></constraints></ode>"
    return Flavour("pilotnet_car", to_link=unit_wheel, to_model=joints, to_physics=loose)


def with_gazebo_ros(topics: RosTopics | None = None) -> Flavour:
    """Return what a world needs that is driven by gazebo_ros' plugins.

    The car gets a camera and a planar move that also publishes the odometry; the world, its state.
    """
    topics = topics or RosTopics()
    camera = f"""
    <plugin name="camera_driver" filename="libgazebo_ros_camera.so">
      <ros>
        <remapping>car/image_raw:={escape(topics.camera)}</remapping>
        <remapping>car/camera_info:={escape(topics.camera_info)}</remapping>
      </ros>
      <camera_name>car</camera_name>
      <frame_name>camera_optical_frame</frame_name>
    </plugin>"""
    # An update rate of 0 is every step of the physics.
    move = f"""
    <plugin name="planar_move" filename="libgazebo_ros_planar_move.so">
      <ros>
        <remapping>cmd_vel:={escape(topics.cmd_vel)}</remapping>
        <remapping>odom:={escape(topics.odom)}</remapping>
      </ros>
      <update_rate>0</update_rate>
      <publish_rate>200</publish_rate>
      <publish_odom>true</publish_odom>
      <publish_odom_tf>true</publish_odom_tf>
      <odometry_frame>odom</odometry_frame>
      <robot_base_frame>{LINK_NAME}</robot_base_frame>
    </plugin>"""
    state = """
    <plugin name="state" filename="libgazebo_ros_state.so">
      <ros><namespace>/gazebo</namespace></ros>
      <update_rate>100</update_rate>
    </plugin>"""
    return Flavour("pilotnet_car_ros", to_sensor=camera, to_model=move, to_world=state)


def write_bare_world(
    circuit: Circuit, looks: Looks, folder: Path, start_arc_length: float = 0.0
) -> WorldFiles:
    """Write a world that needs nothing but Gazebo Classic: driven over Gazebo's own transport.

    The car stands on the line, `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    return _write_world(circuit, looks, folder, bare(), start_arc_length=start_arc_length)


def write_ros_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    topics: RosTopics | None = None,
    rtf: float = 1.0,
    start_arc_length: float = 0.0,
) -> WorldFiles:
    """Write a world whose car has gazebo_ros' plugins; gzserver needs its system plugins too.

    These are libgazebo_ros_init.so (with the parameter publish_rate 200: /clock) and
    libgazebo_ros_factory.so, given to gzserver by ``-s``. Gazebo aims at `rtf` simulated seconds
    per real second. The car stands on the line, `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    return _write_world(circuit, looks, folder, with_gazebo_ros(topics), rtf, start_arc_length)


def _write_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    flavour: Flavour,
    rtf: float = 1.0,
    start_arc_length: float = 0.0,
) -> WorldFiles:
    models = folder / "models"
    world = folder / f"{file_stem(circuit)}.world"
    try:
        write_circuit_model(circuit, looks, models)
        write_car(looks, flavour, models)
        # A world called "default" has the topics that JdeRobot's have.
        content = f"""
        <world name="default">
          {scene_and_sun(looks)}
          {_physics(flavour, rtf)}
          <include><uri>model://{circuit_model_name(circuit)}</uri></include>
          {include_car(flavour, circuit.start_pose(start_arc_length))}
          {_view(circuit)}
          {flavour.to_world}
        </world>"""
        write_sdf(world, SDF_VERSION, content)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(world, models)


def write_world_with_our_car(
    scenery: Path,
    replaced: str,
    circuit: Circuit,
    folder: Path,
    flavour: Flavour,
    start: tuple[float, float, float] | None = None,
) -> WorldFiles:
    """Write a copy of a world file with the car of the contract on the circuit's start line.

    Where the car that it replaces stands far from the circuit, the world's road is another one, or
    lies elsewhere: that is refused. `start` (x, y in m, yaw in rad) puts the car there in any case.

    The car that it replaces, gazebo_ros' plugins and the physics' settings of the world are left
    out; everything else, so everything that is seen, stays. The models that the world includes
    are not copied: they must be on GAZEBO_MODEL_PATH, as for the original.

    `replaced` is the name of the car in the world file, or of the folder that it is included from.

    Raises:
        UserError: the file cannot be read, holds no world or no such car, its car stands far from
            the circuit, or the folder cannot be written.
    """
    try:
        root = read_xml(scenery)
    except (OSError, ParseError, ValueError) as problem:
        raise UserError(f"{scenery}: cannot be read as a world file: {problem}") from problem
    world = root.find("world")
    if world is None:
        raise UserError(f"{scenery}: not a Gazebo world file: it has no <world>")
    place = _remove_car(world, replaced, scenery)
    if start is None and place is not None:
        _check_place(place, circuit, f"{scenery}: its car {replaced}")
    for part in [*world.findall("physics"), *world.findall("plugin")]:
        if part.tag == "physics" or part.get("filename", "").startswith("libgazebo_ros"):
            world.remove(part)
    # Of that name are the topics of the car and of its camera.
    world.set("name", "default")
    car = include_car(flavour, start or circuit.start_pose())
    added = f"{_physics(flavour)}{car}{flavour.to_world}"
    world.extend(ElementTree.fromstring(f"<world>{added}</world>"))
    models = folder / "models"
    written = folder / f"{scenery.stem}.world"
    if written.resolve() == scenery.resolve():
        raise UserError(f"{written}: would overwrite the world itself; choose another folder")
    try:
        write_car(PLAIN, flavour, models)
        write_xml(written, root)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(written, models)


def _remove_car(world: Element, replaced: str, scenery: Path) -> tuple[float, float] | None:
    """Remove a car from a world; return where it stood (x, y in m) if the world says it.

    A world that was saved while it ran has the poses then in its <state>, and those count.
    """
    present = [*world.findall("include"), *world.findall("model")]
    cars = [part for part in present if replaced in _names(part)]
    if not cars:
        known = ", ".join(sorted({name for part in present for name in _names(part)})) or "none"
        raise UserError(f"{scenery}: no model {replaced!r} in it; there are {known}")
    for car in cars:
        world.remove(car)
    saved = []
    for state in world.findall("state"):
        saved += (models := [part for part in state.findall("model") if replaced in _names(part)])
        for model in models:
            state.remove(model)
    return next((place for car in [*saved, *cars] if (place := _place(car)) is not None), None)


def _place(model: Element) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in model.findtext("pose", "").split()[:2])
    except ValueError:
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def _check_place(place: tuple[float, float], circuit: Circuit, whose: str) -> None:
    away = abs(circuit.centerline.project(*place).lateral_deviation)
    if away > _ON_ROAD_M:
        start = row(*circuit.start_pose())
        raise UserError(
            f"{whose} stands at {row(*place)}, {away:.0f} m from the line of {circuit.name}: the "
            "road there is another circuit, or lies elsewhere. Name the circuit as it lies in that "
            "world (a CSV, or the bag of a lap there), or say where our car is to stand: "
            f"--start X Y YAW (the start line is {start})"
        )


def _names(part: Element) -> set[str]:
    """Return what a model in a world is called: its name, and the folder it is included from."""
    names = [part.get("name"), part.findtext("name"), part.findtext("uri")]
    return {name.strip().rstrip("/").rsplit("/", 1)[-1] for name in names if name}


def scene_and_sun(looks: Looks) -> str:
    """Return the <scene>: light from everywhere, and the sky; and the sun's <light>.

    The sky is even, in the horizon's colour: Gazebo Classic's own takes a software renderer longer
    than all the rest of a frame, and PilotNet's crop does not reach up to it.
    """
    return f"""
    <scene>
      <ambient>{row(*[looks.ambient] * 3, 1.0)}</ambient>
      <background>{row(*looks.sky[0], 1.0)}</background>
      <shadows>false</shadows>
      <grid>false</grid>
    </scene>
    <light name="sun" type="directional">
      <cast_shadows>false</cast_shadows>
      <pose>0 0 50 0 0 0</pose>
      <diffuse>{row(*[looks.sun] * 3, 1.0)}</diffuse>
      <specular>0 0 0 1</specular>
      <direction>{row(*looks.sun_direction)}</direction>
    </light>"""


def write_car(looks: Looks, flavour: Flavour, models: Path, version: str = SDF_VERSION) -> None:
    """Write the car's model folder. Raises OSError."""
    model = car_model(looks, flavour)
    write_model_files(models / flavour.car_folder, version, model, "The car with its camera")


def include_car(flavour: Flavour, start: tuple[float, float, float]) -> str:
    """Return the <include> of the car at a pose (x, y in m, yaw in rad)."""
    x, y, yaw = start
    return f"""
    <include>
      <uri>model://{flavour.car_folder}</uri>
      <name>{CAR_NAME}</name>
      <pose>{row(x, y, 0.0, 0.0, 0.0, yaw)}</pose>
    </include>"""


def _physics(flavour: Flavour, rtf: float = 1.0) -> str:
    """Return the <physics>: as fine steps as the embedded simulator's, so many times real time."""
    return f"""
    <physics name="steps" type="ode">
      <max_step_size>{row(TIME_STEP_S)}</max_step_size>
      <real_time_factor>{row(rtf)}</real_time_factor>
      <real_time_update_rate>{row(rtf / TIME_STEP_S)}</real_time_update_rate>
      {flavour.to_physics}
    </physics>"""


def _view(circuit: Circuit) -> str:
    """Return where gzclient looks from: behind the car and above it."""
    x, y, yaw = circuit.start_pose()
    pose = (x - 5.0 * math.cos(yaw), y - 5.0 * math.sin(yaw), 2.5, 0.0, 0.35, yaw)
    return f"""
    <gui>
      <camera name="user_camera">
        <pose>{row(*pose)}</pose>
        <track_visual><name>{CAR_NAME}</name></track_visual>
      </camera>
    </gui>"""
