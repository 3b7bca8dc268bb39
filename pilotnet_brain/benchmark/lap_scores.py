"""A model's scores: one lock-step lap of each circuit, as the manifest keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.driving.model.file import Model
from pilotnet_brain.driving.pilot import Pilot
from pilotnet_brain.metrics.run_metrics import Figures
from pilotnet_brain.runs.lockstep import LockstepPlan, drive_lockstep

KEPT = (
    "lap_completed",
    "completion",
    "average_speed",
    "position_deviation_mae",
    "position_deviation_max",
    "position_deviation_score",
)


def lap_scores(model: Model, circuits: Sequence[str]) -> Iterator[tuple[str, Figures]]:
    """Drive one lap of each circuit in its plain look; yields its name and the kept figures.

    Raises:
        UnknownCircuitError: before anything is driven.
    """
    loaded = [load_circuit(name) for name in circuits]
    pilot = Pilot(model)
    for circuit in loaded:
        figures = drive_lockstep(
            LockstepPlan(circuit), lambda frame, state: pilot.drive(frame).command
        )
        yield circuit.name, {key: figures[key] for key in KEPT}
