"""The nodes' executables: what ``ros2 run pilotnet_brain NAME`` and ``ros2 launch`` start."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from importlib import import_module

from pilotnet_brain.errors import USER_ERROR, UserError
from pilotnet_brain.runs.events import FOLDER_VARIABLE
from pilotnet_brain.runs.ros_environment import check_ros_environment
from pilotnet_brain.startup import prepare_process


def _start(module: str) -> int:
    """Run an executable's module; return its exit status.

    ROS 2's environment is checked here, since its libraries read some of it when they are loaded.
    """
    # A node's imports (torch, MuJoCo, rclpy) take a second or two. Ctrl-C meanwhile ends the
    # process at once, without a traceback; from `nodes.ros.process.run` on, the node handles it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        prepare_process()
        if FOLDER_VARIABLE not in os.environ:  # else who leads the run has checked it
            check_ros_environment()
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        return USER_ERROR
    status: int = import_module(f"pilotnet_brain.{module}").main()
    return status


brain = partial(_start, "nodes.brain_node")
metrics = partial(_start, "nodes.metrics_node")
simulator = partial(_start, "nodes.simulator_node")
guard = partial(_start, "nodes.guard_node")
expert = partial(_start, "nodes.expert_node")
recorder = partial(_start, "nodes.recorder_node")
gazebo_server = partial(_start, "runs.gazebo_classic")
gz_bridge = partial(_start, "nodes.gz_bridge_node")
gazebo_bridge = partial(_start, "nodes.gazebo_bridge_node")
teleop = partial(_start, "nodes.teleop_node")
gz_server = partial(_start, "runs.gazebo_sim")


def _main(name: str) -> int:
    """Start the executable of a name: ``python -m pilotnet_brain.executables brain ...``."""
    sys.argv = [name, *sys.argv[2:]]
    status: int = globals()[name]()
    return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
