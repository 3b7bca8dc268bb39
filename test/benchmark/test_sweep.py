"""Sweeps: the same figures from one process, several, or a cluster that loses a worker."""

import os
import signal

import numpy as np
import pytest
from distributed import Client, LocalCluster

from pilotnet_brain.benchmark.plan import PlannedRun
from pilotnet_brain.benchmark.row import FAILURE
from pilotnet_brain.benchmark.sweep import drive_in_lockstep, sweep
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.trajectory import COLUMNS, read_trajectory
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.lockstep import TIMED, without_timings
from pilotnet_brain.runs.spec import RunSpec

LIMIT_S = 1.5


def planned(model, circuit, repetition=0, **asked):
    spec = {"lockstep": True, "time_limit": LIMIT_S, "trust_model": True, **asked}
    return PlannedRun(RunSpec(model=str(model), circuit=circuit, **spec), repetition)


@pytest.fixture(scope="module")
def cases(tiny_file, int8_file):
    other = int8_file
    return [
        planned(tiny_file, "nurburgring"),
        planned(other, "nurburgring", looks_seed=2),
        planned(tiny_file, "random-1001", 1, looks_seed=7, start_arc_length=40.0),
        planned(other, "random-1001", 2, looks_seed=8, disturbance="dropped_frames=0.5", seed=3),
        planned(tiny_file, "montmelo", disturbance="delayed_frames=200"),
        planned(other, "montmelo", looks_seed=3, disturbance="brightness=0.5"),
    ]


def swept(cases, **how):
    """Return the determined figures and the rows by run."""
    return {run: (without_timings(done.figures), done.rows) for run, done in sweep(cases, **how)}


@pytest.fixture(scope="module")
def alone(cases):
    return swept(cases, jobs=1)


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster of two worker processes on this machine."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as two:
        yield two


def test_two_processes_give_the_figures_of_one_to_the_bit(cases, alone):
    assert set(alone) == set(cases)
    assert swept(cases, jobs=2) == alone
    assert len({str(figures) for figures, _ in alone.values()}) == len(cases)


def test_a_cluster_gives_the_figures_of_one_process_to_the_bit(cases, alone, cluster):
    assert swept(cases, cluster=cluster.scheduler_address) == alone


def test_a_worker_that_is_killed_in_mid_sweep_costs_no_figure(cases, alone, cluster):
    with Client(cluster) as client:
        before = client.run(os.getpid)
    figures = {}
    for run, done in sweep(cases, cluster=cluster.scheduler_address):
        if not figures:
            os.kill(next(iter(before.values())), signal.SIGKILL)
        figures[run] = without_timings(done.figures)
    assert figures == {run: figures for run, (figures, _) in alone.items()}
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        assert set(client.run(os.getpid).values()) != set(before.values())


def test_a_run_that_cannot_be_driven_is_a_row_with_its_reason(tiny_file, tmp_path):
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(tiny_file.read_bytes()[:5000])
    good = planned(tiny_file, "nurburgring")
    reasons = {
        planned("no_such_model", "nurburgring"): "unknown model 'no_such_model'",
        planned(damaged, "nurburgring"): "damaged.pt",
        planned(tiny_file, "monaco"): "unknown circuit 'monaco'",
        planned(tiny_file, "nurburgring", disturbance="rain=1"): "camera_noise",
        planned(tiny_file, "nurburgring", disturbance="frame_rate=0"): "frame_rate of 0 Hz",
    }
    found = dict(drive_in_lockstep([*reasons, good], tmp_path / "runs", 1))
    assert set(found) == {good, *reasons}
    for run, words in reasons.items():
        assert words in found[run][FAILURE]
        assert "\n" not in found[run][FAILURE]
        assert not found[run]["lap_completed"]
    assert FAILURE not in found[good]
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == [good.name]


def test_a_run_leaves_a_folder_that_stands_alone(tiny_file, tmp_path):
    line = load_circuit("nurburgring").centerline
    lap = line.position(np.arange(0.0, line.length, 0.3)) + [0.0, 0.05]
    (tmp_path / "lap.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in lap.tolist()))
    run = planned(
        tiny_file, "nurburgring", start_arc_length=30.0, reference_lap=str(tmp_path / "lap.csv")
    )
    ((_, figures),) = drive_in_lockstep([run], tmp_path / "runs", 1)
    (tmp_path / "lap.csv").unlink()
    folder = RunFolder.open(tmp_path / "runs" / run.name)
    assert folder.read_metrics() == figures
    assert folder.spec().start_arc_length == 30.0
    trajectory = read_trajectory(folder.trajectory_csv)
    first = dict(zip(COLUMNS, trajectory[0].tolist(), strict=True))
    assert (first["x"], first["y"]) == pytest.approx(tuple(line.position(30.0)))
    assert np.isnan(first["command_speed"]) and not np.isnan(trajectory[-1]).any()
    assert (np.diff(trajectory[:, 0]) > 0.0).all()
    assert figures["model"] == "tiny" and figures["device"] == "cpu"
    assert figures["position_deviation_score_published"] is not None
    assert all(figures[name] is not None and figures[name] > 0.0 for name in TIMED)
    metrics = folder.new_metrics()
    for row in trajectory.tolist():
        metrics.add_pose(*row[:6])
    again = metrics.figures()
    for name in ("distance_m", "position_deviation_mae", "position_deviation_score_published"):
        # trajectory.csv rounds: the time limit may end it a pose earlier.
        assert again[name] == pytest.approx(figures[name], rel=0.01)


def test_nothing_is_kept_of_runs_that_are_not_recorded(tiny_file, tmp_path):
    run = planned(tiny_file, "nurburgring", record=False)
    ((_, figures),) = drive_in_lockstep([run], tmp_path / "runs", 1)
    assert figures["distance_m"] > 0.0
    assert not (tmp_path / "runs").exists()
