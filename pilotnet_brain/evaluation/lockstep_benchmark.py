"""The lock-step runs of a benchmark: simulator and model in one process, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.evaluation.benchmark_plan import BenchmarkPlan
from pilotnet_brain.evaluation.case import Case
from pilotnet_brain.evaluation.sweep import Keep, ReferenceLaps, drive_cases
from pilotnet_brain.metrics.reference_lap import check_on_circuit, read_reference_lap
from pilotnet_brain.metrics.run_metrics import Figures


def drive_in_lockstep(
    cases: Sequence[Case],
    plan: BenchmarkPlan,
    jobs: int = -1,
    cluster: str | None = None,
    keep: Keep | None = None,
) -> Iterator[tuple[Case, Figures]]:
    """Drive the cases; yields each with its figures as it is done, in any order.

    A run that could not be driven has the reason under ``FAILURE``.

    Args:
        cases: of the plan.
        plan: of the benchmark.
        jobs, cluster, keep: as `drive_cases` takes them.

    Raises:
        UserError: a reference lap cannot be read, or there is no such cluster.
    """
    # A process loads a model once for the cases that stand together.
    by_model = sorted(cases, key=lambda case: plan.models.index(case.model))
    yield from drive_cases(
        by_model,
        jobs,
        cluster,
        laps=plan.laps,
        time_limit_s=plan.time_limit,
        reference_laps=_reference_laps(plan),
        keep=keep,
    )


def _reference_laps(plan: BenchmarkPlan) -> ReferenceLaps:
    laps = {}
    for circuit in plan.circuits:
        if path := plan.reference_lap(circuit):
            laps[circuit] = read_reference_lap(path)
            check_on_circuit(path, laps[circuit], load_circuit(circuit))
    return laps
