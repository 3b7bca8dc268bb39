"""A circuit as a world for Gazebo Classic 11: the road, the car on its start line, light, physics.

The folder that is written holds everything: ``CIRCUIT.world``, and ``models/`` for
GAZEBO_MODEL_PATH. `write_world_with_our_car` puts the car into an existing world instead, whose
own car may need another gazebo_ros than there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo import car as gazebo_car
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, Equipment, RosTopics
from pilotnet_brain.simulation.gazebo.circuit import (
    SDF_VERSION,
    circuit_model_name,
    file_stem,
    write_circuit_model,
    write_model_files,
)
from pilotnet_brain.simulation.gazebo.sdf import document, read_xml, tag, write_xml
from pilotnet_brain.simulation.looks import PLAIN, Looks

_LOOSE_CFM = 1e12


@dataclass(frozen=True)
class Flavour:
    """What one way to drive the car adds to the common world.

    Attributes:
        car_folder: name of the car's model folder; cars of all flavours can lie side by side.
        equipment: of the car.
        to_physics: elements for <physics>.
        to_world: elements for <world>.
    """

    car_folder: str
    equipment: Equipment
    to_physics: tuple[Element, ...] = ()
    to_world: tuple[Element, ...] = ()


@dataclass(frozen=True)
class WorldFiles:
    """Where a written world lies.

    Attributes:
        world: the world file.
        models: the folder of its models, for Gazebo's search path.
    """

    world: Path
    models: Path


def bare() -> Flavour:
    """Return what a world needs that is driven over Gazebo's own transport."""
    # The car's joints to the world exist for their plugin only: CFM makes them hold nothing.
    # Contacts have their own CFM and hold.
    loose = tag("ode", tag("constraints", tag("cfm", f"{_LOOSE_CFM:.0f}")))
    return Flavour("pilotnet_car", gazebo_car.bare_equipment(), to_physics=(loose,))


def with_gazebo_ros(topics: RosTopics | None = None) -> Flavour:
    """Return what a world needs that is driven by gazebo_ros' plugins."""
    equipment = gazebo_car.ros_equipment(topics or RosTopics())
    state = tag(
        "plugin",
        tag("ros", tag("namespace", "/gazebo")),
        tag("update_rate", 100.0),
        name="state",
        filename="libgazebo_ros_state.so",
    )
    return Flavour("pilotnet_car_ros", equipment, to_world=(state,))


def write_bare_world(circuit: Circuit, looks: Looks, folder: Path) -> WorldFiles:
    """Write a world that needs nothing but Gazebo Classic: driven over Gazebo's own transport.

    Raises:
        UserError: the folder cannot be written.
    """
    return _write_world(circuit, looks, folder, bare())


def write_ros_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    topics: RosTopics | None = None,
    rtf: float = 1.0,
) -> WorldFiles:
    """Write a world whose car has gazebo_ros' plugins; gzserver needs its system plugins too.

    These are libgazebo_ros_init.so (with the parameter publish_rate 200: /clock) and
    libgazebo_ros_factory.so, given to gzserver by ``-s``.

    Args:
        circuit: whose road, line and walls are in it.
        looks: its colours, light and textures.
        folder: to write into.
        topics: of the car in ROS.
        rtf: simulated seconds per real second that Gazebo aims at.

    Raises:
        UserError: the folder cannot be written.
    """
    return _write_world(circuit, looks, folder, with_gazebo_ros(topics), rtf)


def _write_world(
    circuit: Circuit, looks: Looks, folder: Path, flavour: Flavour, rtf: float = 1.0
) -> WorldFiles:
    models = folder / "models"
    world = folder / f"{file_stem(circuit)}.world"
    start = circuit.start_pose()
    try:
        write_circuit_model(circuit, looks, models)
        write_car(looks, flavour, models)
        parts = (
            scene(looks),
            sun(looks),
            physics(flavour, rtf),
            include(circuit_model_name(circuit)),
            include_car(flavour, start),
            _view(start),
        )
        # A world called "default" has the topics that JdeRobot's have.
        write_xml(
            world, document(SDF_VERSION, tag("world", *parts, *flavour.to_world, name="default"))
        )
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(world, models)


def write_world_with_our_car(
    scenery: Path, replaced: str, circuit: Circuit, folder: Path, flavour: Flavour
) -> WorldFiles:
    """Write a copy of a world file with the car of the contract on the circuit's start line.

    The car that it replaces, gazebo_ros' plugins and the physics' settings of the world are left
    out; everything else, so everything that is seen, stays. The models that the world includes
    are not copied: they must be on GAZEBO_MODEL_PATH, as for the original.

    Args:
        scenery: the world file.
        replaced: the car in it, by its name or the folder that it is included from.
        circuit: whose start line the car stands on.
        folder: to write into.
        flavour: how the car is driven.

    Raises:
        UserError: the file cannot be read, holds no world or no such car, or the folder cannot be
            written.
    """
    root = _read(scenery)
    world = root.find("world")
    if world is None:
        raise UserError(f"{scenery}: not a Gazebo world file: it has no <world>")
    _remove_car(world, replaced, scenery)
    for part in [*world.findall("physics"), *world.findall("plugin")]:
        if part.tag == "physics" or part.get("filename", "").startswith("libgazebo_ros"):
            world.remove(part)
    # Of that name are the topics of the car and of its camera.
    world.set("name", "default")
    world.extend([physics(flavour), include_car(flavour, circuit.start_pose()), *flavour.to_world])
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


def _read(path: Path) -> Element:
    try:
        return read_xml(path)
    except (OSError, ParseError, ValueError) as problem:
        raise UserError(f"{path}: cannot be read as a world file: {problem}") from problem


def _remove_car(world: Element, replaced: str, scenery: Path) -> None:
    present = [*world.findall("include"), *world.findall("model")]
    cars = [part for part in present if replaced in _names(part)]
    if not cars:
        known = ", ".join(sorted({name for part in present for name in _names(part)})) or "none"
        raise UserError(f"{scenery}: no model {replaced!r} in it; there are {known}")
    for car in cars:
        world.remove(car)


def _names(part: Element) -> set[str]:
    """Return what a model in a world is called: its name, and the folder it is included from."""
    names = [part.get("name"), part.findtext("name"), part.findtext("uri")]
    return {name.strip().rstrip("/").rsplit("/", 1)[-1] for name in names if name}


def scene(looks: Looks) -> Element:
    """Return the <scene>: light from everywhere, and the sky, even in the horizon's colour.

    Gazebo Classic's own sky takes a software renderer longer than all the rest of a frame, and
    PilotNet's crop does not reach up to it.
    """
    return tag(
        "scene",
        tag("ambient", _opaque((looks.ambient,) * 3)),
        tag("background", _opaque(looks.sky[0])),
        tag("shadows", False),
        tag("grid", False),
    )


def sun(looks: Looks) -> Element:
    """Return the sun's <light>."""
    level = math.cos(looks.sun_elevation)
    direction = (
        -level * math.cos(looks.sun_azimuth),
        -level * math.sin(looks.sun_azimuth),
        -math.sin(looks.sun_elevation),
    )
    return tag(
        "light",
        tag("cast_shadows", False),
        tag("pose", (0.0, 0.0, 50.0, 0.0, 0.0, 0.0)),
        tag("diffuse", _opaque((looks.sun,) * 3)),
        tag("specular", _opaque((0.0, 0.0, 0.0))),
        tag("direction", direction),
        name="sun",
        type="directional",
    )


def on_road(pose: tuple[float, float, float]) -> tuple[float, ...]:
    """Return x, y, z, roll, pitch, yaw of base_link from its x, y (m) and yaw (rad)."""
    x, y, yaw = pose
    return x, y, 0.0, 0.0, 0.0, yaw


def include(model: str, *content: Element) -> Element:
    """Return an <include> of a model by its folder's name."""
    return tag("include", tag("uri", f"model://{model}"), *content)


def write_car(looks: Looks, flavour: Flavour, models: Path) -> None:
    """Write the car's model folder. Raises OSError."""
    car = gazebo_car.car_model(looks, flavour.equipment)
    write_model_files(models / flavour.car_folder, SDF_VERSION, car, "The car with its camera")


def include_car(flavour: Flavour, start: tuple[float, float, float]) -> Element:
    """Return the <include> of the car at x, y (m) and yaw (rad)."""
    return include(flavour.car_folder, tag("name", CAR_NAME), tag("pose", on_road(start)))


def physics(flavour: Flavour, rtf: float = 1.0) -> Element:
    """Return the <physics>: as fine steps as the embedded simulator's, so many times real time."""
    return tag(
        "physics",
        tag("max_step_size", TIME_STEP_S),
        tag("real_time_factor", rtf),
        tag("real_time_update_rate", rtf / TIME_STEP_S),
        *flavour.to_physics,
        name="steps",
        type="ode",
    )


def _view(start: tuple[float, float, float]) -> Element:
    """Return where gzclient looks from: behind the car and above it."""
    x, y, yaw = start
    pose = (x - 5.0 * math.cos(yaw), y - 5.0 * math.sin(yaw), 2.5, 0.0, 0.35, yaw)
    follow = tag("track_visual", tag("name", CAR_NAME))
    return tag("gui", tag("camera", tag("pose", pose), follow, name="user_camera"))


def _opaque(colour: tuple[float, ...]) -> tuple[float, ...]:
    return (*colour, 1.0)
