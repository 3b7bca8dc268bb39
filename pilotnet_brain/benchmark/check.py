"""What must be there before a benchmark starts: its models, circuits and reference laps."""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path

from pilotnet_brain.benchmark.plan import BenchmarkPlan, circuit_length
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.catalogue import resolve_model
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.reference_lap import read_reference_lap_of
from pilotnet_brain.runs.check import check_run
from pilotnet_brain.runs.spec import parse_disturbance
from pilotnet_brain.user_path import user_path

_MADE_OF_A_SEED = re.compile(r"random-\d{1,9}")


def check_plan(plan: BenchmarkPlan) -> None:
    """Check that everything the plan names is there and fits together.

    A model file that cannot be driven with is not refused here: its runs fail, the others go on.

    Raises:
        UserError: an unknown model, circuit or disturbance, a start point beyond the circuit's
            end, a folder without a reference lap, or one of another circuit.
    """
    for model in plan.models:
        resolve_model(model)
    for circuit in plan.circuits:
        if not _MADE_OF_A_SEED.fullmatch(circuit):
            load_circuit(circuit)
    _check_worlds(plan)
    _check_disturbances(plan)
    if plan.mode == "live":
        _check_startable(plan)
    _check_start_points(plan)
    _check_reference_laps(plan)


def model_sha256(model: str) -> str | None:
    """Return the checksum of a model's file, in hexadecimal; None where it cannot be read."""
    try:
        return hashlib.sha256(resolve_model(model, trust=True).read_bytes()).hexdigest()
    except (UserError, OSError):
        return None


def _check_startable(plan: BenchmarkPlan) -> None:
    """Check that at least one live run of the plan can be started on this machine.

    A model that cannot is a row; a simulator or device that is not there would make every run one.
    """
    problems = []
    for run in plan.runs()[: len(plan.models)]:
        try:
            check_run(run.spec)
        except UserError as problem:
            problems.append(problem)
        else:
            return
    raise problems[0]


def _check_worlds(plan: BenchmarkPlan) -> None:
    for series in plan.series.values():
        if not series.world or plan.simulator != "mujoco":
            continue
        if series.looks != (0,):
            raise UserError(f"looks: the world {series.world} has its own: looks must be [0]")
        from pilotnet_brain.simulation.scenery import read_scenery

        for circuit in series.circuits:
            read_scenery(series.world, load_circuit(circuit))


def _check_disturbances(plan: BenchmarkPlan) -> None:
    of_series = [series.disturbance for series in plan.series.values() if series.disturbance]
    if not plan.disturbances and not of_series:
        return
    # Brings the embedded simulator along, which a machine that drives in Gazebo may not have.
    from pilotnet_brain.runs.disturbances import find_disturbance

    for name, amounts in plan.disturbances.items():
        for amount in amounts:
            find_disturbance(name).check(amount)
    for disturbance in of_series:
        name, amount = parse_disturbance(disturbance)
        find_disturbance(name).check(amount)


def _check_start_points(plan: BenchmarkPlan) -> None:
    for series in plan.series.values():
        starts = () if isinstance(series.start_points, str) else series.start_points
        if max(starts, default=0.0) == 0.0:
            continue
        for circuit, start in itertools.product(series.circuits, starts):
            if start >= circuit_length(circuit):
                raise UserError(
                    f"start_points: {start:g} m is beyond the {circuit_length(circuit):.1f} m of "
                    f"{circuit}"
                )


def _check_reference_laps(plan: BenchmarkPlan) -> None:
    if not plan.reference_laps:
        return
    if not user_path(plan.reference_laps).is_dir():
        raise UserError(f"reference_laps: {plan.reference_laps}: no such folder")
    paths = {circuit: plan.reference_lap(circuit) for circuit in plan.circuits}
    if not any(paths.values()):
        first = next(iter(paths))
        raise UserError(
            f"reference_laps: {plan.reference_laps} has a lap of none of the circuits, such as "
            f"{Path(first).stem}.csv"
        )
    for circuit, path in paths.items():
        if path:
            read_reference_lap_of(load_circuit(circuit), path)
