"""Completes the results of a run whose metrics node died before it could write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figure, Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import (
    COLUMNS,
    TrajectoryFileError,
    last_epoch,
    read_trajectory,
)
from pilotnet_brain.runs.folder import RunFolder


def finish_run(
    folder: RunFolder | str | Path,
    reason: str,
    circuit: Circuit | None = None,
    laps: int = 1,
    **context: Figure,
) -> Figures:
    """Write metrics.json and lap.png where they are missing, from what is on disk.

    A metrics.json that says how the run ended is kept as it is. Otherwise the figures of the
    driven line are computed from trajectory.csv; those of the brain are taken from the bag, if
    one was recorded and can be read, else stay null.

    Args:
        folder: of the run.
        reason: why it ended, such as "the metrics node died (signal 9)".
        circuit: None: the one that run.yaml names.
        laps: that were asked for.
        context: further entries for a metrics.json that has to be written (model, simulator...).

    Returns:
        The figures of metrics.json.

    Raises:
        UserError: no run folder, or its circuit is not there any more.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder.open(folder)
    figures = run.read_metrics()
    measured = figures is not None and figures.get("ending") is not None
    if measured and (run.lap_png.exists() or not run.trajectory_csv.exists()):
        # Who finds everything in place need load neither the circuit nor matplotlib.
        return figures  # type: ignore[return-value]
    circuit = circuit or load_circuit(run.circuit_name())
    if not measured:
        figures = dict(_recovered(run, circuit, reason, laps, context))
        run.write_metrics(figures)
    if not run.lap_png.exists() and run.trajectory_csv.exists():
        from pilotnet_brain.report.lap_picture import draw_lap

        draw_lap(run, circuit)
    return figures  # type: ignore[return-value]


def _recovered(
    run: RunFolder, circuit: Circuit, reason: str, laps: int, context: dict[str, Figure]
) -> Figures:
    asked = run.parameters()
    reference_lap = _reference_lap(circuit, asked.get("reference_lap"))
    metrics = RunMetrics(circuit, laps, reference_lap=reference_lap)
    for row in _rows(run).tolist():
        metrics.add_pose(*row[:6])
    metrics.end(reason)
    figures = metrics.figures(**context)
    # The clock of the real world is not in trajectory.csv; the bag has it, and the brain's times.
    for key, value in _figures_of_bag(run, circuit, laps, asked).items():
        if figures.get(key) is None:
            figures[key] = value
    if figures["model"] is None:
        figures["model"] = asked.get("model")
    return figures


def _rows(run: RunFolder) -> NDArray[np.float64]:
    try:
        return last_epoch(read_trajectory(run.trajectory_csv))
    except TrajectoryFileError:
        # Killed before its first row: there is nothing driven to tell of.
        return np.empty((0, len(COLUMNS)))


def _reference_lap(circuit: Circuit, path: object) -> NDArray[np.float64] | None:
    """Return the run's reference lap; None where it had none, or it is not there any more."""
    if not path:
        return None
    from pilotnet_brain.metrics.reference_lap import read_reference_lap_of

    try:
        return read_reference_lap_of(circuit, str(path))
    except UserError:
        return None


def _figures_of_bag(
    run: RunFolder, circuit: Circuit, laps: int, asked: Mapping[str, Any]
) -> Figures:
    if not run.bag.is_dir():
        return {}
    from pilotnet_brain.runs.from_bag import BagTopics, metrics_from_bag

    try:
        return metrics_from_bag(run.bag, circuit, laps, topics=BagTopics.of_run(asked))
    except UserError:
        # The recorder may have died with the metrics node: what it left is no bag then.
        return {}
