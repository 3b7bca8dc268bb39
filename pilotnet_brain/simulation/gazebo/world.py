"""A circuit's world for any Gazebo: the road, the car on its start line, light, physics.

The folder that is written holds everything: the world file, and ``models/`` for Gazebo's search
path. What Gazebo Classic and Gazebo Sim need besides is in the car's `Flavour`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.simulation.car import TIME_STEP_S
from pilotnet_brain.simulation.gazebo.car import CAR_NAME, Flavour, car_model
from pilotnet_brain.simulation.gazebo.circuit import (
    circuit_model_name,
    file_stem,
    write_circuit_model,
    write_model_files,
)
from pilotnet_brain.simulation.gazebo.sdf import row, write_sdf
from pilotnet_brain.simulation.looks import Looks


@dataclass(frozen=True)
class WorldFiles:
    """Where a written world lies."""

    world: Path  #: the world file
    models: Path  #: the folder of its models, for Gazebo's search path


def write_world(
    circuit: Circuit,
    looks: Looks,
    folder: Path,
    flavour: Flavour,
    rtf: float = 1.0,
    start_arc_length: float = 0.0,
) -> WorldFiles:
    """Write a circuit's world file, and ``models/`` next to it, for one way to drive the car.

    Gazebo aims at `rtf` simulated seconds per real second. The car stands on the line,
    `start_arc_length` (m) from the start line.

    Raises:
        UserError: the circuit is too far away, or the folder cannot be written.
    """
    models = folder / "models"
    world = folder / f"{file_stem(circuit)}{flavour.world_suffix}"
    try:
        write_circuit_model(circuit, looks, models)
        write_car(looks, flavour, models)
        # A world called "default" has the topics that JdeRobot's have.
        content = f"""
        <world name="default">
          {scene_and_sun(looks, flavour)}
          {physics(flavour, rtf)}
          <include><uri>model://{circuit_model_name(circuit)}</uri></include>
          {include_car(flavour, circuit.start_pose(start_arc_length))}
          {_view(circuit) if flavour.places_view else ""}
          {flavour.to_world}
        </world>"""
        write_sdf(world, flavour.sdf_version, content)
    except OSError as problem:
        raise UserError(f"the world cannot be written to {folder}: {problem}") from problem
    return WorldFiles(world, models)


def scene_and_sun(looks: Looks, flavour: Flavour) -> str:
    """Return the <scene>: light from everywhere, and the sky; and the sun's <light>.

    The sky is even, in the horizon's colour: Gazebo Classic's own takes a software renderer longer
    than all the rest of a frame, and PilotNet's crop does not reach up to it.
    """
    sky = [part**flavour.background_gamma for part in looks.sky[0]]
    return f"""
    <scene>
      <ambient>{_grey(flavour.ambient * looks.ambient)}</ambient>
      <background>{row(*sky, 1.0)}</background>
      <shadows>false</shadows>
      <grid>false</grid>
    </scene>
    <light name="sun" type="directional">
      <cast_shadows>false</cast_shadows>
      <pose>0 0 50 0 0 0</pose>
      <diffuse>{_grey(flavour.sun * looks.sun)}</diffuse>
      <specular>0 0 0 1</specular>
      <direction>{row(*looks.sun_direction)}</direction>
    </light>"""


def _grey(brightness: float) -> str:
    return row(*[min(1.0, brightness)] * 3, 1.0)  # Gazebo Sim refuses a world with more


def write_car(looks: Looks, flavour: Flavour, models: Path) -> None:
    """Write the car's model folder. Raises OSError."""
    model = car_model(looks, flavour)
    folder = models / flavour.car_folder
    write_model_files(folder, flavour.sdf_version, model, "The car with its camera")


def include_car(flavour: Flavour, start: tuple[float, float, float]) -> str:
    """Return the <include> of the car at a pose (x, y in m, yaw in rad)."""
    x, y, yaw = start
    return f"""
    <include>
      <uri>model://{flavour.car_folder}</uri>
      <name>{CAR_NAME}</name>
      <pose>{row(x, y, 0.0, 0.0, 0.0, yaw)}</pose>
    </include>"""


def physics(flavour: Flavour, rtf: float = 1.0) -> str:
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
