"""Measures a run while it is driven, shows it, keeps it, and ends it.

Subscribes to
  odom              nav_msgs/Odometry, or /gazebo/model_states (parameter pose_source)
  cmd_vel           geometry_msgs/Twist
  brain/frames      sensor_msgs/JointState        the brain's figures of each frame
  brain/status      diagnostic_msgs/DiagnosticArray  why it does not drive on a frame
  camera/camera_info                              what the camera published
Publishes
  centerline        nav_msgs/Path                 latched
  driven_line       visualization_msgs/Marker     1 Hz
  /diagnostics      diagnostic_msgs/DiagnosticArray  1 Hz
Services
  ~/save, ~/reset   std_srvs/Trigger
Example
  ros2 run pilotnet_brain metrics --ros-args -p circuit:=montreal -p laps:=2 \\
      -r cmd_vel:=/F1ROS/cmd_vel -r odom:=/F1ROS/odom
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, JointState
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker

from pilotnet_brain.bags.messages import seconds
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.machine import made_by
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record, problem_of
from pilotnet_brain.metrics.pose_filter import pose_time
from pilotnet_brain.metrics.run_metrics import Figure, Figures
from pilotnet_brain.nodes.ros import diagnostics
from pilotnet_brain.nodes.ros.brain_topics import FRAMES_QOS, STATUS_QOS
from pilotnet_brain.nodes.ros.car_placing import CarPlacing
from pilotnet_brain.nodes.ros.graph import full_name
from pilotnet_brain.nodes.ros.offers import OfferedSubscription, environment_text
from pilotnet_brain.nodes.ros.parameters import check_command_line, declare
from pilotnet_brain.nodes.ros.pose_messages import (
    DrivenLine,
    TruePose,
    centerline_message,
    model_states_type,
    pose_of_model_states,
    pose_of_odometry,
)
from pilotnet_brain.nodes.ros.process import run
from pilotnet_brain.report.figures import progress_line, run_summary
from pilotnet_brain.runs.events import DRIVING, FAILED, STOPPING, last_reason, record_event
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.real_time_limits import RealTimeLimits
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.runs.topics import TOPICS

_KEPT = 500
_INFOS = QoSProfile(depth=_KEPT, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Best effort: some cameras offer no more."""
_LAST_RECORDS_S = 0.5
"""Real time given to the last frames' records after the ending."""
_TICK_S = 0.1
_EXPECTED_S = 5.0
"""Waiting for the other nodes to start needs no explanation for so long."""
_SHOWN = 10
"""So many laps and models are in /diagnostics; metrics.json has all."""


class MetricsNode(Node):
    """Feeds RunMetrics from the run's topics and keeps what it says.

    Raises:
        UserError: unknown circuit, unreadable reference lap, unwritable directory.
    """

    def __init__(self) -> None:
        super().__init__("metrics")
        self.exit_status: int | None = None
        self._folder = self._open_folder()
        self._spec = self._folder.spec()
        self._metrics = self._folder.new_metrics()
        self._line = DrivenLine()
        self._epoch = self._laps_saved = 0
        self._over_since: float | None = None
        self._saved = self._driving = False
        self._limits = RealTimeLimits(
            self._spec.time_limit, self._spec.stall_limit, time.monotonic()
        )
        self._started = time.monotonic()
        self._poses_came = 0
        self._told = ""
        self._logged: list[str] = []
        self._create_topics()
        self._folder.add_to_record(
            topics={topic: self.resolve_topic_name(topic) for topic in TOPICS}
        )
        self._show = sys.stdout.isatty()
        if self._spec.simulator == "none":
            start = self._metrics.circuit.start_pose()
            self._placing = CarPlacing(self, self._spec.car, start, self._start_over)

    def _declare_parameters(self) -> None:
        defaults = {"run_dir": "", **RunSpec().to_dict()}
        self._parameters = {
            name: declare(self, name, defaults[name], text)
            for name, text in (
                ("run_dir", "The run's directory; empty: a new one, by the other parameters"),
                ("circuit", "Circuit: name or path"),
                ("laps", "Laps after which the run ends"),
                ("time_limit", "Simulated seconds that end the run; 0: none"),
                ("reference_lap", "CSV or rosbag of a reference lap for the published score"),
                ("pose_source", "True pose from odom, or from model_states (Gazebo)"),
                ("car", "The car's name in /gazebo/model_states"),
                ("output", "Where a new directory is made"),
                ("model", "Model, for the results where the brain does not name it"),
            )
        }

    def _open_folder(self) -> RunFolder:
        """Return the run's folder; by hand (`ros2 run`) a new one of what the parameters say."""
        self._declare_parameters()
        run_dir: str = self._parameters.pop("run_dir")
        if run_dir:
            folder = RunFolder.open(run_dir)
        else:
            spec = RunSpec(simulator="none", **self._parameters)
            load_circuit(spec.circuit)  # an unknown one is refused before a folder is made
            folder = RunFolder.create(spec.output, spec.circuit, spec.model)
            folder.add_to_record(spec=spec.with_absolute_paths().to_dict(), **made_by())
        if not folder.circuit_csv.exists():
            folder.keep_line()
        return folder

    def _create_topics(self) -> None:
        kept = QoSProfile(depth=_KEPT)
        if self._spec.pose_source == "model_states":
            topic, poses = "/gazebo/model_states", {model_states_type(): self._on_model_states}
        else:
            topic, poses = "odom", {Odometry: self._on_odometry}
        self._commands = OfferedSubscription(self, "cmd_vel", {Twist: self._on_command}, kept)
        self.create_subscription(JointState, "brain/frames", self._on_frame, FRAMES_QOS)
        self.create_subscription(DiagnosticArray, "brain/status", self._on_status, STATUS_QOS)
        self.create_subscription(CameraInfo, "camera/camera_info", self._on_camera_info, _INFOS)
        # The last one: a simulator that waits for this node looks for it.
        self._poses = OfferedSubscription(self, topic, poses, kept)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._centerline = self.create_publisher(PathMessage, "centerline", latched)
        self._centerline.publish(centerline_message(self._metrics.circuit.centerline))
        self._driven_line = self.create_publisher(Marker, "driven_line", 1)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(Trigger, "~/save", self._on_save)
        self.create_service(Trigger, "~/reset", self._on_reset)
        # Real time: a timer on simulated time never fires once /clock stops.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=steady)
        self.create_timer(_TICK_S, self._on_tick, clock=steady)

    def on_stop(self, reason: str) -> None:
        """Keep everything: the process was asked to end."""
        told = last_reason(self._folder.path, STOPPING)
        self._metrics.end(told or f"stopped by {reason}")
        self._finish()

    def _on_odometry(self, message: Odometry) -> None:
        stamp_s = seconds(message.header.stamp)
        time_s = pose_time(stamp_s, self._now_s())
        if time_s != stamp_s:
            self._metrics.warn(
                f"{self._poses.topic} has stamps that are no time of /clock (zero, or of another "
                "clock): a pose's time is that of its receipt"
            )
        self._take_pose(time_s, pose_of_odometry(message))

    def _on_model_states(self, message: Any) -> None:
        pose = pose_of_model_states(message, self._spec.car)
        if pose is not None:
            self._take_pose(self._now_s(), pose)

    def _take_pose(self, time_s: float, pose: TruePose) -> None:
        self._poses_came += 1
        self._limits.on_message()
        rows = self._metrics.add_pose(time_s, *pose, real_time_s=time.monotonic())
        if self._metrics.epoch != self._epoch:
            self._epoch = self._metrics.epoch
            self._laps_saved = 0
            self._line.clear()
            self.get_logger().info("the clock or the car was reset: the run starts over")
        if rows and not self._driving:
            self._driving = True
            record_event(self._folder.path, self.get_name(), DRIVING)
            # The recorder may have started earlier, with a car that drove or stood already.
            self._folder.add_to_record(measured_since_s=rows[0].time_s)
        for row in rows:
            self._limits.on_pose(time.monotonic())
            self._folder.append_trajectory(row)
            self._line.add(row.x, row.y)
        if self._metrics.ending is not None and self._over_since is None:
            self._over_since = time.monotonic()

    def _on_command(self, message: Twist) -> None:
        self._metrics.add_command(self._now_s(), message.linear.x, message.angular.z)

    def _on_frame(self, message: JointState) -> None:
        try:
            record = frame_record(message)
        except FrameRecordError:
            self._metrics.add_unreadable_record()
            return
        self._metrics.add_frame(record)
        if record.driven:
            self._limits.on_driven_frame(time.monotonic())

    def _on_status(self, message: DiagnosticArray) -> None:
        self._metrics.add_problem(problem_of(message))

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._limits.on_message()
        self._metrics.add_published_frame(seconds(message.header.stamp))

    def _on_tick(self) -> None:
        """End the run once it is over and the last frames' records have come."""
        if self._over_since is None:
            self._end_by_real_time()
            if self._metrics.laps_done > self._laps_saved:
                self._laps_saved = self._metrics.laps_done
                self._save()
            return
        waited = time.monotonic() - self._over_since
        if self._metrics.pending_frames == 0 or waited > _LAST_RECORDS_S:
            self._finish()
            self.exit_status = 0

    def _end_by_real_time(self) -> None:
        reason = self._limits.broken(time.monotonic(), self._now_s())
        if reason is None:
            return
        if not self._driving:
            reason = f"{reason}: {self._why_no_pose()}"
        record_event(self._folder.path, self.get_name(), FAILED, reason)
        self._metrics.end(reason)
        self._over_since = time.monotonic()

    def _why_no_pose(self) -> str:
        """Return why no pose counts yet, with what may hide the nodes from each other."""
        topic = self._poses.topic
        if self._poses_came:
            ignored = self._metrics.live_figures()["poses_ignored"]
            return f"{self._poses_came} poses came on {topic}, none counts: {ignored}"
        problem = self._poses.follow() or f"{topic} is published, and nothing came"
        return f"{problem} ({environment_text()})"

    def _log_warnings(self) -> None:
        """Log once what makes the figures other than they seem."""
        for text in self._metrics.warnings:
            if text not in self._logged:
                self._logged.append(text)
                self.get_logger().warning(text)

    def _look_at_the_graph(self) -> None:
        """Take what is published as it is offered, and warn of what makes the figures wrong."""
        self._poses.follow()
        self._commands.follow()
        clocks = {
            full_name(info.node_namespace, info.node_name)
            for info in self.get_publishers_info_by_topic("/clock")
        }
        if len(clocks) > 1:
            self._metrics.warn(f"multiple publishers on /clock: {', '.join(sorted(clocks))}")

    def _on_second(self) -> None:
        self._folder.flush()
        now = self.get_clock().now().to_msg()
        self._driven_line.publish(self._line.message(now))
        figures = self._metrics.live_figures()
        for name in ("lap_times_s", "models"):  # the lists that grow with the run
            figures[name] = _newest(figures[name])
        self._diagnostics.publish(
            diagnostics.diagnostic_array(
                now,
                f"{diagnostics.source(self)}: run",
                diagnostics.OK,
                self._metrics.ending or "running",
                figures,
            )
        )
        self._look_at_the_graph()
        self._log_warnings()
        progress = self._metrics.progress()
        line = progress_line(progress)
        if progress["completion"] is None:
            if time.monotonic() - self._started > _EXPECTED_S:
                line = f"{line}: {self._why_no_pose()}"
            if line == self._told and not self._show:
                return
            self._told = line
        self._print(line)

    def _on_save(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._save()
        response.success, response.message = True, str(self._folder.path)
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._start_over()
        response.success, response.message = True, "the run starts over"
        return response

    def _start_over(self) -> None:
        self._metrics.reset()
        # Without a jump of the clock nobody could tell where in the file this drive begins.
        self._folder.restart_trajectory()
        self._line.clear()
        self._over_since = None
        self._driving = False
        self._epoch = self._laps_saved = 0

    def _finish(self) -> None:
        if self._saved:
            return
        self._saved = True
        self._folder.close()
        figures = self._save()
        self._log_warnings()
        if self._show:
            print(flush=True)
        print(run_summary(figures), flush=True)
        if self._folder.trajectory_csv.exists():
            self._say_ending()
            self._draw()

    def _say_ending(self) -> None:
        """Tell the guard that nothing will be heard while the lap is drawn."""
        now = self.get_clock().now().to_msg()
        name = f"{diagnostics.source(self)}: run"
        last = diagnostics.diagnostic_array(now, name, diagnostics.OK, diagnostics.ENDING, {})
        self._diagnostics.publish(last)

    def _save(self) -> Figures:
        """Write metrics.json as of now; return the figures."""
        figures = self._metrics.figures(simulator=self._spec.simulator)
        if figures["model"] is None:
            figures["model"] = self._spec.model
        self._folder.write_metrics(figures)
        return figures

    def _draw(self) -> None:
        """Draw lap.png; matplotlib's import takes a second, so only now."""
        from pilotnet_brain.report.lap_picture import draw_lap

        try:
            draw_lap(self._folder)
        except UserError as problem:
            self.get_logger().warning(f"no lap.png: {problem}")

    def _print(self, line: str) -> None:
        if self._show:
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            print(line, flush=True)

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9


def _newest(figure: Figure) -> Figure:
    return figure[-_SHOWN:] if isinstance(figure, list) else figure


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return the exit status."""
    check_command_line(MetricsNode, __doc__, args)
    return run(MetricsNode, args)


if __name__ == "__main__":
    sys.exit(main())
