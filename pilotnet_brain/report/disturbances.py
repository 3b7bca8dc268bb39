"""How models take disturbances: laps finished, and deviation from the line, over the amount."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure, SubFigure

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.report import track_drawing as track
from pilotnet_brain.runs.disturbances import DISTURBANCES, Disturbance, find_disturbance

Row = Mapping[str, Any]
_DPI = 110
_PANEL_IN = (2.5, 2.9)
_MOST_ACROSS = 5
# Okabe and Ito's colours, which the colour-blind can tell apart; a marker each, for print in grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
_MARKERS = "osD^vPX*"


def disturbance_curves(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return one entry for each disturbance of a benchmark, none where nothing was disturbed.

    An entry has ``name``, ``unit`` and ``series``: for each model its ``points``, mappings of
    ``amount``, ``finished`` (share of its runs), ``deviation`` (mean MAE of the finished ones, m;
    None where none did) and ``runs``. Undisturbed runs on the same circuits stand where the
    amount changes nothing.
    """
    groups: dict[str, dict[str, dict[float, list[Row]]]] = {}
    undisturbed: dict[str, list[Row]] = {}
    for row in rows:
        model, name = str(row.get("model")), str(row.get("disturbance") or UNDISTURBED)
        if name == UNDISTURBED:
            undisturbed.setdefault(model, []).append(row)
        else:
            amounts = groups.setdefault(name, {}).setdefault(model, {})
            amounts.setdefault(float(row.get("amount") or 0.0), []).append(row)
    for name, models in groups.items():
        known = DISTURBANCES.get(name)
        for model, amounts in models.items():
            circuits = {row.get("circuit") for rows_ in amounts.values() for row in rows_}
            as_given = [r for r in undisturbed.get(model, []) if r.get("circuit") in circuits]
            if known is not None and as_given:
                amounts.setdefault(known.none, as_given)
    return [
        {
            "name": name,
            "unit": DISTURBANCES[name].unit if name in DISTURBANCES else "",
            "series": [
                {"model": model, "points": [_point(a, amounts[a]) for a in sorted(amounts)]}
                for model, amounts in models.items()
            ],
        }
        for name, models in groups.items()
    ]


def _point(amount: float, rows: list[Row]) -> dict[str, Any]:
    finished = [row for row in rows if row.get("finished")]
    deviations = [row["position_deviation_mae"] for row in finished
                  if row.get("position_deviation_mae") is not None]  # fmt: skip
    return {
        "amount": amount,
        "finished": len(finished) / len(rows),
        "deviation": round(fmean(deviations), 4) if deviations else None,
        "runs": len(rows),
    }


def draw_disturbances(rows: Sequence[Row], path: str | Path) -> Path:
    """Draw a panel for each disturbance, a line for each model; return the picture's path.

    Args:
        rows: of a benchmark, at least one of them disturbed.
        path: of the picture; its folder exists.

    Raises:
        DisturbanceError: a row's disturbance is unknown.
        ValueError: no row is disturbed.
    """
    curves = disturbance_curves(rows)
    if not curves:
        raise ValueError("no row is disturbed: there is nothing to draw")
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    down = math.ceil(len(curves) / _MOST_ACROSS)
    across = math.ceil(len(curves) / down)
    size = max(2, across) * _PANEL_IN[0], down * _PANEL_IN[1] + 0.9
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white", layout="constrained")
    panels = figure.subfigures(down, across, squeeze=False, hspace=0.04)
    for number, curve in enumerate(curves):
        row, column = divmod(number, across)
        _draw_panel(
            panels[row, column], find_disturbance(curve["name"]), curve, models, column == 0
        )
    for spare in panels.flat[len(curves) :]:
        spare.set_facecolor("white")
    lines = {line.get_label(): line for panel in panels.flat for axes in panel.axes
             for line in axes.lines}  # fmt: skip
    shown = [model for model in models if model in lines]
    figure.legend(
        [lines[model] for model in shown], [Path(model).stem for model in shown],
        loc="outside lower center", ncols=min(len(shown), 2 * across), frameon=False, fontsize=9,
        labelcolor=track.INK,
    )  # fmt: skip
    figure.suptitle(_title(rows), fontsize=10.5, color=track.INK)
    return track.save_picture(figure, path)


def _title(rows: Sequence[Row]) -> str:
    runs, circuits = len(rows), {row["circuit"] for row in rows}
    where = next(iter(circuits)) if len(circuits) == 1 else f"{len(circuits)} circuits"
    return (
        f"Disturbed: {runs} runs on {where}\n"
        "dotted: undisturbed; off the line: mean of the finished runs"
    )


def _draw_panel(
    panel: SubFigure,
    disturbance: Disturbance,
    curve: Mapping[str, Any],
    models: Sequence[str],
    leftmost: bool,
) -> None:
    upper, lower = panel.subplots(2, 1, sharex=True)
    for series in curve["series"]:
        number = models.index(series["model"])
        style: dict[str, Any] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 4.0,
            "linewidth": 1.3,
            "label": series["model"],
            "clip_on": False,
        }
        points = series["points"]
        amounts = [point["amount"] for point in points]
        upper.plot(amounts, [100.0 * point["finished"] for point in points], **style)
        deviations = [
            math.nan if p["deviation"] is None else 100.0 * p["deviation"] for p in points
        ]
        lower.plot(amounts, deviations, **style)
    upper.set_ylim(0.0, 100.0)
    upper.set_yticks([0.0, 50.0, 100.0])
    lower.set_ylim(bottom=0.0)
    upper.set_title(disturbance.name.replace("_", " "), fontsize=10, color=track.INK)
    lower.set_xlabel(disturbance.unit, fontsize=8.5, color=track.FAINT_INK)
    labels = ("finished, %", "off the line, cm") if leftmost else ("", "")
    for axes, label in zip((upper, lower), labels, strict=True):
        track.style_graph(axes, label, frame=True)
        axes.axvline(disturbance.none, color=track.FAINT_INK, linewidth=0.8, linestyle=":")
