"""The results folder: names, the link to the newest, atomic files, refusals."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from datetime import datetime

import pytest
import yaml

import pilotnet_brain
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.machine import git_commit, made_by
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRow, read_trajectory
from pilotnet_brain.runs import folder as run_folder
from pilotnet_brain.runs.drive import prepare_run
from pilotnet_brain.runs.folder import RunFolder, RunFolderError
from pilotnet_brain.runs.spec import RunSpec

ROW = TrajectoryRow(0.05, 1.0, 2.0, 0.1, 9.0, 0.2, 3.0, -0.01, None, None)
NOON = datetime(2024, 5, 6, 12, 0, 0)


def test_the_name_says_when_what_and_who(tmp_path):
    folder = RunFolder.create(tmp_path / "runs", "montreal", "static_quant", NOON)
    assert folder.path == tmp_path / "runs" / "20240506-120000-montreal-static_quant"
    assert folder.path.is_dir()


def test_two_starts_in_the_same_second_get_a_folder_each(tmp_path):
    first = RunFolder.create(tmp_path, "montreal", "baseline", NOON)
    second = RunFolder.create(tmp_path, "montreal", "baseline", NOON)
    assert first.path != second.path
    assert (tmp_path / "latest").resolve() == second.path.resolve()


def test_paths_become_plain_words(tmp_path):
    folder = RunFolder.create(tmp_path, "/data/laps/my lap.csv", "../models/fast net.pt", NOON)
    assert folder.path.name == "20240506-120000-my_lap-fast_net"
    assert RunFolder.create(tmp_path, "...", "", NOON).path.name.endswith("unnamed-unnamed")


def test_a_folder_of_a_given_name_is_made_again(tmp_path):
    first = RunFolder.make(tmp_path / "out" / "qat-montreal-0")
    first.append_trajectory(ROW)
    first.close()
    again = RunFolder.make(tmp_path / "out" / "qat-montreal-0")
    assert again.path == first.path
    assert not list(again.path.iterdir())
    assert not (tmp_path / "out" / "latest").exists()


def test_a_discarded_run_leaves_latest_at_the_newest_other(tmp_path):
    kept = RunFolder.create(tmp_path, "montreal", "baseline", NOON)
    refused = RunFolder.create(tmp_path, "montmelo", "baseline", NOON.replace(hour=13))
    refused.append_trajectory(ROW)
    (tmp_path / "videos").mkdir()
    refused.discard()
    assert sorted(p.name for p in tmp_path.iterdir()) == [kept.path.name, "latest", "videos"]
    assert (tmp_path / "latest").resolve() == kept.path.resolve()
    kept.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["videos"]


def test_a_discarded_run_leaves_the_link_to_a_newer_one(tmp_path):
    refused = RunFolder.create(tmp_path, "montreal", "baseline", NOON)
    newer = RunFolder.create(tmp_path, "montmelo", "baseline", NOON)
    refused.discard()
    assert (tmp_path / "latest").resolve() == newer.path.resolve()


def test_latest_that_is_no_link_is_left_alone(tmp_path):
    (tmp_path / "latest").mkdir()
    RunFolder.create(tmp_path, "montreal", "baseline", NOON)
    assert not (tmp_path / "latest").is_symlink()


def test_metrics_are_written_whole_and_read_back(tmp_path):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    assert folder.read_metrics() is None
    folder.write_metrics({"average_speed": 11.5, "lap_times_s": [1.0]})
    folder.write_metrics({"average_speed": 12.5, "lap_times_s": [1.0]})
    assert json.loads(folder.metrics_json.read_text()) == folder.read_metrics()
    assert folder.read_metrics()["average_speed"] == 12.5
    with pytest.raises(ValueError, match="JSON"):
        folder.write_metrics({"average_speed": math.nan})
    assert folder.read_metrics()["average_speed"] == 12.5
    assert [p.name for p in folder.path.iterdir()] == ["metrics.json"]


def test_a_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunFolderError, match=r"runs: .*cannot be made"):
        RunFolder.create(tmp_path / "runs", "montreal", "baseline")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_place_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="permissions"):
        RunFolder.create(tmp_path, "montreal", "baseline")


def test_a_full_disk_is_refused_with_the_room_left(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "ROOM_NEEDED_BYTES", 2**70)
    with pytest.raises(RunFolderError, match=r"MB of room left.*needs"):
        RunFolder.create(tmp_path, "montreal", "baseline")
    assert not (tmp_path / "latest").exists()
    assert list(tmp_path.iterdir()) == []


def test_no_such_run(tmp_path):
    with pytest.raises(RunFolderError, match="no such run folder"):
        RunFolder.open(tmp_path / "missing")


def test_rows_are_on_disk_after_a_flush(tmp_path):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    folder.append_trajectory(ROW)
    folder.flush()
    rows = read_trajectory(folder.trajectory_csv)
    assert rows.shape == (1, len(COLUMNS))
    assert rows[0, :8] == pytest.approx(ROW[:8])
    assert math.isnan(rows[0, 8])
    folder.append_trajectory(ROW._replace(time_s=0.1, command_speed=8.0, command_yaw_rate=0.0))
    folder.close()
    folder.append_trajectory(ROW._replace(time_s=0.15))
    folder.close()
    assert read_trajectory(folder.trajectory_csv)[:, 0].tolist() == [0.05, 0.1, 0.15]


def test_a_killed_writer_loses_no_more_than_its_last_second(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from pilotnet_brain.metrics.trajectory import TrajectoryRow
        from pilotnet_brain.runs.folder import RunFolder
        folder = RunFolder(__import__("pathlib").Path(sys.argv[1]))
        for i in range(10**9):
            folder.append_trajectory(TrajectoryRow(i * 0.02, 1, 2, 0, 9, 0, 3, 0, None, None))
            print(i, flush=True)
            time.sleep(0.02)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        for line in writer.stdout:
            if int(line) >= 110:
                writer.send_signal(signal.SIGKILL)
                break
    rows = read_trajectory(tmp_path / "trajectory.csv")
    assert len(rows) >= 110 - 55
    assert rows[-1, 0] == pytest.approx(0.02 * (len(rows) - 1))


def test_run_yaml_says_what_was_asked_and_what_made_the_run(tmp_path):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    spec = RunSpec(circuit="montreal", laps=2, simulator="none")
    folder.add_to_record(spec=spec.to_dict(), **made_by())
    folder.add_to_record(topics={"odom": "/car/odom"})
    record = yaml.safe_load(folder.run_yaml.read_text())
    assert record["spec"]["waiting_limit"] == 60.0
    assert record["versions"]["pilotnet_brain"] == pilotnet_brain.__version__
    assert record["versions"]["python"].count(".") == 2
    assert record["versions"]["numpy"]
    assert set(record["hardware"]) == {"cpu", "cores", "memory_gb", "gpu"}
    assert record["hardware"]["cores"] >= 1
    assert folder.spec() == spec
    assert folder.topics() == {"odom": "/car/odom"}


def test_a_run_of_an_earlier_version_is_read_too(tmp_path):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    asked = {"circuit": "nurburgring", "laps": 3, "odom_topic": "odom", "nodes": {}}
    folder.add_to_record(parameters=asked)
    assert folder.spec().laps == 3
    assert folder.circuit().name == "nurburgring"
    assert folder.topics()["odom"] == "/odom"


@pytest.mark.parametrize("spec", [None, 3, {"laps": 0}, {"laps": "many"}])
def test_a_record_that_is_none_is_named(tmp_path, spec):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    folder.add_to_record(spec=spec)
    with pytest.raises(RunFolderError, match=r"run\.yaml"):
        folder.spec()


def test_a_folder_measures_its_run_where_the_circuit_is_gone(tmp_path):
    """A user's circuit has changed or moved: a run is measured by the line it was driven on."""
    mine, lap = tmp_path / "mine.csv", tmp_path / "lap.csv"
    points = load_circuit("nurburgring").centerline.points
    text = "x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in points.tolist())
    mine.write_text(text)
    lap.write_text(text)
    spec = RunSpec(circuit=str(mine), reference_lap=str(lap), simulator="none", laps=2)
    folder = prepare_run(spec, tmp_path / "run")
    before = folder.new_metrics()
    mine.unlink()
    lap.unlink()
    moved = RunFolder.open((tmp_path / "run").rename(tmp_path / "moved"))
    after = moved.new_metrics()
    assert moved.circuit().name == "mine"
    for metrics in (before, after):
        for step in range(200):
            x, y = metrics.circuit.centerline.position(0.5 * step)
            metrics.add_pose(0.05 * step, float(x) + 0.1, float(y), 0.0, 10.0, 0.0)
    assert after.figures() == before.figures()
    assert after.figures()["position_deviation_score_published"] is not None
    assert after.figures()["laps_asked"] == 2


def test_a_file_outside_any_checkout_has_no_commit(tmp_path):
    (tmp_path / "file.py").write_text("")
    assert git_commit(tmp_path / "file.py") is None


def test_naming_versions_imports_nothing_heavy():
    script = (
        "import sys; from pilotnet_brain.machine import made_by; made_by();"
        "print([m for m in ('torch', 'mujoco', 'matplotlib', 'rclpy') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_a_run_that_starts_over_keeps_only_what_comes_after(tmp_path):
    folder = RunFolder.create(tmp_path, "circle", "baseline")
    folder.append_trajectory(ROW)
    folder.flush()
    folder.restart_trajectory()
    assert not folder.trajectory_csv.exists()
    folder.append_trajectory(ROW._replace(time_s=2.0))
    folder.close()
    assert read_trajectory(folder.trajectory_csv)[:, 0].tolist() == [2.0]
    folder.restart_trajectory()
    assert not folder.trajectory_csv.exists()
