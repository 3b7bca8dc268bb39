"""Gazebo Sim as one process of a run: makes the circuit's world, runs gz sim and ros_gz_bridge.

Experimental. No ROS node itself; ros_gz_bridge is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.events import DRIVING, FAILED, REFUSED, read_events, record_event
from pilotnet_brain.runs.stop_signal import StopSignal
from pilotnet_brain.simulation.gazebo.car import RosTopics
from pilotnet_brain.simulation.gazebo.sim_server import EXPERIMENTAL, GzPlan, GzServer
from pilotnet_brain.simulation.gazebo.sim_world import write_gz_world
from pilotnet_brain.simulation.looks import PLAIN, random_looks


def main(args: Sequence[str] | None = None) -> int:
    """Run Gazebo Sim until it ends or the process is told to end; return the exit status."""
    wanted = _parser().parse_known_args(args)[0]  # the rest is ROS' (--ros-args ...)
    stop = StopSignal()
    print(f"warning: {EXPERIMENTAL}", file=sys.stderr, flush=True)
    try:
        ended = GzServer(_plan(wanted)).run(lambda: stop.number is not None)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        event = FAILED if read_events(None, DRIVING) else REFUSED
        record_event(None, "gz", event, str(problem))
        return USER_ERROR
    if not ended:
        return 0
    print(f"error: {ended}", file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gz_server", description=__doc__, allow_abbrev=False)
    parser.add_argument("--circuit", default="simple_circuit", help="name or path")
    parser.add_argument("--looks-seed", type=int, default=0, help="0 is the plain look")
    parser.add_argument("--folder", default="gz_world", help="where the world is written")
    parser.add_argument("--gui", action="store_true", help="with Gazebo Sim's window")
    for topic in ("camera", "camera-info", "cmd-vel", "odom"):
        default = getattr(RosTopics(), topic.replace("-", "_"))
        parser.add_argument(f"--{topic}", default=default, help="its topic in ROS")
    return parser


def _plan(wanted: argparse.Namespace) -> GzPlan:
    topics = RosTopics(wanted.camera, wanted.camera_info, wanted.cmd_vel, wanted.odom)
    looks = random_looks(wanted.looks_seed) if wanted.looks_seed else PLAIN
    folder = Path(wanted.folder)
    files = write_gz_world(load_circuit(wanted.circuit), looks, folder, topics)
    return GzPlan(files.world, files.models, files.bridge, wanted.gui)


if __name__ == "__main__":
    sys.exit(main())
