"""How models bear disturbances: laps finished, and deviation from the line, over the amount."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.benchmark.summary import BY_MODEL, summarize
from pilotnet_brain.report import track_drawing as track
from pilotnet_brain.runs.disturbances import Disturbance, find_disturbance

_DPI = 110
_PANEL_IN = (2.5, 2.9)
_MOST_ACROSS = 5
# Okabe and Ito's colours, which colour-blind eyes tell apart; a marker each, for print in grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
_MARKERS = "osD^vPX*"


class _Point(NamedTuple):
    amount: float
    finished: float
    """Share of the runs."""
    deviation_m: float
    """Mean over the finished runs; NaN where there is none."""


def draw_disturbances(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw a panel for each disturbance, a line for each model; return the png's path.

    The undisturbed runs stand at the amount that changes nothing.

    Args:
        rows: of a benchmark, at least one of them disturbed.
        path: of the png; its folder exists.

    Raises:
        DisturbanceError: a row's disturbance is none that is known.
        ValueError: no row is disturbed.
    """
    path = Path(path)
    entries = summarize(rows, BY_MODEL)
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    names = [n for n in dict.fromkeys(str(row["disturbance"]) for row in rows) if n != UNDISTURBED]
    if not names:
        raise ValueError("no row is disturbed: there is nothing to draw")
    down = math.ceil(len(names) / _MOST_ACROSS)
    across = math.ceil(len(names) / down)
    width, height = max(2, across) * _PANEL_IN[0], down * _PANEL_IN[1] + 0.9
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subfigures(down, across, squeeze=False, hspace=0.04)
    for number, name in enumerate(names):
        row, column = divmod(number, across)
        curves = {model: _curve(entries, model, find_disturbance(name)) for model in models}
        _draw_panel(panels[row, column], find_disturbance(name), curves, leftmost=column == 0)
    for spare in panels.flat[len(names) :]:
        spare.set_facecolor("white")
    handles, labels = panels[0, 0].axes[0].get_legend_handles_labels()
    figure.legend(
        handles, [Path(label).stem for label in labels], loc="outside lower center",
        ncols=min(len(models), 2 * across), frameon=False, fontsize=9, labelcolor=track.INK,
    )  # fmt: skip
    figure.suptitle(_title(rows), fontsize=10.5, color=track.INK)
    figure.savefig(path, dpi=_DPI, format="png")
    return path


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    runs, circuits = len(rows), {row["circuit"] for row in rows}
    where = next(iter(circuits)) if len(circuits) == 1 else f"{len(circuits)} circuits"
    return (
        f"Driving disturbed: {runs} runs on {where}\n"
        "dotted: undisturbed; off the line: mean of the finished runs"
    )


def _curve(
    entries: Sequence[Mapping[str, Any]], model: str, disturbance: Disturbance
) -> list[_Point]:
    """Return a model's points in order of the amount, the undisturbed one among them."""
    points = {}
    for entry in entries:
        if entry["model"] != model or entry["disturbance"] not in (UNDISTURBED, disturbance.name):
            continue
        undisturbed = entry["disturbance"] == UNDISTURBED
        amount = disturbance.none if undisturbed else float(entry["amount"])
        deviation = entry["position_deviation_mae"]["mean"]
        finished = entry["runs_finished"] / entry["runs"]
        points[amount] = _Point(amount, finished, math.nan if deviation is None else deviation)
    return [points[amount] for amount in sorted(points)]


def _draw_panel(
    panel: SubFigure, disturbance: Disturbance, curves: Mapping[str, list[_Point]], leftmost: bool
) -> None:
    upper, lower = panel.subplots(2, 1, sharex=True)
    for number, (model, curve) in enumerate(curves.items()):
        style: dict[str, Any] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 4.0,
            "linewidth": 1.3,
            "label": model,
            "clip_on": False,
        }
        amounts = [point.amount for point in curve]
        upper.plot(amounts, [100.0 * point.finished for point in curve], **style)
        lower.plot(amounts, [100.0 * point.deviation_m for point in curve], **style)
    upper.set_ylim(0.0, 100.0)
    upper.set_yticks([0.0, 50.0, 100.0])
    lower.set_ylim(bottom=0.0)
    upper.set_title(disturbance.name.replace("_", " "), fontsize=10, color=track.INK)
    lower.set_xlabel(disturbance.unit, fontsize=8.5, color=track.FAINT_INK)
    if leftmost:
        upper.set_ylabel("finished, %", fontsize=8.5, color=track.FAINT_INK)
        lower.set_ylabel("off the line, cm", fontsize=8.5, color=track.FAINT_INK)
    for axes in (upper, lower):
        _plain(axes)
        axes.axvline(disturbance.none, color=track.FAINT_INK, linewidth=0.8, linestyle=":")


def _plain(axes: Axes) -> None:
    axes.grid(True, color=track.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=track.FAINT_INK)
    for spine in axes.spines.values():
        spine.set_color(track.GRID)
