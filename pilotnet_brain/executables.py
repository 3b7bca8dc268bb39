"""The nodes' executables: what ``ros2 run pilotnet_brain NAME`` and ``ros2 launch`` start."""

from __future__ import annotations

import signal
import sys
from importlib import import_module


def brain() -> int:
    """Drive; returns the exit status, as all of these."""
    return _start("nodes.brain_node")


def metrics() -> int:
    """Measure a run."""
    return _start("nodes.metrics_node")


def simulator() -> int:
    """Simulate the car on its circuit (MuJoCo)."""
    return _start("nodes.simulator_node")


def recorder() -> int:
    """Record a run's topics."""
    return _start("nodes.recorder_node")


def gazebo_server() -> int:
    """Make a circuit's world and run Gazebo Classic on it."""
    return _start("runs.gazebo_classic")


def gazebo_bridge() -> int:
    """Connect Gazebo Classic with the run's topics."""
    return _start("nodes.gazebo_bridge_node")


def gz_server() -> int:
    """Make a circuit's world and run Gazebo Sim on it."""
    return _start("runs.gazebo_sim")


def _start(module: str) -> int:
    # A node's imports (torch, MuJoCo, rclpy) take a second or two. Ctrl-C meanwhile ends the
    # process at once, without a traceback; from `nodes.ros.process.run` on, the node handles it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    status: int = import_module(f"pilotnet_brain.{module}").main()
    return status


def _main(name: str) -> int:
    """Start the executable of a name: ``python -m pilotnet_brain.executables brain ...``."""
    sys.argv = [name, *sys.argv[2:]]
    status: int = globals()[name]()
    return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
