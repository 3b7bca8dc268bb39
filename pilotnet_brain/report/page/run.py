"""report.html of a run: one file that shows the drive, from what its folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.bags.reader import read_bag
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.frame_log import FrameLog
from pilotnet_brain.metrics.frame_record import FrameRecordError, frame_record
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryFileError, TrajectoryRows
from pilotnet_brain.report.cameras import worst_frame
from pilotnet_brain.report.figures import (
    TILES,
    figure_text,
    figures_table,
    outcome,
    published_table,
)
from pilotnet_brain.report.page.driven_line import DrivenLine, driven_line, road
from pilotnet_brain.report.page.template import LEVELS, write_page
from pilotnet_brain.report.run_data import driven_rows
from pilotnet_brain.report.tables import NOT_MEASURED, Table, mapping_table
from pilotnet_brain.runs.folder import RunFolder

_BINS = 40


@dataclass(frozen=True)
class Histogram:
    """How often durations fell between two edges; all in ms."""

    edges: list[float]  #: of the bins, one more than `counts`
    counts: list[int]  #: of the durations in each bin
    beyond: int  #: how many were longer than the last edge
    longest: float  #: the longest of all
    median: float  #: of all
    p99: float  #: of all


@dataclass(frozen=True)
class BrainTimes:
    """The times of a run's frames; `missing` says why there are none."""

    inference: Histogram | None = None
    age: Histogram | None = None
    missing: str = ""


def write_run_page(run_folder: RunFolder) -> Path:
    """Write a run's report.html, which needs no other file and no network.

    What is missing from the folder is missing from the page, which says so.

    Raises:
        UserError: the run's circuit is not known, or no longer there.
    """
    circuit = run_folder.circuit()
    figures = run_folder.read_metrics() or {}
    record = run_folder.read_record()
    spec = mapping(record.get("spec"))
    rows = _rows(run_folder)
    line = driven_line(circuit, rows)
    times = _times(run_folder, rows)
    worst = worst_frame(run_folder, circuit, rows)
    model = str(figures.get("model") or "an unknown model")
    return write_page(
        run_folder.report_html,
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
        parameters=mapping_table("Parameters", "parameter", spec) if spec else None,
        started=str(record.get("started") or "").replace("T", " "),
        folder_name=run_folder.path.name,
        # Without figures it is not known whether the run ended on the way.
        data=_script_data(circuit, line, times)
        | {"stopped": figures.get("lap_completed") is False},
    )


def _is_wide(circuit: Circuit) -> bool:
    """Whether the map, which lies on its longer side, is low: there is room beneath it."""
    width, height = np.ptp(
        circuit.centerline.position(np.arange(circuit.centerline.length)), axis=0
    )
    return bool(max(width, height) > 1.5 * min(width, height))


def _rows(folder: RunFolder) -> NDArray[np.float64]:
    try:
        return driven_rows(folder)
    except TrajectoryFileError:
        return np.empty((0, len(COLUMNS)))


def _times(folder: RunFolder, rows: TrajectoryRows) -> BrainTimes:
    if not len(rows):
        return BrainTimes(missing="nothing was driven")
    return brain_times(folder, float(rows[0, 0]), float(rows[-1, 0]))


def brain_times(folder: RunFolder, start_s: float, end_s: float) -> BrainTimes:
    """Return the times of a run's frames stamped between two simulated times."""
    if not folder.bag.is_dir():
        return BrainTimes(missing="this run has no bag, which holds the brain's times")
    try:
        log = _frame_log(folder)
    except UserError as problem:
        return BrainTimes(missing=str(problem))
    records = log.between(start_s, end_s)
    if not records:
        return BrainTimes(missing="the bag holds no frame records of this drive")
    return BrainTimes(
        inference=histogram(record.inference_s for record in records),
        age=histogram(record.age_s for record in records if record.driven),
    )


def histogram(durations_s: Iterable[float | None]) -> Histogram | None:
    """Return the histogram of durations; None where there are none.

    The last edge lies a little beyond the 99th percentile: otherwise one slow frame would squeeze
    all others into one bin.
    """
    known = np.array([1e3 * d for d in durations_s if d is not None and np.isfinite(d)])
    if not len(known):
        return None
    median, p99 = (float(p) for p in np.percentile(known, (50, 99)))
    top = min(float(known.max()), 1.25 * p99) or 1.0
    counts, edges = np.histogram(known, _BINS, (0.0, top))
    return Histogram(
        edges=np.round(edges, 5).tolist(),
        counts=counts.tolist(),
        beyond=int((known > top).sum()),
        longest=float(known.max()),
        median=median,
        p99=p99,
    )


def _frame_log(folder: RunFolder) -> FrameLog:
    topic = folder.topics()["brain/frames"]
    log = FrameLog()
    for message in read_bag(folder.bag, lambda name, _: name == topic).messages:
        try:
            log.add(frame_record(message.message))
        except FrameRecordError:
            log.unreadable += 1
    return log


def _tiles(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the main figures; of the two scores the published one, where there is one."""
    tiles = []
    for key, label in TILES:
        if key == "position_deviation_score":
            label = "deviation score, centerline"
            if _has_published_score(figures):
                key, label = "position_deviation_score_published", "deviation score, published"
        text = figure_text(figures, key)
        if text != NOT_MEASURED:
            number, _, unit = text.partition(" ")
            tiles.append({"number": number, "unit": unit, "label": label})
    return tiles


def _has_published_score(figures: Mapping[str, Any]) -> bool:
    return figures.get("position_deviation_score_published") is not None


def machine_table(record: Mapping[str, Any]) -> Table | None:
    """Return hardware, versions and commit as run.yaml keeps them; None where it does not."""
    known = {key: record.get(key) for key in ("hardware", "versions", "git_commit")}
    if not any(known.values()):
        return None
    flat = {**mapping(known["hardware"]), **mapping(known["versions"])}
    return mapping_table("Machine and versions", "what", flat | {"git commit": known["git_commit"]})


def mapping(value: object) -> Mapping[str, Any]:
    """Return a value that a file holds, nothing where it is no mapping."""
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
