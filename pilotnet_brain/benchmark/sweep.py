"""Many laps in lock-step: every case of a sweep, on all cores or on a Dask cluster."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotnet_brain.benchmark.case import UNDISTURBED, Case
from pilotnet_brain.benchmark.row import FAILURE, failed_figures
from pilotnet_brain.benchmark.workers import WorkerDied, call_in_processes, call_on_cluster
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.driving.model.file import load_model
from pilotnet_brain.driving.pilot import Pilot, use_threads
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.metrics.trajectory import COLUMNS, TrajectoryRow
from pilotnet_brain.runs.disturbances import disturb
from pilotnet_brain.runs.lockstep import LockstepPlan, drive_lockstep
from pilotnet_brain.simulation.looks import looks_of_seed

PLAIN_LOOKS = 0
"""Of ``Case.looks_seed``: the plain look, as in ``pilotnet drive``."""

ReferenceLaps = Mapping[str, NDArray[np.float64]]
"""By the circuit's name as the cases have it: points (N, 2), m."""
Trajectory = NDArray[np.float64]
"""(N, 10), the columns of trajectory.csv; a command that was not yet given is NaN."""
Keep = Callable[[Case, Figures, Trajectory], object]


def drive_cases(
    cases: Iterable[Case],
    jobs: int = -1,
    cluster: str | None = None,
    *,
    laps: int = 1,
    time_limit_s: float = 600.0,
    reference_laps: ReferenceLaps | None = None,
    trust_models: bool = False,
    keep: Keep | None = None,
) -> Iterator[tuple[Case, Figures]]:
    """Drive cases with models on the CPU; yields each with its figures as it is done.

    The figures are `RunMetrics.figures`, with the model's name and device. All but the `TIMED`
    ones (see `lockstep`) are the same to the bit, however many processes or machines drive.

    A case that cannot be driven (no such model or circuit, a damaged file, an error of the
    simulator, a process that dies on it again and again) ends nothing: its figures are those of
    `failed_figures`, with the reason.

    Args:
        cases: in any order; they are done in any order.
        jobs: processes of one thread each; -1: one a core.
        cluster: address of a Dask scheduler to drive on instead, such as ``tcp://10.0.0.1:8786``.
            Its workers need this package, and the same paths where a case names a file. A worker
            drives one case at a time.
        laps: of each case.
        time_limit_s: simulated seconds after which a case ends unfinished.
        reference_laps: for the published score; of circuits without one it stays null.
        trust_models: take model files whose checksum is not the manifest's.
        keep: called here with each driven case, its figures and its trajectory, before it is
            yielded; not with failed ones.

    Raises:
        UserError: there is no such cluster.
    """
    drive = _Sweep(laps, time_limit_s, trust_models)
    laps_known = reference_laps or {}
    tasks = [_Task(case, laps_known.get(case.circuit)) for case in cases]
    results: Iterator[tuple[_Task, _Run | WorkerDied]]
    if cluster is None:
        results = call_in_processes(drive, tasks, jobs)
    else:
        results = call_on_cluster(drive, tasks, cluster)
    for task, result in results:
        run = _failure(task.case, result) if isinstance(result, WorkerDied) else result
        if keep is not None and FAILURE not in run.figures:
            keep(task.case, run.figures, run.trajectory)
        yield task.case, run.figures


class _Task(NamedTuple):
    case: Case
    reference_lap: NDArray[np.float64] | None


class _Run(NamedTuple):
    figures: Figures
    trajectory: Trajectory


@dataclass(frozen=True)
class _Sweep:
    """What all cases have in common; called with a task, it drives it."""

    laps: int
    time_limit_s: float
    trust_models: bool

    def __call__(self, task: _Task) -> _Run:
        # A cluster's worker may have several threads; a pilot and a renderer are for one.
        with _ONE_AT_A_TIME:
            try:
                return self._drive(task)
            except Exception as problem:  # whatever it was, the other cases go on
                return _failure(task.case, problem)

    def _drive(self, task: _Task) -> _Run:
        # One rendering thread a process: the processes share the cores already.
        os.environ["LP_NUM_THREADS"] = "1"
        use_threads(1)
        case = task.case
        path = resolve_model(case.model, self.trust_models)
        pilot = _pilot(path, path.stat().st_mtime_ns)
        rows: list[TrajectoryRow] = []
        figures = drive_lockstep(
            self._plan(task),
            lambda frame, state: pilot.drive(frame),
            rows.append,
            model=pilot.model.name,
            device=pilot.model.device,
        )
        trajectory = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
        return _Run(figures, trajectory)

    def _plan(self, task: _Task) -> LockstepPlan:
        case = task.case
        plan = LockstepPlan(
            circuit=load_circuit(case.circuit),
            looks=looks_of_seed(case.looks_seed),
            laps=self.laps,
            start_arc_length=case.start_arc_length,
            time_limit_s=self.time_limit_s,
            reference_lap=task.reference_lap,
        )
        if case.disturbance == UNDISTURBED:
            return plan
        return disturb(plan, case.disturbance, case.amount, seed=case.repetition)


_ONE_AT_A_TIME = threading.Lock()


@functools.lru_cache(maxsize=16)
def _pilot(path: Path, changed_ns: int) -> Pilot:
    """Return the pilot of a model file as it is since it was changed."""
    del changed_ns
    return Pilot(load_model(path, "cpu"))


def _failure(case: Case, problem: Exception) -> _Run:
    lines = str(problem).splitlines()
    reason = lines[0] if lines else ""
    if not isinstance(problem, (UserError, WorkerDied)):
        reason = f"{type(problem).__name__}: {reason}"
    return _Run(failed_figures(reason), np.empty((0, len(COLUMNS))))
