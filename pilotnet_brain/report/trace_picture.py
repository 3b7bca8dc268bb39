"""A traced circuit as a picture: its line over the map in which it was found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.report.track_drawing import (
    DRIVEN,
    FAINT_INK,
    INK,
    closed_points,
    describe,
    draw_scale,
    draw_start,
    frame_map,
    save_picture,
)
from pilotnet_brain.simulation.mujoco.top_view import GroundMap

_MOST_PIXELS = 2400


def draw_trace(path: Path, circuit: Circuit, ground: GroundMap) -> Path:
    """Draw a circuit over the map in which it was found; return the picture's path.

    Raises:
        UserError: as `save_picture`.
    """
    rows, columns = ground.pixels.shape[:2]
    scale = min(1.0, _MOST_PIXELS / max(rows, columns))
    seen = cv2.resize(ground.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    seen[~seen.any(axis=2)] = 255
    east = ground.west + columns * ground.metres_per_pixel
    south = ground.north - rows * ground.metres_per_pixel
    points = closed_points(circuit)
    width_in, head_in = 11.0, 1.0
    width, height = np.ptp(points, axis=0)
    map_in = float(np.clip(0.95 * width_in * height / max(width, 1.0), 3.0, 10.0))
    total = head_in + map_in
    figure = Figure(figsize=(width_in, total), dpi=150, facecolor="white")
    axes = figure.add_axes((0.02, 0.02, 0.96, map_in / total - 0.02))
    metres_per_point = frame_map(axes, points)
    axes.imshow(seen, extent=(ground.west, east, south, ground.north), zorder=0, aspect="equal")
    axes.plot(*points.T, color=DRIVEN, linewidth=1.4, zorder=4)
    draw_start(axes, *circuit.start_pose(), metres_per_point)
    draw_scale(axes)
    figure.text(0.03, 1.0 - 0.15 / total, circuit.name, va="top", fontsize=17, fontweight="bold",
                color=INK)  # fmt: skip
    figure.text(0.03, 1.0 - 0.5 / total, describe(circuit), va="top", fontsize=10, color=FAINT_INK)
    return save_picture(figure, path)
