"""A lock-step run's folder holds what a live one's does."""

from __future__ import annotations

import numpy as np
import yaml

from pilotnet_brain.benchmark.plan_file import plan_of
from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.metrics.trajectory import read_trajectory
from pilotnet_brain.runs.keep_run import keep_run

CASE = Case("qat", "random-7", 2, looks_seed=9, start_arc_length=12.5)


def test_what_is_kept_is_read_again(tmp_path):
    trajectory = np.arange(30.0).reshape(3, 10)
    trajectory[0, 8:] = np.nan
    figures = {"circuit": "random-7", "lap_completed": True, "average_speed": 12.0}
    asked = plan_of({"mode": "lockstep", "laps": 3}).parameters(CASE)
    made_by = {"versions": {"torch": "2"}}
    folder = keep_run(tmp_path / CASE.key, asked, figures, trajectory, made_by)
    assert folder.path.name == "qat-random-7-2"
    np.testing.assert_array_equal(read_trajectory(folder.trajectory_csv), trajectory)
    assert folder.read_metrics() == figures
    assert folder.circuit_name() == "random-7"
    record = yaml.safe_load(folder.run_yaml.read_text())
    assert record["versions"] == {"torch": "2"}
    parameters = record["parameters"]
    assert (parameters["looks_seed"], parameters["mode"], parameters["laps"]) == (9, "lockstep", 3)
