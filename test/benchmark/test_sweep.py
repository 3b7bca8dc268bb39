"""Sweeps: the same figures from one process, several, or a cluster that loses a worker."""

import os
import signal

import numpy as np
import pytest
from distributed import Client, LocalCluster

from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.benchmark.row import FAILURE
from pilotnet_brain.benchmark.sweep import drive_cases
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.runs.lockstep import TIMED, without_timings

LIMIT_S = 1.5


@pytest.fixture(scope="module")
def cases(tiny_file, int8_file):
    model, other = str(tiny_file), str(int8_file)
    return [
        Case(model, "nurburgring"),
        Case(other, "nurburgring", looks_seed=2),
        Case(model, "random-1001", 1, 7, 40.0),
        Case(other, "random-1001", 2, 8, 80.0, "dropped_frames", 0.5),
        Case(model, "montmelo", 0, 0, 0.0, "delayed_frames", 200.0),
        Case(other, "montmelo", 0, 3, 5.0, "brightness", 0.5),
    ]


def swept(cases, **how):
    """Return the determined figures and the trajectory by case."""
    trajectories = {}
    driven = drive_cases(
        cases,
        time_limit_s=LIMIT_S,
        keep=lambda case, figures, trajectory: trajectories.update({case: trajectory.tobytes()}),
        **how,
    )
    figures = {case: without_timings(figures) for case, figures in driven}
    return figures, trajectories


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
    assert set(alone[0]) == set(alone[1]) == set(cases)
    assert swept(cases, jobs=2) == alone
    assert len({str(figures) for figures in alone[0].values()}) == len(cases)


def test_a_cluster_gives_the_figures_of_one_process_to_the_bit(cases, alone, cluster):
    assert swept(cases, cluster=cluster.scheduler_address) == alone


def test_a_worker_that_is_killed_in_mid_sweep_costs_no_figure(cases, alone, cluster):
    with Client(cluster) as client:
        before = client.run(os.getpid)
    figures = {}
    for case, found in drive_cases(cases, cluster=cluster.scheduler_address, time_limit_s=LIMIT_S):
        if not figures:
            os.kill(next(iter(before.values())), signal.SIGKILL)
        figures[case] = without_timings(found)
    assert figures == alone[0]
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        assert set(client.run(os.getpid).values()) != set(before.values())


def test_a_case_that_cannot_be_driven_is_a_row_with_its_reason(tiny_file, tmp_path):
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(tiny_file.read_bytes()[:5000])
    good = Case(str(tiny_file), "nurburgring")
    reasons = {
        good._replace(model="no_such_model"): "unknown model 'no_such_model'",
        good._replace(model=str(damaged)): "damaged.pt",
        good._replace(circuit="monaco"): "unknown circuit 'monaco'",
        good._replace(disturbance="rain", amount=1.0): "camera_noise",
        good._replace(disturbance="frame_rate", amount=0.0): "frame_rate of 0 Hz",
    }
    kept = []
    driven = drive_cases(
        [*reasons, good], 1, time_limit_s=LIMIT_S, keep=lambda case, *run: kept.append(case)
    )
    found = dict(driven)
    assert set(found) == {good, *reasons}
    for case, words in reasons.items():
        assert words in found[case][FAILURE]
        assert "\n" not in found[case][FAILURE]
        assert not found[case]["lap_completed"]
    assert FAILURE not in found[good]
    assert kept == [good]


def test_a_run_has_its_trajectory_its_timings_and_the_published_score(tiny_file):
    line = load_circuit("nurburgring").centerline
    lap = line.position(np.arange(0.0, line.length, 0.3)) + [0.0, 0.05]
    kept = []
    case = Case(str(tiny_file), "nurburgring", start_arc_length=30.0)
    ((_, figures),) = drive_cases(
        [case],
        1,
        time_limit_s=LIMIT_S,
        reference_laps={"nurburgring": lap},
        keep=lambda case, figures, trajectory: kept.append(trajectory),
    )
    (trajectory,) = kept
    first = dict(zip(COLUMNS, trajectory[0].tolist(), strict=True))
    assert (first["x"], first["y"]) == pytest.approx(tuple(line.position(30.0)))
    assert np.isnan(first["command_speed"]) and not np.isnan(trajectory[-1]).any()
    assert (np.diff(trajectory[:, 0]) > 0.0).all()
    assert figures["model"] == "tiny" and figures["device"] == "cpu"
    assert figures["position_deviation_score_published"] is not None
    assert all(figures[name] is not None and figures[name] > 0.0 for name in TIMED)
