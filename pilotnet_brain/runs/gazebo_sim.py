"""Gazebo Sim as one process of a run: makes the circuit's world, runs gz sim and ros_gz_bridge.

Experimental. No ROS node itself; ros_gz_bridge is one.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.events import DRIVING, FAILED, REFUSED, read_events, record_event
from pilotnet_brain.runs.gazebo_classic import topics_of, world_parser
from pilotnet_brain.runs.signals import StopSignal
from pilotnet_brain.simulation.gazebo.sim import EXPERIMENTAL, GzPlan, GzServer, write_gz_world
from pilotnet_brain.simulation.looks import looks_of_seed


def main(args: Sequence[str] | None = None) -> int:
    """Run Gazebo Sim until it ends or the process is told to end; return the exit status."""
    parser = world_parser("gz_server", __doc__ or "", folder="gz_world")
    wanted = parser.parse_known_args(args)[0]  # the rest is ROS' (--ros-args ...)
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


def _plan(wanted: argparse.Namespace) -> GzPlan:
    circuit, looks = load_circuit(wanted.circuit), looks_of_seed(wanted.looks_seed)
    plan = write_gz_world(circuit, looks, Path(wanted.folder), topics_of(wanted))
    return dataclasses.replace(plan, gui=wanted.gui)


if __name__ == "__main__":
    sys.exit(main())
