"""Gazebo Classic as one process of a run: makes the circuit's world and runs gzserver on it.

No ROS node itself; with gazebo_ros, gzserver's plugins are.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.events import DRIVING, FAILED, REFUSED, read_events, record_event
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation.gazebo.car import RosTopics
from pilotnet_brain.simulation.gazebo.classic_server import GazeboServer, ServerPlan
from pilotnet_brain.simulation.gazebo.classic_world import write_bare_world, write_ros_world
from pilotnet_brain.simulation.gazebo.errors import GazeboUnreachable
from pilotnet_brain.simulation.gazebo.transport.client import GazeboClient
from pilotnet_brain.simulation.gazebo.transport.connection import master_address
from pilotnet_brain.simulation.gazebo.transport.world import aim_world_at, await_running
from pilotnet_brain.simulation.looks import looks_of_seed

_STARTS_WITHIN_S, _LOOK_AGAIN_S = 120.0, 0.5


def main(args: Sequence[str] | None = None) -> int:
    """Run gzserver until it ends or the process is told to end; return the exit status."""
    wanted = _parser().parse_known_args(args)[0]  # the rest is ROS' (--ros-args ...)

    def serve(told_to_end: Callable[[], bool]) -> str:
        server = GazeboServer(_plan(wanted))
        if wanted.ros and wanted.world:
            # A world that is made here says it itself, and a bridge tells a Gazebo without ROS.
            threading.Thread(target=_aim_at, args=(wanted.rtf,), daemon=True).start()
        status = server.run(told_to_end)
        words = f"; its last line: {server.last_words}" if server.last_words else ""
        return f"gzserver ended with status {status}{words}"

    return run_simulator("gazebo", serve)


def _aim_at(rtf: float) -> None:
    """Have the world of the gzserver that starts aim at simulated seconds per real second."""
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        try:
            client = GazeboClient(*master_address())
        except GazeboUnreachable:
            time.sleep(_LOOK_AGAIN_S)
            continue
        try:
            named = client.poll_until(lambda: client.world is not None, until - time.monotonic())  # noqa: B023
            if named and await_running(client, until - time.monotonic()):
                aim_world_at(client, rtf)
            return
        except GazeboUnreachable as problem:
            print(f"warning: rtf is not honoured: {problem}", file=sys.stderr, flush=True)
            return
        finally:
            client.close()


def run_simulator(name: str, serve: Callable[[Callable[[], bool]], str]) -> int:
    """Run a Gazebo of either kind in this process; return the exit status.

    Args:
        name: of the simulator, for the events of the run.
        serve: runs it until it ends, or what it is given says that it is told to end; returns how
            it ended.
    """
    stop = StopSignal()
    try:
        ended = serve(lambda: stop.number is not None)
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        event = FAILED if read_events(None, DRIVING) else REFUSED
        record_event(None, name, event, str(problem))
        return USER_ERROR
    if stop.number is not None or not ended:
        return 0
    print(f"error: {ended}", file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = world_parser("gazebo_server", __doc__ or "", folder="gazebo_world")
    parser.add_argument("--world", default="", help="a world file of your own, instead")
    parser.add_argument(
        "--rtf",
        type=float,
        default=1.0,
        help="simulated seconds per real second, with --ros; else the bridge says it",
    )
    parser.add_argument("--ros", action="store_true", help="with gazebo_ros' plugins")
    parser.add_argument("--lockstep", action="store_true", help="the physics waits for the camera")
    return parser


def world_parser(name: str, description: str, folder: str) -> argparse.ArgumentParser:
    """Return the options of every Gazebo's process: the world it makes, the car's ROS topics."""
    parser = argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)
    parser.add_argument("--circuit", default="simple_circuit", help="name or path")
    parser.add_argument("--looks-seed", type=int, default=0, help="0 is the plain look")
    parser.add_argument(
        "--start-arc-length", type=float, default=0.0, help="of the car, m from the start line"
    )
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
        return ServerPlan(Path(wanted.world), (), wanted.ros, wanted.lockstep, wanted.gui)
    circuit, looks = load_circuit(wanted.circuit), looks_of_seed(wanted.looks_seed)
    folder = Path(wanted.folder)
    if wanted.ros:
        files = write_ros_world(
            circuit, looks, folder, topics_of(wanted), wanted.rtf, wanted.start_arc_length
        )
    else:
        files = write_bare_world(circuit, looks, folder, wanted.start_arc_length)
    return ServerPlan(files.world, (files.models,), wanted.ros, wanted.lockstep, wanted.gui)


if __name__ == "__main__":
    sys.exit(main())
