"""What a benchmark drives: models x circuits x repetitions, as a list of runs."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pilotnet_brain.circuits.catalogue import load_circuit
from pilotnet_brain.errors import UserError
from pilotnet_brain.runs.spec import LARGEST_SEED, RunSpec
from pilotnet_brain.user_path import user_path

DRAWN = "drawn"
"""Of looks and start points: drawn for every circuit and repetition, alike for all models."""
OF_CIRCUIT = "of_circuit"
"""Of looks: the number of a random circuit is the seed of its looks, too."""
UNDISTURBED = "none"
"""The disturbance of a row that has none."""
_STALLED_S = 180.0
"""Real time in which a live run must go on, its start included: Gazebo may take two minutes."""


@dataclass(frozen=True)
class Series:
    """Circuits that are driven under the same rule."""

    circuits: Mapping[str, int]  #: how many repetitions of each, by name or path
    #: seeds that the repetitions take in turn (0 is the plain look), "drawn" or "of_circuit"
    looks: tuple[int, ...] | str
    #: where the repetitions start in turn, m from the start line, or "drawn"
    start_points: tuple[float, ...] | str
    disturbance: str = ""  #: of every run, NAME=AMOUNT; empty: the plan's
    world: str = ""  #: path of a world file that the circuits lie in; empty: made of each circuit


class PlannedRun(NamedTuple):
    """One run of a benchmark: its spec, the series that it is of, and which repetition it is."""

    spec: RunSpec
    repetition: int = 0
    series: str = ""

    @property
    def name(self) -> str:
        """Of its folder: [series-]model-circuit-repetition[-disturbance-amount]."""
        words = [self.series, _word(self.spec.model), _word(self.spec.circuit)]
        words += [str(self.repetition), self.spec.disturbance.replace("=", "-")]
        return "-".join(word for word in words if word)

    def __str__(self) -> str:
        """Return the run in words, e.g. ``qat on montreal, repetition 2, latency 50``."""
        disturbed = self.spec.disturbance.replace("=", " ")
        words = [f"{self.spec.model} on {self.spec.circuit}", self.series]
        words += [f"repetition {self.repetition}", disturbed]
        return ", ".join(word for word in words if word)


@dataclass(frozen=True)
class BenchmarkPlan:
    """One benchmark. Every value is said; what was left out of the file is filled in."""

    mode: str  #: "live" (the node graph over DDS, in real time) or "lockstep"
    simulator: str  #: of live runs, as ``pilotnet drive`` takes it
    models: tuple[str, ...]  #: names or paths
    series: Mapping[str, Series]  #: by name; a plan with only one has it under the empty name
    seed: int = 0  #: of what is drawn
    #: amounts of each, by name; the undisturbed run always comes first
    disturbances: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    laps: int = 1  #: of a run
    time_limit: float = 600.0  #: simulated seconds after which a run ends unfinished
    device: str = "auto"  #: of live runs: auto, cpu or cuda
    runtime: str = "auto"  #: what runs the models
    #: whether runs keep what they recorded: the bag of a live one, the driven line of one in
    #: lock-step
    record: bool = True
    reference_laps: str = ""  #: folder of <circuit>.csv for the published score, empty for none

    @property
    def circuits(self) -> dict[str, int]:
        """How many repetitions of each circuit there are, over all series."""
        counts: Counter[str] = Counter()
        for series in self.series.values():
            counts.update(series.circuits)
        return dict(counts)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as YAML and JSON have it; `plan_of` takes it back."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples as lists
        series = values.pop("series")
        return values | (series[""] if set(series) == {""} else {"series": series})

    def runs(self) -> list[PlannedRun]:
        """Return every run, in the order in which live runs are driven.

        The models take turns, so that a machine that slows down does so for all of them.

        Raises:
            UserError: two runs would be one and the same, or share a folder.
        """
        runs = list(self._runs())
        _check_distinct(runs, self.mode)
        return runs

    def reference_lap(self, circuit: str) -> str:
        """Return the path of a circuit's reference lap, empty where the folder has none."""
        if not self.reference_laps:
            return ""
        path = user_path(self.reference_laps) / f"{Path(circuit).stem}.csv"
        return str(path) if path.is_file() else ""

    def _runs(self) -> Iterator[PlannedRun]:
        of_plan = [""]
        of_plan += [f"{n}={a:g}" for n, amounts in self.disturbances.items() for a in amounts]
        for name, series in self.series.items():
            disturbances = [series.disturbance] if series.disturbance else of_plan
            for circuit, repetitions in series.circuits.items():
                for repetition, disturbance, model in itertools.product(
                    range(repetitions), disturbances, self.models
                ):
                    spec = self._spec(model, circuit, disturbance, series, repetition)
                    yield PlannedRun(spec, repetition, name)

    def _spec(
        self, model: str, circuit: str, disturbance: str, series: Series, repetition: int
    ) -> RunSpec:
        lockstep = self.mode == "lockstep"
        return RunSpec(
            circuit=circuit,
            model=model,
            device=self.device,
            runtime=self.runtime,
            simulator=self.simulator,
            lockstep=lockstep,
            laps=self.laps,
            time_limit=self.time_limit,
            looks_seed=self._looks_seed(series, circuit, repetition),
            start_arc_length=self._start(series, circuit, repetition),
            disturbance=disturbance,
            seed=self._seed(circuit, repetition) if disturbance else 0,
            stall_limit=0.0 if lockstep else _STALLED_S,
            record=self.record,
            reference_lap=self.reference_lap(circuit),
            world=series.world,
        )

    def _seed(self, circuit: str, repetition: int) -> int:
        return int(_drawn_share(self.seed, "disturbance", circuit, repetition) * LARGEST_SEED)

    def _looks_seed(self, series: Series, circuit: str, repetition: int) -> int:
        if series.looks == OF_CIRCUIT:
            return int(re.sub(r"\D", "", circuit) or 0)
        if isinstance(series.looks, str):
            return 1 + int(_drawn_share(self.seed, "looks", circuit, repetition) * LARGEST_SEED)
        return series.looks[repetition % len(series.looks)]

    def _start(self, series: Series, circuit: str, repetition: int) -> float:
        if isinstance(series.start_points, str):
            share = _drawn_share(self.seed, "start", circuit, repetition)
            return round(share * circuit_length(circuit), 1)
        return series.start_points[repetition % len(series.start_points)]


@functools.cache
def circuit_length(circuit: str) -> float:
    """Return a circuit's lap, m. Raises UserError as ``load_circuit`` does."""
    return load_circuit(circuit).centerline.length


def _word(name: str) -> str:
    """Return a name, or a path's file name, with what is unfit for a folder replaced."""
    stem = Path(name).stem if "/" in name or name.endswith((".pt", ".csv")) else name
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", stem)


def _drawn_share(seed: int, what: str, circuit: str, repetition: int) -> float:
    """Return a number in 0..1 that follows from the words alone: the same for every model."""
    words = f"{seed} {what} {Path(circuit).stem} {repetition}".encode()
    return int.from_bytes(hashlib.sha256(words).digest()[:6], "big") / 2**48


def _check_distinct(runs: list[PlannedRun], mode: str) -> None:
    names: dict[str, PlannedRun] = {}
    drives: dict[RunSpec, PlannedRun] = {}
    for run in runs:
        other = names.setdefault(run.name, run)
        if other is not run:
            raise UserError(
                f"{run} and {other} would share the folder {run.name}: "
                "rename a file, so that names differ"
            )
        # What a disturbance draws differs from repetition to repetition.
        same = drives.setdefault(run.spec, run)
        if same is not run and mode == "lockstep":
            raise UserError(
                f"{same} and {run} are the same lap to the bit in lock-step: draw looks or "
                "start_points, or give more of them"
            )
