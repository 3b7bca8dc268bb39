"""The package's executables: every node has one, and Ctrl-C ends it before it has started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pilotnet_brain import executables

PACKAGE = Path(executables.__file__).parent
NAMES = {name for name, value in vars(executables).items() if isinstance(value, partial)}


def test_every_node_has_its_executable():
    nodes = {path.stem.removesuffix("_node") for path in PACKAGE.glob("nodes/*_node.py")}
    # Gazebo's own programs are processes of a run, too.
    assert nodes | {"gazebo_server", "gz_server"} == NAMES
    assert {path.name for path in PACKAGE.glob("runs/gazebo_*.py")} == {
        "gazebo_classic.py", "gazebo_sim.py",
    }  # fmt: skip


def test_the_setup_installs_them():
    setup = PACKAGE.parent / "setup.py"
    if not setup.is_file():
        pytest.skip("needs the package's sources")
    installed = re.findall(r"(\w+) = {PACKAGE}\.executables:(\w+)", setup.read_text())
    assert installed == [(name, name) for name, _ in installed]
    assert {name for name, _ in installed} == NAMES


@pytest.mark.parametrize("name", ["brain", "simulator"])
def test_ctrl_c_while_a_node_imports_leaves_no_traceback(name):
    start = f"from pilotnet_brain.executables import {name}; {name}()"
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-c", start],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )
    # numpy comes early: torch, MuJoCo and ROS' messages are still to be imported.
    shown = ""
    for line in process.stderr:
        shown += line
        if line.rpartition("|")[2].strip() == "numpy":
            process.send_signal(signal.SIGINT)
            break
    shown += process.stderr.read()
    assert process.wait(timeout=30.0) == -signal.SIGINT
    assert "Traceback" not in shown
    assert "KeyboardInterrupt" not in shown
