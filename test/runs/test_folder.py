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

from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRow, read_trajectory
from pilotnet_brain.runs import folder as run_folder
from pilotnet_brain.runs.folder import RunFolder, RunFolderError
from pilotnet_brain.machine import git_commit, run_record

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


def test_a_folder_of_a_given_name_is_made_anew(tmp_path):
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


def test_run_yaml_says_what_made_the_run(tmp_path):
    folder = RunFolder.create(tmp_path, "montreal", "baseline")
    folder.write_run_record(run_record({"circuit": "montreal", "out": tmp_path, "laps": (1, 2)}))
    record = yaml.safe_load(folder.run_yaml.read_text())
    assert record["parameters"] == {"circuit": "montreal", "out": str(tmp_path), "laps": [1, 2]}
    assert record["versions"]["python"].count(".") == 2
    assert record["versions"]["numpy"]
    assert set(record["hardware"]) == {"cpu", "cores", "memory_gb", "gpu"}
    assert record["hardware"]["cores"] >= 1


def test_a_file_outside_any_checkout_has_no_commit(tmp_path):
    (tmp_path / "file.py").write_text("")
    assert git_commit(tmp_path / "file.py") is None


def test_naming_versions_imports_nothing_heavy():
    script = (
        "import sys; from pilotnet_brain.machine import run_record; run_record({});"
        "print([m for m in ('torch', 'mujoco', 'matplotlib', 'rclpy') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_a_run_that_starts_over_keeps_only_what_comes_after(tmp_path):
    folder = RunFolder.create(tmp_path, "circle", "baseline")
    assert not folder.has_driving()
    folder.append_trajectory(ROW)
    folder.flush()
    assert folder.has_driving()
    folder.restart_trajectory()
    assert not folder.has_driving()
    folder.append_trajectory(ROW._replace(time_s=2.0))
    folder.close()
    assert read_trajectory(folder.trajectory_csv)[:, 0].tolist() == [2.0]
    folder.restart_trajectory()
    assert not folder.has_driving()
