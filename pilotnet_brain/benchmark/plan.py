"""What a benchmark drives: models x circuits x repetitions, from arguments or a YAML file."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pilotnet_brain.benchmark.case import UNDISTURBED, Case
from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError

DRAWN = "drawn"
"""Of looks and start points: one of its own for every circuit and repetition."""
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class BenchmarkPlan:
    """One benchmark. Every value is said; what was left out of the file is filled in.

    Attributes:
        mode: "live" (the node graph over DDS, in real time) or "lockstep".
        simulator: of live runs, as ``pilotnet drive`` takes it.
        models: names or paths.
        circuits: how many repetitions of each, by name or path.
        looks: seeds that the repetitions take in turn (0 is the plain look), or "drawn".
        start_points: where the repetitions start in turn, m from the start line, or "drawn".
        seed: of what is drawn.
        disturbances: amounts of each, by name; the undisturbed run always comes first.
        laps: of a run.
        time_limit: simulated seconds after which a run ends unfinished.
        device: of live runs: auto, cpu or cuda.
        record: whether runs keep what they recorded: the bag of a live one, the driven line of one
            in lock-step.
        reference_laps: folder of <circuit>.csv for the published score, empty for none.
    """

    mode: str
    simulator: str
    models: tuple[str, ...]
    circuits: Mapping[str, int]
    looks: tuple[int, ...] | str
    start_points: tuple[float, ...] | str
    seed: int = 0
    disturbances: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    laps: int = 1
    time_limit: float = 600.0
    device: str = "auto"
    record: bool = True
    reference_laps: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as YAML and JSON have it; `plan_of` takes it back."""
        values = asdict(self)
        values["disturbances"] = {name: list(a) for name, a in self.disturbances.items()}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
        }

    def cases(self) -> list[Case]:
        """Return every run, in the order in which live runs are driven.

        The models take turns, so that a machine that slows down does so for all of them.

        Raises:
            UserError: two runs would be one and the same, or share a folder.
        """
        cases = list(self._cases())
        _check_distinct(cases, self.mode)
        return cases

    def parameters(self, case: Case) -> dict[str, Any]:
        """Return what is asked of one run, by the names that ``pilotnet drive`` has for it."""
        return {
            **case._asdict(),
            "mode": self.mode,
            "simulator": self.simulator,
            "laps": self.laps,
            "time_limit": self.time_limit,
            "reference_lap": self.reference_lap(case.circuit),
        }

    def reference_lap(self, circuit: str) -> str:
        """Return the path of a circuit's reference lap, empty where the folder has none."""
        if not self.reference_laps:
            return ""
        path = Path(self.reference_laps).expanduser() / f"{Path(circuit).stem}.csv"
        return str(path) if path.is_file() else ""

    def _cases(self) -> Iterator[Case]:
        disturbed = [(UNDISTURBED, 0.0)]
        disturbed += [(name, a) for name, amounts in self.disturbances.items() for a in amounts]
        for circuit, repetitions in self.circuits.items():
            for repetition, (disturbance, amount), model in itertools.product(
                range(repetitions), disturbed, self.models
            ):
                yield Case(
                    model,
                    circuit,
                    repetition,
                    self._looks_seed(circuit, repetition),
                    self._start(circuit, repetition),
                    disturbance,
                    amount,
                )

    def _looks_seed(self, circuit: str, repetition: int) -> int:
        if isinstance(self.looks, str):
            share = _drawn_share(self.seed, "looks", circuit, repetition)
            return 1 + int(share * LARGEST_SEED)
        return self.looks[repetition % len(self.looks)]

    def _start(self, circuit: str, repetition: int) -> float:
        if isinstance(self.start_points, str):
            share = _drawn_share(self.seed, "start", circuit, repetition)
            return round(share * circuit_length(circuit), 1)
        return self.start_points[repetition % len(self.start_points)]


@functools.cache
def circuit_length(circuit: str) -> float:
    """Return a circuit's lap, m. Raises UserError as ``load_circuit`` does."""
    return load_circuit(circuit).centerline.length


def _drawn_share(seed: int, what: str, circuit: str, repetition: int) -> float:
    """Return a number in 0..1 that follows from the words alone: the same for every model."""
    words = f"{seed} {what} {Path(circuit).stem} {repetition}".encode()
    return int.from_bytes(hashlib.sha256(words).digest()[:6], "big") / 2**48


def _check_distinct(cases: list[Case], mode: str) -> None:
    keys: dict[str, Case] = {}
    drives: dict[Case, Case] = {}
    for case in cases:
        other = keys.setdefault(case.key, case)
        if other is not case:
            raise UserError(
                f"{_what(case)} and {_what(other)} would share the folder {case.key}: "
                "rename a file, so that names differ"
            )
        same = drives.setdefault(case._replace(repetition=0), case)
        if same is not case and mode == "lockstep":
            raise UserError(
                f"repetitions {same.repetition} and {case.repetition} of {_what(case)} are the "
                "same lap to the bit in lock-step: draw looks or start_points, or give more of them"
            )


def _what(case: Case) -> str:
    return f"{case.model} on {case.circuit}"
