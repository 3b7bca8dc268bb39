"""Completes the results of a run whose metrics node died before it could write them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.metrics.trajectory import (
    COLUMNS,
    TrajectoryFileError,
    last_epoch,
    read_trajectory,
)
from pilotnet_brain.runs.folder import RunFolder


def finish_run(folder: RunFolder, reason: str) -> Figures:
    """Write metrics.json where it is missing or of a run still under way; return its figures.

    A metrics.json that says how the run ended is kept as it is. Otherwise the figures of the
    driven line are computed from trajectory.csv, by the run's own circuit and rules; those of the
    brain are taken from the bag, if one was recorded and can be read, else stay null.

    Args:
        folder: of the run.
        reason: why it ended, such as "the metrics node ended (SIGKILL)".

    Raises:
        UserError: the folder does not say what was driven on.
        OSError: the folder cannot be written.
    """
    figures = folder.read_metrics()
    if figures is None or figures.get("ending") is None:
        figures = dict(_recovered(folder, reason))
        folder.write_metrics(figures)
    return figures  # type: ignore[return-value]


def _recovered(folder: RunFolder, reason: str) -> Figures:
    spec = folder.spec()
    metrics = folder.new_metrics()
    for row in _rows(folder).tolist():
        metrics.add_pose(*row[:6])
    metrics.end(reason or "the metrics node ended")
    figures = metrics.figures(simulator=spec.simulator)
    # The clock of the real world is not in trajectory.csv; the bag has it, and the brain's times.
    for key, value in _figures_of_bag(folder).items():
        if figures.get(key) is None:
            figures[key] = value
    if figures["model"] is None:
        figures["model"] = spec.model
    return figures


def _rows(folder: RunFolder) -> NDArray[np.float64]:
    try:
        return last_epoch(read_trajectory(folder.trajectory_csv))
    except TrajectoryFileError:
        # Killed before its first row: nothing was driven.
        return np.empty((0, len(COLUMNS)))


def _figures_of_bag(folder: RunFolder) -> Figures:
    if not folder.bag.is_dir():
        return {}
    from pilotnet_brain.runs.from_bag import run_from_bag

    try:
        return run_from_bag(
            folder.bag, folder.new_metrics(), folder.topics(), since_s=folder.measured_since_s()
        ).figures
    except UserError:
        # The recorder may have died with the metrics node: what it left is no bag then.
        return {}
