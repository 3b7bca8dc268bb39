"""Circuits with known mathematics, and cars that drive them by formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from pilotnet_brain.circuits.centerline import Centerline
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.run_metrics import RunMetrics

RADIUS = 50.0
LAP = 2.0 * math.pi * RADIUS


def circle(half_width: float = 1.5) -> Circuit:
    """A circle of radius 50 m about the origin, driven counterclockwise from (50, 0)."""
    angles = np.linspace(0.0, 2.0 * math.pi, 400, endpoint=False)
    points = RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    return Circuit("circle", Centerline(points), asphalt_half_width=half_width)


def hairpin(gap: float = 0.9) -> Circuit:
    """A long loop whose two 60 m straights pass `gap` metres from each other.

    Its bends bulge out to a radius of 5 m on both ends, like a dumb-bell.
    """
    half, r = 30.0, 5.0
    # The bend begins where the bulb of radius r about (half + d, 0) meets the straight y = gap/2.
    opening = math.asin(0.5 * gap / r)
    centre = half + r * math.cos(opening)
    bulb = np.linspace(-math.pi + opening, math.pi - opening, 60)
    right = np.column_stack([centre + r * np.cos(bulb), r * np.sin(bulb)])
    straight = np.linspace(half, -half, 121)[1:-1]
    upper = np.column_stack([straight, np.full(len(straight), 0.5 * gap)])
    left = -right
    lower = -upper
    return Circuit("hairpin", Centerline(np.vstack([right, upper, left, lower])))


def drive(
    metrics: RunMetrics,
    along: Callable[[float], float],
    times: Iterable[float],
    deviation: Callable[[float], float] = lambda s: 0.0,
) -> RunMetrics:
    """Feed poses of a car that is at arc length along(t), deviation(s) left of the line."""
    line = metrics.circuit.centerline
    moments = [float(time) for time in times]
    stations = np.array([along(time) for time in moments])
    offsets = np.array([deviation(float(s)) for s in stations])
    headings = line.heading(stations)
    normals = np.column_stack([-np.sin(headings), np.cos(headings)])
    places = line.position(stations) + offsets[:, None] * normals
    for time, (x, y), heading in zip(moments, places.tolist(), headings.tolist(), strict=True):
        metrics.add_pose(time, x, y, heading, 0.0, 0.0)
    return metrics


def ticks(end_s: float, rate_hz: float = 20.0, begin_s: float = 0.0) -> np.ndarray:
    """Times from begin_s to end_s, both included where they fall on a tick."""
    return begin_s + np.arange(int(round((end_s - begin_s) * rate_hz)) + 1) / rate_hz
