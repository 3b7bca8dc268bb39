"""Circuits seen from above: what all pictures share, and a circuit's own picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError

INK = "#22303c"
FAINT_INK = "#7b8794"
GRID = "#e4e8ec"
ROAD = "#d5dae0"
DRIVEN = "#1f6f8b"
WARNING = "#b3261e"
DEVIATION_COLOURS = LinearSegmentedColormap.from_list(
    "deviation", ["#147d78", "#6fb98f", "#f4c95d", "#e8743b", "#a4161a"]
)
RADIUS_COLOURS = DEVIATION_COLOURS.reversed("radius")
PICTURES = (".png", ".svg", ".pdf")
_TIGHTEST_M, _WIDEST_M = 2.0, 50.0
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
    """Draw the asphalt; where it would be too thin to see at this scale, wider than it is."""
    points = closed_points(circuit)
    width = max(2.0 * circuit.asphalt_half_width / metres_per_point, _NARROWEST_ROAD_PT)
    axes.plot(*points.T, color="white", linewidth=width + 3.0, zorder=1)
    axes.plot(*points.T, color=ROAD, linewidth=width, zorder=2, solid_joinstyle="round")


def draw_start(axes: Axes, x: float, y: float, heading: float, metres_per_point: float) -> None:
    """Draw a line across the road where a lap starts, and the driving direction."""
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
    bottom = axes.get_ylim()[0]
    axes.plot([low, low + length], [bottom, bottom], color=FAINT_INK, linewidth=2.0, clip_on=False,
              solid_capstyle="butt")  # fmt: skip
    axes.annotate(f"{length:g} m", (low, bottom), xytext=(0, 4), textcoords="offset points",
                  color=FAINT_INK, fontsize=9, annotation_clip=False)  # fmt: skip


def coloured_line(
    points: NDArray[np.float64],
    values: NDArray[np.float64],
    norm: Normalize,
    width: float,
    colours: Colormap = DEVIATION_COLOURS,
) -> LineCollection:
    """Return a line through points (N, 2) whose pieces take the mean colour of their ends."""
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(
        list(pieces), cmap=colours, norm=norm, linewidths=width, capstyle="round",
        zorder=4,
    )  # fmt: skip
    lines.set_array(0.5 * (values[:-1] + values[1:]))
    return lines


def deviation_norm(deviation: NDArray[np.float64]) -> Normalize:
    """Return the scale of colours for absolute deviations, m: its top is a round number."""
    largest = float(np.max(np.abs(deviation), initial=0.0))
    top = next((t for t in (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0) if largest <= t), largest)
    return Normalize(0.0, top)


def style_graph(axes: Axes, label: str = "", frame: bool = False) -> None:
    """Give a graph its grid, its quiet ticks and a label; without a frame the grid stands alone."""
    axes.set_ylabel(label, fontsize=9, color=FAINT_INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=FAINT_INK)
    for side in axes.spines.values():
        side.set_visible(frame)
        side.set_color(GRID)


def draw_colour_bar(
    axes: Axes,
    norm: Normalize,
    colours: Colormap,
    title: str,
    box: tuple[float, float, float, float],
) -> Axes:
    """Draw a scale of colours into a box (left, bottom, width, height) of the figure."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=figure.add_axes(box))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=FAINT_INK)
    bar.ax.set_title(title, fontsize=8.5, color=FAINT_INK, loc="left", pad=8)
    return bar.ax


def save_picture(figure: Figure, path: str | Path) -> Path:
    """Write a picture in the format that its name ends with; return the path.

    Raises:
        UserError: another ending than those of `PICTURES`, or a place that cannot be written.
    """
    path = Path(path)
    check_picture(path)
    try:
        figure.savefig(path, dpi=figure.dpi)
    except OSError as problem:
        raise UserError(
            f"{path}: cannot be written: {problem.strerror}; --out names another picture"
        ) from problem
    return path


def check_picture(path: Path) -> None:
    """Raise UserError for a picture whose name has another ending than those of `PICTURES`."""
    if path.suffix.lower() not in PICTURES:
        raise UserError(f"{path}: a picture's name ends with one of {', '.join(PICTURES)}")


def draw_circuit(path: str | Path, circuit: Circuit) -> Path:
    """Draw a circuit seen from above, its line coloured by radius; return the picture's path.

    Raises:
        UserError: as `save_picture`.
    """
    points = closed_points(circuit)
    width_in, head_in, foot_in = 9.0, 1.05, 0.3
    width, height = np.ptp(points, axis=0)
    map_in = float(np.clip(0.88 * width_in * height / max(width, 1.0), 3.0, 8.0))
    total = head_in + map_in + foot_in
    figure = Figure(figsize=(width_in, total), dpi=120, facecolor="white")
    axes = figure.add_axes((0.03, foot_in / total, 0.86, map_in / total))
    metres_per_point = frame_map(axes, points)
    draw_road(axes, circuit, metres_per_point)
    norm = LogNorm(_TIGHTEST_M, _WIDEST_M, clip=True)
    axes.add_collection(
        coloured_line(points, radii(circuit, len(points)), norm, 2.6, RADIUS_COLOURS)
    )
    draw_start(axes, *circuit.start_pose(), metres_per_point)
    draw_scale(axes)
    share = map_in / total
    box = (0.915, 0.2 * share + 0.05, 0.014, 0.6 * share)
    bar = draw_colour_bar(axes, norm, RADIUS_COLOURS, "radius, m", box)
    bar.set_yticks([2, 5, 10, 20, 50], labels=["2", "5", "10", "20", "50+"])
    bar.minorticks_off()
    figure.text(0.03, 1.0 - 0.18 / total, circuit.name, va="top", fontsize=19,
                fontweight="bold", color=INK)  # fmt: skip
    figure.text(0.03, 1.0 - 0.58 / total, describe(circuit), va="top", fontsize=10.5,
                color=FAINT_INK)  # fmt: skip
    return save_picture(figure, path)


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


def _round_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= value)
