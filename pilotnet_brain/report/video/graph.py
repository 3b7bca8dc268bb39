"""A graph over the whole run in a video: what was driven is bright, what comes is faint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.report.video import canvas

_LEFT, _RIGHT, _TOP, _BOTTOM = 14, 14, 30, 12


class VideoGraph:
    """One quantity over time.

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
        self._faint = self._curve(canvas.FAINT, 2, title)
        self._bright = self._curve(canvas.DRIVEN, 2, title)

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

    def _curve(self, colour: canvas.Colour, width: int, title: str) -> canvas.Picture:
        picture = canvas.blank(*self._size)
        picture[:] = canvas.NIGHT
        canvas.card(picture, (0, 0, *self._size))
        low, high = self._limits
        if low < 0.0 < high:
            ends = self._places(self._times[[0, -1]], np.zeros(2))
            canvas.line(picture, ends, canvas.FAINT)
        canvas.line(picture, self._places(self._times, self._values), colour, width)
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
