"""Gazebo Sim as one process of a run: makes the circuit's world and runs gz sim on it.

No ROS node itself; ros_gz_bridge, which it runs with --ros, is one.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.runs.gazebo_classic import run_simulator, topics_of, world_parser
from pilotnet_brain.simulation.gazebo.sim import GzPlan, GzServer, write_gz_world
from pilotnet_brain.simulation.looks import looks_of_seed


def main(args: Sequence[str] | None = None) -> int:
    """Run Gazebo Sim until it ends or the process is told to end; return the exit status."""
    parser = world_parser("gz_server", __doc__ or "", folder="gz_world")
    parser.add_argument("--partition", default="", help="of Gazebo's transport; default: a new one")
    parser.add_argument("--world", default="", help="a world file of your own, instead")
    parser.add_argument("--rtf", type=float, default=1.0, help="simulated seconds per real second")
    parser.add_argument("--ros", action="store_true", help="with ros_gz_bridge; else gz_bridge's")
    wanted = parser.parse_known_args(args)[0]  # the rest is ROS' (--ros-args ...)
    return run_simulator("gz", lambda told_to_end: GzServer(_plan(wanted)).run(told_to_end))


def _plan(wanted: argparse.Namespace) -> GzPlan:
    if wanted.world:
        world = Path(wanted.world)
        return GzPlan(world, world.parent, gui=wanted.gui, partition=wanted.partition)
    circuit, looks = load_circuit(wanted.circuit), looks_of_seed(wanted.looks_seed)
    folder, topics = Path(wanted.folder), topics_of(wanted)
    plan = write_gz_world(circuit, looks, folder, topics, wanted.rtf, wanted.start_arc_length)
    return dataclasses.replace(
        plan, gui=wanted.gui, with_ros=wanted.ros, partition=wanted.partition
    )


if __name__ == "__main__":
    sys.exit(main())
