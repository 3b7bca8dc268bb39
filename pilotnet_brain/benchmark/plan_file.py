"""Reads a benchmark's plan: strictly, with errors that name the key and what it must be.

pydantic checks the types and ranges: the keys are said once, as the fields of `_PlanFile`.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pilotnet_brain.benchmark.plan import DRAWN, BenchmarkPlan, Series
from pilotnet_brain.circuits.catalogue import circuit_names
from pilotnet_brain.driving.model.catalogue import read_manifest
from pilotnet_brain.errors import UserError
from pilotnet_brain.package_share import share_dir
from pilotnet_brain.runs.spec import LARGEST_SEED
from pilotnet_brain.user_path import user_path

MOST_RUNS = 100_000
_LARGEST_FILE_BYTES = 2**20
_MOST_REPETITIONS = 10_000
_KIND = re.compile(r"[\[\]()-]|^(int|float|str|dict|list|literal|constrained.*)$")
"""What pydantic names the kinds of a value by, in the place of an error."""
_RANGE = re.compile(r"random-(\d{1,9})\.\.(?:random-)?(\d{1,9})")


class PlanError(UserError):
    """A plan that is none; the text names the file, the key, the value and what there is."""


def _name(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError("must be a name or a path")
    return value


_Name = Annotated[str, AfterValidator(_name)]
_Names = Annotated[list[_Name], Field(min_length=1)]
_Repetitions = Annotated[int, Field(ge=1, le=_MOST_REPETITIONS)]
_Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
_Metres = Annotated[float, Field(ge=0.0, le=1e6)]
_Amounts = Annotated[list[Annotated[float, Field(ge=-1e6, le=1e6)]], Field(min_length=1)]
_Circuits = (
    Literal["all"] | Annotated[dict[_Name, _Repetitions | None], Field(min_length=1)] | _Names
)
_Looks = Literal["drawn", "of_circuit"] | Annotated[list[_Seed], Field(min_length=1)]
_Starts = Literal["drawn"] | Annotated[list[_Metres], Field(min_length=1)]


class _SeriesKeys(BaseModel):
    """The keys of a series; at the top of a file they hold for all of its series."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    circuits: _Circuits | None = None
    repetitions: _Repetitions | None = None
    looks: _Looks | None = None
    start_points: _Starts | None = None
    disturbance: Literal[""] | _Name | None = None
    world: Literal[""] | _Name | None = None


class _PlanFile(_SeriesKeys):
    """The keys of a plan's file."""

    mode: Literal["live", "lockstep"] = "live"
    simulator: Literal["mujoco", "gazebo", "gz"] = "mujoco"
    models: Literal["all"] | _Names = "all"
    series: Annotated[dict[_Name, _SeriesKeys], Field(min_length=1)] | None = None
    seed: _Seed = 0
    disturbances: Literal["all"] | dict[_Name, _Amounts | None] = Field(default_factory=dict)
    laps: Annotated[int, Field(ge=1, le=10_000)] = 1
    time_limit: Annotated[float, Field(ge=0.1, le=1e6)] = 600.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    runtime: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    record: bool = True
    reference_laps: Literal[""] | _Name = ""


KEYS = tuple(_PlanFile.model_fields)
"""Of a plan's file."""


def find_plan(name_or_path: str) -> Path:
    """Return the file of a plan: a path, or the name of one that comes with the package.

    Raises:
        PlanError: neither; lists the names there are.
    """
    path = user_path(name_or_path)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in sorted((share_dir() / "benchmarks").glob("*.yaml"))}
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise PlanError(
        f"no plan {name_or_path!r}: no such file, and no plan of that name; plans: "
        f"{', '.join(shipped) or 'none'}"
    )


def read_values(path: Path) -> dict[str, Any]:
    """Return what a plan's YAML file says, unchecked: `plan_of` checks it.

    Raises:
        PlanError: the file cannot be read, is no YAML mapping, or says a key twice.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise PlanError(f"{path}: larger than 1 MB: this is no benchmark's plan")
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
    except OSError as problem:
        raise PlanError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as problem:
        raise PlanError(f"{path}: not YAML: {' '.join(str(problem).split())}") from problem
    if not isinstance(values, dict):
        raise PlanError(f"{path}: must hold keys and values; the keys are {', '.join(KEYS)}")
    return values


def plan_of(values: Mapping[str, Any]) -> BenchmarkPlan:
    """Return the plan that a mapping of keys says; what it leaves out is filled in.

    ``repetitions`` counts for the circuits that do not say a number. Live repetitions are the same
    drive again, from the start line in the plain look, unless looks or start points are asked for;
    in lock-step, where that would be the same to the bit, both are drawn.

    Raises:
        PlanError: an unknown key, or a value that is not one of its key's.
        UserError: the manifest of the models cannot be read.
    """
    for key in values:
        if key not in KEYS:
            raise PlanError(f"unknown key {reprlib.repr(key)}; there are {', '.join(KEYS)}")
    try:
        file = _PlanFile.model_validate(dict(values))
    except (ValidationError, RecursionError) as problem:
        raise PlanError(_in_words(problem)) from None
    said = file.model_dump(exclude={*_SeriesKeys.model_fields})
    said["models"] = _models(file.models)
    said["series"] = _series(file)
    said["disturbances"] = _disturbances(file.disturbances)
    plan = BenchmarkPlan(**said)
    _check_together(plan)
    return plan


def write_plan(plan: BenchmarkPlan) -> str:
    """Return the plan as the text of a YAML file."""
    return yaml.safe_dump(plan.as_dict(), sort_keys=False, allow_unicode=True)


def _models(asked: list[str] | str) -> tuple[str, ...]:
    return tuple(read_manifest() if isinstance(asked, str) else _once("models", asked))


def _series(file: _PlanFile) -> dict[str, Series]:
    if file.series is not None and file.circuits is not None:
        raise PlanError("circuits: say them in each series, or leave series out")
    return {
        name: _series_of(keys, file)
        for name, keys in (file.series or {"": _SeriesKeys(circuits=file.circuits)}).items()
    }


def _series_of(keys: _SeriesKeys, file: _PlanFile) -> Series:
    live = file.mode == "live"
    circuits = keys.circuits if keys.circuits is not None else "all"
    repetitions = keys.repetitions or file.repetitions or 1
    looks = keys.looks or file.looks or ([0] if live else DRAWN)
    starts = keys.start_points or file.start_points or ([0.0] if live else DRAWN)
    return Series(
        {name: number or repetitions for name, number in _circuits(circuits).items()},
        looks if isinstance(looks, str) else tuple(looks),
        starts if isinstance(starts, str) else tuple(starts),
        keys.disturbance or file.disturbance or "",
        keys.world or file.world or "",
    )


def _circuits(asked: Any) -> dict[str, int | None]:
    """Return the repetitions by circuit, None where the plan's number counts."""
    if asked == "all":
        return dict.fromkeys(circuit_names())
    numbers = asked if isinstance(asked, dict) else dict.fromkeys(_once("circuits", asked))
    spread: dict[str, int | None] = {}
    for name, number in numbers.items():
        for circuit in _circuits_of(name):
            if circuit in spread:
                raise PlanError(f"circuits: {circuit} is there twice")
            spread[circuit] = number
    return spread


def _circuits_of(name: str) -> list[str]:
    """Return the circuits of a name: several for ``random-1001..1100``."""
    if (spread := _RANGE.fullmatch(name)) is None:
        return [name]
    first, last = int(spread[1]), int(spread[2])
    if not first <= last <= first + _MOST_REPETITIONS:
        raise PlanError(
            f"circuits is {name!r}: it must be random-FIRST..LAST, of at most 10000 circuits"
        )
    return [f"random-{seed}" for seed in range(first, last + 1)]


def _disturbances(asked: Any) -> dict[str, tuple[float, ...]]:
    """Return the amounts; where none are said, those that the disturbance comes with."""
    if not asked:
        return {}
    # Brings the embedded simulator along, which a machine that drives in Gazebo may not have.
    from pilotnet_brain.runs.disturbances import DISTURBANCES, find_disturbance

    amounts = {}
    for name, given in (dict.fromkeys(DISTURBANCES) if asked == "all" else asked).items():
        if given is None:
            known = find_disturbance(name)
            # The undisturbed run is driven anyway.
            given = [amount for amount in known.amounts if amount != known.none]
        amounts[name] = tuple(_once(f"disturbances: {name}", given))
    return amounts


def _check_together(plan: BenchmarkPlan) -> None:
    disturbed = [name for name, series in plan.series.items() if series.disturbance]
    if plan.mode == "live" and (plan.disturbances or disturbed):
        raise PlanError("disturbances need mode lockstep")
    if plan.disturbances and disturbed:
        raise PlanError(
            "disturbances of the plan and the disturbance of a series: give one of them"
        )
    if plan.mode == "lockstep" and plan.simulator != "mujoco":
        raise PlanError(f"simulator {plan.simulator} needs mode live; lock-step drives in mujoco")
    if plan.mode == "lockstep" and plan.device == "cuda":
        raise PlanError("device cuda needs mode live; lock-step drives on the CPU")
    starts = {series.start_points for series in plan.series.values()}
    if plan.simulator != "mujoco" and starts != {(0.0,)}:
        raise PlanError("start_points need simulator mujoco: Gazebo's car starts on the start line")
    amounts = 1 + sum(len(amounts) for amounts in plan.disturbances.values())
    runs = sum(plan.circuits.values()) * len(plan.models) * amounts
    if runs > MOST_RUNS:
        raise PlanError(f"{runs} runs are more than {MOST_RUNS}: ask for less at a time")


def _once(key: str, items: Iterable[Any]) -> list[Any]:
    seen: list[Any] = []
    for item in items:
        if item in seen:
            raise PlanError(f"{key}: {item!r} is there twice")
        seen.append(item)
    return seen


def _in_words(problem: ValidationError | RecursionError) -> str:
    """Return the first mistake in one line: the key, the value, and what it must be."""
    if isinstance(problem, RecursionError):
        return "the plan's values have no end; one of its keys holds itself"
    errors = problem.errors(include_url=False)
    first = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    # Of a value that may be of several kinds, the kind that was understood best.
    deepest = max(len(error["loc"]) for error in first)
    best = [error for error in first if len(error["loc"]) == deepest]
    keys = [part for part in best[0]["loc"] if isinstance(part, str) and not _KIND.search(part)]
    must = " or ".join(dict.fromkeys(_must(error["msg"]) for error in best))
    given = reprlib.repr(best[0].get("input"))[:80]
    return f"{': '.join(keys)} is {given}: it must be {must}"[:380]


def _must(message: str) -> str:
    text = " ".join(message.split())
    if text.startswith("Extra inputs"):
        return f"left out: the keys of a series are {', '.join(_SeriesKeys.model_fields)}"
    for start in ("Input should be ", "Value error, must be ", "Input should have "):
        text = text.removeprefix(start)
    return text


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is said twice, of which YAML's own takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {reprlib.repr(key)} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
