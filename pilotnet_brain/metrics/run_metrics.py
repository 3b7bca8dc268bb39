"""A run's figures, from poses, commands and frame records as they come: live or from a bag."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.command_to_motion import CommandToMotion
from pilotnet_brain.metrics.deviation_score import (
    DrivenScore,
    ScoredReference,
    centerline_reference,
)
from pilotnet_brain.metrics.frame_figures import FrameFigures, frame_figures
from pilotnet_brain.metrics.frame_log import FrameLog
from pilotnet_brain.metrics.frame_record import FrameRecord
from pilotnet_brain.metrics.frame_sums import ModelFigures
from pilotnet_brain.metrics.pose_filter import Pose, PoseFilter
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.speed import Speedometer
from pilotnet_brain.metrics.stint import Stint
from pilotnet_brain.metrics.trajectory import TrajectoryRow

Figure = (
    float | int | str | bool | list[float] | list[str] | list[ModelFigures] | dict[str, int] | None
)
Figures = dict[str, Figure]
_SETTLE_S = 10.0
"""Records of frames may come this much simulated time late without a loss."""
_INTERVENTION_S = 6.0
"""What an intervention counts for in `autonomy`, as in the PilotNet paper."""
_LATE_COMMAND_S = 0.06
"""A car that acts later on its frames drives visibly worse: one frame's period, and a little."""


class RunMetrics:
    """Measures one run on a circuit.

    Poses decide when the run begins (the car sets off) and ends (`ending`); what comes after the
    ending changes nothing. Frame records may come in any order and until after the ending: they
    count by their stamps. A backward jump of the clock, or a car put elsewhere by hand, starts the
    run over (`epoch`); stamps that repeat or are out of order and values that are not finite are
    left out and counted.

    Args:
        reference_lap: points (N, 2), m, of a recorded reference lap for the published score.
    """

    def __init__(
        self,
        circuit: Circuit,
        rules: Rules = Rules(),  # noqa: B008  (frozen)
        *,
        reference_lap: NDArray[np.float64] | None = None,
    ) -> None:
        self.circuit = circuit
        self._rules = rules
        line = circuit.centerline
        self._references = {
            "position_deviation_score": ScoredReference(line, centerline_reference(line))
        }
        if reference_lap is not None:
            published = ScoredReference(line, reference_lap)
            self._references["position_deviation_score_published"] = published
        self.reset()

    def reset(self) -> None:
        """Forget everything: the run starts again with the next pose."""
        self._filter = PoseFilter()
        self._speedometer = Speedometer()
        self._stint: Stint | None = None
        self._stint_epoch = 0
        self._stopped: str | None = None
        self._frames = FrameLog()
        self._settled_s = 0.0
        self._response = CommandToMotion()
        self._command: tuple[float, float] | None = None
        self._not_driven = ""
        self._warnings: list[str] = []

    def add_pose(
        self,
        time_s: float,
        x: float,
        y: float,
        yaw: float,
        speed: float,
        yaw_rate: float,
        real_time_s: float | None = None,
    ) -> tuple[TrajectoryRow, ...]:
        """Take one pose of base_link in the world frame (s, m, rad, m/s, rad/s; left positive).

        Args:
            time_s: simulated time of the pose; the others as `Pose` has them.
            real_time_s: reading of a steady clock at its receipt, if known.

        Returns:
            The rows of trajectory.csv that this pose added: usually one; none for a pose that is
            left out or comes after the ending, several after a confirmed jump.
        """
        if self.ending is not None:
            return ()
        rows = []
        for pose in self._filter.push(Pose(time_s, x, y, yaw, speed, yaw_rate, real_time_s)):
            rows.append(self._take(pose))
            if self.ending is not None:
                break
        return tuple(rows)

    def add_command(self, time_s: float, speed: float, yaw_rate: float) -> None:
        """Note the command (m/s, rad/s) in force from now on; it goes into the rows that follow."""
        del time_s  # a Twist carries no stamp: the order of arrival says when it was in force
        self._command = (speed, yaw_rate)

    def add_frame(self, record: FrameRecord) -> None:
        """Take the brain's record of one frame."""
        self._frames.add(record)
        given = record.driven and not record.taken_over
        if given and None not in (record.stamp_to_command_s, record.yaw_rate):
            published_s = record.stamp_s + record.stamp_to_command_s  # type: ignore[operator]
            self._response.add_command(published_s, record.yaw_rate)  # type: ignore[arg-type]

    def add_published_frame(self, stamp_s: float) -> None:
        """Note the stamp of a frame that the camera published (from its camera_info)."""
        self._frames.add_published(stamp_s)

    def add_problem(self, problem: str) -> None:
        """Note why frames are not driven on, as ``brain/status`` says it; empty: they are."""
        self._not_driven = problem or self._not_driven

    def warn(self, text: str) -> None:
        """Note what a reader of the figures must know; the same text once."""
        if text not in self._warnings:
            self._warnings.append(text)

    def add_unreadable_record(self) -> None:
        """Count a message that was no frame record."""
        self._frames.unreadable += 1

    def end(self, reason: str) -> None:
        """End the run for a reason from outside (a node died, the user stopped it)."""
        if self.ending is None:
            self._stopped = reason

    @property
    def ending(self) -> str | None:
        """Why the run is over; None while it goes on."""
        if self._stopped is not None:
            return self._stopped
        return self._stint.ending if self._stint else None

    @property
    def epoch(self) -> int:
        """How often the run was started over by a reset of the clock or the car."""
        return self._filter.epoch

    @property
    def laps_done(self) -> int:
        """How many laps are full."""
        return self._stint.laps.count if self._stint else 0

    @property
    def warnings(self) -> list[str]:
        """What a reader of the figures must know, in one line each."""
        speed = self._speedometer.warning
        return [*self._warnings, *([speed] if speed else [])]

    @property
    def pending_frames(self) -> int:
        """Frames published up to now (or the ending) whose record may still come."""
        return self._frames.pending(self._stint.latest.time_s) if self._stint else 0

    def progress(self) -> Figures:
        """Return the figures to show while driving; cheap. None where nothing is known yet."""
        stint = self._stint
        if stint is None:
            return dict.fromkeys(
                ("completion", "laps", "time_s", "speed", "average_speed", "lateral_deviation",
                 "position_deviation_mae", "frame_rate_hz", "ending")
            )  # fmt: skip
        return {
            "completion": stint.completion,
            "laps": stint.laps.count,
            "time_s": stint.elapsed_s,
            "speed": stint.latest.speed,
            "average_speed": _ratio(stint.distance, stint.elapsed_s),
            "lateral_deviation": stint.projection.lateral_deviation,
            "position_deviation_mae": stint.deviation.mean,
            "frame_rate_hz": self._frames.rate_hz(),
            "ending": self.ending,
        }

    def figures(self, **context: Figure) -> Figures:
        """Return everything that goes into metrics.json; what was not measured is None.

        Args:
            context: further entries (simulator...); model and device given here win over what the
                frame records say.

        The two scores cover the part of the reference that was driven (see `DrivenScore`):
        of a run cut short, read them together with `completion`.
        """
        measured = self.live_figures()
        if (stint := self._stint) is not None:
            span = (stint.rearmost, stint.farthest)
            for name, score in zip(self._references, stint.scores, strict=True):
                measured[name] = score.score(stint.begin_arc_length, span)
        # An entry of the context that is not known hides no known figure.
        return measured | {k: v for k, v in context.items() if v is not None or k not in measured}

    def live_figures(self) -> Figures:
        """Return `figures` without the scores, which take tens of milliseconds."""
        stint = self._stint
        begin_s = stint.start.time_s if stint else None
        end_s = stint.latest.time_s if stint else None
        real_time_s = stint.real_time_s if stint else None
        frames = frame_figures(self._frames, begin_s, end_s, real_time_s)
        return {
            "circuit": self.circuit.name,
            "model": frames.pop("model"),
            "device": frames.pop("device"),
            "simulator": None,
            **_stint_figures(stint),
            "ending": self._why(frames["frames_driven"], frames["frames_received"]),
            "laps_asked": self._rules.laps,
            **frames,
            "autonomy": _autonomy(frames["takeovers"], stint.elapsed_s if stint else None),
            "command_to_motion": self._response.lag_s(),
            "epoch": self.epoch,
            "poses_ignored": asdict(self._filter.ignored),
            "records_unreadable": self._frames.unreadable,
            "warnings": [*self.warnings, *_late_commands(frames)],
        }

    def _why(self, driven: object, received: object) -> str | None:
        """Return the ending; of a run in which no frame was driven on, with the reason of that."""
        if self.ending is None or driven or self.laps_done or not self._not_driven:
            return self.ending
        came = "frames arrive but none was driven" if received else "no frame arrived"
        return f"{self.ending}; {came}: {self._not_driven.removeprefix('no frame: ')}"

    def _take(self, pose: Pose) -> TrajectoryRow:
        starts_over = self._stint_epoch != self._filter.epoch
        if starts_over:
            self._speedometer.restart()
        pose = pose._replace(speed=self._speedometer.measure(pose))
        if self._stint is None or starts_over:
            scores = [DrivenScore(reference) for reference in self._references.values()]
            self._stint = Stint(self.circuit, self._rules, pose, scores)
            self._stint_epoch = self._filter.epoch
            self._frames.start_over()
            if starts_over:
                self._response = CommandToMotion()
            self._settled_s = pose.time_s
            place = self._stint.projection
        else:
            place = self._stint.add(pose)
            self._settle_frames(self._stint)
        self._response.add_pose(pose.time_s, pose.yaw)
        command_speed, command_yaw_rate = self._command or (None, None)
        return TrajectoryRow(
            *pose[:6], place.arc_length, place.lateral_deviation, command_speed, command_yaw_rate
        )

    def _settle_frames(self, stint: Stint) -> None:
        now_s = stint.latest.time_s
        if stint.set_off and now_s - self._settled_s >= _SETTLE_S:
            self._settled_s = now_s
            self._frames.settle(stint.start.time_s, now_s)


def _stint_figures(stint: Stint | None) -> Figures:
    if stint is None:
        return {
            "lap_completed": False,
            **dict.fromkeys(
                ("completion", "laps", "lap_times_s", "distance_m", "average_speed",
                 "position_deviation_mae", "position_deviation_max", "position_deviation_score",
                 "position_deviation_score_published", "simulated_time_s", "real_time_s",
                 "real_time_factor", "waited_s"),
            ),
        }  # fmt: skip
    elapsed, real = stint.elapsed_s, stint.real_time_s
    return {
        "lap_completed": stint.completed,
        "completion": stint.completion,
        "laps": stint.laps.count,
        "lap_times_s": list(stint.laps.times_s),
        "distance_m": stint.distance,
        "average_speed": _ratio(stint.distance, elapsed),
        "position_deviation_mae": stint.deviation.mean,
        "position_deviation_max": stint.deviation.largest,
        "position_deviation_score": None,
        "position_deviation_score_published": None,
        "simulated_time_s": elapsed,
        "real_time_s": real,
        "real_time_factor": _ratio(elapsed, real),
        "waited_s": stint.waited_s,
    }


def _ratio(numerator: float, denominator: float | None) -> float | None:
    return numerator / denominator if denominator else None


def _autonomy(takeovers: object, elapsed_s: float | None) -> float | None:
    """Return the share of the time that the brain drove by itself, 0..1, as the paper has it.

    1 - (interventions * 6 s) / elapsed time, at least 0: M. Bojarski et al., "End to End Learning
    for Self-Driving Cars", 2016, section 7.1.
    """
    if not isinstance(takeovers, int) or not elapsed_s:
        return None
    return max(0.0, 1.0 - takeovers * _INTERVENTION_S / elapsed_s)


def _late_commands(frames: FrameFigures) -> list[str]:
    """Return what to say of the simulated time from frames to their commands."""
    median_s, compensated_s = frames["stamp_to_command_p50"], frames["delay_compensated_p50"]
    if not isinstance(median_s, float) or median_s <= _LATE_COMMAND_S:
        return []
    late = f"commands come {1e3 * median_s:.0f} ms of simulated time after their frames (median)"
    if isinstance(compensated_s, float) and compensated_s > 0.0:
        return [f"{late}, {1e3 * compensated_s:.0f} ms of which are compensated for"]
    return [
        f"{late}: above {1e3 * _LATE_COMMAND_S:.0f} ms the car drives worse; use lockstep, a lower "
        "rtf, or delay_compensation"
    ]
