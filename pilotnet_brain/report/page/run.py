"""report.html of a run: one file that shows the drive, from what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.atomic_file import write_atomically
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.metrics.trajectory import (
    COLUMNS,
    TrajectoryFileError,
    last_epoch,
    read_trajectory,
)
from pilotnet_brain.report.figure_texts import NOT_MEASURED, figure_text, outcome
from pilotnet_brain.report.page.frames import BrainTimes, brain_times
from pilotnet_brain.report.page.line import DrivenLine, driven_line, finite_rows, road
from pilotnet_brain.report.page.published import published_table
from pilotnet_brain.report.page.table import PageTable, figures_table, mapping_table
from pilotnet_brain.report.page.template import LEVELS, render_page
from pilotnet_brain.report.page.worst_frame import worst_frame
from pilotnet_brain.runs.folder import RunFolder

_TILES = (
    ("average_speed", "average speed"),
    ("position_deviation_mae", "deviation (MAE)"),
    ("position_deviation_max", "largest deviation"),
    ("position_deviation_score", "deviation score, centerline"),
    ("brain_iteration_frequency", "brain frequency"),
    ("mean_inference_time", "mean inference time"),
    ("frames_dropped", "frames dropped"),
    ("real_time_factor", "real-time factor"),
)


def write_run_page(run_folder: RunFolder) -> Path:
    """Write a run's report.html, which needs no other file and no network.

    What is missing from the folder is missing from the page, which says so.

    Raises:
        UserError: neither run.yaml nor metrics.json names the circuit, or it is not there any more.
    """
    circuit = run_folder.circuit()
    figures = run_folder.read_metrics() or {}
    record = run_folder.read_record()
    rows = _rows(run_folder)
    line = driven_line(circuit, rows)
    times = _brain_times(run_folder, rows)
    worst = worst_frame(run_folder, circuit, rows, _looks_seed(record))
    model = str(figures.get("model") or "an unknown model")
    page = render_page(
        "run.html",
        title=f"{circuit.name} with {model}",
        model=model,
        circuit=circuit,
        figures=figures,
        outcome=outcome(figures),
        completed=bool(figures.get("lap_completed")),
        tiles=_tiles(figures),
        line=line,
        wide=_is_wide(circuit),
        times=times,
        worst=worst,
        figures_table=figures_table(figures),
        published=published_table([figures | {"circuit": circuit.name}]),
        score_missing=not _has_published_score(figures),
        machine=machine_table(record),
        parameters=_parameters(record),
        started=str(record.get("started") or "").replace("T", " "),
        folder_name=run_folder.path.name,
        data=_script_data(circuit, line, times) | {"stopped": _stopped(figures)},
    )
    path = run_folder.report_html
    write_atomically(path, page.encode())
    return path


def _is_wide(circuit: Circuit) -> bool:
    """Whether the map, which lies on its longer side, is low: there is room beneath it."""
    width, height = np.ptp(
        circuit.centerline.position(np.arange(circuit.centerline.length)), axis=0
    )
    return bool(max(width, height) > 1.5 * min(width, height))


def _rows(folder: RunFolder) -> NDArray[np.float64]:
    try:
        return finite_rows(last_epoch(read_trajectory(folder.trajectory_csv)))
    except TrajectoryFileError:
        return np.empty((0, len(COLUMNS)))


def _brain_times(folder: RunFolder, rows: NDArray[np.float64]) -> BrainTimes:
    if not len(rows):
        return BrainTimes(missing="nothing was driven")
    return brain_times(folder, float(rows[0, 0]), float(rows[-1, 0]))


def _looks_seed(record: Mapping[str, Any]) -> int:
    parameters = record.get("spec")
    seed = parameters.get("looks_seed") if isinstance(parameters, Mapping) else None
    return seed if isinstance(seed, int) and seed > 0 else 0


def _tiles(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the telling figures; of the two scores the published one, where there is one."""
    tiles = []
    for key, label in _TILES:
        if key == "position_deviation_score" and _has_published_score(figures):
            key, label = "position_deviation_score_published", "deviation score, published"
        text = figure_text(figures, key)
        if text != NOT_MEASURED:
            number, _, unit = text.partition(" ")
            tiles.append({"number": number, "unit": unit, "label": label})
    return tiles


def _has_published_score(figures: Mapping[str, Any]) -> bool:
    return figures.get("position_deviation_score_published") is not None


def _stopped(figures: Mapping[str, Any]) -> bool:
    """Whether the run ended on the way; of one without figures that is not known."""
    return figures.get("lap_completed") is False


def machine_table(record: Mapping[str, Any]) -> PageTable | None:
    """Return hardware, versions and commit as run.yaml keeps them; None where it does not."""
    known = {key: record.get(key) for key in ("hardware", "versions", "git_commit")}
    if not any(known.values()):
        return None
    flat = {**_mapping(known["hardware"]), **_mapping(known["versions"])}
    return mapping_table("Machine and versions", "what", flat | {"git commit": known["git_commit"]})


def _parameters(record: Mapping[str, Any]) -> PageTable | None:
    parameters = _mapping(record.get("spec"))
    return mapping_table("Parameters", "parameter", parameters) if parameters else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _script_data(circuit: Circuit, line: DrivenLine, times: BrainTimes) -> dict[str, object]:
    x, y, yaw = circuit.start_pose()
    return {
        "road": road(circuit),
        "start": {"x": round(x, 2), "y": round(y, 2), "yaw": round(yaw, 4)},
        "laps": line.laps,
        "worst": None if line.worst is None else {"lap": line.worst[0], "point": line.worst[1]},
        "levels": LEVELS,
        "histograms": {
            "inference": None if times.inference is None else asdict(times.inference),
            "age": None if times.age is None else asdict(times.age),
        },
    }
