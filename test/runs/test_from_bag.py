"""Figures from bags: those of the live path, whatever the bag's kind and condition."""

import pytest
from driven_lines import LAP, circle
from recorded_bags import (
    CMD,
    FRAMES,
    INFO,
    ODOM,
    circle_events,
    cut,
    write_ros1,
    write_ros2,
    write_unfinished_mcap,
)
from rosbags.typesys import Stores, get_typestore

from pilotnet_brain.bags.reader import BagError
from pilotnet_brain.bags.messages import yaw_of
from pilotnet_brain.metrics.frame_record import frame_record
from pilotnet_brain.runs.from_bag import BagTopics, metrics_from_bag, run_from_bag
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.report.figure_texts import outcome

LAP_S = LAP / 10.0


def live_figures(seconds):
    """What a node would compute that receives the same messages."""
    metrics = RunMetrics(circle())
    for topic, log_ns, message in circle_events(get_typestore(Stores.ROS2_JAZZY), seconds):
        real_s = (log_ns - 1_700_000_000 * 10**9) * 1e-9
        if topic == ODOM:
            pose, speed = message.pose.pose, message.twist.twist
            stamp = message.header.stamp
            metrics.add_pose(
                stamp.sec + stamp.nanosec * 1e-9, pose.position.x, pose.position.y,
                yaw_of(pose.orientation), speed.linear.x, speed.angular.z, real_s,
            )  # fmt: skip
        elif topic == FRAMES:
            metrics.add_frame(frame_record(message))
        elif topic == INFO:
            stamp = message.header.stamp
            metrics.add_published_frame(stamp.sec + stamp.nanosec * 1e-9)
    return metrics.figures(simulator="mujoco")


@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "ros1"])
def test_a_bag_gives_the_live_figures_to_the_last_digit(tmp_path, kind):
    if kind == "ros1":
        bag = write_ros1(tmp_path / "lap.bag", 40.0)
    else:
        bag = write_ros2(tmp_path / "lap", 40.0, kind)
    run = run_from_bag(bag, circle(), simulator="mujoco")
    assert run.warnings == []
    assert run.figures == live_figures(40.0)


def test_a_bag_from_before_the_numbers_gives_the_same_figures(tmp_path):
    bag = write_ros2(tmp_path / "lap", 40.0, old=True)
    run = run_from_bag(bag, circle(), simulator="mujoco")
    assert run.figures == live_figures(40.0)
    assert run.figures["frames_received"] == 629 - 63
    assert run.figures["records_unreadable"] == 0


def test_the_figures_are_those_of_the_circle(tmp_path):
    figures = metrics_from_bag(write_ros2(tmp_path / "lap", 40.0), circle())
    assert figures["ending"] == "laps done"
    assert figures["lap_times_s"] == [pytest.approx(LAP_S, abs=1e-5)]
    assert figures["real_time_factor"] == pytest.approx(0.5, rel=1e-6)
    assert figures["model"] == "baseline"
    assert figures["device"] == "cpu"
    assert figures["brain_iteration_frequency"] == pytest.approx(250.0)
    assert figures["mean_inference_time"] == pytest.approx(0.002)
    assert figures["frame_age_p99"] == pytest.approx(0.005)
    # 629 frames until 31.4 s; of each ten, the one with i % 10 == 5 is missing.
    assert figures["frames_published"] == 629
    assert figures["frames_dropped"] == 63
    assert figures["frames_received"] == 629 - 63
    # Outputs alternate between (0.2, 0.5) and (0.5, 0.9), half a unit apart, except over a gap.
    assert figures["suddenness"] == pytest.approx(0.5 * (1 - 63 / 565), abs=1e-3)
    assert figures["brain_rate_hz"] == pytest.approx((629 - 63) / (2 * LAP_S), rel=1e-3)


def test_a_run_folder_leads_to_its_bag(tmp_path):
    write_ros2(tmp_path / "bag", 5.0)
    run = run_from_bag(tmp_path, circle())
    assert run.figures["lap_completed"] is False
    assert run.figures["ending"] == "the recording ends"
    assert run.figures["completion"] == pytest.approx(50.0 / LAP, rel=1e-6)
    assert len(run.rows) == 101
    assert run.rows[1].command_speed == 10.0


def test_a_bag_that_was_cut_off_is_measured_as_far_as_it_goes(tmp_path):
    bag = cut(write_unfinished_mcap(tmp_path / "lap_0.mcap", 40.0), 0.5)
    run = run_from_bag(bag, circle())
    assert "breaks off" in run.warnings[0]
    assert run.figures["average_speed"] == pytest.approx(10.0, rel=1e-3)
    assert 0.4 < run.figures["completion"] < 0.9


def test_odometry_without_stamps_is_timed_by_the_recording(tmp_path):
    run = run_from_bag(write_ros2(tmp_path / "lap", 10.0, stamped=False), circle())
    assert "no stamps" in run.warnings[0]
    assert run.figures["average_speed"] == pytest.approx(5.0, rel=1e-3)


def test_a_lap_written_all_at_once_has_no_times(tmp_path):
    # So are the reference laps that BehaviorMetrics keeps: 4000 poses within a second.
    bag = write_ros2(tmp_path / "lap", 40.0, stamped=False, period_ns=10**6)
    run = run_from_bag(bag, circle())
    assert "unknown" in run.warnings[0]
    assert run.figures["lap_completed"] is True
    assert run.figures["position_deviation_mae"] == pytest.approx(0.0, abs=1e-6)
    for key in ("average_speed", "lap_times_s", "simulated_time_s", "real_time_factor"):
        assert run.figures[key] is None
    assert outcome(run.figures) == "lap completed"


def test_what_is_missing_stays_unmeasured(tmp_path):
    topics = BagTopics(frames="/none", camera_info="/none", command="/none")
    run = run_from_bag(write_ros2(tmp_path / "lap", 5.0), circle(), topics=topics)
    for key in ("frames_received", "frames_dropped", "mean_inference_time", "suddenness", "model"):
        assert run.figures[key] is None
    assert run.rows[-1].command_speed is None


def test_a_bag_of_another_topic_is_named(tmp_path):
    bag = write_ros2(tmp_path / "lap", 1.0)
    with pytest.raises(BagError, match="no topic /odometry"):
        run_from_bag(bag, circle(), topics=BagTopics(odometry="/odometry"))


def test_a_run_on_topics_of_its_own_is_measured_as_any_other(tmp_path):
    asked = {"odom_topic": "odom", "cmd_vel_topic": "/cmd", "camera_topic": "/cam/image_raw"}
    names = {ODOM: "/odom", CMD: "/cmd", INFO: "/cam/camera_info"}
    bag = write_ros2(tmp_path / "lap", 40.0, renamed=names)
    run = run_from_bag(bag, circle(), topics=BagTopics.of_run(asked), simulator="mujoco")
    assert run.figures == live_figures(40.0)
    assert run.rows[-1].command_speed == 10.0


def test_a_run_whose_topics_are_not_known_is_looked_for_on_the_usual_ones():
    assert BagTopics.of_run({}) == BagTopics()
