"""A node's process ends when the one that leads its run dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from live_process import wait_for

from pilotnet_brain.runs.signals import LEADER_VARIABLE, end_with_leader, leader_environment

NODE = """
import signal, sys, time
from pathlib import Path
from pilotnet_brain.runs.signals import end_with_leader

def end(number, frame):
    Path(sys.argv[1]).write_text("ended")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
end_with_leader()
Path(sys.argv[1]).write_text("runs")
while True:
    time.sleep(1.0)
"""
LEADER = """
import os, subprocess, sys
from pilotnet_brain.runs.signals import leader_environment
subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], sys.argv[2]], env={**os.environ, **leader_environment()}
).wait()
"""


def test_a_node_is_told_to_end_when_its_leader_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with subprocess.Popen([sys.executable, "-c", LEADER, NODE, str(state)]) as leader:
        wait_for(lambda: state.exists() and state.read_text() == "runs", "the node")
        leader.kill()
    wait_for(lambda: state.read_text() == "ended", "the node to end")


def test_a_node_whose_leader_is_dead_already_ends_at_once(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    node = subprocess.run(
        [sys.executable, "-c", NODE, str(tmp_path / "state")],
        env={**os.environ, LEADER_VARIABLE: str(dead.pid)},
        check=False,
    )
    assert node.returncode == 0
    assert (tmp_path / "state").read_text() == "ended"


def test_without_a_leader_nothing_happens() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        for environment in ({}, {LEADER_VARIABLE: ""}, {LEADER_VARIABLE: "me"}):
            end_with_leader(environment)
        # Who is not the leader's child, such as a node under a debugger, goes on while it lives.
        end_with_leader(leader_environment())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not came
