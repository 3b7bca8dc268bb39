"""The live runs of a benchmark: the real node graph over DDS in real time, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.benchmark.plan import BenchmarkPlan
from pilotnet_brain.benchmark.row import FAILURE, failed_figures
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.runs.finish import finish_run
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.runs.graph import RunPlan, checked_plan
from pilotnet_brain.runs.live import prepare_run, run_nodes
from pilotnet_brain.runs.stop_reason import take_stop_reason

NODES_LOG = "nodes.log"
"""What a run's nodes printed, in the run's folder."""
_PATIENCE_S = 180.0
"""Real time in which a run must go on, its start included: Gazebo may take two minutes for it."""


def drive_live(
    cases: Sequence[Case], plan: BenchmarkPlan, folder: Path
) -> Iterator[tuple[Case, Figures]]:
    """Drive the cases one after the other; yields each with its figures as it is done.

    A run that could not be driven to its own end (a model that is refused, a node that dies, a
    simulator that hangs) has the reason under ``FAILURE``, beside what it measured by then.

    Args:
        cases: of the plan.
        plan: of the benchmark.
        folder: in which each run has its own, of the name ``case.key``.

    Raises:
        KeyboardInterrupt: this process was told to end; the case that was being driven is not
            yielded, what it drove is in its folder.
    """
    for case in cases:
        yield case, _drive(case, plan, folder / case.key)


def check_live(plan: BenchmarkPlan) -> None:
    """Check that at least one run of the plan can be started on this machine.

    A model that cannot is a row of its own; a simulator or device that is not there would make
    every run one.

    Raises:
        UserError: why none can.
    """
    problems = []
    for case in plan.cases()[: len(plan.models)]:
        try:
            checked_plan(run_plan(case, plan))
        except UserError as problem:
            problems.append(problem)
        else:
            return
    raise problems[0]


def run_plan(case: Case, plan: BenchmarkPlan) -> RunPlan:
    """Return what ``pilotnet drive`` would be asked for this run."""
    return RunPlan(
        circuit=case.circuit,
        model=case.model,
        device=plan.device,
        simulator=plan.simulator,
        laps=plan.laps,
        looks_seed=case.looks_seed,
        start_arc_length=case.start_arc_length,
        record=plan.record,
        reference_lap=plan.reference_lap(case.circuit),
        time_limit=plan.time_limit,
    )


def _drive(case: Case, plan: BenchmarkPlan, path: Path) -> Figures:
    try:
        run = run_plan(case, plan)
        folder, specs = prepare_run(run, path)
    except UserError as problem:
        return failed_figures(str(problem))
    with (folder.path / NODES_LOG).open("wb") as log:
        end = run_nodes(folder, specs, log, _PATIENCE_S)
    if end.refused:
        return failed_figures(_refusal(folder))
    figures = finish_run(folder, end.reason, laps=plan.laps, simulator=plan.simulator)
    # Read by the metrics node, unless it was the one that died.
    take_stop_reason(folder.path)
    if end.received_signal is not None:
        raise KeyboardInterrupt
    return figures | {FAILURE: end.reason} if end.reason else figures


def _refusal(folder: RunFolder) -> str:
    """Return the line in which a node said why it refuses the run."""
    text = (folder.path / NODES_LOG).read_text(encoding="utf-8", errors="replace")
    said = [line for line in text.splitlines() if line.startswith("error: ")]
    return said[-1].removeprefix("error: ") if said else "a node refused the run"
