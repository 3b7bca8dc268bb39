"""One run of a benchmark: which model, where, under what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

UNDISTURBED = "none"
"""Of ``Case.disturbance``: the run as the simulator gives it."""


class Case(NamedTuple):
    """What distinguishes one run of a benchmark from another.

    Attributes:
        model: its name, or the path of a model file, as ``resolve_model`` takes it.
        circuit: its name, as ``load_circuit`` takes it.
        repetition: from 0; the looks and the start point of a repetition follow from it.
        looks_seed: of ``random_looks``; 0 is the plain look, as in ``pilotnet drive``.
        start_arc_length: where on the centerline the car starts, m.
        disturbance: the name of a disturbance, or ``UNDISTURBED``.
        amount: how strong it is, in the disturbance's own unit; 0.0 without one.
    """

    model: str
    circuit: str
    repetition: int = 0
    looks_seed: int = 0
    start_arc_length: float = 0.0
    disturbance: str = UNDISTURBED
    amount: float = 0.0

    @property
    def key(self) -> str:
        """The run's name within its benchmark, fit for a folder: model-circuit-repetition."""
        words = [_word(self.model), _word(self.circuit), str(self.repetition)]
        if self.disturbance != UNDISTURBED:
            words.append(f"{self.disturbance}-{self.amount:g}")
        return "-".join(words)


def _word(name: str) -> str:
    """Return a name, or a path's file name, with what is unfit for a folder replaced."""
    stem = Path(name).stem if "/" in name or name.endswith((".pt", ".csv")) else name
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", stem)
