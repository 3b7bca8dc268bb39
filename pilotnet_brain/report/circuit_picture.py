"""A circuit as a picture: the road coloured by how tight it is, the start line, the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.report import track_drawing as track

_WIDTH_IN = 9.0
_DPI = 120
_TIGHTEST_M, _WIDEST_M = 2.0, 50.0
RADIUS_COLOURS = LinearSegmentedColormap.from_list(
    "radius", ["#a4161a", "#e8743b", "#f4c95d", "#6fb98f", "#147d78"]
)


def draw_circuit(path: str | Path, circuit: Circuit) -> Path:
    """Draw a circuit seen from above; return the picture's path.

    Args:
        path: of the picture; its ending says the format: .png, .svg, .pdf or another of
            matplotlib's.
        circuit: any.

    Raises:
        UserError: matplotlib does not write such a format, or the file cannot be written.
    """
    path = Path(path)
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UserError(f"{path}: name a picture: its ending is one of .{', .'.join(formats)}")
    points = track.closed_points(circuit)
    width, height = np.ptp(points, axis=0)
    head_in = 1.05
    map_in = float(np.clip(0.88 * _WIDTH_IN * height / max(width, 1.0), 3.0, 8.0))
    total = head_in + map_in + 0.3
    figure = Figure(figsize=(_WIDTH_IN, total), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.3 / total, 0.86, map_in / total))
    metres_per_point = track.frame_map(axes, points)
    track.draw_road(axes, circuit, metres_per_point)
    radius = radii(circuit, len(points))
    norm = LogNorm(_TIGHTEST_M, _WIDEST_M, clip=True)
    line = track.coloured_line(points, radius, norm, 2.6)
    line.set_cmap(RADIUS_COLOURS)
    axes.add_collection(line)
    x, y, yaw = circuit.start_pose()
    track.draw_start(axes, x, y, yaw, metres_per_point)
    track.draw_scale(axes)
    _draw_scale_of_radii(figure, map_in / total, norm)
    figure.text(0.03, 1.0 - 0.18 / total, circuit.name, va="top", fontsize=19,
                fontweight="bold", color=track.INK)  # fmt: skip
    figure.text(0.03, 1.0 - 0.58 / total, describe(circuit), va="top", fontsize=10.5,
                color=track.FAINT_INK)  # fmt: skip
    try:
        figure.savefig(path, dpi=_DPI)
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem.strerror}") from problem
    return path


def describe(circuit: Circuit) -> str:
    """Return a circuit's numbers in one line."""
    tightest = radii(circuit, 8 * int(circuit.centerline.length)).min()
    return (
        f"{circuit.centerline.length:.1f} m a lap   ·   tightest radius {tightest:.1f} m   ·   "
        f"asphalt {circuit.asphalt_half_width:.2f} m to each side   ·   role: {circuit.role}"
    )


def radii(circuit: Circuit, count: int) -> NDArray[np.float64]:
    """Return the line's radii of curvature (count,), m, evenly along the lap, both ends included.

    A straight's is a kilometre, not infinite.
    """
    stations = np.linspace(0.0, circuit.centerline.length, count)
    return 1.0 / np.maximum(np.abs(circuit.centerline.curvature(stations)), 1e-3)


def _draw_scale_of_radii(figure: Figure, map_height: float, norm: LogNorm) -> None:
    bar_axes = figure.add_axes((0.915, 0.2 * map_height + 0.05, 0.014, 0.6 * map_height))
    bar = figure.colorbar(ScalarMappable(norm, RADIUS_COLOURS), cax=bar_axes)
    bar.outline.set_visible(False)
    bar.set_ticks([2, 5, 10, 20, 50], labels=["2", "5", "10", "20", "50+"])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=track.FAINT_INK)
    bar.ax.set_title("radius, m", fontsize=8.5, color=track.FAINT_INK, loc="left", pad=8)
