"""What the pictures share: colours, the road seen from above, the start line, a scale."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit

INK = "#22303c"
FAINT_INK = "#7b8794"
GRID = "#e4e8ec"
ROAD = "#d5dae0"
LINE = "#c8372d"
DRIVEN = "#1f6f8b"
WARNING = "#b3261e"
DEVIATION_COLOURS = LinearSegmentedColormap.from_list(
    "deviation", ["#147d78", "#6fb98f", "#f4c95d", "#e8743b", "#a4161a"]
)
_POINT_SPACING_M = 0.5
_NARROWEST_ROAD_PT = 7.0


def closed_points(circuit: Circuit) -> NDArray[np.float64]:
    """Return the centerline as points (N, 2), m, the first repeated at the end."""
    line = circuit.centerline
    count = max(16, math.ceil(line.length / _POINT_SPACING_M))
    return line.position(np.linspace(0.0, line.length, count + 1))


def frame_map(axes: Axes, points: NDArray[np.float64]) -> float:
    """Set the view to the points (N, 2), m, with a margin, one metre the same both ways.

    Returns:
        The size of a point (1/72 in) in metres.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * max(*(high - low), 5.0)
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_axis_off()
    figure = axes.figure
    assert isinstance(figure, Figure)
    box = axes.get_position()
    width_pt, height_pt = figure.get_size_inches() * 72.0 * (box.width, box.height)
    span = high - low + 2.0 * margin
    return float(max(span[0] / width_pt, span[1] / height_pt))


def draw_road(axes: Axes, circuit: Circuit, metres_per_point: float) -> None:
    """Draw the asphalt; where it would be a hair at this scale, wider than it is."""
    points = closed_points(circuit)
    width = max(2.0 * circuit.asphalt_half_width / metres_per_point, _NARROWEST_ROAD_PT)
    axes.plot(*points.T, color="white", linewidth=width + 3.0, zorder=1)
    axes.plot(*points.T, color=ROAD, linewidth=width, zorder=2, solid_joinstyle="round")


def draw_start(axes: Axes, x: float, y: float, heading: float, metres_per_point: float) -> None:
    """Draw a line across the road where a lap begins, and the driving direction."""
    along = np.array([math.cos(heading), math.sin(heading)])
    across = np.array([-along[1], along[0]])
    place, reach = np.array([x, y]), 10.0 * metres_per_point
    axes.plot(*np.array([place - across * reach, place + across * reach]).T, color=INK,
              linewidth=2.5, zorder=6, solid_capstyle="round")  # fmt: skip
    tail = place + across * 1.7 * reach
    axes.add_patch(
        FancyArrowPatch(
            tuple(tail), tuple(tail + along * 2.4 * reach), arrowstyle="-|>",
            mutation_scale=12, color=INK, linewidth=1.6, shrinkA=0, shrinkB=0, zorder=6,
        )
    )  # fmt: skip


def draw_scale(axes: Axes) -> None:
    """Draw a bar of a round length in the lower left corner, with its length."""
    low, high = axes.get_xlim()
    length = _round_below(0.2 * (high - low))
    bottom, top = axes.get_ylim()
    x, y = low, bottom
    axes.plot([x, x + length], [y, y], color=FAINT_INK, linewidth=2.0, clip_on=False,
              solid_capstyle="butt")  # fmt: skip
    axes.annotate(f"{length:g} m", (x, y), xytext=(0, 4), textcoords="offset points",
                  color=FAINT_INK, fontsize=9, annotation_clip=False)  # fmt: skip


def coloured_line(
    points: NDArray[np.float64], values: NDArray[np.float64], norm: Normalize, width: float
) -> LineCollection:
    """Return a line through points (N, 2) whose pieces take the mean colour of their ends."""
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(
        list(pieces), cmap=DEVIATION_COLOURS, norm=norm, linewidths=width, capstyle="round",
        zorder=4,
    )  # fmt: skip
    lines.set_array(0.5 * (values[:-1] + values[1:]))
    return lines


def deviation_norm(deviation: NDArray[np.float64]) -> Normalize:
    """Return the scale of colours for absolute deviations, m: its top is a round number."""
    largest = float(np.max(np.abs(deviation), initial=0.0))
    top = next((t for t in (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0) if largest <= t), largest)
    return Normalize(0.0, top)


def _round_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= value)
