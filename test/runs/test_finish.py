"""Results completed after the metrics node died."""

import json
import shutil

import pytest
from driven_lines import LAP, circle, drive, ticks
from recorded_bags import INFO, ODOM, write_ros2

from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.drive import RunIncomplete, complete
from pilotnet_brain.runs.finish import finish_run
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.spec import RunSpec

DIED = "the metrics node died (signal 9)"


class Keeping(RunMetrics):
    """Writes its rows into a folder as the node does."""

    def __init__(self, folder):
        super().__init__(circle(), folder.spec().rules())
        self.folder = folder

    def add_pose(self, *pose, **more):
        rows = super().add_pose(*pose, **more)
        for row in rows:
            self.folder.append_trajectory(row)
        return rows


@pytest.fixture
def folder(tmp_path):
    run = RunFolder.create(tmp_path, "circle", "baseline")
    run.add_to_record(spec=RunSpec(circuit="circle").to_dict())
    run.keep_circuit(circle())
    return run


def test_a_dead_node_leaves_a_run_cut_short(folder):
    live = drive(Keeping(folder), lambda t: 10 * t, ticks(10.0), lambda s: 0.1)
    folder.close()
    with folder.trajectory_csv.open("a") as file:
        file.write("10.05,49.1,3")  # half a row, as a kill leaves it
    figures = finish_run(folder, DIED)
    assert figures["lap_completed"] is False
    assert figures["ending"] == DIED
    assert figures["model"] == "baseline"
    assert figures["completion"] == pytest.approx(100.0 / LAP, abs=1e-6)
    assert figures["position_deviation_mae"] == pytest.approx(0.1, abs=1e-5)
    assert figures["mean_inference_time"] is None
    assert figures["average_speed"] == pytest.approx(live.figures()["average_speed"], rel=1e-5)
    assert json.loads(folder.metrics_json.read_text()) == figures


def test_what_the_dead_node_had_not_kept_comes_from_the_bag(folder):
    drive(Keeping(folder), lambda t: 10 * t, ticks(10.0))
    folder.close()
    write_ros2(folder.bag, 10.0)
    figures = finish_run(folder, DIED)
    assert figures["ending"] == DIED
    assert figures["mean_inference_time"] == pytest.approx(0.002)
    assert figures["real_time_factor"] == pytest.approx(0.5, rel=1e-3)


def test_metrics_of_a_lap_under_way_are_replaced(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(5.0))
    folder.write_metrics(metrics.figures())
    drive(metrics, lambda t: 10 * t, ticks(8.0, begin_s=5.05))
    folder.close()
    assert finish_run(folder, DIED)["completion"] == pytest.approx(80 / LAP, abs=1e-4)


def test_results_that_are_complete_are_kept(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(40.0))
    folder.close()
    folder.write_metrics(metrics.figures())
    before = folder.metrics_json.read_bytes()
    assert finish_run(folder, DIED)["lap_completed"] is True
    assert folder.metrics_json.read_bytes() == before


def test_a_run_that_never_got_a_pose(folder):
    figures = finish_run(folder, DIED)
    assert figures["lap_completed"] is False
    assert figures["distance_m"] is None
    assert figures["ending"] == DIED


def test_only_the_drive_after_a_reset_counts(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(20.0))
    drive(metrics, lambda t: 10 * t, ticks(5.0))
    folder.close()
    assert finish_run(folder, DIED)["completion"] == pytest.approx(50 / LAP, abs=1e-4)


def test_what_the_run_was_asked_for_is_known_from_its_record(folder, tmp_path):
    drive(Keeping(folder), lambda t: 10 * t, ticks(10.0), lambda s: 0.1)
    folder.close()
    folder.keep_reference_lap(circle().centerline.points)
    names = {ODOM: "/odom", INFO: "/cam/camera_info"}
    write_ros2(folder.bag, 10.0, renamed=names)
    spec = RunSpec(model="qat", odom_topic="/odom", camera_topic="/cam/image_raw")
    folder.add_to_record(spec=spec.to_dict())
    figures = finish_run(folder, DIED)
    # 0.1 m off the reference: 1000 to the power of 0.1.
    assert figures["position_deviation_score_published"] == pytest.approx(1000**0.1, rel=1e-2)
    assert figures["frames_published"] is not None
    assert figures["model"] == "baseline"  # by the frame records, which know best


def test_the_runs_own_rules_are_kept_to(folder):
    """A car that waits 20 s in Gazebo and then drives has not stood still, live or afterwards."""
    folder.add_to_record(spec=RunSpec(circuit="circle", simulator="gazebo").to_dict())
    live = drive(Keeping(folder), lambda t: max(0.0, 10 * (t - 20.0)), ticks(40.0))
    folder.close()
    figures = finish_run(folder, DIED)
    assert figures["waited_s"] == pytest.approx(20.0, abs=0.1)
    assert figures["distance_m"] == pytest.approx(200.0, abs=1.0)
    assert figures["average_speed"] == pytest.approx(live.figures()["average_speed"], rel=1e-5)


def test_complete_results_need_no_circuit(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(40.0))
    folder.close()
    folder.write_metrics(metrics.figures())
    folder.circuit_csv.unlink()
    folder.add_to_record(spec={"circuit": "gone.csv"})
    assert finish_run(folder, DIED)["lap_completed"] is True


def test_results_that_cannot_be_completed_are_told_in_one_line(folder):
    shutil.rmtree(folder.path)
    with pytest.raises(RunIncomplete, match="the results are not complete: ") as told:
        complete(folder, DIED)
    assert "\n" not in str(told.value)


def test_the_finish_tells_of_an_odd_twist_as_the_live_node_did(folder):
    live = drive(Keeping(folder), lambda t: 10 * t, ticks(10.0))  # its twist is always zero
    folder.close()
    assert "moved at 10.0 m/s" in live.warnings[0]
    assert finish_run(folder, DIED)["warnings"] == live.warnings
