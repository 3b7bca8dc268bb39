"""The instruments of a video: gauges of the moment's values, graphs over the whole run, the map."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRows
from pilotnet_brain.report.cameras import CarPose
from pilotnet_brain.report.track_drawing import DEVIATION_COLOURS, closed_points, deviation_norm
from pilotnet_brain.report.video import canvas

_LEFT, _RIGHT, _TOP, _BOTTOM = 14, 14, 30, 12
_MAP_MARGIN = 26
_FINER = 2
_LATERAL = COLUMNS.index("lateral_deviation")


class Gauge:
    """A value as a filled arc, the command as a mark on it.

    Args:
        form: how it is written, such as ``.1f``.
        angles: of the arc's start, of value 0 and of its end, degrees clockwise from the x axis.
        top: value at the arc's end.
    """

    def __init__(
        self, name: str, unit: str, form: str, angles: tuple[float, float, float], top: float
    ) -> None:
        self._name, self._unit, self._form, self._top = name, unit, form, top
        self._start, self._zero, self._end = angles

    @classmethod
    def of_speed(cls, top: float) -> Gauge:
        """Return the gauge of a speed, m/s, with a round number at its end."""
        return cls("speed", "m/s", ".1f", (150.0, 150.0, 390.0), max(5.0, 5.0 * math.ceil(top / 5)))

    @classmethod
    def of_yaw_rate(cls, top: float) -> Gauge:
        """Return the gauge of a yaw rate, rad/s: left is positive, and to the left of the top."""
        return cls("yaw rate", "rad/s", "+.2f", (25.0, -90.0, -205.0), max(1.0, math.ceil(top)))

    def draw(
        self, picture: canvas.Picture, box: tuple[int, int, int, int], value: float, command: float
    ) -> None:
        """Draw into the box x, y, width, height; a command that is not known yet is NaN."""
        x, y, width, height = box
        centre, radius = (x + 0.5 * width, y + 0.55 * height), 0.38 * height
        canvas.arc(picture, centre, radius, (self._start, self._end), canvas.FAINT, 11)
        if value != 0.0:
            span = (self._zero, self._angle(value))
            canvas.arc(picture, centre, radius, span, canvas.DRIVEN, 11)
        if self._zero != self._start:
            canvas.arc(picture, centre, radius, (self._zero - 1, self._zero + 1), canvas.QUIET, 11)
        known = math.isfinite(command)
        if known:
            ray = np.radians([self._angle(command)])
            ends = [canvas.arc_points(centre, radius + away, ray)[0] for away in (-8.0, 15.0)]
            canvas.line(picture, ends, canvas.COMMANDED, 4)
        middle, quiet = centre[0], canvas.QUIET
        number = f"{value:{self._form}}"
        canvas.write(picture, number, (middle, centre[1] + 4), 34, bold=True, anchor="ms")
        canvas.write(picture, self._unit, (middle, centre[1] + 25), 14, quiet, anchor="ms")
        caption = f"{self._name}, commanded " + (f"{command:{self._form}}" if known else "nothing")
        canvas.write(picture, caption, (middle, y + height - 14), 13, quiet, anchor="ms")

    def _angle(self, value: float) -> float:
        share = min(max(value / self._top, -1.0), 1.0)
        if self._zero == self._start:
            share = max(share, 0.0)
        return self._zero + share * (self._end - self._zero)


class VideoGraph:
    """One quantity over the whole run: what was driven is bright, what comes is faint.

    Args:
        times: (N,) s, ascending.
        values: (N,) in the unit that is shown.
        limits: lowest and highest value of the graph.
        title: what it is and its unit.
        form: how the value of the moment is written, such as ``{:.1f}``.
        size: width and height, pixels.
    """

    def __init__(
        self,
        times: NDArray[np.float64],
        values: NDArray[np.float64],
        limits: tuple[float, float],
        title: str,
        form: str,
        size: tuple[int, int],
    ) -> None:
        self._times, self._values, self._limits = times, values, limits
        self._form, self._size = form, size
        self._faint = self._curve(canvas.FAINT, title)
        self._bright = self._curve(canvas.DRIVEN, title)

    def at(self, time_s: float) -> canvas.Picture:
        """Return the graph at a time of the run."""
        value = float(np.interp(time_s, self._times, self._values))
        x, y = self._places(np.array([time_s]), np.array([value]))[0].tolist()
        picture = self._faint.copy()
        picture[:, : round(x)] = self._bright[:, : round(x)]
        canvas.line(picture, [(x, _TOP), (x, self._size[1] - _BOTTOM)], canvas.QUIET)
        canvas.dot(picture, (x, y), 4.5, canvas.BRIGHT)
        text = self._form.format(value)
        canvas.write(picture, text, (self._size[0] - _RIGHT, 20), 15, bold=True, anchor="rs")
        return picture

    def _curve(self, colour: canvas.Colour, title: str) -> canvas.Picture:
        picture = canvas.blank(*self._size)
        canvas.card(picture, (0, 0, *self._size))
        low, high = self._limits
        if low < 0.0 < high:
            ends = self._places(self._times[[0, -1]], np.zeros(2))
            canvas.line(picture, ends, canvas.FAINT)
        canvas.line(picture, self._places(self._times, self._values), colour, 2)
        canvas.write(picture, title, (_LEFT, 19), 13, canvas.QUIET)
        return picture

    def _places(
        self, times: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        low, high = self._limits
        span_s = max(float(self._times[-1] - self._times[0]), 1e-9)
        across = (times - self._times[0]) / span_s
        up = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0)
        width, height = self._size[0] - _LEFT - _RIGHT, self._size[1] - _TOP - _BOTTOM
        return np.column_stack([_LEFT + across * width, _TOP + (1.0 - up) * height])


class VideoMap:
    """The circuit, the line driven so far coloured by deviation, and the car.

    Rows must ascend, as the driven line grows with them.

    Args:
        size: width and height, pixels.
    """

    def __init__(self, circuit: Circuit, rows: TrajectoryRows, size: tuple[int, int]) -> None:
        points = closed_points(circuit)
        self._turned = _fits_better_turned(points, size)
        low, high = self._upright(points).min(axis=0), self._upright(points).max(axis=0)
        room = np.array(size, dtype=np.float64) - 2.0 * _MAP_MARGIN
        self._scale = float(np.min(room / np.maximum(high - low, 1.0)))
        self._origin = 0.5 * (np.array(size) - self._scale * (low + high) * (1.0, -1.0))
        self._places = self.places(rows[:, 1:3])
        norm = deviation_norm(rows[:, _LATERAL])
        colours = DEVIATION_COLOURS(norm(np.abs(rows[:, _LATERAL])))[:, :3]
        self._colours = [_colour(colour) for colour in np.round(255 * colours)]
        self._drawn = 0
        self._layer = self._background(circuit, points, rows, size)
        self._write_scale(float(norm.vmax or 1.0), size)

    def places(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points (N, 2), m, lie on the map, pixels."""
        return self._origin + self._scale * self._upright(points) * (1.0, -1.0)

    def at(self, row: int, pose: CarPose) -> canvas.Picture:
        """Return the map with the line up to a row of the trajectory, and the car at a pose."""
        while self._drawn < row:
            piece = self._places[self._drawn : self._drawn + 2]
            canvas.line(self._layer, piece, self._colours[self._drawn + 1], 3)
            self._drawn += 1
        picture = self._layer.copy()
        x, y = self.places(np.array([[pose.x, pose.y]]))[0].tolist()
        self._draw_car(picture, (x, y), pose.yaw + (0.5 * math.pi if self._turned else 0))
        return picture

    def _upright(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points, a quarter turned to the left where the circuit fits better so."""
        return np.column_stack([-points[:, 1], points[:, 0]]) if self._turned else points

    def _background(
        self,
        circuit: Circuit,
        points: NDArray[np.float64],
        rows: TrajectoryRows,
        size: tuple[int, int],
    ) -> canvas.Picture:
        fine = canvas.blank(size[0] * _FINER, size[1] * _FINER)
        fine[:] = canvas.CARD
        road = self.places(points) * _FINER
        width = max(2.0 * circuit.asphalt_half_width * self._scale, 9.0) * _FINER
        canvas.line(fine, road, canvas.FAINT, round(width))
        canvas.line(fine, road, canvas.QUIET, _FINER)
        start = float(rows[0, COLUMNS.index("arc_length")])
        across = float(circuit.centerline.heading(start)) + 0.5 * math.pi
        middle = circuit.centerline.position(start)
        reach = 8.0 / self._scale * np.array([math.cos(across), math.sin(across)])
        start_line = self.places(np.array([middle - reach, middle + reach])) * _FINER
        canvas.line(fine, start_line, canvas.BRIGHT, 2 * _FINER)
        return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _write_scale(self, top_m: float, size: tuple[int, int]) -> None:
        """Draw the colours' scale in the lower right corner."""
        width, right, y = 84, size[0] - 14, size[1] - 14
        ramp = np.round(255 * DEVIATION_COLOURS(np.linspace(0.0, 1.0, width))[:, :3])
        self._layer[y - 5 : y, right - width : right] = ramp.astype(np.uint8)
        canvas.write(self._layer, "0", (right - width, y - 10), 11, canvas.QUIET)
        canvas.write(
            self._layer, f"{top_m:g} m off", (right, y - 10), 11, canvas.QUIET, anchor="rs"
        )

    @staticmethod
    def _draw_car(picture: canvas.Picture, place: tuple[float, float], yaw: float) -> None:
        ahead = np.array([math.cos(yaw), -math.sin(yaw)])
        left = np.array([ahead[1], -ahead[0]])
        for size, colour in ((1.35, canvas.NIGHT), (1.0, canvas.BRIGHT)):
            tip, back = 11.0 * size * ahead, -7.0 * size * ahead
            corners = np.array(
                [tip, back + 7.5 * size * left, 0.45 * back, back - 7.5 * size * left]
            )
            canvas.polygon(picture, np.array(place) + corners, colour)


def _colour(levels: NDArray[np.float64]) -> canvas.Colour:
    red, green, blue = levels.tolist()
    return int(red), int(green), int(blue)


def _fits_better_turned(points: NDArray[np.float64], size: tuple[int, int]) -> bool:
    width, height = np.ptp(points, axis=0)
    upright = min(size[0] / max(width, 1.0), size[1] / max(height, 1.0))
    turned = min(size[0] / max(height, 1.0), size[1] / max(width, 1.0))
    return bool(turned > 1.15 * upright)
