"""Figures from bags: those of the live path, whatever the bag's kind and condition."""

import warnings

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

from pilotnet_brain.bags.messages import yaw_of
from pilotnet_brain.bags.reader import BagError
from pilotnet_brain.errors import InputWarning
from pilotnet_brain.metrics.frame_record import frame_record
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.report.figures import outcome
from pilotnet_brain.runs.from_bag import run_from_bag
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.runs.topics import topics_of

LAP_S = LAP / 10.0


def measured(bag, topics=None, **context):
    """The run in a bag of a drive on the circle."""
    return run_from_bag(bag, RunMetrics(circle()), topics, **context)


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
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        run = measured(bag, simulator="mujoco")
    assert run.figures == live_figures(40.0)


def test_a_bag_from_before_the_numbers_gives_the_same_figures(tmp_path):
    bag = write_ros2(tmp_path / "lap", 40.0, old=True)
    run = measured(bag, simulator="mujoco")
    assert run.figures == live_figures(40.0)
    assert run.figures["frames_received"] == 629 - 63
    assert run.figures["records_unreadable"] == 0


def test_the_figures_are_those_of_the_circle(tmp_path):
    figures = measured(write_ros2(tmp_path / "lap", 40.0)).figures
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


def test_a_recording_that_ends_before_the_lap_does_says_so(tmp_path):
    run = measured(write_ros2(tmp_path / "bag", 5.0))
    assert run.figures["lap_completed"] is False
    assert run.figures["ending"] == "the recording ends"
    assert run.figures["completion"] == pytest.approx(50.0 / LAP, rel=1e-6)
    assert len(run.rows) == 101
    assert run.rows[1].command_speed == 10.0


def test_a_bag_that_was_cut_off_is_measured_as_far_as_it_goes(tmp_path):
    bag = cut(write_unfinished_mcap(tmp_path / "lap_0.mcap", 40.0), 0.5)
    with pytest.warns(InputWarning, match="breaks off"):
        run = measured(bag)
    assert run.figures["average_speed"] == pytest.approx(10.0, rel=1e-3)
    assert 0.4 < run.figures["completion"] < 0.9


def test_odometry_without_stamps_is_timed_by_the_recording(tmp_path):
    with pytest.warns(InputWarning, match="no stamps"):
        run = measured(write_ros2(tmp_path / "lap", 10.0, stamped=False))
    assert run.figures["average_speed"] == pytest.approx(5.0, rel=1e-3)


def test_a_lap_written_all_at_once_has_no_times(tmp_path):
    # So are the reference laps that BehaviorMetrics keeps: 4000 poses within a second.
    bag = write_ros2(tmp_path / "lap", 40.0, stamped=False, period_ns=10**6)
    with pytest.warns(InputWarning, match="unknown"):
        run = measured(bag)
    assert run.figures["lap_completed"] is True
    assert run.figures["position_deviation_mae"] == pytest.approx(0.0, abs=1e-6)
    for key in ("average_speed", "lap_times_s", "simulated_time_s", "real_time_factor"):
        assert run.figures[key] is None
    assert outcome(run.figures) == "lap completed"


def test_what_is_missing_stays_unmeasured(tmp_path):
    topics = dict.fromkeys(("brain/frames", "camera/camera_info", "cmd_vel"), "/none")
    run = measured(write_ros2(tmp_path / "lap", 5.0), topics)
    for key in ("frames_received", "frames_dropped", "mean_inference_time", "suddenness", "model"):
        assert run.figures[key] is None
    assert run.rows[-1].command_speed is None


def test_a_bag_of_another_topic_is_named(tmp_path):
    bag = write_ros2(tmp_path / "lap", 1.0)
    with pytest.raises(BagError, match="no topic /odometry"):
        measured(bag, {"odom": "/odometry"})


def test_a_run_on_topics_of_its_own_is_measured_as_any_other(tmp_path):
    spec = RunSpec(odom_topic="odom", cmd_vel_topic="/cmd", camera_topic="/cam/image_raw")
    names = {ODOM: "/odom", CMD: "/cmd", INFO: "/cam/camera_info"}
    bag = write_ros2(tmp_path / "lap", 40.0, renamed=names)
    run = measured(bag, topics_of(spec), simulator="mujoco")
    assert run.figures == live_figures(40.0)
    assert run.rows[-1].command_speed == 10.0


def test_a_run_that_waited_in_gazebo_gives_its_live_figures_again(tmp_path):
    """Live, a car in Gazebo may stand for a minute before it sets off: so may the bag's."""
    bag = write_ros2(tmp_path / "lap", 60.0, waiting_s=20.0)
    rules = RunSpec(simulator="gazebo").rules()
    live = RunMetrics(circle(), rules)
    for row in run_from_bag(bag, RunMetrics(circle(), rules)).rows:
        live.add_pose(*row[:6])
    again = run_from_bag(bag, RunMetrics(circle(), rules)).figures
    assert again["ending"] == live.ending == "laps done"
    assert again["waited_s"] == pytest.approx(20.0, abs=0.1)
    assert run_from_bag(bag, RunMetrics(circle())).figures["ending"].startswith("stood still")
