"""The gauges in a video: how fast and how hard in the bend the car goes, and what was commanded."""

from __future__ import annotations

import math

import numpy as np

from pilotnet_brain.report.video import canvas

_SPEED_FROM, _SPEED_TO = 150.0, 390.0
_STEER_REACH = 115.0


class SpeedGauge:
    """Speed as a filled arc, the command as a mark on it.

    Args:
        top: speed at the arc's end, m/s.
    """

    def __init__(self, top: float) -> None:
        self._top = max(5.0, 5.0 * math.ceil(top / 5.0))

    def draw(
        self, picture: canvas.Picture, box: tuple[int, int, int, int], speed: float, command: float
    ) -> None:
        """Draw into the box x, y, width, height; a command that is not known yet is NaN."""
        centre, radius = _dial(box)
        canvas.arc(picture, centre, radius, (_SPEED_FROM, _SPEED_TO), canvas.FAINT, 11)
        if speed > 0.0:
            span = (_SPEED_FROM, self._angle(speed))
            canvas.arc(picture, centre, radius, span, canvas.DRIVEN, 11)
        if math.isfinite(command):
            _mark(picture, centre, radius, self._angle(command))
        _label(
            picture, box, centre, f"{speed:.1f}", "m/s", f"speed, asked {_asked(command, '.1f')}"
        )

    def _angle(self, speed: float) -> float:
        share = min(max(speed / self._top, 0.0), 1.0)
        return _SPEED_FROM + share * (_SPEED_TO - _SPEED_FROM)


class SteeringGauge:
    """Yaw rate as an arc to the left or right of the top, the command as a mark on it.

    Args:
        top: yaw rate at the arc's ends, rad/s.
    """

    def __init__(self, top: float) -> None:
        self._top = max(1.0, math.ceil(top))

    def draw(
        self,
        picture: canvas.Picture,
        box: tuple[int, int, int, int],
        yaw_rate: float,
        command: float,
    ) -> None:
        """Draw into the box x, y, width, height; a command that is not known yet is NaN."""
        centre, radius = _dial(box)
        whole = (-90.0 - _STEER_REACH, -90.0 + _STEER_REACH)
        canvas.arc(picture, centre, radius, whole, canvas.FAINT, 11)
        canvas.arc(picture, centre, radius, (-90.0, self._angle(yaw_rate)), canvas.DRIVEN, 11)
        canvas.arc(picture, centre, radius, (-91.0, -89.0), canvas.QUIET, 11)
        if math.isfinite(command):
            _mark(picture, centre, radius, self._angle(command))
        _label(
            picture,
            box,
            centre,
            f"{yaw_rate:+.2f}",
            "rad/s",
            f"yaw rate, asked {_asked(command, '+.2f')}",
        )

    def _angle(self, yaw_rate: float) -> float:
        # Left is positive, and to the left.
        return -90.0 - min(max(yaw_rate / self._top, -1.0), 1.0) * _STEER_REACH


def _dial(box: tuple[int, int, int, int]) -> tuple[tuple[float, float], float]:
    x, y, width, height = box
    return (x + 0.5 * width, y + 0.55 * height), 0.38 * height


def _mark(
    picture: canvas.Picture, centre: tuple[float, float], radius: float, angle: float
) -> None:
    ray = np.radians([angle])
    ends = [canvas.arc_points(centre, radius + away, ray)[0] for away in (-8.0, 15.0)]
    canvas.line(picture, ends, canvas.ASKED, 4)


def _label(
    picture: canvas.Picture,
    box: tuple[int, int, int, int],
    centre: tuple[float, float],
    value: str,
    unit: str,
    caption: str,
) -> None:
    canvas.write(picture, value, (centre[0], centre[1] + 4), 34, bold=True, anchor="ms")
    canvas.write(picture, unit, (centre[0], centre[1] + 25), 14, canvas.QUIET, anchor="ms")
    x, y, width, height = box
    canvas.write(
        picture, caption, (x + 0.5 * width, y + height - 14), 13, canvas.QUIET, anchor="ms"
    )


def _asked(command: float, form: str) -> str:
    return f"{command:{form}}" if math.isfinite(command) else "nothing yet"
