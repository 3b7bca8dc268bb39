"""The pictures of a run's video: the run at their times, and what each shows: camera, map, gauges,
graphs and the figures so far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.rules import Rules
from pilotnet_brain.metrics.run_metrics import RunMetrics
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows
from pilotnet_brain.report.cameras import CarPose
from pilotnet_brain.report.figures import outcome, run_by
from pilotnet_brain.report.track_drawing import deviation_norm
from pilotnet_brain.report.video import canvas
from pilotnet_brain.report.video.instruments import Gauge, VideoGraph, VideoMap

WIDTH, HEIGHT = 1280, 720
_CAMERA = (24, 64, 704, 528)
_MAP = (740, 64, 516, 308)
_SPEED = (740, 384, 252, 208)
_YAW_RATE = (1004, 384, 252, 208)
_GRAPHS = ((24, 604, 610, 100), (646, 604, 610, 100))
_BAND = 62
"""Height of the figures at the camera's foot, pixels."""


@dataclass(frozen=True)
class Moment:
    """What is known of the run at one picture's time."""

    pose: CarPose  #: of the car, between two rows of the trajectory
    row: int  #: the newest row of the trajectory at that time
    values: dict[str, float]  #: that row's columns by name (see `COLUMNS`); no command yet is NaN
    progress: dict[str, Any]  #: the run's figures up to here, see ``RunMetrics.progress``


def picture_times(
    rows: TrajectoryRows, from_s: float, until_s: float | None, fps: float
) -> NDArray[np.float64]:
    """Return the simulated times of a video's pictures, s.

    Args:
        rows: one or more.
        from_s: of the stretch, s after the first row.
        until_s: its end; None: that of the run.
        fps: pictures a second.

    Raises:
        UserError: the stretch lies outside the run or is empty.
    """
    start_s, length_s = float(rows[0, 0]), float(rows[-1, 0] - rows[0, 0])
    end_s = length_s if until_s is None else min(until_s, length_s)
    if from_s < 0.0 or end_s < from_s or from_s > length_s:
        stretch = f"{from_s:g} s to " + ("the end" if until_s is None else f"{until_s:g} s")
        raise UserError(f"nothing was driven from {stretch}: the run took {length_s:.2f} s")
    count = int((end_s - from_s) * fps + 1e-6) + 1
    return start_s + from_s + np.arange(count) / fps


def moments(
    rows: TrajectoryRows, circuit: Circuit, rules: Rules, times: NDArray[np.float64]
) -> Iterator[Moment]:
    """Yield the run at each of the times, which ascend.

    Args:
        rows: one or more.
        times: simulated times, s.
    """
    metrics = RunMetrics(circuit, rules)
    yaws = np.unwrap(rows[:, COLUMNS.index("yaw")])
    newest = -1
    for time in times.tolist():
        while newest + 1 < len(rows) and (newest < 0 or rows[newest + 1, 0] <= time + 1e-6):
            newest += 1
            metrics.add_pose(*rows[newest, :6].tolist())
        x, y, yaw = (
            float(np.interp(time, rows[:, 0], column)) for column in (rows[:, 1], rows[:, 2], yaws)
        )
        values = dict(zip(COLUMNS, rows[newest].tolist(), strict=True))
        pose = CarPose(time, x, y, yaw, values["arc_length"])
        yield Moment(pose, newest, values, dict(metrics.progress()))


class VideoPicture:
    """Draws the pictures of one run's video, in the order of the moments.

    Args:
        figures: as in metrics.json, as far as known.
        caption: of the camera's frames.
    """

    def __init__(
        self,
        circuit: Circuit,
        rows: TrajectoryRows,
        figures: Mapping[str, Any],
        caption: str,
    ) -> None:
        def column(name: str) -> NDArray[np.float64]:
            return rows[:, COLUMNS.index(name)]

        self._figures = figures
        top_speed = _largest(column("speed"), column("command_speed"))
        top_turn = _largest(column("yaw_rate"), column("command_yaw_rate"))
        self._speed_gauge = Gauge.of_speed(top_speed)
        self._yaw_gauge = Gauge.of_yaw_rate(top_turn)
        self._map = VideoMap(circuit, rows, (_MAP[2] - 8, _MAP[3] - 8))
        reach = float(deviation_norm(column("lateral_deviation")).vmax or 1.0)
        times, size = column("time_s"), _GRAPHS[0][2:]
        speed, lateral = column("speed"), column("lateral_deviation")
        lateral_title = "off the line, m (left of it is up)"
        self._graphs = (
            VideoGraph(times, speed, (0.0, 1.1 * top_speed), "speed, m/s", "{:.1f} m/s", size),
            VideoGraph(times, lateral, (-reach, reach), lateral_title, "{:+.3f} m", size),
        )
        self._background = self._static(circuit, caption)

    def draw(self, moment: Moment, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture (720, 1280, 3), RGB, of a moment with its camera frame (H, W, 3)."""
        picture = self._background.copy()
        self._draw_camera(picture, frame, moment)
        x, y, width, height = _MAP
        picture[y + 4 : y + height - 4, x + 4 : x + width - 4] = self._map.at(
            moment.row, moment.pose
        )
        values = moment.values
        self._speed_gauge.draw(picture, _SPEED, values["speed"], values["command_speed"])
        self._yaw_gauge.draw(picture, _YAW_RATE, values["yaw_rate"], values["command_yaw_rate"])
        for graph, (x, y, width, height) in zip(self._graphs, _GRAPHS, strict=True):
            picture[y : y + height, x : x + width] = graph.at(moment.pose.time_s)
        seconds = moment.progress["time_s"]
        clock = f"{int(seconds // 60)}:{seconds % 60:05.2f}"
        canvas.write(picture, clock, (WIDTH - 24, 44), 28, bold=True, anchor="rs")
        return picture

    def with_outcome(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the run's last picture with how the run ended written over the camera."""
        ended = picture.copy()
        x, y, width, _ = _CAMERA
        canvas.darken(ended, (x, y, width, 56), 0.72)
        done = bool(self._figures.get("lap_completed"))
        text = outcome(self._figures)
        size = 22
        while size > 12 and canvas.text_width(text, size, bold=True) > width - 40:
            size -= 1
        colour = canvas.GOOD if done else canvas.WARNING
        canvas.write(
            ended, text, (x + 0.5 * width, y + 28), size, colour, bold=True, anchor="mm"
        )  # fmt: skip
        return ended

    def _static(self, circuit: Circuit, caption: str) -> NDArray[np.uint8]:
        picture = canvas.blank(WIDTH, HEIGHT)
        for box in (_MAP, _SPEED, _YAW_RATE):
            canvas.card(picture, box)
        canvas.write(picture, circuit.name, (24, 44), 26, bold=True)
        x = 24 + canvas.text_width(circuit.name, 26, bold=True) + 18
        run = run_by(self._figures, ("model", "device", "simulator"))
        canvas.write(picture, run, (x, 43), 16, canvas.QUIET)
        canvas.write(picture, caption, (WIDTH - 150, 43), 13, canvas.QUIET, anchor="rs")
        return picture

    @staticmethod
    def _draw_camera(picture: NDArray[np.uint8], frame: NDArray[np.uint8], moment: Moment) -> None:
        x, y, width, height = _CAMERA
        scale = min(width / frame.shape[1], height / frame.shape[0])
        shown = cv2.resize(
            frame, (round(frame.shape[1] * scale), round(frame.shape[0] * scale)),
            interpolation=cv2.INTER_LINEAR if scale > 1.0 else cv2.INTER_AREA,
        )  # fmt: skip
        left, top = x + (width - shown.shape[1]) // 2, y + (height - shown.shape[0]) // 2
        picture[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        foot = y + height - _BAND
        canvas.darken(picture, (x, foot, width, _BAND), 0.72)
        tiles = _running_figures(moment.progress)
        for number, (value, label) in enumerate(tiles):
            at = x + 18 + number * (width - 18) / len(tiles)
            canvas.write(picture, value, (at, foot + 29), 20, bold=True)
            canvas.write(picture, label, (at, foot + 49), 12, canvas.QUIET)


def _running_figures(progress: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    def text(key: str, form: str) -> str:
        value = progress[key]
        return form.format(value) if value is not None else "-"

    driven = progress["completion"]
    return (
        (f"{100.0 * driven:.1f} %" if driven is not None else "-", "driven"),
        (text("laps", "{:d}"), "laps done"),
        (text("average_speed", "{:.2f} m/s"), "average speed"),
        (text("lateral_deviation", "{:+.3f} m"), "off the line"),
        (text("position_deviation_mae", "{:.3f} m"), "deviation (MAE)"),
    )


def _largest(*columns: NDArray[np.float64]) -> float:
    values = np.concatenate(columns)
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if len(finite) and not math.isclose(finite.max(), 0.0) else 1.0
