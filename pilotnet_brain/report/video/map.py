"""The map in a video: the circuit, the line driven so far coloured by deviation, the car."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import COLUMNS
from pilotnet_brain.report.track_drawing import DEVIATION_COLOURS, closed_points, deviation_norm
from pilotnet_brain.report.video import canvas
from pilotnet_brain.report.video.moments import Moment

_MARGIN = 26
_FINER = 2
_LATERAL = COLUMNS.index("lateral_deviation")


class VideoMap:
    """Draws the map of one run; moments must ascend, as the driven line grows with them.

    Args:
        circuit: that was driven on.
        rows: (N, 10) as in trajectory.csv, of the whole run.
        size: width and height, pixels.
    """

    def __init__(self, circuit: Circuit, rows: NDArray[np.float64], size: tuple[int, int]) -> None:
        points = closed_points(circuit)
        self._turned = _fits_better_turned(points, size)
        low, high = self._upright(points).min(axis=0), self._upright(points).max(axis=0)
        room = np.array(size, dtype=np.float64) - 2.0 * _MARGIN
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

    def at(self, moment: Moment) -> canvas.Picture:
        """Return the map at a moment."""
        while self._drawn < moment.row:
            piece = self._places[self._drawn : self._drawn + 2]
            canvas.line(self._layer, piece, self._colours[self._drawn + 1], 3)
            self._drawn += 1
        picture = self._layer.copy()
        (x, y), yaw = self.places(np.array([[moment.x, moment.y]]))[0], moment.yaw
        self._draw_car(picture, (float(x), float(y)), yaw + (0.5 * math.pi if self._turned else 0))
        return picture

    def _upright(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points, a quarter turned to the left where the circuit fits better so."""
        return np.column_stack([-points[:, 1], points[:, 0]]) if self._turned else points

    def _background(
        self,
        circuit: Circuit,
        points: NDArray[np.float64],
        rows: NDArray[np.float64],
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
        gate = self.places(np.array([middle - reach, middle + reach])) * _FINER
        canvas.line(fine, gate, canvas.BRIGHT, 2 * _FINER)
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
