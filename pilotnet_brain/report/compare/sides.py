"""The runs that are compared: from run folders, benchmarks, and BehaviorMetrics' results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pilotnet_brain.benchmark.plan import UNDISTURBED
from pilotnet_brain.errors import UserError
from pilotnet_brain.report.tables import is_number
from pilotnet_brain.runs.folder import RunFolder
from pilotnet_brain.user_path import user_path

_BEHAVIOR_METRICS = {
    "completed_distance": "distance_m",
    "average_speed": "average_speed",
    # It carries the name of an error in metres and is the mean of 1000^d over the reference lap.
    "position_deviation_mae": "position_deviation_score_published",
    "brain_iterations_frequency_real_time": "brain_iteration_frequency",
    "mean_inference_time": "mean_inference_time",
    "suddenness_distance": "suddenness",
    "real_time_factor": "real_time_factor",
    "experiment_total_simulated_time": "simulated_time_s",
    "experiment_total_real_time": "real_time_s",
}
"""Its keys -> ours (JdeRobot's behavior_metrics/utils/metrics_gazebo.py, pilot_gazebo.py)."""


@dataclass(frozen=True)
class ComparedRun:
    """One run."""

    figures: Mapping[str, Any]  #: as in metrics.json
    folder: Path | None  #: of the run, with its driven line; None where unknown

    @property
    def finished(self) -> bool:
        """Whether all laps were driven."""
        return bool(self.figures.get("lap_completed"))


@dataclass(frozen=True)
class Side:
    """What is compared with other sides: one run, or the repetitions of one."""

    label: str  #: its name in the tables
    name: str  #: the model, with its disturbance
    circuit: str | None  #: where it was driven; None where its source does not record it
    runs: tuple[ComparedRun, ...]  #: at least one

    def values(self, key: str) -> list[float]:
        """Return a figure of the finished runs, of all runs where none finished."""
        counted = [run for run in self.runs if run.finished] or list(self.runs)
        values = [_number(run.figures, key) for run in counted]
        return [value for value in values if value is not None]

    @property
    def finished(self) -> int:
        """How many of the runs drove all laps."""
        return sum(run.finished for run in self.runs)


def compared_with(side: Side, sides: Sequence[Side]) -> Side | None:
    """Return the side that another's differences are from, None for the first side.

    That is the first one with the same model (of an earlier benchmark), else the first of all.
    """
    alike = next(other for other in sides if other.name == side.name)
    reference = sides[0] if alike is side else alike
    return None if reference is side else reference


def sides_by_circuit(paths: Iterable[Path], circuit: str | None = None) -> dict[str, list[Side]]:
    """Read what is to be compared, by circuit; circuits with a single side are left out.

    Args:
        paths: of run folders (a side each), of folders of such (the repetitions of a side), of
            benchmarks, and of BehaviorMetrics' JSON results or folders of them.
        circuit: where BehaviorMetrics' results were driven, which do not record it.

    Raises:
        UserError: a path that is none of these, or nothing that can be compared.
    """
    sides = [side for path in paths for side in _sides_at(user_path(path))]
    named = sorted({side.circuit for side in sides if side.circuit is not None})
    unnamed = [side.label for side in sides if side.circuit is None]
    if unnamed and circuit is None:
        if len(named) != 1:
            raise UserError(
                f"{unnamed[0]}: BehaviorMetrics' results do not name the circuit; give it with "
                "--circuit"
            )
        circuit = named[0]
    by_circuit: dict[str, list[Side]] = {}
    for side in _with_distinct_labels(sides):
        by_circuit.setdefault(side.circuit or str(circuit), []).append(side)
    compared = {name: there for name, there in by_circuit.items() if len(there) > 1}
    if not compared:
        there = ", ".join(f"{s.label} on {s.circuit or circuit}" for s in sides) or "no run"
        raise UserError(f"nothing to compare: two runs on the same circuit are needed, got {there}")
    return compared


def _sides_at(path: Path) -> list[Side]:
    if not path.exists():
        raise UserError(f"{path}: no such run, benchmark or result")
    if path.is_file():
        return [Side(path.stem, path.stem, None, (_behavior_metrics_run(path),))]
    if (path / "results.json").is_file():
        return _sides_of_benchmark(path)
    if (path / "metrics.json").is_file():
        run = _run(path)
        name = _name_of(run.figures)
        return [Side(name, name, str(run.figures.get("circuit")), (run,))]
    runs = sorted(p.parent for p in path.glob("*/metrics.json") if not p.parent.is_symlink())
    if runs:
        return _repetitions(path, runs)
    results = [file for file in sorted(path.glob("*.json")) if _is_behavior_metrics(_read(file))]
    if results:
        runs_there = tuple(_behavior_metrics_run(file) for file in results)
        name = path.resolve().name
        return [Side(name, name, None, runs_there)]
    raise UserError(
        f"{path}: neither a run's folder (metrics.json), nor a benchmark's (results.json), nor one "
        "of runs or of BehaviorMetrics' results, nor a bag"
    )


def _repetitions(path: Path, folders: list[Path]) -> list[Side]:
    """Group a folder's runs by model and circuit."""
    runs = map(_run, folders)
    return _grouped(path, [(_name_of(r.figures), str(r.figures.get("circuit")), r) for r in runs])


def _sides_of_benchmark(path: Path) -> list[Side]:
    rows = _read(path / "results.json").get("rows")
    if not isinstance(rows, list):
        raise UserError(f"{path / 'results.json'}: not the results of a benchmark: it has no rows")
    runs = []
    for row in rows:
        name = _name_of(row)
        if row.get("disturbance", UNDISTURBED) != UNDISTURBED:
            name += f", {row['disturbance']} {row['amount']:g}"
        folder = path / row["run"] if row.get("run") else None
        run = ComparedRun(row | {"lap_completed": bool(row.get("finished"))}, folder)
        runs.append((name, str(row.get("circuit")), run))
    return _grouped(path, runs)


def _grouped(path: Path, runs: Iterable[tuple[str, str, ComparedRun]]) -> list[Side]:
    """Return a side for each name and circuit, labelled with the folder's name."""
    groups: dict[tuple[str, str], list[ComparedRun]] = {}
    for name, circuit, run in runs:
        groups.setdefault((name, circuit), []).append(run)
    return [
        Side(f"{name} ({path.resolve().name})", name, circuit, tuple(together))
        for (name, circuit), together in groups.items()
    ]


def _run(path: Path) -> ComparedRun:
    folder = RunFolder.open(path)
    figures = folder.read_metrics()
    if figures is None:
        raise UserError(f"{folder.metrics_json}: cannot be read as a run's figures")
    return ComparedRun(figures, folder.path)


def _behavior_metrics_run(path: Path) -> ComparedRun:
    results = _read(path)
    if not _is_behavior_metrics(results):
        raise UserError(
            f"{path}: not a result of BehaviorMetrics: it has neither completed_distance nor "
            "percentage_completed"
        )
    return ComparedRun(_figures_of_behavior_metrics(results), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"{path}: cannot be read as JSON: {problem}") from problem
    return content if isinstance(content, dict) else {}


def _name_of(figures: Mapping[str, Any]) -> str:
    return Path(str(figures.get("model") or "unknown")).stem


def _with_distinct_labels(sides: list[Side]) -> list[Side]:
    """Number the sides that share label and circuit: a model driven twice."""
    alike: dict[tuple[str, str | None], list[int]] = {}
    for place, side in enumerate(sides):
        alike.setdefault((side.label, side.circuit), []).append(place)
    labelled = list(sides)
    for (label, _), places in alike.items():
        for number, place in enumerate(places, 1):
            if len(places) > 1:
                labelled[place] = replace(sides[place], label=f"{label} #{number}")
    return labelled


def _number(figures: Mapping[str, Any], key: str) -> float | None:
    value = figures.get(key)
    if isinstance(value, list):
        value = min(value, default=None)
    return float(value) if is_number(value) else None


def _is_behavior_metrics(results: Mapping[str, Any]) -> bool:
    needed = ("completed_distance", "percentage_completed")
    return all(isinstance(results.get(key), int | float) for key in needed)


def _figures_of_behavior_metrics(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return its result as the figures of metrics.json; a figure that it did not measure is None.

    It writes zero for such a figure. Its laps are timed in whole seconds, and only where
    the lap was completed, which it says by more than 100 %.
    """
    figures: dict[str, Any] = {
        ours: results.get(theirs) or None for theirs, ours in _BEHAVIOR_METRICS.items()
    }
    completed = float(results["percentage_completed"])
    lap_s = results.get("lap_seconds")
    gpu = results.get("gpu_inference")
    return figures | {
        "simulator": "BehaviorMetrics",
        "device": None if gpu is None else "gpu" if gpu else "cpu",
        "completion": min(1.0, completed / 100.0),
        "lap_completed": completed > 100.0,
        "lap_times_s": [float(lap_s)] if completed > 100.0 and lap_s else [],
        "ending": "laps done" if completed > 100.0 else "not completed",
    }
