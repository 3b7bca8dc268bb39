"""Results completed after the metrics node died."""

import json

import pytest
from driven_lines import LAP, circle, drive, ticks
from recorded_bags import INFO, ODOM, write_ros2

from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.runs.finish import finish_run
from pilotnet_brain.runs.folder import RunFolder

DIED = "the metrics node died (signal 9)"


class Keeping(RunMetrics):
    """Writes its rows into a folder as the node does."""

    def __init__(self, folder):
        super().__init__(circle())
        self.folder = folder

    def add_pose(self, *pose, **more):
        rows = super().add_pose(*pose, **more)
        for row in rows:
            self.folder.append_trajectory(row)
        return rows


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path, "circle", "baseline")


def test_a_dead_node_leaves_a_run_cut_short(folder):
    live = drive(Keeping(folder), lambda t: 10 * t, ticks(10.0), lambda s: 0.1)
    folder.close()
    with folder.trajectory_csv.open("a") as file:
        file.write("10.05,49.1,3")  # half a row, as a kill leaves it
    figures = finish_run(folder, DIED, circle(), model="baseline")
    assert figures["lap_completed"] is False
    assert figures["ending"] == DIED
    assert figures["model"] == "baseline"
    assert figures["completion"] == pytest.approx(100.0 / LAP, abs=1e-6)
    assert figures["position_deviation_mae"] == pytest.approx(0.1, abs=1e-5)
    assert figures["mean_inference_time"] is None
    assert figures["average_speed"] == pytest.approx(live.figures()["average_speed"], rel=1e-5)
    assert json.loads(folder.metrics_json.read_text()) == figures
    assert folder.lap_png.exists()


def test_what_the_dead_node_had_not_kept_comes_from_the_bag(folder):
    drive(Keeping(folder), lambda t: 10 * t, ticks(10.0))
    folder.close()
    write_ros2(folder.bag, 10.0)
    figures = finish_run(folder, DIED, circle())
    assert figures["ending"] == DIED
    assert figures["mean_inference_time"] == pytest.approx(0.002)
    assert figures["real_time_factor"] == pytest.approx(0.5, rel=1e-3)


def test_metrics_of_a_lap_under_way_are_replaced(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(5.0))
    folder.write_metrics(metrics.figures())
    drive(metrics, lambda t: 10 * t, ticks(8.0, begin_s=5.05))
    folder.close()
    assert finish_run(folder, DIED, circle())["completion"] == pytest.approx(80 / LAP, abs=1e-4)


def test_results_that_are_complete_are_kept(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(40.0))
    folder.close()
    folder.write_metrics(metrics.figures())
    before = folder.metrics_json.read_bytes()
    assert finish_run(folder, DIED, circle())["lap_completed"] is True
    assert folder.metrics_json.read_bytes() == before


def test_a_run_that_never_got_a_pose(folder):
    figures = finish_run(folder.path, DIED, circle())
    assert figures["lap_completed"] is False
    assert figures["distance_m"] is None
    assert figures["ending"] == DIED
    assert not folder.lap_png.exists()


def test_only_the_drive_after_a_reset_counts(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(20.0))
    drive(metrics, lambda t: 10 * t, ticks(5.0))
    folder.close()
    assert finish_run(folder, DIED, circle())["completion"] == pytest.approx(50 / LAP, abs=1e-4)


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        finish_run(tmp_path / "gone", DIED)


def test_what_the_run_was_asked_for_is_known_from_its_record(folder, tmp_path):
    drive(Keeping(folder), lambda t: 10 * t, ticks(10.0), lambda s: 0.1)
    folder.close()
    lap = tmp_path / "lap.csv"
    points = circle().centerline.points
    lap.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in points.tolist()))
    names = {ODOM: "/odom", INFO: "/cam/camera_info"}
    write_ros2(folder.bag, 10.0, renamed=names)
    asked = {
        "model": "qat",
        "reference_lap": str(lap),
        "odom_topic": "/odom",
        "camera_topic": "/cam/image_raw",
    }
    folder.write_run_record({"parameters": asked})
    figures = finish_run(folder, DIED, circle())
    # 0.1 m beside the reference: 1000 to the power of 0.1.
    assert figures["position_deviation_score_published"] == pytest.approx(1000**0.1, rel=1e-2)
    assert figures["frames_published"] is not None
    assert figures["model"] == "baseline"  # by the frame records, which know best


def test_a_reference_lap_that_is_gone_costs_only_its_score(folder):
    drive(Keeping(folder), lambda t: 10 * t, ticks(5.0))
    folder.close()
    folder.write_run_record({"parameters": {"model": "qat", "reference_lap": "gone.csv"}})
    figures = finish_run(folder, DIED, circle())
    assert figures["position_deviation_score_published"] is None
    assert figures["model"] == "qat"


def test_complete_results_need_no_circuit(folder):
    metrics = drive(Keeping(folder), lambda t: 10 * t, ticks(40.0))
    folder.close()
    folder.write_metrics(metrics.figures())
    finish_run(folder, DIED, circle())
    folder.write_run_record({"parameters": {"circuit": "gone.csv"}})
    assert finish_run(folder, DIED)["lap_completed"] is True
