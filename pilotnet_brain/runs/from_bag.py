"""A run's figures from its bag: the same as the live node's, through the same RunMetrics."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from pilotnet_brain.bags.messages import seconds, yaw_of
from pilotnet_brain.bags.reader import (
    DEFAULT_ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    BagContents,
    BagError,
    BagMessage,
    choose_topic,
    read_bag,
)
from pilotnet_brain.errors import InputWarning
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record, problem_of
from pilotnet_brain.metrics.pose_filter import FASTEST_M_S, pose_time
from pilotnet_brain.metrics.run_metrics import Figure, Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.spec import RunSpec
from pilotnet_brain.runs.topics import topics_of
from pilotnet_brain.user_path import user_path

BAG_ENDS = "the recording ends"
_TWIST = "geometry_msgs/msg/Twist"
_FRAMES = "sensor_msgs/msg/JointState"
_DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
"""Of brain/status, and of the frame records in older bags."""
_CLOCK = "rosgraph_msgs/msg/Clock"
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_TYPES = {ODOMETRY_TYPE, _TWIST, _FRAMES, _DIAGNOSTICS, _CAMERA_INFO, _CLOCK}
# Recording times before 2001 are no wall clock's: such a bag was recorded on simulated time.
_WALL_CLOCK_NS = 10**18
# Poses without any time are fed at a pace at which none of the run's rules takes offence.
_PSEUDO_STEP_S = 0.05
_STAMP_ROUNDING_S = 1e-6
_TIMED_FIGURES = (
    "average_speed", "lap_times_s", "simulated_time_s", "real_time_s", "real_time_factor",
    "waited_s", "brain_rate_hz",
)  # fmt: skip


@dataclass
class BagRun:
    """What a bag says about a run."""

    figures: Figures  #: as in metrics.json
    rows: list[TrajectoryRow] = field(default_factory=list)  #: as in trajectory.csv


def run_from_bag(
    bag: str | Path,
    metrics: RunMetrics,
    topics: Mapping[str, str] | None = None,
    *,
    since_s: float = -math.inf,
    **context: Figure,
) -> BagRun:
    """Measure the run in a bag as the live node measures it.

    The run ends by the same rules; what the bag recorded after that changes nothing. A bag that
    was cut off is read as far as it goes, with an InputWarning.

    Args:
        bag: ROS 2 (folder, .mcap, .db3) or ROS 1 (.bag) bag.
        metrics: new ones, with the circuit that was driven on and the run's rules.
        topics: names in the bag by what the nodes call them (``odom``, ``cmd_vel``,
            ``brain/frames``, ``camera/camera_info``); what is missing has its default name, the
            odometry /F1ROS/odom or that of the only odometry topic there is.
        since_s: time of the first pose that counts; earlier ones are left out.
        context: entries that the bag does not know (simulator...).

    Raises:
        BagError: no bag, or none with odometry.
    """
    path = user_path(bag)
    given = dict(topics or {})
    contents = read_bag(path, lambda _, kind: kind in _TYPES)
    odometry = choose_topic(
        path, contents.topics, ODOMETRY_TYPE, given.get("odom"), DEFAULT_ODOMETRY_TOPIC
    )
    run = BagRun({})
    times = _times_of_poses(contents, odometry)
    if times is not _Times.STAMPS:
        text = f"{path}: {odometry} carries no stamps; {times.value}"
        warnings.warn(text, InputWarning, stacklevel=2)
    feeder = _Feeder(metrics, topics_of(RunSpec()) | given, odometry, times, since_s)
    for message in contents.messages:
        run.rows.extend(feeder.feed(message))
    run.rows = run.rows[feeder.epoch_start :]
    if not run.rows:
        raise BagError(f"{path}: topic {odometry} holds no usable odometry")
    metrics.end(BAG_ENDS)
    run.figures = metrics.figures(**context)
    if times is _Times.UNKNOWN:
        run.figures.update(dict.fromkeys(_TIMED_FIGURES))
    return run


class _Times(Enum):
    """Where the poses' times come from."""

    STAMPS = "times are the messages' stamps"
    LOG = "times are those of the recording"
    UNKNOWN = "it was not recorded while driving either: speeds and times are unknown"


class _Feeder:
    """Hands a bag's messages to RunMetrics as the node hands over those that it receives."""

    def __init__(
        self,
        metrics: RunMetrics,
        topics: Mapping[str, str],
        odometry: str,
        times: _Times,
        since_s: float,
    ) -> None:
        self._metrics = metrics
        self._topics = topics
        self._odometry = odometry
        self._times = times
        self._since_s = since_s
        self._poses_fed = 0
        self._first_log_ns: int | None = None
        self._clock_s = 0.0
        self._epoch = 0
        self._rows_fed = 0
        self.epoch_start = 0

    def feed(self, message: BagMessage) -> tuple[TrajectoryRow, ...]:
        """Take one message; return the rows of the driven line that it added."""
        if self._first_log_ns is None:
            self._first_log_ns = message.log_time_ns
        if message.topic == self._odometry:
            return self._feed_pose(message)
        if message.topic == self._topics["cmd_vel"]:
            twist = message.message
            self._metrics.add_command(0.0, twist.linear.x, twist.angular.z)
        elif message.topic == self._topics["brain/frames"]:
            self._feed_record(message.message)
        elif message.topic == self._topics["brain/status"]:
            self._metrics.add_problem(problem_of(message.message))
        elif message.type == _CLOCK:
            self._clock_s = seconds(message.message.clock)
        elif message.topic == self._topics["camera/camera_info"]:
            self._metrics.add_published_frame(seconds(message.message.header.stamp))
        return ()

    def _feed_pose(self, message: BagMessage) -> tuple[TrajectoryRow, ...]:
        odometry = message.message
        since_first_s = (message.log_time_ns - (self._first_log_ns or 0)) * 1e-9
        wall_clock = message.log_time_ns >= _WALL_CLOCK_NS
        self._poses_fed += 1
        time_s = {
            _Times.STAMPS: pose_time(seconds(odometry.header.stamp), self._clock_s),
            _Times.LOG: since_first_s,
            _Times.UNKNOWN: self._poses_fed * _PSEUDO_STEP_S,
        }[self._times]
        if time_s < self._since_s - _STAMP_ROUNDING_S:
            return ()
        self._since_s = -math.inf  # after a reset of the clock earlier times count as well
        rows = self._metrics.add_pose(
            time_s,
            odometry.pose.pose.position.x,
            odometry.pose.pose.position.y,
            yaw_of(odometry.pose.pose.orientation),
            odometry.twist.twist.linear.x,
            odometry.twist.twist.angular.z,
            since_first_s if wall_clock else None,
        )
        if self._metrics.epoch != self._epoch:
            self._epoch = self._metrics.epoch
            self.epoch_start = self._rows_fed
        self._rows_fed += len(rows)
        return rows

    def _feed_record(self, message: Any) -> None:
        try:
            self._metrics.add_frame(frame_record(message))
        except FrameRecordError:
            self._metrics.add_unreadable_record()


def _times_of_poses(contents: BagContents, topic: str) -> _Times:
    """Tell how the poses are timed: some recorders leave the stamps zero, or write all at once."""
    messages = [message for message in contents.messages if message.topic == topic]
    stamps = {seconds(message.message.header.stamp) for message in messages[:1000]}
    timed_by_clock = stamps == {0.0} and _CLOCK in contents.topics.values()
    if len(messages) < 2 or len(stamps) > 1 or timed_by_clock:
        return _Times.STAMPS
    places = [message.message.pose.pose.position for message in messages]
    path = np.array([(place.x, place.y) for place in places])
    driven = float(np.nansum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    span_s = (messages[-1].log_time_ns - messages[0].log_time_ns) * 1e-9
    return _Times.LOG if driven <= FASTEST_M_S * span_s else _Times.UNKNOWN
