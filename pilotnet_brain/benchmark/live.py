"""The live runs of a benchmark: the real node graph over DDS in real time, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pilotnet_brain.benchmark.plan import PlannedRun
from pilotnet_brain.benchmark.row import FAILURE, failed_figures
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.runs.drive import drive
from pilotnet_brain.runs.events import FAILED, STOPPING, last_reason

NODES_LOG = "nodes.log"
"""What a run's nodes printed, in the run's folder."""


def drive_live(runs: Sequence[PlannedRun], folder: Path) -> Iterator[tuple[PlannedRun, Figures]]:
    """Drive runs one after the other; yields each with its figures as it is done.

    A run that could not be driven to its own end (a model that is refused, a node that dies, a
    simulator that hangs) has the reason under ``FAILURE``, next to what it measured by then.

    Args:
        folder: in which each run has its own, of the name ``run.name``.

    Raises:
        KeyboardInterrupt: this process was told to end; the run that was being driven is not
            yielded, what it drove is in its folder.
    """
    for run in runs:
        yield run, _drive(run, folder / run.name)


def _drive(run: PlannedRun, path: Path) -> Figures:
    try:
        folder = drive(run.spec, path, log=NODES_LOG)
    except UserError as problem:
        return failed_figures(str(problem))
    failure = last_reason(folder.path, FAILED) or last_reason(folder.path, STOPPING)
    figures: Figures = dict(folder.read_metrics() or {})  # type: ignore[arg-type]
    return figures | {FAILURE: failure} if failure else figures
