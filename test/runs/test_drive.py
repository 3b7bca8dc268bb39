"""A run driven in this process, in lock-step."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from recorded_bags import write_split

_LARGEST_FILE = 65536
"""What the folder's own check writes; seven simulated seconds of trajectory.csv are more."""


def test_a_disk_that_takes_no_more_is_told_in_one_line(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pilotnet_brain.cli", "drive", "--lockstep", "--output",
         str(tmp_path), "--model", "tiny_quant", "--time-limit", "20"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE,) * 2),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith("error: the results are not complete: ")
    assert "File too large; what was kept: " in run.stderr
    assert run.stderr.rstrip().endswith(f"report {(tmp_path / 'latest').resolve()}")
    assert len(run.stderr.splitlines()) == 1
    driven = (tmp_path / "latest" / "trajectory.csv").read_text().splitlines()
    assert len(driven) > 100  # what the disk took is kept


def test_a_damaged_bag_as_circuit_is_told_once_before_the_run_starts(tmp_path: Path) -> None:
    (write_split(tmp_path / "lap", 2) / "metadata.yaml").unlink()
    run = subprocess.run(
        [sys.executable, "-m", "pilotnet_brain.cli", "drive", "--lockstep", "--circuit", "lap",
         "--reference-lap", "lap", "--model", "tiny_quant", "--time-limit", "1"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    (told,) = run.stderr.splitlines()
    assert told.startswith("warning: lap: the bag was not closed properly")
