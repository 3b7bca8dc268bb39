"""``pilotnet world``: a circuit and the car as files that Gazebo opens."""

from __future__ import annotations

import math
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Annotated

import typer

from pilotnet_brain.errors import UserError

FORMATS = ("classic", "gz")


def world(
    circuit: Annotated[str, typer.Argument(help="Name, random-SEED or path.")],
    out: Annotated[Path, typer.Option(help="Folder to write into; created if missing.")],
    world_format: Annotated[
        str,
        typer.Option("--format", help="classic: Gazebo Classic 11. gz: Gazebo Sim."),
    ] = "classic",
    gazebo_ros: Annotated[
        bool,
        typer.Option(
            "--gazebo-ros/--no-gazebo-ros",
            help="Whether Gazebo Classic's car has gazebo_ros' camera and planar move.",
        ),
    ] = False,
    scenery: Annotated[
        Path | None, typer.Option(help="An existing world in which to replace the car.")
    ] = None,
    replace: Annotated[
        str, typer.Option(help="With --scenery: which car to replace, by its name or folder.")
    ] = "f1_renault",
    start: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="X Y YAW",
            help="With --scenery: where the car stands (m, rad) instead of on the start line.",
        ),
    ] = None,
    looks_seed: Annotated[
        int, typer.Option(min=0, help="Seed of the colours and markings; 0 is the plain look.")
    ] = 0,
    noise: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Standard deviation of the camera's noise, of 1; JdeRobot's has 0.007.",
        ),
    ] = 0.0,
) -> None:
    """Write a circuit as a Gazebo world: road, line, walls, light, and the car on the start line.

    The files do not need this package: gzserver (or gz sim) and the folder are enough. The command
    that runs the world is printed.

    \b
    Examples:
      pilotnet world montreal --out worlds/montreal
      pilotnet world montreal --out worlds/montreal --gazebo-ros   ROS 2 Humble's gazebo_ros
      pilotnet world random-7 --out worlds/seven --looks-seed 3
      pilotnet world montreal --out worlds/montreal --format gz    Gazebo Sim
      pilotnet world montreal --out worlds/theirs --scenery theirs/montreal_line.world
    """
    from pilotnet_brain.circuits.catalogue import load_circuit
    from pilotnet_brain.package_share import pilotnet_command
    from pilotnet_brain.runs.fast_dds import IMAGE_PUBLISHER, dds_environment
    from pilotnet_brain.simulation.gazebo import classic_world
    from pilotnet_brain.simulation.gazebo.car import RosTopics
    from pilotnet_brain.simulation.gazebo.scenery import write_world_with_our_car
    from pilotnet_brain.simulation.gazebo.sim import gz_flavour, write_gz_world
    from pilotnet_brain.simulation.looks import looks_of_seed

    if world_format not in FORMATS:
        raise UserError(f"--format is {world_format}: it must be one of {', '.join(FORMATS)}")
    if gazebo_ros and world_format == "gz":
        raise UserError(
            "--gazebo-ros belongs to Gazebo Classic: leave it out, or use --format classic"
        )
    if start is not None and (scenery is None or not all(map(math.isfinite, start))):
        raise UserError("--start takes three finite numbers and belongs to --scenery")
    loaded = load_circuit(circuit)
    looks = looks_of_seed(looks_seed)
    if noise > 0.0:
        looks = replace_fields(looks, noise=255.0 * noise)
    if scenery is not None:
        if looks_seed:
            raise UserError("--scenery: that world has its own looks: leave out --looks-seed")
        if world_format == "gz":
            flavour, simulator, variable = gz_flavour(RosTopics()), "gz", "GZ_SIM_RESOURCE_PATH"
        else:
            flavour = classic_world.with_gazebo_ros() if gazebo_ros else classic_world.bare()
            simulator, variable = "gazebo", "GAZEBO_MODEL_PATH"
        files = write_world_with_our_car(scenery, replace, loaded, out, flavour, start, looks)
        typer.echo(f"{files.world}\ndrive in it (THEIRS: the folder with that world's models):")
        typer.echo(
            f"  {variable}={files.models.resolve()}:$THEIRS {pilotnet_command()} drive "
            f"--simulator {simulator} --circuit {loaded.name} --world {files.world}"
        )
    elif world_format == "gz":
        sim = write_gz_world(loaded, looks, out)
        typer.echo(f"{sim.world}\nrun it in Gazebo Sim, together with its bridge:")
        typer.echo(f"  GZ_SIM_RESOURCE_PATH={sim.models.resolve()} gz sim -r {sim.world}")
        typer.echo(
            "  ros2 run ros_gz_bridge parameter_bridge --ros-args "
            f"-p config_file:={sim.bridge.resolve()}"
        )
    elif gazebo_ros:
        files = classic_world.write_ros_world(loaded, looks, out)
        typer.echo(f"{files.world}\nrun it where gazebo_ros is sourced (gzclient shows it):")
        # With Fast DDS's own profile almost no camera frame reaches another process.
        profile = dds_environment(IMAGE_PUBLISHER).items()
        typer.echo(
            f"  {' '.join(f'{name}={value}' for name, value in profile)} "
            f"GAZEBO_MODEL_PATH={files.models.resolve()} gzserver --verbose {files.world}"
            " -s libgazebo_ros_init.so -s libgazebo_ros_factory.so"
            " --ros-args --param publish_rate:=200.0"
        )
    else:
        files = classic_world.write_bare_world(loaded, looks, out)
        typer.echo(f"{files.world}\nrun it (gzclient shows it):")
        typer.echo(f"  GAZEBO_MODEL_PATH={files.models.resolve()} gzserver --verbose {files.world}")
