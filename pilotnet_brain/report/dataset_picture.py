"""A data set as a picture: the distribution of its labels, and sample frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotnet_brain.learning.dataset import DataSet
from pilotnet_brain.report import track_drawing as track

_WIDTH_IN, _DPI = 12.0, 110
_ROW_IN, _SHEET_IN, _HEAD_IN = 2.3, 3.1, 0.9
_SAMPLES_ACROSS, _SAMPLES_DOWN = 6, 4
_BINS = 61
# Column, label, range: wide enough for what `collect` draws; what lies beyond is in the end bins.
_HISTOGRAMS = (
    ("curvature", "curvature of the line, 1/m (left is positive)", (-0.5, 0.5)),
    ("lateral_deviation", "lateral offset, m (left is positive)", (-1.2, 1.2)),
    ("heading_error", "heading error, rad (left is positive)", (-0.8, 0.8)),
    ("v", "speed, m/s", (6.0, 24.0)),
    ("w", "yaw rate, rad/s (left is positive)", (-7.1, 7.1)),
)


def draw_dataset(path: str | Path, data: DataSet, title: str, text: str) -> Path:
    """Draw the distribution of a data set's labels, and sample frames.

    Args:
        path: of the picture, as `save_picture` takes it; its folder exists.
        data: its table's known columns are drawn, v and w at least.
        title: above it.
        text: below the title.

    Returns:
        The path.
    """
    shown = [entry for entry in _HISTOGRAMS if entry[0] in data.table.columns]
    rows = -(-(len(shown) + 1) // 3)
    height = _HEAD_IN + rows * _ROW_IN + _SHEET_IN
    figure = Figure(figsize=(_WIDTH_IN, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.04, 1.0 - 0.2 / height, title, va="top", fontsize=17, fontweight="bold",
                color=track.INK)  # fmt: skip
    figure.text(0.04, 1.0 - 0.55 / height, text, va="top", fontsize=10, color=track.FAINT_INK)
    for number in range(len(shown) + 1):
        across, down = number % 3, number // 3
        bottom = _SHEET_IN + (rows - 1 - down) * _ROW_IN + 0.55
        axes = figure.add_axes((0.05 + 0.32 * across, bottom / height, 0.27,
                                (_ROW_IN - 0.75) / height))  # fmt: skip
        _plain_axes(axes)
        if number < len(shown):
            _histogram(axes, data.table[shown[number][0]], *shown[number][1:])
        else:
            _speed_over_yaw_rate(axes, data.table)
    _sheet(figure, data.frames, height)
    return track.save_picture(figure, path)


def _plain_axes(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(track.GRID)
    axes.tick_params(length=0, labelsize=8, labelcolor=track.FAINT_INK)


def _histogram(axes: Axes, values: pd.Series, label: str, span: tuple[float, float]) -> None:
    if label.startswith("speed"):  # a person's slow corrections, too
        span = (min(span[0], float(np.floor(values.min()))), span[1])
    clipped = np.clip(values.to_numpy(np.float64), *span)
    axes.hist(clipped, bins=_BINS, range=span, color=track.DRIVEN, log=True)
    axes.set_xlim(*span)
    axes.set_xlabel(label, fontsize=8.5, color=track.INK)
    axes.set_ylabel("frames", fontsize=8, color=track.FAINT_INK)


def _speed_over_yaw_rate(axes: Axes, table: pd.DataFrame) -> None:
    axes.hexbin(
        table["w"], table["v"], gridsize=40, bins="log", mincnt=1, cmap="YlGnBu", linewidths=0.1
    )
    axes.set_xlabel("yaw rate, rad/s", fontsize=8.5, color=track.INK)
    axes.set_ylabel("speed, m/s", fontsize=8, color=track.FAINT_INK)


def _sheet(figure: Figure, frames: NDArray[np.uint8], height: float) -> None:
    """Lay out frames from all through the data set, as the network sees them."""
    chosen = np.linspace(0, len(frames) - 1, _SAMPLES_ACROSS * _SAMPLES_DOWN).astype(int)
    gap = 4
    tiles = np.pad(frames[chosen], ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    _, rows, columns, _ = tiles.shape
    down_across = tiles.reshape(_SAMPLES_DOWN, _SAMPLES_ACROSS, rows, columns, 3).swapaxes(1, 2)
    sheet = down_across.reshape(_SAMPLES_DOWN * rows, -1, 3)[:-gap, :-gap]
    axes = figure.add_axes((0.04, 0.1 / height, 0.92, (_SHEET_IN - 0.2) / height))
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
