"""The lock-step runs of a benchmark: simulator and model in one process, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.benchmark.plan import BenchmarkPlan
from pilotnet_brain.benchmark.sweep import Keep, ReferenceLaps, drive_cases
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.metrics.run_metrics import Figures


def drive_in_lockstep(
    cases: Sequence[Case],
    plan: BenchmarkPlan,
    jobs: int = -1,
    cluster: str | None = None,
    keep: Keep | None = None,
) -> Iterator[tuple[Case, Figures]]:
    """Drive the cases as `drive_cases` does; yields each with its figures as it is done.

    Args:
        cases: of the plan.
        plan: of the benchmark.
        jobs, cluster, keep: as `drive_cases` takes them.

    Raises:
        UserError: a reference lap cannot be read, or there is no such cluster.
    """
    return drive_cases(
        cases,
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
            laps[circuit] = read_reference_lap_of(load_circuit(circuit), path)
    return laps
