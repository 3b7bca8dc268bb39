"""The laps that show what a model can do: every shipped circuit, other looks, unseen circuits.

Driven in lock-step, one process a core; the same model gives the same figures to the bit, however
many processes drive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pilotnet_brain.benchmark.case import Case
from pilotnet_brain.benchmark.lap_scores import KEPT
from pilotnet_brain.benchmark.row import FAILURE
from pilotnet_brain.benchmark.sweep import PLAIN_LOOKS, drive_cases
from pilotnet_brain.circuits.catalogue import circuit_names, is_held_out, load_circuit
from pilotnet_brain.driving.model.file import load_model
from pilotnet_brain.errors import UserError
from pilotnet_brain.metrics.run_metrics import Figures

_LOOKS_SEEDS = (1, 2, 3)
_UNSEEN_SEEDS = range(101, 121)


class Lap(NamedTuple):
    """One lap to drive.

    Attributes:
        circuit: its name, as ``load_circuit`` takes it.
        looks_seed: of ``random_looks``; ``PLAIN_LOOKS`` for the plain look.
    """

    circuit: str
    looks_seed: int = PLAIN_LOOKS

    @property
    def name(self) -> str:
        """The lap's name, e.g. ``montreal, looks 2``."""
        return f"{self.circuit}, looks {self.looks_seed}" if self.looks_seed else self.circuit


def series() -> dict[str, list[Lap]]:
    """Return the laps by series.

    ``plain``: every shipped circuit in its plain look. ``looks``: the test circuits, three drawn
    looks each. ``unseen``: 20 random circuits of seeds that training does not draw from, each with
    a look of its own.
    """
    names = circuit_names()
    return {
        "plain": [Lap(name) for name in names],
        "looks": [Lap(name, seed) for name in names if is_held_out(name) for seed in _LOOKS_SEEDS],
        "unseen": [Lap(f"random-{seed}", seed) for seed in _UNSEEN_SEEDS],
    }


def drive_laps(
    path: Path, laps: Sequence[Lap], jobs: int = 2, time_limit_s: float = 600.0
) -> Iterator[tuple[Lap, Figures]]:
    """Drive laps with a model on the CPU; yields each with its kept figures as it is done.

    Args:
        path: the model file.
        laps: in any order; they are done in any order.
        jobs: processes, of one thread each.
        time_limit_s: simulated seconds after which a lap ends unfinished.

    Raises:
        UnknownCircuitError: before anything is driven.
        UserError: the file is not fit to drive with, or a lap cannot be driven.
    """
    for lap in laps:
        load_circuit(lap.circuit)
    load_model(path, "cpu")
    lap_of = {Case(str(path), lap.circuit, looks_seed=lap.looks_seed): lap for lap in laps}
    driven = drive_cases(lap_of, jobs, time_limit_s=time_limit_s, trust_models=True)
    for case, figures in driven:
        if FAILURE in figures:
            raise UserError(f"{path}: {lap_of[case].name}: {figures[FAILURE]}")
        yield lap_of[case], {key: figures[key] for key in KEPT}


def summary(laps: Mapping[Lap, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several laps as one: finished of driven, means, the worst.

    Speeds and deviations of laps that were not finished count with them, as far as there are any:
    a car that never set off has none. Where no lap has, the figure is None.
    """

    def known(key: str) -> list[float]:
        return [figures[key] for figures in laps.values() if figures[key] is not None]

    def mean(key: str) -> float | None:
        return float(np.mean(known(key))) if known(key) else None

    return {
        "laps": len(laps),
        "finished": sum(bool(figures["lap_completed"]) for figures in laps.values()),
        "average_speed": mean("average_speed"),
        "position_deviation_mae": mean("position_deviation_mae"),
        "position_deviation_max": max(known("position_deviation_max"), default=None),
        "not_finished": sorted(lap.name for lap, f in laps.items() if not f["lap_completed"]),
        "circuits": list(dict.fromkeys(lap.circuit for lap in laps)),
        "looks_seeds": sorted({lap.looks_seed for lap in laps}),
    }
