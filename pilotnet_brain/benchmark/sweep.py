"""Many runs in lock-step at once: on all cores of this machine, or on a Dask cluster."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.benchmark.plan import PlannedRun
from pilotnet_brain.benchmark.row import failed_figures
from pilotnet_brain.benchmark.workers import WorkerDied, call_in_processes, call_on_cluster
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.circuits.circuit import Circuit
from pilotnet_brain.errors import UserError, input_warnings_told_before
from pilotnet_brain.machine import made_by
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.metrics.run_metrics import Figures, RunMetrics
from pilotnet_brain.metrics.trajectory import TrajectoryRow
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.lockstep_run import drive_spec


class SweptRun(NamedTuple):
    """What a run in lock-step left."""

    #: as in metrics.json, with the model's name and device; `failed_figures` where it could not be
    #: driven
    figures: Figures
    rows: list[TrajectoryRow]  #: as in trajectory.csv
    circuit: Circuit | None  #: that was driven on; None where there is none


def sweep(
    runs: Sequence[PlannedRun], jobs: int = -1, cluster: str | None = None
) -> Iterator[tuple[PlannedRun, SweptRun]]:
    """Drive runs in lock-step with models on the CPU; yields each as it is done.

    All figures but the `TIMED` ones (see `lockstep`) are the same to the bit, however many
    processes or machines drive.

    A run that cannot be driven (no such model or circuit, a damaged file, an error of the
    simulator, a process that dies on it again and again) ends nothing: its figures say why.

    Args:
        runs: in any order; they are done in any order.
        jobs: processes of one thread each; -1: one a core.
        cluster: address of a Dask scheduler to drive on instead, such as ``tcp://10.0.0.1:8786``.
            Its workers need this package, and the same paths where a run names a file. A worker
            drives one run at a time.

    Raises:
        UserError: there is no such cluster.
    """
    if cluster is None:
        results = call_in_processes(_drive, runs, jobs)
    else:
        results = call_on_cluster(_drive, runs, cluster)
    for run, result in results:
        yield run, _failed(result) if isinstance(result, WorkerDied) else result


def drive_in_lockstep(
    runs: Sequence[PlannedRun], folder: Path, jobs: int = -1, cluster: str | None = None
) -> Iterator[tuple[PlannedRun, Figures]]:
    """Drive runs as `sweep` does; yields each with its figures as it is done.

    Args:
        folder: in which each run whose spec says ``record`` has its own, named ``run.name``.
        jobs, cluster: as `sweep` takes them.

    Raises:
        UserError: there is no such cluster, or a folder cannot be written.
    """
    origin = made_by()
    for run, swept in sweep(runs, jobs, cluster):
        if run.spec.record and swept.circuit is not None:
            kept = RunFolder.make(folder / run.name)
            kept.add_to_record(spec=run.spec.with_absolute_paths().to_dict(), **origin)
            kept.keep_circuit(swept.circuit)
            if run.spec.reference_lap:
                kept.keep_reference_lap(_reference_lap(run.spec.circuit, run.spec.reference_lap))
            for row in swept.rows:
                kept.append_trajectory(row)
            kept.close()
            kept.write_metrics(swept.figures)
        yield run, swept.figures


def _drive(run: PlannedRun) -> SweptRun:
    # A cluster's worker may have several threads; a pilot and a renderer are for one.
    with _ONE_AT_A_TIME, input_warnings_told_before():
        try:
            spec = run.spec
            circuit = load_circuit(spec.circuit)
            lap = _reference_lap(spec.circuit, spec.reference_lap) if spec.reference_lap else None
            metrics = RunMetrics(circuit, spec.rules(), reference_lap=lap)
            rows: list[TrajectoryRow] = []
            return SweptRun(drive_spec(spec, metrics, rows.append), rows, circuit)
        except Exception as problem:  # whatever it was, the other runs go on
            return _failed(problem)


_ONE_AT_A_TIME = threading.Lock()


@functools.lru_cache(maxsize=16)
def _reference_lap(circuit: str, path: str) -> NDArray[np.float64]:
    return read_reference_lap_of(load_circuit(circuit), path)


def _failed(problem: Exception) -> SweptRun:
    lines = str(problem).splitlines()
    reason = lines[0] if lines else ""
    if not isinstance(problem, (UserError, WorkerDied)):
        reason = f"{type(problem).__name__}: {reason}"
    return SweptRun(failed_figures(reason), [], None)
