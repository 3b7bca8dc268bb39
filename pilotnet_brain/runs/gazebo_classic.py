"""Gazebo Classic as one process of a run: makes the circuit's world and runs gzserver on it.

No ROS node itself; with gazebo_ros, gzserver's plugins are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.events import DRIVING, FAILED, REFUSED, read_events, record_event
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation.gazebo.car import RosTopics
from pilotnet_brain.simulation.gazebo.classic_server import GazeboServer, ServerPlan
from pilotnet_brain.simulation.gazebo.classic_world import write_bare_world, write_ros_world
from pilotnet_brain.simulation.looks import looks_of_seed


def main(args: Sequence[str] | None = None) -> int:
    """Run gzserver until it ends or the process is told to end; return the exit status."""
    wanted = _parser().parse_known_args(args)[0]  # the rest is ROS' (--ros-args ...)
    stop = StopSignal()
    try:
        server = GazeboServer(_plan(wanted))
        status = server.run(lambda: stop.number is not None)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        event = FAILED if read_events(None, DRIVING) else REFUSED
        record_event(None, "gazebo", event, str(problem))
        return USER_ERROR
    if stop.number is not None:
        return 0
    words = f"; its last line: {server.last_words}" if server.last_words else ""
    print(f"error: gzserver ended with status {status}{words}", file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = world_parser("gazebo_server", __doc__ or "", folder="gazebo_world")
    parser.add_argument("--world", default="", help="a world file of your own, instead")
    parser.add_argument(
        "--rtf",
        type=float,
        default=1.0,
        help="simulated seconds per real second of a world made here with --ros; else the bridge's",
    )
    parser.add_argument("--ros", action="store_true", help="with gazebo_ros' plugins")
    parser.add_argument("--lockstep", action="store_true", help="the physics waits for the camera")
    return parser


def world_parser(name: str, description: str, folder: str) -> argparse.ArgumentParser:
    """Return the options of every Gazebo's process: the world it makes, the car's ROS topics."""
    parser = argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)
    parser.add_argument("--circuit", default="simple_circuit", help="name or path")
    parser.add_argument("--looks-seed", type=int, default=0, help="0 is the plain look")
    parser.add_argument("--folder", default=folder, help="where the world is written")
    parser.add_argument("--gui", action="store_true", help="with Gazebo's window")
    for topic in ("camera", "camera-info", "cmd-vel", "odom"):
        default = getattr(RosTopics(), topic.replace("-", "_"))
        parser.add_argument(f"--{topic}", default=default, help="topic of the car in ROS")
    return parser


def topics_of(wanted: argparse.Namespace) -> RosTopics:
    """Return the car's ROS topics from `world_parser`'s options."""
    return RosTopics(wanted.camera, wanted.camera_info, wanted.cmd_vel, wanted.odom)


def _plan(wanted: argparse.Namespace) -> ServerPlan:
    if wanted.world:
        world, models = Path(wanted.world), ()
        return ServerPlan(world, models, wanted.ros, wanted.lockstep, wanted.gui)
    circuit = load_circuit(wanted.circuit)
    looks = looks_of_seed(wanted.looks_seed)
    folder = Path(wanted.folder)
    if wanted.ros:
        files = write_ros_world(circuit, looks, folder, topics_of(wanted), wanted.rtf)
    else:
        files = write_bare_world(circuit, looks, folder)
    return ServerPlan(files.world, (files.models,), wanted.ros, wanted.lockstep, wanted.gui)


if __name__ == "__main__":
    sys.exit(main())
