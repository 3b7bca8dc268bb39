"""Collecting over a live run's topics: the expert drives, the bag becomes a data set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", exc_type=ImportError)
from live_process import DOMAIN_ID  # noqa: E402

from pilotnet_brain.circuits.catalogue import load_circuit  # noqa: E402
from pilotnet_brain.learning.dataset import load_dataset  # noqa: E402

PATIENCE_S = 120.0


def collect(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    there = next(parent for parent in folder.parents if parent.is_dir())
    return subprocess.run(
        [sys.executable, "-m", "pilotnet_brain.cli", "data", "collect", str(folder), *options],
        cwd=there, env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN_ID)},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@pytest.mark.live
def test_a_live_drive_of_the_expert_becomes_a_data_set(tmp_path: Path) -> None:
    options = ["--simulator", "mujoco", "--circuit", "nurburgring", "--frames", "120"]
    ended = collect(tmp_path / "set", *options)
    assert ended.returncode == 0, ended.stderr
    data = load_dataset(tmp_path / "set")
    assert len(data) == 120
    assert "120 frames are in" in ended.stdout
    # The labels are the expert's at the poses that the table names.
    rows = data.table
    circuit = load_circuit("nurburgring")
    assert rows["v"].between(6.0, 16.0 + 1e-6).all()
    assert rows["lateral_deviation"].abs().max() > 0.1
    assert rows["lateral_deviation"].abs().max() < circuit.asphalt_half_width
    back = rows["lateral_deviation"] * (rows["w"] - rows["v"] * rows["curvature"]) < 0.0
    off = (rows["lateral_deviation"].abs() > 0.15) & (rows["heading_error"].abs() < 0.05)
    assert back[off].all()
    assert np.ptp(data.frames[0]) > 50
    (run,) = [path for path in (tmp_path / "runs").iterdir() if not path.is_symlink()]
    assert (run / "metrics.json").exists()
    assert not (run / "bag").exists()


def test_what_a_live_drive_cannot_have_is_refused(tmp_path: Path) -> None:
    ended = collect(tmp_path / "set", "--simulator", "none")
    assert ended.returncode == 2
    assert "name the circuit that is driven, with one --circuit" in ended.stderr
    ended = collect(tmp_path / "set", "--simulator", "none", "--circuit", "montreal", "--pictures")
    assert ended.returncode == 2
    assert "--pictures: not for a live run" in ended.stderr
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    ended = collect(tmp_path / "set", "--simulator", "none", "--circuit", "montreal")
    assert ended.returncode == 2
    assert "is not empty; name another folder" in ended.stderr
    (tmp_path / "file").touch()
    ended = collect(tmp_path / "file" / "set", "--simulator", "none", "--circuit", "montreal")
    assert ended.returncode == 2
    assert "file/set: cannot be written: Not a directory" in ended.stderr
    assert not (tmp_path / "runs").exists()
