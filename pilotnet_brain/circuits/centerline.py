"""The line a circuit is made of: a closed, smooth curve measured by its arc length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from pilotnet_brain.circuits.lap import check_length

KNOT_SPACING_M = 0.5
_SAMPLES_PER_KNOT = 2
_GAUSS_NODES, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(6)
_NEWTON_STEPS = 12
_ARC_LENGTH_TOLERANCE_M = 1e-10


def wrap_angle(angle: float) -> float:
    """Return `angle` (rad) brought into (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


@dataclass(frozen=True)
class Projection:
    """The point of a centerline nearest to a position."""

    arc_length: float  #: of the nearest point from the start line, m, in [0, length)
    lateral_deviation: float  #: distance of the position from the line, m, left of it positive
    heading: float  #: of the line at the nearest point, rad
    curvature: float  #: of the line at the nearest point, 1/m, left bends positive

    def heading_error(self, yaw: float) -> float:
        """Return how far `yaw` (rad) points left of the line, rad in (-pi, pi]."""
        return wrap_angle(yaw - self.heading)


class Centerline:
    """A closed periodic cubic spline through points, with arc length as its parameter.

    Args:
        points: (N, 2) float array, m, in driving order, N >= 4; the curve closes from the last
            point to the first, which is not repeated.

    Raises:
        ValueError: fewer than four points, other shapes, values that are not finite, a point
            that repeats the one before it, or a line of more than 30 km.
    """

    def __init__(self, points: ArrayLike) -> None:
        corners = np.array(points, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 4:
            raise ValueError(
                f"a centerline needs an (N, 2) array of 4 or more points, not shape {corners.shape}"
            )
        if not np.isfinite(corners).all():
            raise ValueError("a centerline's points must be finite numbers")
        check_length(corners)
        spans = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        if (spans < 1e-6).any():
            repeated = int(np.argmin(spans)) + 1
            raise ValueError(f"point {repeated % len(corners)} of the centerline repeats the last")
        self.points: NDArray[np.float64] = corners
        self._spline, self.length = _by_arc_length(corners, spans)
        self._velocity = self._spline.derivative()
        self._acceleration = self._spline.derivative(2)
        self._knot_spacing = float(self._spline.x[1] - self._spline.x[0])
        # Plain floats: one scalar evaluation takes 1 us from them, 10 us through scipy.
        self._coefficients: list[list[float]] = (
            self._spline.c.transpose(1, 2, 0).reshape(-1, 8).tolist()
        )
        count = _SAMPLES_PER_KNOT * (len(self._spline.x) - 1)
        self._sample_spacing = self.length / count
        samples = self.position(np.arange(count) * self._sample_spacing)
        self._samples: list[tuple[float, float]] = [(x, y) for x, y in samples.tolist()]
        self._tree = cKDTree(samples)

    def position(self, arc_length: ArrayLike) -> NDArray[np.float64]:
        """Return the points (..., 2), m, at arc lengths (...), m; any value, it wraps."""
        return self._spline(self._wrapped(arc_length))

    def heading(self, arc_length: ArrayLike) -> NDArray[np.float64]:
        """Return the directions of travel (...), rad, at arc lengths (...), m."""
        velocity = self._velocity(self._wrapped(arc_length))
        return np.arctan2(velocity[..., 1], velocity[..., 0])

    def curvature(self, arc_length: ArrayLike) -> NDArray[np.float64]:
        """Return the signed curvatures (...), 1/m, left bends positive, at arc lengths (...), m."""
        s = self._wrapped(arc_length)
        v, a = self._velocity(s), self._acceleration(s)
        cross = v[..., 0] * a[..., 1] - v[..., 1] * a[..., 0]
        return cross / np.hypot(v[..., 0], v[..., 1]) ** 3

    def project(self, x: float, y: float, near: float | None = None) -> Projection:
        """Return the point of the line nearest to (x, y), m.

        With `near`, an arc length, m, close to the answer, such as the last projection's, the
        search walks downhill from there and stays on that stretch of the line, however close
        another one passes. Without it the nearest point of the whole line is found.
        """
        count = len(self._samples)
        if near is None:
            index = int(self._tree.query((x, y))[1])
        else:
            index = self._walk_downhill(x, y, round(near / self._sample_spacing) % count)
        return self._refine(x, y, index * self._sample_spacing)

    def _wrapped(self, arc_length: ArrayLike) -> NDArray[np.float64]:
        return np.mod(np.asarray(arc_length, dtype=np.float64), self.length)

    def _walk_downhill(self, x: float, y: float, index: int) -> int:
        samples, count = self._samples, len(self._samples)

        def distance_squared(i: int) -> float:
            sample_x, sample_y = samples[i % count]
            return (sample_x - x) ** 2 + (sample_y - y) ** 2

        here = distance_squared(index)
        ahead, behind = distance_squared(index + 1), distance_squared(index - 1)
        step, following = (1, ahead) if ahead <= behind else (-1, behind)
        while following < here:
            index, here = index + step, following
            following = distance_squared(index + step)
        return index % count

    def _refine(self, x: float, y: float, guess: float) -> Projection:
        """Solve (r(s) - p) . r'(s) = 0 within one sample of `guess`: Newton, bisection kept."""
        low, high = guess - self._sample_spacing, guess + self._sample_spacing
        s = guess
        for _ in range(_NEWTON_STEPS):
            rx, ry, vx, vy, ax, ay = self._derivatives(s)
            slope = (rx - x) * vx + (ry - y) * vy
            if slope > 0.0:
                high = s
            else:
                low = s
            steepness = vx * vx + vy * vy + (rx - x) * ax + (ry - y) * ay
            following = s - slope / steepness if steepness > 0.0 else math.inf
            if not low <= following <= high:
                following = 0.5 * (low + high)
            moved, s = abs(following - s), following
            if moved < _ARC_LENGTH_TOLERANCE_M:
                break
        rx, ry, vx, vy, ax, ay = self._derivatives(s)
        speed = math.hypot(vx, vy)
        return Projection(
            arc_length=s % self.length,
            lateral_deviation=((y - ry) * vx - (x - rx) * vy) / speed,
            heading=math.atan2(vy, vx),
            curvature=(vx * ay - vy * ax) / speed**3,
        )

    def _derivatives(self, s: float) -> tuple[float, float, float, float, float, float]:
        """Position, first and second derivative of the spline at one arc length, as floats."""
        s %= self.length
        knot = min(int(s / self._knot_spacing), len(self._coefficients) - 1)
        t = s - knot * self._knot_spacing
        x3, x2, x1, x0, y3, y2, y1, y0 = self._coefficients[knot]
        return (
            ((x3 * t + x2) * t + x1) * t + x0,
            ((y3 * t + y2) * t + y1) * t + y0,
            (3.0 * x3 * t + 2.0 * x2) * t + x1,
            (3.0 * y3 * t + 2.0 * y2) * t + y1,
            6.0 * x3 * t + 2.0 * x2,
            6.0 * y3 * t + 2.0 * y2,
        )


def _by_arc_length(
    corners: NDArray[np.float64], spans: NDArray[np.float64]
) -> tuple[CubicSpline, float]:
    """Return a periodic spline through the corners' curve with even knots in arc length."""
    closed = np.vstack([corners, corners[:1]])
    chord_spline = CubicSpline(
        np.concatenate([[0.0], np.cumsum(spans)]), closed, bc_type="periodic"
    )
    fine = np.linspace(0.0, chord_spline.x[-1], 8 * len(corners) + 1)
    lengths = _curve_lengths(chord_spline, fine)
    total = float(lengths[-1])
    knots = np.linspace(0.0, total, max(8, math.ceil(total / KNOT_SPACING_M)) + 1)
    # Inverse interpolation of s(u), monotone, at nodes fine enough for micrometres.
    parameters = CubicSpline(lengths, fine)(knots)
    positions = chord_spline(parameters)
    positions[-1] = positions[0]
    return CubicSpline(knots, positions, bc_type="periodic"), total


def _curve_lengths(spline: CubicSpline, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cumulative arc length of a spline at its nodes (Gauss-Legendre, order 12)."""
    half = 0.5 * np.diff(nodes)
    middle = 0.5 * (nodes[1:] + nodes[:-1])
    inner = middle[:, None] + half[:, None] * _GAUSS_NODES[None, :]
    speeds = np.linalg.norm(spline(inner, 1), axis=-1)
    pieces = half * (speeds @ _GAUSS_WEIGHTS)
    return np.concatenate([[0.0], np.cumsum(pieces)])
